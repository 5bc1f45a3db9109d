#include "upkeep.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "dialect/session_settings.h"
#include "state/lease.h"
#include "state/state_upkeep.h"
#include "upkeep_plan.h"

#define RESTING_MS 1000
#define RUNNING_MS 200
#define LINGER_MS 1000
/* How long a batch waits for a lock before the statement of upkeep is cancelled. */
#define WAIT_MS 1000
#define LOCK_TIMEOUT "SET lock_timeout = " INDEX_JOB_LOCK_TIMEOUT
/* A request to cancel may be lost, or come between two statements: it is repeated, and in the end the session is given
 * up. */
#define CANCEL_AGAIN_MS 2000
#define GIVE_UP_MS 30000
/* Greenplum's segments do not know of lock_timeout: a query may wait there for a transaction that is in doubt. */
#define QUERY_MS 10000
#define PINNING_MS 30000
/* How often counts are stored. */
#define STORE_MS 60000
/* How often a session is opened only to end statements that a lost one left running. */
#define SWEEP_MS 5000

#define SQLSTATE_CANCELLED "57014"
#define SQLSTATE_LOCKED "55P03"
#define SQLSTATE_NO_SEGMENT "58M01"

enum upkeep_state {
	STATE_RESTING, /* without a session */
	STATE_OPENING,
	STATE_PINNING, /* its settings */
	STATE_READY,   /* for the next statement */
	STATE_RUNNING,
};

/* What a new session is told first. */
enum pin { PIN_TIMEOUT, PIN_SETTINGS, PIN_LOCK_TIMEOUT, PIN_WRITER, PIN_SWEEP, PIN_DONE };

#define FROM(state) (1u << (state))

static const struct {
	const char *name;
	unsigned from; /* bits: the states that it may follow */
} states[] = {
	[STATE_RESTING] = {"resting", FROM(STATE_OPENING) | FROM(STATE_READY)},
	[STATE_OPENING] = {"opening", FROM(STATE_RESTING)},
	[STATE_PINNING] = {"pinning", FROM(STATE_OPENING)},
	[STATE_READY] = {"ready", FROM(STATE_PINNING) | FROM(STATE_RUNNING)},
	[STATE_RUNNING] = {"running", FROM(STATE_READY)},
};

struct upkeep {
	struct upkeep_setup setup;
	struct upkeep_limits limits;
	struct upkeep_plan plan;
	struct loop_timer *tick;
	enum upkeep_state state; /* only enter() changes it */
	struct opening *opening;
	struct connection *conn;
	enum pin pin;				/* the next one */
	int64_t lingering_until_ms; /* it is kept for the next step of an index */
	bool worn;					/* it is closed before the next statement */
	bool swept; /* sessions that a killed daemon of the task, or a failed network, left behind were ended */
	int64_t sweep_ms; /* not to be tried before */
	char application[64];
	struct index_follow indexes;
	bool indexing;				  /* the running statement is that of the job of `indexes` */
	bool counts;				  /* the server vacuums nothing: the plan is in use */
	enum upkeep_action action;	  /* the running one; NOTHING: a query, or `indexing` */
	struct upkeep_target *target; /* of the action */
	bool cancelled;				  /* a cancel request was sent, … */
	int64_t cancelled_ms;		  /* … first, … */
	int64_t cancel_again_ms;	  /* … and when the next one will be */
	bool held;					  /* the task is paused */
	int64_t began_ms;
	bool finishing;
	int64_t rested_until_ms; /* set when the session was lost, or could not be opened */
	int64_t stored_ms;
};

static void
enter(struct upkeep *u, enum upkeep_state state)
{
	assert(states[state].from & FROM(u->state));
	log_debug("upkeep: %s, then %s", states[u->state].name, states[state].name);
	u->state = state;
}

static int64_t
now_ms(const struct upkeep *u)
{
	return loop_now_ms(u->setup.loop);
}

/* ---- what is due */

static bool
is_busy(void *arg, const struct upkeep_target *target)
{
	const struct upkeep *u = arg;

	return u->setup.busy(u->setup.arg, target->table->target.oid);
}

