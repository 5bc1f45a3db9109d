/* A server that ends a session at a moment of the conversation that real ones seldom hit: a process of ours plays it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "io/connection.h"

/* Messages of a server as literals: letter, length, content. */
#define SAY(fd, text) ((void) !write(fd, text, sizeof(text) - 1))
#define WELCOME                                                                                              \
	"R\0\0\0\x08\0\0\0\0"                                                                                    \
	"S\0\0\0\x18server_version\00015.0\0"                                                                    \
	"S\0\0\0\x19"                                                                                            \
	"client_encoding\0UTF8\0"                                                                                \
	"K\0\0\0\x0c\0\0\0\x01\0\0\0\x02Z\0\0\0\x05I"
#define ANSWER                                                                                               \
	"1\0\0\0\x04"                                                                                            \
	"2\0\0\0\x04n\0\0\0\x04"                                                                                 \
	"C\0\0\0\x08SET\0"
#define STANDBY "E\0\0\0\x1dSFATAL\0C57M02\0Mrecovery\0\0"
#define LAST_WORD "E\0\0\0\x1cSFATAL\0C57P01\0Mthe end\0\0"

/* The letter of the client's next message, whose content is discarded; 0: there is none. */
static char
hear(int fd, unsigned head)
{
	unsigned char bytes[8192];
	size_t len;

	if (recv(fd, bytes, head, MSG_WAITALL) != (ssize_t) head)
		return 0;
	len = (size_t) bytes[head - 2] << 8 | bytes[head - 1];
	if (len > 4 && recv(fd, bytes + head, len - 4, MSG_WAITALL) != (ssize_t) len - 4)
		return 0;
	return head == 5 ? (char) bytes[0] : 'a';
}

/* Answers two statements of a pipeline once it is asked to, and ends the session instead of the pipeline. */
static void
serve(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char letter = hear(fd, 4);

	SAY(fd, WELCOME);
	while (letter && letter != 'H')
		letter = hear(fd, 5);
	SAY(fd, ANSWER ANSWER LAST_WORD);
	close(fd);
	_exit(letter == 'H' ? 0 : 1);
}

/* Refuses the login as a standby coordinator does. */
static void
refuse(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char letter = hear(fd, 4);

	SAY(fd, STANDBY);
	close(fd);
	_exit(letter ? 0 : 1);
}

/* Takes a session and waits for its end. */
static void
welcome(int listener)
{
	int fd = accept(listener, NULL, NULL);
	char letter = hear(fd, 4);

	SAY(fd, WELCOME);
	while (letter && letter != 'X')
		letter = hear(fd, 5);
	_exit(letter == 'X' ? 0 : 1);
}

static pid_t
start_server(void (*play)(int listener), unsigned *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *) &address, sizeof address), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *) &address, &len), 0);
	*port = ntohs(address.sin_port);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60); /* a test that fails does not wait for it */
		play(listener);
	}
	close(listener);
	return pid;
}

static void
on_answer(void *arg, const struct result *res, const struct error *err)
{
	unsigned *answers = arg;

	(void) err;
	*answers += res != NULL;
}

static bool
is_lost(void *arg)
{
	return connection_is_lost(arg);
}

static void
test_last_word(void **state)
{
	struct loop *loop = loop_create();
	struct connection *conn;
	unsigned port, answers = 0;
	char conninfo[128];
	struct error err;
	int status;
	pid_t pid = start_server(serve, &port);

	(void) state;
	snprintf(conninfo, sizeof conninfo,
			 "host=127.0.0.1 port=%u user=u dbname=d sslmode=disable gssencmode=disable", port);
	conn = connection_open(loop, "destination", conninfo, CONNECTION_SQL, "test", &err);
	assert_non_null(conn);
	connection_allow_pipelining(conn);
	connection_query(conn, "SET a", NULL, 0, on_answer, &answers);
	connection_query(conn, "SET b", NULL, 0, on_answer, &answers);
	loop_run_until(loop, is_lost, conn);
	assert_int_equal(answers, 2);
	connection_close(conn);
	loop_destroy(loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* libpq takes this answer for the end of its list of hosts. */
static void
test_standby_is_passed_over(void **state)
{
	struct loop *loop = loop_create();
	struct connection *conn;
	unsigned ports[2];
	char conninfo[128];
	struct error err;
	pid_t pids[] = {start_server(refuse, &ports[0]), start_server(welcome, &ports[1])};

	(void) state;
	snprintf(conninfo, sizeof conninfo,
			 "host=127.0.0.1,127.0.0.1 port=%u,%u user=u dbname=d sslmode=disable gssencmode=disable",
			 ports[0], ports[1]);
	conn = connection_open(loop, "destination", conninfo, CONNECTION_SQL, "test", &err);
	assert_non_null(conn);
	connection_close(conn);
	loop_destroy(loop);
	for (int i = 0, status; i < 2; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
}

static void
test_standby_alone(void **state)
{
	struct loop *loop = loop_create();
	unsigned port;
	char conninfo[128];
	struct error err;
	int status;
	pid_t pid = start_server(refuse, &port);

	(void) state;
	snprintf(conninfo, sizeof conninfo,
			 "host=127.0.0.1 port=%u user=u dbname=d sslmode=disable gssencmode=disable", port);
	assert_null(connection_open(loop, "destination", conninfo, CONNECTION_SQL, "test", &err));
	assert_int_equal(err.class, ERROR_RETRY);
	assert_string_equal(err.message,
						"cannot connect to the destination: the server is in recovery, or a standby"
						" coordinator, and takes no connections (57M02: recovery)");
	loop_destroy(loop);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_word),
		cmocka_unit_test(test_standby_is_passed_over),
		cmocka_unit_test(test_standby_alone),
	};

	return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
