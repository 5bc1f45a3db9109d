/*
 * Finds out why a server has not answered for a while: it is working, waits for a lock, or is gone. The
 * query runs over another connection, on another thread.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "connection_parts.h"

#define WARN_MS 60000
#define GIVE_UP_MS 600000
/* Time limit for making the other connection, and again for the answer. */
#define PROBE_S "5"
#define PROBE_MS 5000
#define OPTIONS_MAX 80

enum outcome {
	OUTCOME_SILENT,	 /* another connection is not answered either */
	OUTCOME_IDLE,	 /* the session is gone or runs no statement: the request or its answer was lost */
	OUTCOME_ACTIVE,	 /* the session is working */
	OUTCOME_WAITING, /* the session waits for a lock */
};

struct stall {
	struct connection *conn;
	struct loop_timer *timer;
	char *sql;
	int64_t warn_ms, give_up_ms;
	unsigned warnings;	 /* for the running request */
	struct probe *probe; /* the running probe; NULL: none */
	char found[640];	 /* result of the last probe, as text; "": none since the last answer */
};

/* Used by the thread; it may outlive the connection. */
struct probe {
	struct stall *stall; /* NULL: the connection was closed meanwhile */
	char *keywords[OPTIONS_MAX + 1];
	char *values[OPTIONS_MAX + 1];
	unsigned count;
	char pid[16];
	char *sql;
	enum outcome outcome;
	char words[512]; /* who holds the lock, or why the probe failed */
};

/* ---- on the thread */

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* NULL if nothing arrives in time. */
static PGresult *
await_result(PGconn *pg)
{
	int64_t deadline_ms = now_ms() + PROBE_MS;

	for (;;) {
		struct pollfd fd = {.fd = PQsocket(pg), .events = POLLIN};
		int64_t left_ms = deadline_ms - now_ms();

		if (!PQisBusy(pg))
			return PQgetResult(pg);
		if (left_ms <= 0 || (poll(&fd, 1, (int) left_ms) > 0 && !PQconsumeInput(pg)))
			return NULL;
	}
}

static void
take_answer(struct probe *probe, const PGresult *res)
{
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		return;
	probe->outcome = OUTCOME_IDLE;
	if (PQntuples(res) == 0 || strcmp(PQgetvalue(res, 0, 0), "t") != 0)
		return;
	probe->outcome = strcmp(PQgetvalue(res, 0, 1), "t") == 0 ? OUTCOME_WAITING : OUTCOME_ACTIVE;
	snprintf(probe->words, sizeof probe->words, "%s", PQgetvalue(res, 0, 2));
}

static void
ask(struct probe *probe, PGconn *pg)
{
	const char *const values[] = {probe->pid};
	PGresult *res = NULL;

	if (PQsendQueryParams(pg, probe->sql, 1, NULL, values, NULL, NULL, 0))
		res = await_result(pg);
	if (res)
		take_answer(probe, res);
	PQclear(res);
	if (probe->outcome == OUTCOME_SILENT)
		snprintf(probe->words, sizeof probe->words, "another connection gets no answer either");
}

static void
run_probe(void *arg)
{
	struct probe *probe = arg;
	PGconn *pg =
		PQconnectdbParams((const char *const *) probe->keywords, (const char *const *) probe->values, 0);

	if (PQstatus(pg) == CONNECTION_OK)
		ask(probe, pg);
	else
		connection_reason(pg, probe->words, sizeof probe->words);
	PQfinish(pg);
}

/* ---- evaluating the probe */

static void
free_probe(struct probe *probe)
{
	for (unsigned i = 0; i < probe->count; i++) {
		free(probe->keywords[i]);
		free(probe->values[i]);
	}
	free(probe->sql);
	free(probe);
}

int64_t
connection_waiting_ms(const struct connection *conn)
{
	if (!conn->head || conn->waiting || conn->state == CONNECTION_LOST)
		return 0;
	return loop_now_ms(conn->loop) - conn->progress_ms;
}

/*
 * Interval of the probes. It is shorter than the time until a warning, so that `status` shows a stall
 * earlier.
 */
static int64_t
look_ms(const struct stall *stall)
{
	return stall->warn_ms / 4;
}

static void
warn(const struct stall *stall, const struct probe *probe, int64_t ms)
{
	const struct connection *conn = stall->conn;
	long long seconds = (long long) (ms / 1000);

	switch (probe->outcome) {
	case OUTCOME_ACTIVE:
		log_info("the %s has worked for %lld s on: %.100s", conn->name, seconds, conn->head->sql);
		break;
	case OUTCOME_WAITING:
		log_warning("the %s has waited for %lld s for a lock that is held by %s: %.100s", conn->name, seconds,
					probe->words[0] ? probe->words : "somebody", conn->head->sql);
		break;
	case OUTCOME_IDLE:
		log_warning("the %s has not answered for %lld s, and its session has nothing to do: %.100s",
					conn->name, seconds, conn->head->sql);
		break;
	case OUTCOME_SILENT:
		log_warning("the %s has not answered for %lld s (%s): %.100s", conn->name, seconds, probe->words,
					conn->head->sql);
		break;
	}
}

