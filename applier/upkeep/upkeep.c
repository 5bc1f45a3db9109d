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
/* How long a batch waits for a lock before the statement of upkeep is cancelled. */
#define WAIT_MS 1000
#define LOCK_TIMEOUT "SET lock_timeout = 1000"
/* How often counts are stored, and how soon after a failure the session is opened again. */
#define STORE_MS 60000

#define SQLSTATE_CANCELLED "57014"
#define SQLSTATE_LOCKED "55P03"

enum upkeep_state {
	STATE_RESTING, /* without a session */
	STATE_OPENING,
	STATE_PINNING, /* its settings */
	STATE_READY,   /* for the next statement */
	STATE_RUNNING,
};

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
	unsigned pinned; /* how many settings were sent */
	bool swept;		 /* statements that a killed daemon of the task left running were cancelled */
	char application[64];
	enum upkeep_action action;	  /* the running one; NOTHING: a query */
	struct upkeep_target *target; /* of the action */
	bool cancelled;				  /* a cancel request was sent */
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

	return upkeep_plan_wants_look(&u->plan, u->finishing) || wants_store(u) ||
		   upkeep_plan_next(&u->plan, now_ms(u), u->finishing, is_busy, u, &target) != UPKEEP_NOTHING;
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
	free(rows);
	return count > 0;
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

