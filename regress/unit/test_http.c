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

#include <cmocka.h>

#include "base/memory.h"
#include "io/http.h"

#define LARGE_BYTES ((size_t) 8 << 20)

/* One request, sent and answered on another thread while the loop serves it. */
struct exchange {
	unsigned port;
	const char *request;
	char *answer;
	size_t len;
};

static void
exchange(void *arg)
{
	struct exchange *e = arg;
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) e->port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t room = LARGE_BYTES + 4096;
	ssize_t got;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, (struct sockaddr *) &address, sizeof address), 0);
	assert_int_equal(write(fd, e->request, strlen(e->request)), (ssize_t) strlen(e->request));
	e->answer = memory_alloc(room);
	e->len = 0;
	while ((got = read(fd, e->answer + e->len, room - e->len - 1)) > 0)
		e->len += (size_t) got;
	e->answer[e->len] = '\0';
	close(fd);
}

static void
answer(void *arg, const char *path, struct http_answer *answer)
{
	(void) arg;
	if (strcmp(path, "/small") == 0)
		buffer_printf(&answer->body, "hello");
	else if (strcmp(path, "/large") == 0)
		while (answer->body.len < LARGE_BYTES)
			buffer_printf(&answer->body, "%064d", 0);
	else
		answer->status = 404;
}

struct fixture {
	struct loop *loop;
	struct http *http;
};

static int
set_up(void **state)
{
	struct fixture *f = memory_alloc_zero(1, sizeof *f);
	struct error err;

	f->loop = loop_create();
	f->http = http_open(f->loop, "127.0.0.1:0", answer, NULL, &err);
	assert_non_null(f->http);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	http_close(f->http);
	loop_destroy(f->loop);
	free(f);
	return 0;
}

/* The caller frees the answer. */
static char *
ask(struct fixture *f, const char *request, size_t *len)
{
	struct exchange e = {.port = http_port(f->http), .request = request};

	loop_run_blocking(f->loop, exchange, &e);
	if (len)
		*len = e.len;
	return e.answer;
}

static void
assert_status(struct fixture *f, const char *request, const char *status, const char *end)
{
	char *got = ask(f, request, NULL);

	if (!strstr(got, status))
		fail_msg("%s: %s", request, got);
	assert_string_equal(got + strlen(got) - strlen(end), end);
	free(got);
}

static void
test_answers(void **state)
{
	struct fixture *f = *state;

	assert_status(f, "GET /small HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
				  "hello");
	assert_status(f, "HEAD /small HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "HTTP/1.1 200",
				  "\r\n\r\n");
	assert_status(f, "GET /none HTTP/1.1\r\nHost: [::1]:9\r\nConnection: close\r\n\r\n", "HTTP/1.1 404",
				  "there is no such page\n");
	assert_status(
		f, "POST /small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
		"HTTP/1.1 405", "only GET and HEAD are answered here\n");
}

static void
test_other_host(void **state)
{
	static const char *const hosts[] = {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
										"10.0.0.1"};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		char request[256];

		snprintf(request, sizeof request, "GET /small HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
				 hosts[i]);
		assert_status(f, request, "HTTP/1.1 403", "the Host header names another host\n");
	}
}

static void
test_large(void **state)
{
	size_t len;
	char *got = ask(*state, "GET /large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", &len);

	assert_true(len > LARGE_BYTES);
	free(got);
}

static void
test_taken_port(void **state)
{
	struct fixture *f = *state;
	char listen[32];
	struct error err;

	snprintf(listen, sizeof listen, "127.0.0.1:%u", http_port(f->http));
	assert_null(http_open(f->loop, listen, answer, NULL, &err));
	assert_int_equal(err.class, ERROR_RETRY);
	assert_non_null(strstr(err.message, listen));
}

static void
test_listen(void **state)
{
	static const char *const right[] = {"127.0.0.1:9432", "[::1]:9432", "0.0.0.0:80", "localhost:1"};
	static const char *const wrong[] = {"",			  ":9432",			 "127.0.0.1",
										"127.0.0.1:", "127.0.0.1:65536", "host.example:1",
										"::1:9432",	  "127.0.0.1:x",	 "127.0.0.1:-1"};
	struct error err;

	(void) state;
	for (size_t i = 0; i < sizeof right / sizeof *right; i++)
		assert_true(http_check_listen(right[i], &err));
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(http_check_listen(wrong[i], &err));
		assert_int_equal(err.class, ERROR_CONFIG);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_host, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_taken_port, set_up, tear_down),
		cmocka_unit_test(test_listen),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
