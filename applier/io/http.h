/*
 * A small HTTP server in the loop, for reading only: GET and HEAD, no login.
 * libmicrohttpd (1.0 and 0.9.70 on) speaks the protocol; its sockets are in an
 * epoll set of its own, which the loop watches.
 *
 * Where it listens on a loopback address, a request whose Host names anything
 * but this host is refused: a page from elsewhere, in a browser of somebody
 * who may reach that address, must not read what is answered here.
 */
#ifndef SLUICE_HTTP_H
#define SLUICE_HTTP_H

#include "base/error.h"
#include "buffer.h"
#include "loop.h"

struct http;

struct http_answer {
	unsigned status; /* 200 unless it is changed */
	const char *content_type;
	struct buffer body;
};

/* Answers the path, at once and without I/O: it is called back in the loop.  An unknown one: status 404. */
typedef void (*http_handler)(void *arg, const char *path, struct http_answer *answer);

/* `listen` is ADDRESS:PORT, with an IPv6 address in brackets; the port 0 takes any. */
MUST_CHECK bool http_check_listen(const char *listen, struct error *err);
/* NULL with an ERROR_RETRY where the port is taken or the address is not this host's. */
struct http *http_open(struct loop *loop, const char *listen, http_handler handler, void *arg,
					   struct error *err);
/* The port that it listens on. */
unsigned http_port(const struct http *http);
void http_close(struct http *http);

#endif