static bool
index_is_due(struct upkeep *u)
{
	struct index_job *job = u->indexes.job;

	return job &&
		   index_follow_has_statement(&u->indexes, u->setup.busy(u->setup.arg, job->target_oid), now_ms(u));
}

static bool
wants_store(const struct upkeep *u)
{
	bool old = now_ms(u) - u->stored_ms >= STORE_MS;

	for (unsigned i = 0; i < u->plan.count; i++)
		if (!u->plan.targets[i]->note_stored || (old && upkeep_target_is_unstored(u->plan.targets[i])))
			return true;
	return false;
}

static bool
has_work(struct upkeep *u)
{
	struct upkeep_target *target;

	return upkeep_plan_wants_sizes(&u->plan, u->finishing) || wants_store(u) || index_is_due(u) ||
		   upkeep_plan_next(&u->plan, now_ms(u), u->finishing, is_busy, u, &target) != UPKEEP_NOTHING;
}

static void
take_stored(struct upkeep *u)
{
	const struct catalog *catalog = u->setup.catalog;

	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];
		const struct upkeep_target *target = upkeep_plan_find(&u->plan, table->target.oid);

		if (!target || !target->storing)
			continue;
		table->dead_rows = table == target->table ? target->storing_rows : 0;
		free(table->upkeep);
		table->upkeep = target->note ? memory_strdup(target->note) : NULL;
	}
	/* A target that a batch first touched after put_store() was not stored. */
	for (unsigned i = 0; i < u->plan.count; i++) {
		struct upkeep_target *target = u->plan.targets[i];

		if (!target->storing)
			continue;
		target->storing = false;
		target->stored_rows = target->storing_rows;
		target->note_stored = true;
	}
}

/* Writes what sluice.tables does not have yet; false: it has everything. */
static bool
put_store(struct upkeep *u, struct buffer *sql)
{
	const struct catalog *catalog = u->setup.catalog;
	struct state_upkeep *rows = memory_alloc_zero(catalog->count + 1, sizeof *rows);
	unsigned count = 0;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];
		struct upkeep_target *target = upkeep_plan_find(&u->plan, table->target.oid);

		if (!target || !upkeep_target_is_unstored(target))
			continue;
		/* The target's first table has the count; the other tables that feed it have 0. */
		rows[count++] = (struct state_upkeep){
			.source_oid = table->source.oid,
			.dead_rows = table == target->table ? target->dead_rows : 0,
			.note = target->note,
		};
	}
	for (unsigned i = 0; i < u->plan.count; i++) {
		u->plan.targets[i]->storing = true;
		u->plan.targets[i]->storing_rows = u->plan.targets[i]->dead_rows;
	}
	if (count > 0)
		state_upkeep_put(sql, u->setup.config->task, rows, count);
	else
		take_stored(u);
	free(rows);
	return count > 0;
}

/* ---- statements */

static void
show(const struct upkeep *u, const struct upkeep_target *target)
{
	metrics_table_set(u->setup.metrics, target->table->source.oid, NULL, METRIC_TABLE_DEAD_ROWS, 0,
					  (double) target->dead_rows);
}

/* The next step runs in a turn of the loop, because a callback must not close its own connection. */
static void
go_on_soon(struct upkeep *u)
{
	loop_timer_arm(u->tick, 0);
}

static bool
is_cancellation(const struct error *err)
{
	return strcmp(err->sqlstate, SQLSTATE_CANCELLED) == 0 || strcmp(err->sqlstate, SQLSTATE_LOCKED) == 0;
}

/*
 * After a failure of the session or the server: no new session for a while, unless a batch waits for what the lost one
 * has left running at the server.
 */
static void
rest(struct upkeep *u, const struct error *err)
{
	bool told = now_ms(u) < u->rested_until_ms;

	u->rested_until_ms = now_ms(u) + u->limits.pause_ms;
	u->sweep_ms = now_ms(u) + SWEEP_MS;
	if (!u->conn || connection_is_lost(u->conn))
		u->swept = false;
	if (!told)
		log_info("upkeep of the targets rests for %lld s: %s", (long long) (u->limits.pause_ms / 1000),
				 err->message);
}