static void
give_up(struct connection *conn, int64_t ms)
{
	error_set(&conn->head->err, ERROR_RETRY, "the %s %s has not answered for %lld s, and works on nothing",
			  conn->name, conn->target, (long long) (ms / 1000));
	connection_lose(conn);
}

static void
judge(struct stall *stall, const struct probe *probe)
{
	bool works = probe->outcome == OUTCOME_ACTIVE || probe->outcome == OUTCOME_WAITING;
	int64_t ms = connection_waiting_ms(stall->conn);

	/* The server has answered meanwhile. */
	if (ms < look_ms(stall))
		return;
	if (probe->outcome == OUTCOME_WAITING)
		snprintf(stall->found, sizeof stall->found, "a lock at the %s, held by %s", stall->conn->name,
				 probe->words[0] ? probe->words : "somebody");
	else
		snprintf(stall->found, sizeof stall->found, "the %s, which %s", stall->conn->name,
				 probe->outcome == OUTCOME_ACTIVE ? "works on one statement" : "does not answer");
	/* Logged after one, two, four … minutes. */
	if (ms >= stall->warn_ms << (stall->warnings < 20 ? stall->warnings : 20)) {
		warn(stall, probe, ms);
		stall->warnings++;
	}
	if (!works && ms >= stall->give_up_ms)
		give_up(stall->conn, ms);
}

static void
on_probed(void *arg)
{
	struct probe *probe = arg;

	if (probe->stall) {
		probe->stall->probe = NULL;
		judge(probe->stall, probe);
	}
	free_probe(probe);
}

static void
add_option(struct probe *probe, const char *keyword, const char *value)
{
	if (probe->count >= OPTIONS_MAX)
		return;
	probe->keywords[probe->count] = memory_strdup(keyword);
	probe->values[probe->count++] = memory_strdup(value);
}

/* Connects to the same server as the same user; later options take precedence. */
static void
copy_options(struct probe *probe, const PGconn *pg)
{
	PQconninfoOption *options = PQconninfo((PGconn *) (uintptr_t) pg);

	for (PQconninfoOption *o = options; o && o->keyword; o++)
		if (o->val && o->val[0] && strcmp(o->keyword, "hostaddr") != 0)
			add_option(probe, o->keyword, o->val);
	PQconninfoFree(options);
	add_option(probe, "host", PQhost(pg));
	add_option(probe, "port", PQport(pg));
	add_option(probe, "connect_timeout", PROBE_S);
}

static void
begin_probe(struct stall *stall)
{
	struct probe *probe = memory_alloc_zero(1, sizeof *probe);

	probe->stall = stall;
	probe->sql = memory_strdup(stall->sql);
	snprintf(probe->pid, sizeof probe->pid, "%d", connection_backend_pid(stall->conn));
	copy_options(probe, stall->conn->pg);
	stall->probe = probe;
	loop_start_blocking(stall->conn->loop, run_probe, on_probed, probe);
}

static void
on_tick(void *arg)
{
	struct stall *stall = arg;
	int64_t ms = connection_waiting_ms(stall->conn);

	if (ms < look_ms(stall)) {
		stall->warnings = 0;
		stall->found[0] = '\0';
	} else if (!stall->probe) {
		begin_probe(stall);
	}
	loop_timer_arm(stall->timer, look_ms(stall));
}

/* ---- used by the connection */

const char *
connection_stalled(const struct connection *conn, int64_t *ms)
{
	if (!conn->stall || !conn->stall->found[0])
		return NULL;
	*ms = connection_waiting_ms(conn);
	return conn->stall->found;
}

/* Tests set "warn,give up" in milliseconds. */
static void
take_times(struct stall *stall)
{
	const char *times = getenv("SLUICE_TEST_STALL");
	long long warn_ms, give_up_ms;

	stall->warn_ms = WARN_MS;
	stall->give_up_ms = GIVE_UP_MS;
	if (!times || sscanf(times, "%lld,%lld", &warn_ms, &give_up_ms) != 2 || warn_ms < 4)
		return;
	stall->warn_ms = warn_ms;
	stall->give_up_ms = give_up_ms;
}

void
connection_watch_stalls(struct connection *conn, const char *sql)
{
	struct stall *stall = conn->stall;

	if (stall) {
		free(stall->sql);
		stall->sql = memory_strdup(sql);
		return;
	}
	stall = memory_alloc_zero(1, sizeof *stall);
	stall->conn = conn;
	stall->sql = memory_strdup(sql);
	take_times(stall);
	stall->timer = loop_timer_create(conn->loop, on_tick, stall);
	loop_timer_arm(stall->timer, look_ms(stall));
	conn->stall = stall;
}

void
connection_end_stall(struct stall *stall)
{
	if (!stall)
		return;
	if (stall->probe)
		stall->probe->stall = NULL;
	loop_timer_destroy(stall->timer);
	free(stall->sql);
	free(stall);
}
