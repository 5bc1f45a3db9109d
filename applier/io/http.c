#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

#define CONNECTIONS_MAX 64
#define CONNECTIONS_MAX_PER_ADDRESS 32
/* A client that is silent for this long is disconnected. */
#define SILENCE_S 15
#define HOST_MAX 256

struct http {
	struct loop *loop;
	struct loop_socket *socket; /* epoll set of libmicrohttpd */
	struct loop_timer *timer;	/* for the timeouts of libmicrohttpd */
	struct MHD_Daemon *daemon;
	bool loopback;
	http_handler handler;
	void *arg;
};

/* ---- addresses */

struct listen_address {
	char host[HOST_MAX];
	char port[8];
};

static bool
split_listen(const char *listen, struct listen_address *address)
{
	const char *colon = strrchr(listen, ':');
	size_t host_len;
	char *end;

	if (!colon || colon == listen || strlen(colon + 1) == 0 || strlen(colon + 1) >= sizeof address->port)
		return false;
	host_len = (size_t) (colon - listen);
	if (listen[0] == '[' && colon[-1] == ']') {
		listen++;
		host_len -= 2;
	}
	if (host_len == 0 || host_len >= sizeof address->host ||
		(memchr(listen, ':', host_len) && listen[host_len] != ']'))
		return false;
	memcpy(address->host, listen, host_len);
	address->host[host_len] = '\0';
	strcpy(address->port, colon + 1);
	return strtoul(address->port, &end, 10) <= 65535 && *end == '\0' && address->port[0] != '-';
}

/* Names are not looked up, since that could block. */
static struct addrinfo *
resolve(const char *listen)
{
	const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
								   .ai_socktype = SOCK_STREAM};
	struct listen_address address;
	struct addrinfo *found = NULL;

	if (!split_listen(listen, &address))
		return NULL;
	if (strcmp(address.host, "localhost") == 0)
		strcpy(address.host, "127.0.0.1");
	return getaddrinfo(address.host, address.port, &hints, &found) == 0 ? found : NULL;
}

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *) address)->sin_addr.s_addr) >> 24 == 127;
	return address->sa_family == AF_INET6 &&
		   IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) address)->sin6_addr);
}

bool
http_check_listen(const char *listen, struct error *err)
{
	struct addrinfo *found = resolve(listen);

	if (found) {
		freeaddrinfo(found);
		return true;
	}
	error_set(err, ERROR_CONFIG, "\"%s\" is not an address and a port", listen);
	return error_hint(err, "Write it as 127.0.0.1:9432 or [::1]:9432.");
}

/* Whether a Host header names this host; a port may follow. */
static bool
names_this_host(const char *host)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]", "::1"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(host, names[i], len) == 0 && (host[len] == '\0' || host[len] == ':'))
			return true;
	}
	return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.:") == strlen(host);
}

/* ---- requests */

/* The response takes over the body and is sent in pieces, as the socket accepts them. */
static enum MHD_Result
respond(struct MHD_Connection *connection, struct http_answer *answer)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(answer->body.len, answer->body.data, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result queued;

	if (!response)
		memory_exhausted(answer->body.len);
	MHD_add_response_header(response, "Content-Type", answer->content_type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(
		response, "Content-Security-Policy",
		"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
		"img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
	if (answer->status == 405)
		MHD_add_response_header(response, "Allow", "GET, HEAD");
	queued = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return queued;
}

static void
refuse(struct http_answer *answer, unsigned status, const char *why)
{
	answer->status = status;
	buffer_reset(&answer->body);
	buffer_printf(&answer->body, "%s\n", why);
}

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *path, const char *method,
		   const char *version, const char *data, size_t *data_len, void **request)
{
	static int begun;
	struct http *http = arg;
	const char *host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host");
	struct http_answer answer = {.status = 200, .content_type = "text/plain; charset=utf-8"};

	(void) version;
	(void) data;
	/* The first call precedes the body, the last one follows it; the body is ignored. */
	if (!*request || *data_len > 0) {
		*request = &begun;
		*data_len = 0;
		return MHD_YES;
	}
	memory_buffer_init(&answer.body);
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		refuse(&answer, 405, "only GET and HEAD are answered here");
	else if (http->loopback && host && !names_this_host(host))
		refuse(&answer, 403, "the Host header names another host");
	else
		http->handler(http->arg, path, &answer);
	if (answer.status == 404 && answer.body.len == 0)
		refuse(&answer, 404, "there is no such page");
	return respond(connection, &answer);
}

/* ---- in the loop */

static void
run(struct http *http)
{
	MHD_UNSIGNED_LONG_LONG timeout_ms;

	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_YES)
		loop_timer_arm(http->timer, timeout_ms < 60000 ? (int64_t) timeout_ms : 60000);
	else
		loop_timer_disarm(http->timer);
}

static void
on_timer(void *arg)
{
	run(arg);
}

static void
on_events(void *arg, unsigned events)
{
	(void) events;
	run(arg);
}

static struct MHD_Daemon *
start(struct http *http, const struct sockaddr *address)
{
	unsigned flags = MHD_USE_EPOLL | (address->sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_SOCK_ADDR, address,
							MHD_OPTION_CONNECTION_LIMIT, (unsigned) CONNECTIONS_MAX,
							MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned) CONNECTIONS_MAX_PER_ADDRESS,
							MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) SILENCE_S, MHD_OPTION_END);
}

static void
watch(struct http *http)
{
	int fd = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;

	http->timer = loop_timer_create(http->loop, on_timer, http);
	http->socket = loop_socket_create(http->loop, fd, on_events, http);
	loop_socket_watch(http->socket, LOOP_READABLE);
}

struct http *
http_open(struct loop *loop, const char *listen, http_handler handler, void *arg, struct error *err)
{
	struct addrinfo *found = resolve(listen);
	struct http *http;

	if (!found) {
		if (http_check_listen(listen, err))
			error_set(err, ERROR_CONFIG, "\"%s\" is not an address of this host", listen);
		return NULL;
	}
	http = memory_alloc_zero(1, sizeof *http);
	*http =
		(struct http){.loop = loop, .handler = handler, .arg = arg, .loopback = is_loopback(found->ai_addr)};
	errno = 0;
	http->daemon = start(http, found->ai_addr);
	freeaddrinfo(found);
	if (http->daemon) {
		watch(http);
		return http;
	}
	error_set(err, ERROR_RETRY, "cannot listen on %s: %s", listen, errno ? strerror(errno) : "refused");
	error_hint(err, "Let http.listen name a port that is free.");
	free(http);
	return NULL;
}

unsigned
http_port(const struct http *http)
{
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void
http_close(struct http *http)
{
	if (!http)
		return;
	loop_socket_destroy(http->socket);
	loop_timer_destroy(http->timer);
	MHD_stop_daemon(http->daemon);
	free(http);
}