static void
take_success(struct upkeep *u)
{
	const struct table *table = u->target->table;
	bool vacuum = u->action == UPKEEP_VACUUM;

	log_info("%s %s.%s, with %" PRId64 " rows updated or deleted since, in %.1f s",
			 vacuum ? "vacuumed" : "analyzed", table->target_schema, table->target_name,
			 u->target->vacuuming_rows, (double) (now_ms(u) - u->began_ms) / 1000);
	upkeep_plan_done(&u->plan, u->action, u->target);
	if (vacuum)
		metrics_add(u->setup.metrics, METRIC_VACUUMS, METRIC_VACUUM_DONE, 1);
	show(u, u->target);
}

/* Whether an error is about the session or the server, and says nothing about the target. */
static bool
is_trouble(const struct upkeep *u, const struct error *err)
{
	return connection_is_lost(u->conn) || strncmp(err->sqlstate, "08", 2) == 0 ||
		   strncmp(err->sqlstate, "57P", 3) == 0 || strcmp(err->sqlstate, SQLSTATE_NO_SEGMENT) == 0;
}

static void
take_failure(struct upkeep *u, const struct error *err)
{
	const struct table *table = u->target->table;
	bool cancelled = is_cancellation(err);

	if (!cancelled && is_trouble(u, err))
		upkeep_plan_postpone(&u->plan, u->target, now_ms(u));
	else
		upkeep_plan_failed(&u->plan, u->action, u->target, cancelled ? NULL : err->message, now_ms(u));
	if (u->action == UPKEEP_VACUUM)
		metrics_add(u->setup.metrics, METRIC_VACUUMS,
					cancelled ? METRIC_VACUUM_CANCELLED : METRIC_VACUUM_FAILED, 1);
	log_write(u->target->note ? LOG_WARNING : LOG_INFO, "%s of %s.%s %s after %.1f s: %s%s",
			  u->action == UPKEEP_VACUUM ? "VACUUM" : "ANALYZE", table->target_schema, table->target_name,
			  cancelled ? "gave way" : "failed", (double) (now_ms(u) - u->began_ms) / 1000,
			  u->held		 ? "the task is paused"
			  : u->cancelled ? "a batch waited for it"
							 : err->message,
			  u->target->note ? "; see status" : "");
}

static void
on_done(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;

	(void) res;
	enter(u, STATE_READY);
	if (err)
		take_failure(u, err);
	else
		take_success(u);
	if (err && connection_is_lost(u->conn))
		rest(u, err);
	go_on_soon(u);
}

static void
on_sizes(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;

	enter(u, STATE_READY);
	for (unsigned i = 0; res && i < result_rows(res); i++)
		upkeep_plan_take_size(&u->plan, (uint32_t) result_int(res, i, 0), result_int(res, i, 1),
							  result_bool(res, i, 2));
	upkeep_plan_end_sizes(&u->plan, err != NULL);
	if (err)
		rest(u, err);
	go_on_soon(u);
}

static void
on_stored(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;

	(void) res;
	enter(u, STATE_READY);
	if (err)
		rest(u, err);
	else
		take_stored(u);
	u->stored_ms = now_ms(u);
	go_on_soon(u);
}

static void
on_index(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;
	bool cancelled = err && is_cancellation(err), trouble = err && !cancelled && is_trouble(u, err);

	(void) res;
	enter(u, STATE_READY);
	u->indexing = u->indexes.job->running = false;
	if (err)
		index_follow_failed(&u->indexes, cancelled ? NULL : err->message, trouble, now_ms(u));
	else
		index_follow_took(&u->indexes);
	if (trouble || (err && connection_is_lost(u->conn)))
		rest(u, err);
	/* What a job has set must not hold for other statements. */
	u->worn |= err != NULL;
	u->lingering_until_ms = now_ms(u) + LINGER_MS;
	go_on_soon(u);
}

static void
start(struct upkeep *u, struct buffer *sql, connection_done done)
{
	enter(u, STATE_RUNNING);
	u->cancelled = false;
	u->began_ms = now_ms(u);
	connection_query(u->conn, sql_text(sql), NULL, 0, done, u);
	loop_timer_arm(u->tick, RUNNING_MS);
}

