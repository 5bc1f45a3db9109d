#include "control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/folder.h"
#include "base/memory.h"

#define CLIENTS_MAX 64

/* A client of the socket. Once its line is complete, it ends with a zero byte. */
struct client {
	struct client *next;
	struct control *control;
	struct loop_socket *socket;
	int fd;
	bool complete;
	size_t len;
	char line[CONTROL_LINE_BYTES];
};

struct control {
	struct loop *loop;
	struct loop_socket *socket;
	int fd;
	char *path;
	dev_t device; /* of the socket's file, which another daemon may replace */
	ino_t inode;
	struct client *first; /* in order of arrival */
	unsigned client_count;
	const char *at_once; /* the request that is answered on arrival; NULL: none */
	void (*put)(void *arg, size_t most, struct buffer *out);
	void *arg;
};

/* ---- sockets */

static bool
set_address(struct sockaddr_un *address, const char *path, struct error *err)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address->sun_path) {
		error_set(err, ERROR_DATA,
				  "the socket's path \"%s\" is longer than the %zu bytes that the system allows", path,
				  sizeof address->sun_path - 1);
		return error_hint(err, "Let apply.spill_directory name a folder with a shorter path.");
	}
	strcpy(address->sun_path, path);
	return true;
}

static bool
socket_error(const char *what, const char *path, struct error *err)
{
	error_set(err, ERROR_DATA, "cannot %s the socket \"%s\": %s", what, path, strerror(errno));
	return error_hint(err, "Let apply.spill_directory name a folder that this user can write to.");
}

static int
open_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* Checks the directory of the socket. */
static bool
check_folder(const char *path, struct error *err)
{
	char *folder = memory_strdup(path);
	char *slash = strrchr(folder, '/');
	bool safe;

	if (slash)
		*slash = '\0';
	safe = folder_check(slash == folder ? "/" : folder, err);
	free(folder);
	return safe;
}

/* Refuses to replace another user's file: the directory may be writable for others, such as /tmp. */
static bool
check_predecessor(const char *path, struct error *err)
{
	struct stat there;

	if (lstat(path, &there) < 0 || there.st_uid == geteuid())
		return true;
	error_set(err, ERROR_DATA, "\"%s\" belongs to another user (uid %u)", path, (unsigned) there.st_uid);
	return error_hint(err, "Let apply.spill_directory name a folder that only this user can write to.");
}

/* fchmod() before bind() gives the file its mode when it is created. */
static bool
bind_socket(struct control *control, struct error *err)
{
	struct sockaddr_un address;
	struct stat made;

	if (!set_address(&address, control->path, err))
		return false;
	if (!check_folder(control->path, err) || !check_predecessor(control->path, err))
		return false;
	unlink(control->path);
	control->fd = open_socket();
	if (control->fd < 0 || fchmod(control->fd, S_IRUSR | S_IWUSR) < 0 ||
		bind(control->fd, (struct sockaddr *) &address, sizeof address) < 0 ||
		lstat(control->path, &made) < 0 || listen(control->fd, CLIENTS_MAX) < 0)
		return socket_error("make", control->path, err);
	control->device = made.st_dev;
	control->inode = made.st_ino;
	return true;
}

/* ---- clients */

static void
remove_client(struct client *client)
{
	struct client **at = &client->control->first;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	client->control->client_count--;
	loop_socket_destroy(client->socket);
	close(client->fd);
	free(client);
}