/* After a failure of the session or the server: no new session for a while. */
static void
rest(struct upkeep *u, const struct error *err)
{
	u->rested_until_ms = now_ms(u) + u->limits.pause_ms;
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

static void
take_failure(struct upkeep *u, const struct error *err)
{
	const struct table *table = u->target->table;
	bool cancelled = is_cancellation(err);

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
on_looked(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;

	enter(u, STATE_READY);
	for (unsigned i = 0; res && i < result_rows(res); i++)
		upkeep_plan_take_look(&u->plan, (uint32_t) result_int(res, i, 0), result_int(res, i, 1),
							  result_bool(res, i, 2));
	upkeep_plan_end_look(&u->plan, err != NULL);
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
	loop_timer_arm(u->tick, RESTING_MS);
}

static void
go_on(struct upkeep *u)
{
	struct buffer sql;

	u->action = UPKEEP_NOTHING;
	if (u->held || now_ms(u) < u->rested_until_ms || connection_is_lost(u->conn)) {
		close_session(u);
		return;
	}
	sql_init(&sql);
	if (upkeep_plan_put_look(&u->plan, &sql)) {
		start(u, &sql, on_looked);
	} else if (wants_store(u) && put_store(u, &sql)) {
		start(u, &sql, on_stored);
	} else if ((u->action = upkeep_plan_next(&u->plan, now_ms(u), u->finishing, is_busy, u, &u->target))) {
		upkeep_plan_put(u->action, u->target, &sql);
		start(u, &sql, on_done);
	} else {
		close_session(u);
	}
	buffer_fini(&sql);
}

/* ---- the session */

static void pin(struct upkeep *u);

/* The results of this session's queries do not depend on these settings, so refused ones are ignored. */
static void
on_pinned(void *arg, const struct result *res, const struct error *err)
{
	struct upkeep *u = arg;

	(void) res;
	if (!err || !connection_is_lost(u->conn)) {
		pin(u);
		return;
	}
	rest(u, err);
	enter(u, STATE_READY);
	go_on_soon(u);
}

/* A server notices only at the end of a VACUUM that its client was killed: cancels such statements of an earlier
 * daemon. */
static void
put_sweep(struct upkeep *u, struct buffer *sql)
{
	u->swept = true;
	buffer_printf(sql, "SELECT pg_catalog.pg_cancel_backend(pid) FROM pg_catalog.pg_stat_activity"
					   " WHERE pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()"
					   " AND datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
					   " AND usename OPERATOR(pg_catalog.=) current_user"
					   " AND application_name OPERATOR(pg_catalog.=) ");
	sql_literal(sql, u->application);
}

static void
pin(struct upkeep *u)
{
	struct buffer sql;

	sql_init(&sql);
	if (u->pinned == 0)
		buffer_printf(&sql, SESSION_SETTINGS_FIRST);
	else if (u->pinned == 1)
		session_settings_put(&sql, SESSION_DESTINATION, connection_server_version(u->conn));
	else if (u->pinned == 2)
		buffer_printf(&sql, LOCK_TIMEOUT);
	else if (u->pinned == 3)
		lease_put_join(&sql, u->setup.config->task);
	else if (u->pinned == 4 && !u->swept)
		put_sweep(u, &sql);
	if (sql.len > 0) {
		u->pinned++;
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
	if (!u->setup.dialect->has_autovacuum)
		connection_set_greenplum(conn);
	enter(u, STATE_PINNING);
	u->pinned = 0;
	pin(u);
}

static void
cancel(struct upkeep *u)
{
	if (u->cancelled)
		return;
	u->cancelled = true;
	connection_cancel(u->conn);
}

/* Cancels the running statement if the destination's sessions wait, possibly for a lock that it holds. */
static void
give_way(struct upkeep *u)
{
	const struct upkeep_setup *setup = &u->setup;
	bool concerned = u->action == UPKEEP_NOTHING || is_busy(u, u->target);

	if ((concerned && connection_waiting_ms(setup->destination) >= WAIT_MS) ||
		connection_waiting_ms(setup->control) >= WAIT_MS)
		cancel(u);
}

/* Whether batches may be waiting for a VACUUM that an earlier daemon left running. */
static bool
is_held_up(const struct upkeep *u)
{
	return !u->swept && connection_waiting_ms(u->setup.destination) >= WAIT_MS;
}

static void
on_tick(void *arg)
{
	struct upkeep *u = arg;

	switch (u->state) {
	case STATE_RESTING:
		loop_timer_arm(u->tick, RESTING_MS);
		if (u->held || now_ms(u) < u->rested_until_ms || !(has_work(u) || is_held_up(u)))
			break;
		enter(u, STATE_OPENING);
		u->opening =
			connection_open_later(u->setup.loop, "destination", u->setup.config->destination.conninfo,
								  CONNECTION_SQL, u->application, on_opened, u);
		break;
	case STATE_OPENING:
	case STATE_PINNING:
		break;
	case STATE_READY:
		go_on(u);
		break;
	case STATE_RUNNING:
		give_way(u);
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

	if (!take_limits(&limits) && setup->dialect->has_autovacuum)
		return NULL;
	u = memory_alloc_zero(1, sizeof *u);
	u->setup = *setup;
	u->limits = limits;
	snprintf(u->application, sizeof u->application, "sluice upkeep %s", setup->config->task);
	upkeep_plan_init(&u->plan, &u->limits, setup->config->apply.vacuum == VACUUM_AUTO);
	for (unsigned i = 0; i < setup->catalog->count; i++)
		upkeep_plan_load(&u->plan, &setup->catalog->tables[i]);
	u->stored_ms = now_ms(u);
	u->tick = loop_timer_create(setup->loop, on_tick, u);
	loop_timer_arm(u->tick, RESTING_MS);
	return u;
}

void
upkeep_applied(struct upkeep *u, const struct batch *batch)
{
	if (!u)
		return;
	upkeep_plan_note_batch(&u->plan, batch, now_ms(u));
	for (unsigned i = 0; u->setup.metrics && i < batch->net_count; i++) {
		const struct upkeep_target *target =
			upkeep_plan_find(&u->plan, batch->nets[i]->shape->table->target.oid);

		if (target)
			show(u, target);
	}
}

bool
upkeep_hold(struct upkeep *u, bool hold)
{
	if (!u)
		return true;
	u->held = hold;
	/* Queries are not cancelled: they end soon. */
	if (hold && u->state == STATE_RUNNING && u->action != UPKEEP_NOTHING)
		cancel(u);
	return u->state != STATE_RUNNING;
}

static bool
is_finished(void *arg)
{
	struct upkeep *u = arg;

	return loop_stop_requested(u->setup.loop) ||
		   (u->state == STATE_RESTING && (now_ms(u) < u->rested_until_ms || !has_work(u)));
}

void
upkeep_finish(struct upkeep *u)
{
	if (!u)
		return;
	u->finishing = true;
	if (u->state == STATE_RESTING)
		go_on_soon(u);
	loop_run_until(u->setup.loop, is_finished, u);
}

static void
store_last(struct upkeep *u)
{
	struct buffer sql;
	struct error err;

	sql_init(&sql);
	if (put_store(u, &sql) && !connection_execute(u->setup.control, sql_text(&sql), NULL, 0, NULL, &err))
		log_debug("what was counted for the upkeep of the targets is not written down: %s", err.message);
	buffer_fini(&sql);
}

void
upkeep_destroy(struct upkeep *u, bool store)
{
	if (!u)
		return;
	if (u->state == STATE_RUNNING)
		connection_cancel(u->conn);
	connection_open_abandon(u->opening);
	connection_close(u->conn);
	if (store && connection_is_idle(u->setup.control) && !connection_in_transaction(u->setup.control))
		store_last(u);
	loop_timer_destroy(u->tick);
	upkeep_plan_fini(&u->plan);
	free(u);
}
