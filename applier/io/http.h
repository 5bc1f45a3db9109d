/*
 * A small HTTP server in the loop, for reading only: GET and HEAD, no login. libmicrohttpd (0.9.70 or
 * later) handles the protocol; its sockets are in its own epoll set, which the loop watches.
 *
 * If it listens on a loopback address, a request whose Host header does not name this host is refused.
 * Otherwise a foreign page, open in the browser of a user on this host, could read the answers (DNS
 * rebinding).
 */
#ifndef SLUICE_HTTP_H
#define SLUICE_HTTP_H

#include "base/error.h"
#include "buffer.h"
#include "loop.h"

struct http;

struct http_answer {
	unsigned status; /* 200 unless the handler changes it */
	const char *content_type;
	struct buffer body;
};

/*
 * Answers a request for `path`, at once and without I/O; called from the loop. Sets status 404 for an
 * unknown path.
 */
typedef void (*http_handler)(void *arg, const char *path, struct http_answer *answer);

/* Checks `listen`: ADDRESS:PORT, with an IPv6 address in brackets; port 0 chooses any free port. */
MUST_CHECK bool http_check_listen(const char *listen, struct error *err);
/* NULL on failure; ERROR_RETRY if the port is in use or the address is not one of this host. */
struct http *http_open(struct loop *loop, const char *listen, http_handler handler, void *arg,
					   struct error *err);
unsigned http_port(const struct http *http);
void http_close(struct http *http);

#endif
