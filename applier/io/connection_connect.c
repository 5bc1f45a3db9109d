/*
 * Makes a connection with a libpq polling loop of our own, since only PQERRORS_VERBOSE shows the SQLSTATE
 * of the server's answer to a login, and it has to be set before the login. Waiting and name resolution
 * happen on another thread.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "connection_parts.h"

#define KEYWORDS_MAX 16
/* Default of connect_timeout; a value in conninfo takes precedence. */
#define TIMEOUT_S "10"

struct connecting {
	const char *keywords[KEYWORDS_MAX];
	const char *values[KEYWORDS_MAX];
	unsigned count;
	PGconn *pg;
	bool timed_out;
	/* what remains of conninfo's lists after a host has not answered in time, or was a standby coordinator */
	char *hosts, *addresses, *ports;

	struct connection_login login;
	char *conninfo, *application;
	connection_connected done; /* NULL: the attempt was abandoned */
	void *arg;
};

static void
add(struct connecting *c, const char *keyword, const char *value)
{
	c->keywords[c->count] = keyword;
	c->values[c->count++] = value;
}

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- effective options: conninfo, environment and service file */

static const char *
option_of(PQconninfoOption *options, const char *keyword)
{
	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val ? o->val : "";
	return "";
}

/* 0: no limit. */
static int64_t
timeout_ms(PGconn *pg)
{
	PQconninfoOption *options = PQconninfo(pg);
	int seconds = atoi(option_of(options, "connect_timeout"));

	PQconninfoFree(options);
	/* Like libpq, wait at least two seconds. */
	return seconds <= 0 ? 0 : seconds == 1 ? 2000 : (int64_t) seconds * 1000;
}

/* ---- the next of several hosts */

static unsigned
count_elements(const char *list)
{
	unsigned count = 1;

	while ((list = strchr(list, ',')))
		count++, list++;
	return count;
}

/* The part of a list such as "a,b,c" after the element with that number; NULL: nothing. */
static const char *
rest_after(const char *list, unsigned number)
{
	for (unsigned i = 0; list && i <= number; i++) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	return list;
}

static bool
element_is(const char *list, unsigned number, const char *value)
{
	const char *element = number == 0 ? list : rest_after(list, number - 1);

	return element && strcspn(element, ",") == strlen(value) && strncmp(element, value, strlen(value)) == 0;
}

/* The number of the host that was tried last. */
static unsigned
current_host(PGconn *pg, const char *hosts, const char *addresses)
{
	unsigned count = count_elements(hosts[0] ? hosts : addresses);

	for (unsigned i = 0; i < count; i++)
		if (element_is(hosts, i, PQhost(pg)) || element_is(addresses, i, PQhost(pg)))
			return i;
	return count;
}

static char *
take_rest(const char *list, unsigned number)
{
	const char *rest = rest_after(list, number);

	/* A single port applies to all hosts. */
	return memory_strdup(rest ? rest : list);
}

/* False if that was the last host. */
static bool
go_to_next_host(struct connecting *c)
{
	PQconninfoOption *options = PQconninfo(c->pg);
	const char *hosts = option_of(options, "host"), *addresses = option_of(options, "hostaddr");
	unsigned number = current_host(c->pg, hosts, addresses);
	bool more = number + 1 < count_elements(hosts[0] ? hosts : addresses);

	if (more) {
		bool first = c->hosts == NULL;
		char *rest[] = {take_rest(hosts, number), take_rest(addresses, number),
						take_rest(option_of(options, "port"), number)};

		free(c->hosts);
		free(c->addresses);
		free(c->ports);
		c->hosts = rest[0];
		c->addresses = rest[1];
		c->ports = rest[2];
		if (!first)
			c->count -= 3;
		add(c, "host", c->hosts);
		add(c, "hostaddr", c->addresses);
		add(c, "port", c->ports);
	}
	PQconninfoFree(options);
	return more;
}

/* ---- one after another */

/* The host and address that libpq is trying at present. */
struct place {
	char host[256];
	char address[64];
};