static void
close_session(struct upkeep *u)
{
	enter(u, STATE_RESTING);
	connection_close(u->conn);
	u->conn = NULL;
	u->worn = false;
	if (u->indexes.job && u->indexes.job->next > 0)
		index_follow_failed(&u->indexes, NULL, true, now_ms(u));
	loop_timer_arm(u->tick, RESTING_MS);
}

static void
go_on(struct upkeep *u)
{
	struct buffer sql;

	u->action = UPKEEP_NOTHING;
	/* A late request to cancel must not meet another statement. */
	if (u->held || u->cancelled || u->worn || now_ms(u) < u->rested_until_ms || connection_is_lost(u->conn)) {
		close_session(u);
		return;
	}
	sql_init(&sql);
	if (index_is_due(u)) {
		u->indexing = u->indexes.job->running = true;
		buffer_printf(&sql, "%s", u->indexes.job->statements[u->indexes.job->next]);
		start(u, &sql, on_index);
	} else if (upkeep_plan_put_sizes(&u->plan, &sql)) {
		start(u, &sql, on_sizes);
	} else if (wants_store(u) && put_store(u, &sql)) {
		start(u, &sql, on_stored);
	} else if ((u->action = upkeep_plan_next(&u->plan, now_ms(u), u->finishing, is_busy, u, &u->target))) {
		upkeep_plan_put(u->action, u->target, &sql);
		start(u, &sql, on_done);
	} else if (now_ms(u) < u->lingering_until_ms) {
		loop_timer_arm(u->tick, RUNNING_MS);
	} else {
		close_session(u);
	}
	buffer_fini(&sql);
}

/* ---- the session */

static void pin(struct upkeep *u);

/* The results of this session's queries do not depend on the settings, so refused ones are ignored. */
static void
on_pinned(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;

	(void) res;
	if (!err || (!connection_is_lost(u->conn) && u->pin != PIN_WRITER)) {
		u->pin++;
		pin(u);
		return;
	}
	rest(u, err);
	enter(u, STATE_READY);
	go_on_soon(u);
}

/*
 * A server notices only at the end of a VACUUM that its client is gone: ends such sessions of an earlier daemon, and
 * those that a failed network has cut off.
 */
static void
put_sweep(struct upkeep *u, struct buffer *sql)
{
	if (u->swept)
		return;
	u->swept = true;
	buffer_printf(sql, "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
					   " WHERE pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()"
					   " AND datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
					   " AND usename OPERATOR(pg_catalog.=) current_user"
					   " AND application_name OPERATOR(pg_catalog.=) ");
	sql_literal(sql, u->application);
}

static void
put_pin(struct upkeep *u, struct buffer *sql)
{
	switch (u->pin) {
	case PIN_TIMEOUT:
		buffer_printf(sql, SESSION_SETTINGS_FIRST);
		break;
	case PIN_SETTINGS:
		session_settings_put(sql, SESSION_DESTINATION, connection_server_version(u->conn));
		break;
	case PIN_LOCK_TIMEOUT:
		buffer_printf(sql, LOCK_TIMEOUT);
		break;
	case PIN_WRITER:
		lease_put_join(sql, u->setup.config->task);
		break;
	case PIN_SWEEP:
		put_sweep(u, sql);
		break;
	case PIN_DONE:
		break;
	}
}

static void
pin(struct upkeep *u)
{
	struct buffer sql;

	sql_init(&sql);
	put_pin(u, &sql);
	if (sql.len > 0) {
		connection_query(u->conn, sql_text(&sql), NULL, 0, on_pinned, u);
	} else {
		enter(u, STATE_READY);
		go_on_soon(u);
	}
	buffer_fini(&sql);
}

static void
on_opened(void *arg, struct connection *conn, const struct error *err)
{
	struct upkeep *u = arg;

	u->opening = NULL;
	u->conn = conn;
	if (err) {
		enter(u, STATE_RESTING);
		rest(u, err);
		loop_timer_arm(u->tick, RESTING_MS);
		return;
	}
	connection_set_greenplum(conn, !u->setup.dialect->has_autovacuum);
	enter(u, STATE_PINNING);
	u->pin = PIN_TIMEOUT;
	u->cancelled = false;
	u->began_ms = now_ms(u);
	loop_timer_arm(u->tick, PINNING_MS);
	pin(u);
}