static void
answer(struct client *client, const char *word, const char *text)
{
	char line[CONTROL_LINE_BYTES];
	int len = snprintf(line, sizeof line - 1, "%s\t%s", word, text);

	if (len > (int) sizeof line - 2)
		len = (int) sizeof line - 2;
	for (int i = 0; i < len; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[len++] = '\n';
	/* The answer fits into the socket's buffer. If the client has left, nothing is sent. */
	if (send(client->fd, line, (size_t) len, MSG_NOSIGNAL) < 0)
		errno = 0;
	remove_client(client);
}

static void
answer_now(struct client *client)
{
	struct buffer text;

	memory_buffer_init(&text);
	client->control->put(client->control->arg, CONTROL_LINE_BYTES - 16, &text);
	buffer_put_u8(&text, '\0');
	answer(client, "ok", (const char *) text.data);
	buffer_fini(&text);
}

/* Reads what has arrived; false if the client is to be removed. */
static bool
read_more(struct client *client)
{
	char *end;
	ssize_t got;

	got = recv(client->fd, client->line + client->len, sizeof client->line - 1 - client->len, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0)
		return false;
	client->len += (size_t) got;
	client->line[client->len] = '\0';
	end = memchr(client->line, '\n', client->len);
	if (!end)
		return client->len < sizeof client->line - 1;
	*end = '\0';
	client->complete = true;
	loop_socket_watch(client->socket, 0);
	return true;
}

static void
on_client(void *arg, unsigned events)
{
	struct client *client = arg;

	(void) events;
	if (!read_more(client)) {
		remove_client(client);
		return;
	}
	/* Handled here, so that a stop works wherever the program waits, like a signal. */
	if (client->complete && strcmp(client->line, "stop") == 0)
		loop_request_stop(client->control->loop);
	else if (client->complete && client->control->at_once &&
			 strcmp(client->line, client->control->at_once) == 0)
		answer_now(client);
}

static void
add_client(struct control *control, int fd)
{
	struct client *client = memory_alloc_zero(1, sizeof *client);
	struct client **at = &control->first;

	client->control = control;
	client->fd = fd;
	client->socket = loop_socket_create(control->loop, fd, on_client, client);
	loop_socket_watch(client->socket, LOOP_READABLE);
	while (*at)
		at = &(*at)->next;
	*at = client;
	control->client_count++;
}

static void
on_connection(void *arg, unsigned events)
{
	struct control *control = arg;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void) events;
	if (fd < 0)
		return;
	if (control->client_count < CLIENTS_MAX)
		add_client(control, fd);
	else
		close(fd);
}

/* ---- the daemon's side */

static void
release(struct control *control)
{
	if (control->fd >= 0)
		close(control->fd);
	free(control->path);
	free(control);
}

struct control *
control_open(struct loop *loop, const char *path, struct error *err)
{
	struct control *control = memory_alloc_zero(1, sizeof *control);

	control->loop = loop;
	control->fd = -1;
	control->path = memory_strdup(path);
	if (!bind_socket(control, err)) {
		release(control);
		return NULL;
	}
	control->socket = loop_socket_create(loop, control->fd, on_connection, control);
	loop_socket_watch(control->socket, LOOP_READABLE);
	return control;
}

/* Does not remove the socket of another daemon that has replaced ours. */
static void
remove_file(const struct control *control)
{
	struct stat there;

	if (lstat(control->path, &there) == 0 && there.st_dev == control->device &&
		there.st_ino == control->inode)
		unlink(control->path);
}

void
control_close(struct control *control, const char *reason)
{
	if (!control)
		return;
	remove_file(control);
	while (control->first)
		answer(control->first, "failed", reason);
	loop_socket_destroy(control->socket);
	release(control);
}

void
control_answer_at_once(struct control *control, const char *request,
					   void (*put)(void *arg, size_t most, struct buffer *out), void *arg)
{
	control->at_once = put ? request : NULL;
	control->put = put;
	control->arg = arg;
}

static struct client *
oldest(const struct control *control)
{
	struct client *client = control ? control->first : NULL;

	while (client && !client->complete)
		client = client->next;
	return client;
}

const char *
control_request(const struct control *control)
{
	struct client *client = oldest(control);

	return client ? client->line : NULL;
}

void
control_answer(struct control *control, bool ok, const char *fmt, ...)
{
	struct client *client = oldest(control);
	char text[CONTROL_LINE_BYTES];
	va_list args;

	if (!client)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	answer(client, ok ? "ok" : "failed", text);
}

void
control_answer_error(struct control *control, const struct error *err)
{
	struct client *client = oldest(control);
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (!client)
		return;
	error_sentence(err, sentence, sizeof sentence);
	answer(client, err->class == ERROR_CONFIG ? "wrong" : "failed", sentence);
}

/* ---- the client side */

struct asking {
	struct loop *loop;
	int fd;
	char line[CONTROL_LINE_BYTES];
	size_t len;
	bool over; /* the line is complete, the daemon has hung up, or the time has passed */
};

static void
on_answer(void *arg, unsigned events)
{
	struct asking *a = arg;
	ssize_t got = recv(a->fd, a->line + a->len, sizeof a->line - 1 - a->len, 0);

	(void) events;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		a->len += (size_t) got;
	a->over = got <= 0 || a->len == sizeof a->line - 1 || memchr(a->line, '\n', a->len);
}