static bool
has_moved(struct place *place, PGconn *pg)
{
	struct place now = {0};
	bool moved;

	snprintf(now.host, sizeof now.host, "%s", PQhost(pg) ? PQhost(pg) : "");
	snprintf(now.address, sizeof now.address, "%s", PQhostaddr(pg) ? PQhostaddr(pg) : "");
	moved = strcmp(now.host, place->host) != 0 || strcmp(now.address, place->address) != 0;
	*place = now;
	return moved;
}

/* Waits for the socket; false if the deadline has passed. */
static bool
await(PGconn *pg, PostgresPollingStatusType wanted, int64_t deadline_ms)
{
	struct pollfd fd = {.fd = PQsocket(pg), .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};

	for (;;) {
		int64_t left_ms = deadline_ms ? deadline_ms - now_ms() : -1;

		if (deadline_ms && left_ms <= 0)
			return false;
		/* poll() also returns when a signal arrives. */
		if (poll(&fd, 1, (int) left_ms) > 0)
			return true;
	}
}

static void
try_hosts(struct connecting *c)
{
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
	struct place place = {0};
	int64_t timeout, deadline_ms = 0;

	c->timed_out = false;
	c->pg = PQconnectStartParams(c->keywords, c->values, 1);
	if (!c->pg)
		memory_exhausted(sizeof(void *));
	PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE);
	timeout = timeout_ms(c->pg);
	while (PQstatus(c->pg) != CONNECTION_BAD && wanted != PGRES_POLLING_OK) {
		if (has_moved(&place, c->pg) && timeout)
			deadline_ms = now_ms() + timeout;
		if (!await(c->pg, wanted, deadline_ms)) {
			c->timed_out = true;
			return;
		}
		wanted = PQconnectPoll(c->pg);
		if (wanted == PGRES_POLLING_FAILED)
			return;
	}
}

static void
connect_blocking(void *arg)
{
	struct connecting *c = arg;

	try_hosts(c);
	while ((c->timed_out || connection_met_standby(c->pg)) && go_to_next_host(c)) {
		PQfinish(c->pg);
		try_hosts(c);
	}
}

static void
fail_to_connect(const struct connecting *c, const struct connection_login *login, struct error *err)
{
	if (c->timed_out) {
		error_set(err, ERROR_RETRY, "cannot connect to the %s: \"%s\", port %s, does not answer", login->name,
				  PQhost(c->pg), PQport(c->pg));
		error_hint(err, "Check whether that server runs, and whether this host can reach it.");
	} else {
		connection_refused(c->pg, login, err);
	}
}

static void
on_tried(void *arg)
{
	struct connecting *c = arg;
	struct error err;

	if (c->timed_out || PQstatus(c->pg) != CONNECTION_OK) {
		fail_to_connect(c, &c->login, &err);
		PQfinish(c->pg);
		c->pg = NULL;
	} else {
		PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
	}
	if (c->done)
		c->done(c->arg, c->pg, c->pg ? NULL : &err);
	else
		PQfinish(c->pg);
	free(c->hosts);
	free(c->addresses);
	free(c->ports);
	free(c->conninfo);
	free(c->application);
	free(c);
}

struct connecting *
connection_connect(struct loop *loop, const struct connection_login *login, const char *conninfo,
				   const char *application, connection_connected done, void *arg)
{
	struct connecting *c = memory_alloc_zero(1, sizeof *c);

	c->login = *login;
	c->conninfo = memory_strdup(conninfo);
	c->application = memory_strdup(application);
	c->done = done;
	c->arg = arg;
	/*
	 * Later options take precedence: those before dbname are defaults that conninfo may override, those after
	 * it override conninfo.
	 */
	add(c, "connect_timeout", TIMEOUT_S);
	add(c, "keepalives_idle", "30");
	add(c, "keepalives_interval", "10");
	add(c, "keepalives_count", "3");
	add(c, "tcp_user_timeout", "60000");
	add(c, "application_name", c->application);
	add(c, "dbname", c->conninfo);
	add(c, "client_encoding", "UTF8");
	if (login->kind == CONNECTION_REPLICATION)
		add(c, "replication", "database");
	loop_start_blocking(loop, connect_blocking, on_tried, c);
	return c;
}

void
connection_connect_abandon(struct connecting *connecting)
{
	connecting->done = NULL;
}
