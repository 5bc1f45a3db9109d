/*
 * A narrow line: passes connections on to a server's socket, and what the server says only at so many bytes a second.
 *
 *	throttle LISTEN_PATH SERVER_PATH BYTES_PER_SECOND
 *
 * Each connection has the whole line for itself.  Prints "ready" when it listens; ends with its parent.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The bytes that are passed on at a time: some milliseconds at 10 Mbit/s. */
#define PIECE_BYTES 8192

static char piece[PIECE_BYTES];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
end_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static int
open_socket(const char *path, struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd < 0 || strlen(path) >= sizeof address->sun_path)
		die(path);
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	strcpy(address->sun_path, path);
	return fd;
}

/* False at the end of the connection. */
static int
pass(int from, int to, ssize_t *passed)
{
	*passed = read(from, piece, sizeof piece);
	for (ssize_t done = 0; done < *passed;) {
		ssize_t written = write(to, piece + done, (size_t) (*passed - done));

		if (written <= 0)
			return 0;
		done += written;
	}
	return *passed > 0;
}

/* Waits until the line is free again; idle time is not saved up. */
static void
wait_for_line(struct timespec *free_at, ssize_t bytes, double rate)
{
	struct timespec now;
	double ns = (double) bytes / rate * 1e9;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec > free_at->tv_sec ||
		(now.tv_sec == free_at->tv_sec && now.tv_nsec > free_at->tv_nsec + 10000000))
		*free_at = now;
	free_at->tv_nsec += (long) ns;
	while (free_at->tv_nsec >= 1000000000) {
		free_at->tv_nsec -= 1000000000;
		free_at->tv_sec++;
	}
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, free_at, NULL);
}

static void
serve(int client, const char *server_path, double rate)
{
	struct sockaddr_un address;
	struct timespec free_at = {0};
	int server = open_socket(server_path, &address);
	struct pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
	ssize_t bytes;

	if (connect(server, (struct sockaddr *) &address, sizeof address) < 0)
		die(server_path);
	while (poll(both, 2, -1) > 0) {
		if (both[0].revents && !pass(client, server, &bytes))
			return;
		if (both[1].revents) {
			if (!pass(server, client, &bytes))
				return;
			wait_for_line(&free_at, bytes, rate);
		}
	}
}

int
main(int argc, char **argv)
{
	struct sockaddr_un address;
	int listener, client;

	if (argc != 4) {
		fprintf(stderr, "usage: throttle LISTEN_PATH SERVER_PATH BYTES_PER_SECOND\n");
		return 1;
	}
	signal(SIGCHLD, SIG_IGN);
	end_with_parent();
	listener = open_socket(argv[1], &address);
	if (bind(listener, (struct sockaddr *) &address, sizeof address) < 0 || listen(listener, 50) < 0)
		die(argv[1]);
	puts("ready");
	fflush(stdout);
	while ((client = accept(listener, NULL, NULL)) >= 0) {
		if (fork() == 0) {
			end_with_parent();
			serve(client, argv[2], strtod(argv[3], NULL));
			return 0;
		}
		close(client);
	}
	return 0;
}