static void
cancel(struct upkeep *u)
{
	int64_t now = now_ms(u);

	if (u->cancelled && now < u->cancel_again_ms)
		return;
	if (!u->cancelled)
		u->cancelled_ms = now;
	u->cancelled = true;
	u->cancel_again_ms = now + CANCEL_AGAIN_MS;
	connection_cancel(u->conn);
}

static void
give_up(struct upkeep *u)
{
	struct error err;

	error_set(&err, ERROR_RETRY, "a session of the destination does not answer for %lld s",
			  (long long) (now_ms(u) - u->began_ms) / 1000);
	connection_give_up(u->conn, &err);
}

/* Whether the destination's sessions wait, possibly for a lock that the running statement holds. */
static bool
is_waited_for(struct upkeep *u)
{
	const struct upkeep_setup *setup = &u->setup;
	bool concerned = u->action == UPKEEP_NOTHING || is_busy(u, u->target);
	int64_t patience_ms = WAIT_MS;

	if (u->indexing) {
		concerned = setup->busy(setup->arg, u->indexes.job->target_oid);
		patience_ms = index_follow_patience_ms(&u->indexes, WAIT_MS);
	}
	return patience_ms >= 0 && ((concerned && connection_waiting_ms(setup->destination) >= patience_ms) ||
								connection_waiting_ms(setup->control) >= patience_ms);
}

static bool
takes_too_long(const struct upkeep *u)
{
	return u->action == UPKEEP_NOTHING && !u->indexing &&
		   now_ms(u) - u->began_ms >= (u->held ? WAIT_MS : QUERY_MS);
}

static void
watch_statement(struct upkeep *u)
{
	if (u->cancelled || is_waited_for(u) || takes_too_long(u) || (u->indexing && u->indexes.job->unwanted))
		cancel(u);
	if (u->cancelled && now_ms(u) - u->cancelled_ms >= GIVE_UP_MS)
		give_up(u);
}

/* Whether batches may be waiting for a statement that an earlier daemon, or a lost session, left running. */
static bool
is_held_up(const struct upkeep *u)
{
	return !u->swept && now_ms(u) >= u->sweep_ms && connection_waiting_ms(u->setup.destination) >= WAIT_MS;
}

static bool
wants_session(struct upkeep *u)
{
	if (u->held)
		return false;
	return is_held_up(u) || (now_ms(u) >= u->rested_until_ms && has_work(u));
}

static void
on_tick(void *arg)
{
	struct upkeep *u = arg;

	switch (u->state) {
	case STATE_RESTING:
		loop_timer_arm(u->tick, RESTING_MS);
		if (!wants_session(u))
			break;
		enter(u, STATE_OPENING);
		u->opening =
			connection_open_later(u->setup.loop, "destination", u->setup.config->destination.conninfo,
								  CONNECTION_SQL, u->application, on_opened, u);
		break;
	case STATE_OPENING:
		break;
	case STATE_PINNING:
		give_up(u);
		break;
	case STATE_READY:
		go_on(u);
		break;
	case STATE_RUNNING:
		watch_statement(u);
		loop_timer_arm(u->tick, RUNNING_MS);
		break;
	}
}

/* ---- interface */

/* For tests, which cannot wait for minutes and use servers with autovacuum: "rows,dead rows,quiet,vacuum,pause" in
 * ms. */
static bool
take_limits(struct upkeep_limits *limits)
{
	const char *text = getenv("SLUICE_TEST_UPKEEP");

	*limits = upkeep_limits;
	if (!text || sscanf(text, "%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%" SCNd64 ",%" SCNd64, &limits->rows,
						&limits->dead_rows, &limits->quiet_ms, &limits->vacuum_ms, &limits->pause_ms) != 5)
		return false;
	limits->analyze_ms = limits->vacuum_ms;
	return true;
}