static void
on_patience(void *arg)
{
	((struct asking *) arg)->over = true;
}

static bool
is_answered(void *arg)
{
	struct asking *a = arg;

	return a->over || loop_stop_requested(a->loop);
}

static bool
connect_to(int fd, const char *path, struct error *err)
{
	struct sockaddr_un address;

	if (!set_address(&address, path, err))
		return false;
	if (connect(fd, (struct sockaddr *) &address, sizeof address) == 0)
		return true;
	if (errno != ENOENT && errno != ECONNREFUSED)
		return socket_error("reach", path, err);
	error_set(err, ERROR_DATA, "no daemon of this task listens at \"%s\"", path);
	return error_hint(
		err, "\"sluice status\" says whether one runs; this verb works on the daemon's own host, with"
			 " the same apply.spill_directory.");
}

/*
 * The listener must be a program of this user or of root. Root as the client also trusts other users'
 * programs if only they can create a socket in that directory.
 */
static bool
check_listener(int fd, const char *path, struct error *err)
{
	struct ucred peer = {.uid = (uid_t) -1};
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return socket_error("reach", path, err);
	if (peer.uid == geteuid() || peer.uid == 0)
		return true;
	if (geteuid() == 0)
		return check_folder(path, err);
	error_set(err, ERROR_DATA,
			  "the program that listens at \"%s\" belongs to another user (uid %u), and is not asked", path,
			  (unsigned) peer.uid);
	return error_hint(err,
					  "Let apply.spill_directory name a folder that only the daemon's user can write to.");
}

/* Parses the line of the answer. */
static bool
take_answer(struct asking *a, char *text, size_t text_bytes, struct error *err)
{
	char *end = memchr(a->line, '\n', a->len), *tab;

	if (!end && loop_stop_requested(a->loop))
		return error_set(err, ERROR_DATA, "interrupted; the daemon goes on with what it was asked");
	if (!end)
		return error_set(err, ERROR_DATA, "the daemon ended before it answered");
	*end = '\0';
	tab = strchr(a->line, '\t');
	snprintf(text, text_bytes, "%s", tab ? tab + 1 : a->line);
	return strncmp(a->line, "ok\t", 3) == 0 ||
		   error_set(err, strncmp(a->line, "wrong\t", 6) == 0 ? ERROR_CONFIG : ERROR_DATA, "%s", text);
}

static bool
exchange(struct asking *a, const char *path, const char *request, int64_t patience_ms, struct error *err)
{
	struct loop_timer *timer;
	struct loop_socket *socket;
	char line[CONTROL_LINE_BYTES];
	int len = snprintf(line, sizeof line, "%s\n", request);

	if (len >= (int) sizeof line)
		return error_set(err, ERROR_CONFIG, "too many names at once");
	if (!connect_to(a->fd, path, err) || !check_listener(a->fd, path, err))
		return false;
	if (send(a->fd, line, (size_t) len, MSG_NOSIGNAL) != len)
		return socket_error("write to", path, err);
	socket = loop_socket_create(a->loop, a->fd, on_answer, a);
	loop_socket_watch(socket, LOOP_READABLE);
	timer = loop_timer_create(a->loop, on_patience, a);
	if (patience_ms > 0)
		loop_timer_arm(timer, patience_ms);
	loop_run_until(a->loop, is_answered, a);
	loop_timer_destroy(timer);
	loop_socket_destroy(socket);
	return true;
}

bool
control_ask(struct loop *loop, const char *path, const char *request, int64_t patience_ms, char *text,
			size_t text_bytes, struct error *err)
{
	struct asking *a = memory_alloc_zero(1, sizeof *a);
	bool done;

	a->loop = loop;
	a->fd = open_socket();
	done = a->fd >= 0 ? exchange(a, path, request, patience_ms, err) : socket_error("make", path, err);
	done = done && take_answer(a, text, text_bytes, err);
	if (a->fd >= 0)
		close(a->fd);
	free(a);
	return done;
}

bool
control_is_listening(const char *path)
{
	struct sockaddr_un address;
	struct error ignored;
	bool listening;
	int fd;

	if (!set_address(&address, path, &ignored))
		return false;
	fd = open_socket();
	if (fd < 0)
		return false;
	/* A full queue also belongs to a living daemon. */
	listening = connect(fd, (struct sockaddr *) &address, sizeof address) == 0 || errno == EAGAIN;
	close(fd);
	return listening;
}
