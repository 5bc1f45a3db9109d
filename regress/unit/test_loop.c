/*
 * Sockets in the loop: libpq closes the descriptor of a connection that it finds lost, and the next connection has the same one.
 * And the memory of its threads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/socket.h>

#include <cmocka.h>

#include "base/memory.h"
#include "io/loop.h"

struct end {
	int fd, peer;
	struct loop_socket *socket;
	bool called;
};

static void
on_ready(void *arg, unsigned events)
{
	struct end *end = arg;

	(void) events;
	end->called = true;
	loop_socket_watch(end->socket, 0);
}

/* With the descriptor `fd`, unless it is negative. */
static void
open_end(struct loop *loop, struct end *end, int fd)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	if (fd >= 0 && pair[0] != fd) {
		assert_int_equal(dup2(pair[0], fd), fd);
		close(pair[0]);
		pair[0] = fd;
	}
	*end = (struct end){.fd = pair[0], .peer = pair[1]};
	end->socket = loop_socket_create(loop, end->fd, on_ready, end);
	loop_socket_watch(end->socket, LOOP_READABLE);
	assert_true(loop_sleep(loop, 1));
}

static void
close_end(struct end *end)
{
	loop_socket_destroy(end->socket);
	close(end->fd);
	close(end->peer);
}

static bool
was_called(void *arg)
{
	return ((struct end *) arg)->called;
}

static void
overdue(void *arg)
{
	(void) arg;
	fail_msg("what arrived was not noticed");
}

static void
expect_call(struct loop *loop, struct end *end)
{
	struct loop_timer *deadline = loop_timer_create(loop, overdue, NULL);

	loop_timer_arm(deadline, 5000);
	assert_int_equal(write(end->peer, "x", 1), 1);
	loop_run_until(loop, was_called, end);
	loop_timer_destroy(deadline);
}

static void
check_reuse(bool stopped)
{
	struct loop *loop = loop_create();
	struct end former, next;

	open_end(loop, &former, -1);
	if (stopped)
		loop_socket_watch(former.socket, 0);
	close(former.fd);
	open_end(loop, &next, former.fd);
	loop_socket_watch(former.socket, 0);
	loop_socket_destroy(former.socket);
	expect_call(loop, &next);
	assert_false(former.called);
	close_end(&next);
	close(former.peer);
	loop_destroy(loop);
}

static void
a_descriptor_of_a_lost_connection_is_used_again(void **state)
{
	(void) state;
	check_reuse(true);
}

static void
a_descriptor_that_is_still_watched_is_used_again(void **state)
{
	(void) state;
	check_reuse(false);
}

#define LARGE_BYTES ((size_t) 8 << 20)

/* As libpq's buffers do: allocated on the thread that connects, later freed elsewhere.  The first is so large that it has a mapping of its own. */
static void
allocate(void *arg)
{
	char **kept = arg;

	free(memset(memory_alloc(LARGE_BYTES), 1, LARGE_BYTES));
	*kept = memset(memory_alloc(LARGE_BYTES), 1, LARGE_BYTES);
}

static long
resident_kb(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	long kb = -1;

	assert_non_null(file);
	while (kb < 0 && fgets(line, sizeof line, file))
		if (strncmp(line, "RssAnon:", 8) == 0)
			kb = strtol(line + 8, NULL, 10);
	fclose(file);
	return kb;
}

static void
memory_of_another_thread_is_given_back(void **state)
{
	struct loop *loop = loop_create();
	long before = resident_kb();
	char *kept;

	(void) state;
	loop_run_blocking(loop, allocate, &kept);
	assert_true(resident_kb() - before > 4096);
	free(kept);
	memory_give_back();
#ifndef __SANITIZE_ADDRESS__
	assert_true(resident_kb() - before < 4096);
#endif
	loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_of_a_lost_connection_is_used_again),
		cmocka_unit_test(a_descriptor_that_is_still_watched_is_used_again),
		cmocka_unit_test(memory_of_another_thread_is_given_back),
	};

	memory_use_one_heap();

	return cmocka_run_group_tests(tests, NULL, NULL);
}