struct upkeep *
upkeep_create(const struct upkeep_setup *setup)
{
	struct upkeep_limits limits;
	struct upkeep *u;
	bool for_test;

	for_test = take_limits(&limits);
	u = memory_alloc_zero(1, sizeof *u);
	u->setup = *setup;
	u->counts = for_test || !setup->dialect->has_autovacuum;
	u->limits = limits;
	snprintf(u->application, sizeof u->application, "sluice upkeep %s", setup->config->task);
	upkeep_plan_init(&u->plan, &u->limits, setup->config->apply.vacuum == VACUUM_AUTO);
	for (unsigned i = 0; u->counts && i < setup->catalog->count; i++)
		upkeep_plan_load(&u->plan, &setup->catalog->tables[i]);
	u->indexes = (struct index_follow){
		.config = setup->config,
		.dialect = setup->dialect,
		.catalog = setup->catalog,
		.limits = &u->limits,
		.applied_lsn = setup->applied_lsn,
		.marked_ms = now_ms(u),
	};
	u->stored_ms = now_ms(u);
	u->tick = loop_timer_create(setup->loop, on_tick, u);
	loop_timer_arm(u->tick, RESTING_MS);
	return u;
}

void
upkeep_applied(struct upkeep *u, const struct batch *batch, uint64_t lsn)
{
	if (lsn)
		u->indexes.applied_lsn = lsn;
	if (!u->counts)
		return;
	upkeep_plan_note_batch(&u->plan, batch, now_ms(u));
	for (unsigned i = 0; u->setup.metrics && i < batch->net_count; i++) {
		const struct upkeep_target *target =
			upkeep_plan_find(&u->plan, batch->nets[i]->shape->table->target.oid);

		if (target)
			show(u, target);
	}
}

struct index_follow *
upkeep_indexes(struct upkeep *u)
{
	return &u->indexes;
}

bool
upkeep_hold(struct upkeep *u, bool hold)
{
	if (u->held && !hold)
		index_troubles_resume(&u->indexes.troubles);
	u->held = hold;
	/* Queries end soon by themselves. */
	if (hold && u->state == STATE_RUNNING && (u->action != UPKEEP_NOTHING || u->indexing))
		cancel(u);
	return u->state != STATE_RUNNING;
}

static bool
is_finished(void *arg)
{
	struct upkeep *u = arg;

	return loop_stop_requested(u->setup.loop) ||
		   (u->state == STATE_RESTING && (u->held || now_ms(u) < u->rested_until_ms || !has_work(u)));
}

void
upkeep_finish(struct upkeep *u)
{
	u->finishing = true;
	if (u->state == STATE_RESTING)
		go_on_soon(u);
	loop_run_until(u->setup.loop, is_finished, u);
}

/* The session of the batches may have a transaction open that has changed the same rows, and that nobody ends meanwhile;
 * so may one of a copy that was just closed. */
static bool
can_store(const struct upkeep *u)
{
	const struct upkeep_setup *setup = &u->setup;

	return connection_is_idle(setup->control) && !connection_in_transaction(setup->control) &&
		   connection_is_idle(setup->destination) && !connection_in_transaction(setup->destination);
}

static void
store_last(struct upkeep *u)
{
	struct buffer sql;
	struct error err;

	sql_init(&sql);
	buffer_printf(&sql, "SET LOCAL lock_timeout = 1000;");
	if (put_store(u, &sql) && !connection_execute(u->setup.control, sql_text(&sql), NULL, 0, NULL, &err))
		log_debug("what was counted for the upkeep of the targets is not written down: %s", err.message);
	buffer_fini(&sql);
}

void
upkeep_destroy(struct upkeep *u, bool store)
{
	/* Storing pumps the loop, in which nothing of this must happen any more. */
	loop_timer_destroy(u->tick);
	if (u->state == STATE_RUNNING)
		connection_cancel(u->conn);
	connection_open_abandon(u->opening);
	connection_close(u->conn);
	if (store && can_store(u))
		store_last(u);
	upkeep_plan_fini(&u->plan);
	index_follow_fini(&u->indexes);
	free(u);
}
