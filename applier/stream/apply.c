#include "apply.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "merge/batch_order.h"
#include "merge/merge_outcome.h"
#include "merge/statistics.h"
#include "state/progress.h"
#include "state/state_tables.h"
#include "state/state_targets.h"
#include "tables/mapping.h"

#define COPY_PIECE_BYTES ((size_t) 64 * 1024)
#define COMMITS_BETWEEN_VACUUMS 5000
#define SECONDS_1970_TO_2000 946684800

/*
 * What is asked of the destination next for the current batch.  Up to the
 * position everything is asked without waiting for the answers; they are
 * waited for before the COMMIT.
 *
 *	IDLE ► BEGINNING ► LOOKING ► MERGING ► HOLDING ► DROPPING ► ADVANCING ► WRITTEN ► COMMITTING ► VACUUMING ► IDLE
 *
 * A round that is not the last goes from HOLDING to WRITTEN and from there to IDLE.  A batch that is to be done
 * again goes through ROLLING_BACK and DISCARDING to BEGINNING.
 */
enum apply_phase {
	APPLY_IDLE,
	APPLY_BEGINNING,
	APPLY_LOOKING,	 /* at targets of which the planner may have a wrong idea, … */
	APPLY_LOOKED,	 /* … to analyze them */
	APPLY_MERGING,	 /* the steps of the batch's order */
	APPLY_HOLDING,	 /* writing down which tables are held from here on */
	APPLY_DROPPING,	 /* staging tables that are too many */
	APPLY_ADVANCING, /* writing the new position */
	APPLY_WRITTEN,	 /* all of that was asked */
	APPLY_COMMITTING,
	APPLY_VACUUMING,
	APPLY_ROLLING_BACK, /* to do the batch again, in other words or without a table */
	APPLY_DISCARDING,	/* likewise: the staging tables */
	APPLY_FAILED,
};

#define FROM(phase) (1u << (phase))

/* Any phase but IDLE may fail, and any may be rolled back where the batch began the transaction. */
static const struct {
	const char *name;
	unsigned from; /* bits: the phases that it may follow */
} phases[] = {
	[APPLY_IDLE] = {"idle", FROM(APPLY_WRITTEN) | FROM(APPLY_COMMITTING) | FROM(APPLY_VACUUMING)},
	[APPLY_BEGINNING] = {"beginning", FROM(APPLY_IDLE) | FROM(APPLY_DISCARDING)},
	[APPLY_LOOKING] = {"looking", FROM(APPLY_BEGINNING)},
	[APPLY_LOOKED] = {"looked", FROM(APPLY_LOOKING)},
	[APPLY_MERGING] = {"merging", FROM(APPLY_BEGINNING) | FROM(APPLY_LOOKING) | FROM(APPLY_LOOKED)},
	[APPLY_HOLDING] = {"holding", FROM(APPLY_MERGING)},
	[APPLY_DROPPING] = {"dropping", FROM(APPLY_HOLDING)},
	[APPLY_ADVANCING] = {"advancing", FROM(APPLY_DROPPING)},
	[APPLY_WRITTEN] = {"written", FROM(APPLY_HOLDING) | FROM(APPLY_ADVANCING)},
	[APPLY_COMMITTING] = {"committing", FROM(APPLY_WRITTEN)},
	[APPLY_VACUUMING] = {"vacuuming", FROM(APPLY_COMMITTING)},
	[APPLY_ROLLING_BACK] = {"rolling back", FROM(APPLY_MERGING) | FROM(APPLY_HOLDING) | FROM(APPLY_DROPPING) |
												FROM(APPLY_ADVANCING) | FROM(APPLY_WRITTEN) |
												FROM(APPLY_COMMITTING)},
	[APPLY_DISCARDING] = {"discarding", FROM(APPLY_ROLLING_BACK)},
	[APPLY_FAILED] = {"failed", ~FROM(APPLY_IDLE)},
};

/* So many requests wait for their answers at most; below half of it more are made. */
#define IN_FLIGHT_MAX 256

/* Asked of the destination, and not answered yet.  Lives in the batch's arena. */
struct task {
	struct apply *apply;
	enum apply_phase phase;
	struct merge_step *step; /* merging */
};

struct apply {
	struct connection *conn;
	const struct dialect *dialect;
	char *task;
	char epoch[24];
	apply_done done;
	apply_refused refused;
	void *arg;
	const struct table **held; /* since it was created; what is queued of them is left out */
	unsigned held_count;
	const struct table *refused_in_round;
	enum apply_phase phase;
	bool in_transaction;
	bool began_here;		  /* with the current batch */
	enum merge_manner manner; /* of the current batch */
	struct batch *batch;
	struct batch_order order;
	unsigned in_flight;
	struct stagings stagings;
	struct statistics statistics;
	int64_t commits;
	int64_t answered_us; /* when the answer before came, or the batch was begun */
};

static void go_on(struct apply *apply);
static void take_fetched(struct apply *apply, const struct result *res);
static bool can_be_told(const struct task *task, const struct error *err);
static bool can_be_named(const struct task *task);
static void redo(struct apply *apply, enum merge_manner manner, bool dropped);
static bool hold_refused(const struct task *task, const struct error *cause);
static void remember_held(struct apply *apply, const struct table *table);
static bool take_void(const struct task *task, const struct error *err);

struct apply *
apply_create(struct connection *destination, const struct dialect *dialect, const char *task, int64_t epoch,
			 apply_done done, apply_refused refused, void *arg)
{
	struct apply *apply = memory_alloc_zero(1, sizeof *apply);

	apply->conn = destination;
	apply->dialect = dialect;
	apply->task = memory_strdup(task);
	snprintf(apply->epoch, sizeof apply->epoch, "%" PRId64, epoch);
	apply->done = done;
	apply->refused = refused;
	apply->arg = arg;
	stagings_init(&apply->stagings);
	statistics_init(&apply->statistics);
	connection_allow_pipelining(destination);
	return apply;
}

void
apply_destroy(struct apply *apply)
{
	if (!apply)
		return;
	batch_destroy(apply->batch);
	stagings_fini(&apply->stagings);
	statistics_fini(&apply->statistics);
	free(apply->held);
	free(apply->task);
	free(apply);
}

bool
apply_is_idle(const struct apply *apply)
{
	return apply->phase == APPLY_IDLE;
}

const struct table *
apply_refused_in_round(const struct apply *apply)
{
	return apply->refused_in_round;
}

bool
apply_in_transaction(const struct apply *apply)
{
	return apply->in_transaction;
}

bool
apply_ends_by_itself(const struct apply *apply)
{
	return !apply->in_transaction || (apply->batch && apply->batch->final);
}

bool
apply_open_transaction(struct apply *apply, struct error *err)
{
	if (!apply->in_transaction && !connection_execute(apply->conn, "BEGIN", NULL, 0, NULL, err))
		return false;
	apply->in_transaction = true;
	return true;
}

/* ---- failing and finishing */

static void
set_phase(struct apply *apply, enum apply_phase phase)
{
	assert(phases[phase].from & FROM(apply->phase));
	log_debug("apply: %s, then %s", phases[apply->phase].name, phases[phase].name);
	apply->phase = phase;
}

/* A foreign key from a table that was not truncated with them. */
#define FEATURE_NOT_SUPPORTED "0A000"

static void
explain_truncate(struct error *err)
{
	if (strcmp(err->sqlstate, FEATURE_NOT_SUPPORTED) == 0)
		error_hint(err, "Drop the foreign key at the destination, since the source obeys its own; or leave"
						" truncate out of the table's operations.");
	error_context(err, "truncating");
}

/* The server tells which of the copied rows it refuses, by a number. */
static void
name_row(const struct merge_step *step, struct error *err)
{
	struct buffer key;

	if (err->copy_row == 0 || !step || step->kind != MERGE_COPY || err->class != ERROR_DATA)
		return;
	memory_buffer_init(&key);
	copy_walk_put_key(&step->walk, err->copy_row, &key);
	if (key.len > 0)
		error_row(err, (const char *) key.data, (int) key.len);
	buffer_fini(&key);
}

/* What was being done, for the message. */
static void
add_context(const struct apply *apply, const struct task *task, struct error *err)
{
	const struct table *table = task->step ? task->step->table : NULL;
	char lsn[LSN_TEXT_BYTES];

	if (task->step && task->step->kind == MERGE_TRUNCATE)
		explain_truncate(err);
	name_row(task->step, err);
	if (table) {
		mapping_explain_refusal(table, err);
		error_context(err, "merging into %s.%s", table->target_schema, table->target_name);
	}
	if (apply->batch->end_lsn)
		error_context(err, "applying the batch up to %s", lsn_format(apply->batch->end_lsn, lsn));
	else
		error_context(err, "applying a round of a large transaction");
}

static void
fail(struct apply *apply, const struct task *task, const struct error *cause)
{
	struct error err = *cause;
	struct batch *batch = apply->batch;

	add_context(apply, task, &err);
	/* What was asked already refers to the batch. */
	connection_abandon(apply->conn);
	set_phase(apply, APPLY_FAILED);
	apply->batch = NULL;
	apply->done(apply->arg, batch, &err);
}

static void
finish(struct apply *apply)
{
	struct batch *batch = apply->batch;

	for (const struct batch_hold *hold = batch->holds; hold; hold = hold->next)
		remember_held(apply, hold->table);
	set_phase(apply, APPLY_IDLE);
	apply->manner = MERGE_FAST;
	apply->batch = NULL;
	apply->done(apply->arg, batch, NULL);
}

/* ---- requests */

static bool
check_result(const struct task *task, const struct result *res, struct error *err)
{
	if (task->step && merge_outcome_take(task->step, result_affected(res), err))
		return true;
	if (task->step) {
		merge_outcome_name_row(task->step, result_rows(res) > 0 ? res : NULL, err);
		return false;
	}
	if (task->phase == APPLY_HOLDING && result_affected(res) != 1)
		return error_set(err, ERROR_BUG, "sluice.tables has no row of a table that is to be held");
	if (task->phase != APPLY_ADVANCING || result_affected(res) == 1)
		return true;
	error_set(err, ERROR_DATA, "another daemon of task %s has taken over", task->apply->task);
	return error_hint(err, "Stop one of the two.");
}

/* Answers come in order: the time since the one before is this one's. */
static void
charge(struct apply *apply, const struct task *task)
{
	int64_t now = batch_clock_us();
	enum batch_step step = BATCH_MERGE;

	if (task->phase == APPLY_COMMITTING)
		step = BATCH_COMMIT;
	else if (task->step && task->step->kind == MERGE_COPY)
		step = BATCH_STAGE;
	apply->batch->spent_us[step] += now - apply->answered_us;
	apply->answered_us = now;
}

static void
on_done(void *arg, const struct result *res, const struct error *err)
{
	struct task *task = arg;
	struct apply *apply = task->apply;
	struct error own;

	apply->in_flight--;
	charge(apply, task);
	if (take_void(task, err))
		return;
	if (err) {
		/* A copy that we gave up: the reason is ours, not what the server says of it. */
		if (task->step && task->step->kind == MERGE_COPY && task->step->walk.broken) {
			error_set(&own, ERROR_BUG, "a row to be copied lacks a value");
			err = &own;
		}
		if (can_be_told(task, err))
			redo(apply, MERGE_NAMING, true);
		else if (hold_refused(task, err))
			redo(apply, MERGE_FAST, true);
		else
			fail(apply, task, err);
	} else if (!check_result(task, res, &own)) {
		if (can_be_named(task))
			redo(apply, MERGE_NAMING, false);
		else if (hold_refused(task, &own))
			redo(apply, MERGE_FAST, false);
		else
			fail(apply, task, &own);
	} else if (task->phase == APPLY_LOOKING) {
		take_fetched(apply, res);
	} else if (apply->in_flight <= IN_FLIGHT_MAX / 2) {
		go_on(apply);
	}
}

/* What is about to be asked, for its answer. */
static struct task *
new_task(struct apply *apply)
{
	struct task *task = arena_alloc_zero(&apply->batch->arena, sizeof *task);

	task->apply = apply;
	task->phase = apply->phase;
	apply->in_flight++;
	return task;
}

static void
query(struct apply *apply, const char *sql)
{
	connection_query(apply->conn, sql, NULL, 0, on_done, new_task(apply));
}

/*
 * A batch that was refused is done again in words that tell more (MERGE_NAMING), unless earlier rounds
 * share its transaction.
 */
static bool
can_be_redone(const struct task *task)
{
	return task->step && task->apply->began_here && task->apply->manner == MERGE_FAST;
}

/* A value that the target refuses is told by its column where it comes with a COPY, not where it is a parameter. */
static bool
can_be_told(const struct task *task, const struct error *err)
{
	return can_be_redone(task) && err->class == ERROR_DATA && task->step->kind == MERGE_PREPARED;
}

static bool
can_be_named(const struct task *task)
{
	return can_be_redone(task) && merge_outcome_can_be_named(task->step);
}

/* `dropped`: a request has failed, and with it those that were queued behind it. */
static void
roll_back(struct apply *apply, bool dropped)
{
	if (dropped)
		apply->in_flight = 0;
	query(apply, "ROLLBACK");
	connection_end_transaction(apply->conn);
}

static void
redo(struct apply *apply, enum merge_manner manner, bool dropped)
{
	apply->manner = manner;
	apply->in_transaction = false;
	stagings_fini(&apply->stagings);
	stagings_init(&apply->stagings);
	set_phase(apply, APPLY_ROLLING_BACK);
	roll_back(apply, dropped);
}

/* ---- tables that are held */

/* The table that a failure is about: the step's, or at the COMMIT the one that the server names. */
static const struct table *
table_of(const struct task *task, const struct error *err)
{
	const struct batch *batch = task->apply->batch;

	if (task->step && task->step->table)
		return task->step->table;
	for (unsigned i = 0; err->table[0] && i < batch->net_count; i++) {
		const struct table *table = batch->nets[i]->shape->table;

		if (strcmp(table->target_name, err->table) == 0 && strcmp(table->target_schema, err->schema) == 0)
			return table;
	}
	return NULL;
}

static void
remember_held(struct apply *apply, const struct table *table)
{
	apply->held = memory_resize(apply->held, apply->held_count + 1, sizeof(*apply->held));
	apply->held[apply->held_count++] = table;
}

/*
 * A change that one target refuses holds that table, where it is to be so; then the batch is done again without it.
 * Where earlier rounds share the transaction, only the attempt as a whole can be.
 */
static bool
hold_refused(const struct task *task, const struct error *cause)
{
	struct apply *apply = task->apply;
	const struct table *table = table_of(task, cause);
	struct error err = *cause;

	if (cause->class != ERROR_DATA || !table || batch_leaves_out(apply->batch, table))
		return false;
	if (!apply->began_here) {
		apply->refused_in_round = table;
		return false;
	}
	add_context(apply, task, &err);
	return apply->refused(apply->arg, apply->batch, table, &err);
}

/* What was queued before a table was held. */
static void
leave_out_held(const struct apply *apply, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->net_count; i++)
		for (unsigned j = 0; j < apply->held_count; j++)
			batch->nets[i]->left_out |= batch->nets[i]->shape->table == apply->held[j];
}

static void
write_holds(struct apply *apply)
{
	for (const struct batch_hold *hold = apply->batch->holds; hold; hold = hold->next) {
		struct buffer sql;

		sql_init(&sql);
		state_tables_put_refused(&sql, apply->task, hold->table, hold->key, apply->batch->end_lsn);
		query(apply, sql_text(&sql));
		buffer_fini(&sql);
	}
}

/* What was asked before the batch came to be done again has no say any more. */
static bool
take_void(const struct task *task, const struct error *err)
{
	struct apply *apply = task->apply;

	if (apply->phase != APPLY_ROLLING_BACK || task->phase == APPLY_ROLLING_BACK)
		return false;
	if (err && err->class == ERROR_DATA)
		roll_back(apply, true);
	else if (err)
		fail(apply, task, err);
	return true;
}

/* ---- the planner's idea of the targets */

static bool
look(struct apply *apply)
{
	struct buffer sql;
	bool any;

	sql_init(&sql);
	any = statistics_put_query(&apply->statistics, apply->batch, &sql);
	if (any)
		query(apply, sql_text(&sql));
	buffer_fini(&sql);
	return any;
}

static void
analyze(struct apply *apply)
{
	struct buffer sql;

	sql_init(&sql);
	for (unsigned i = 0; i < apply->batch->net_count; i++) {
		buffer_reset(&sql);
		if (statistics_put_analyze(&apply->statistics, apply->batch->nets[i], &sql))
			query(apply, sql_text(&sql));
	}
	buffer_fini(&sql);
}

static void
begin_merging(struct apply *apply)
{
	set_phase(apply, APPLY_MERGING);
	batch_order_init(&apply->order, apply->batch, apply->dialect, apply->manner, &apply->stagings);
}

static void
take_fetched(struct apply *apply, const struct result *res)
{
	for (unsigned row = 0; row < result_rows(res); row++)
		statistics_take(&apply->statistics, (uint32_t) result_int(res, row, 0), result_int(res, row, 1),
						result_bool(res, row, 2));
	analyze(apply);
	begin_merging(apply);
	go_on(apply);
}

/* ---- merging */

static enum copy_next
produce_rows(void *arg, struct buffer *out)
{
	struct merge_step *step = arg;
	bool more = copy_walk_next(&step->walk, out, COPY_PIECE_BYTES);

	if (step->walk.broken)
		return COPY_ABORT;
	return more ? COPY_MORE : COPY_END;
}

/* A target that is empty in another file is one that others have emptied, unless it is known that we did. */
static void
note_files(struct apply *apply)
{
	const struct batch *batch = apply->batch;

	for (unsigned i = 0; i < batch->net_count; i++) {
		struct buffer sql;

		if (!batch->nets[i]->truncated || batch->nets[i]->left_out)
			continue;
		sql_init(&sql);
		state_targets_put_file(&sql, batch->nets[i]->shape->table->target.oid);
		query(apply, sql_text(&sql));
		buffer_fini(&sql);
	}
}

static void
execute(struct apply *apply, struct merge_step *step)
{
	struct task *task = new_task(apply);

	task->step = step;
	switch (step->kind) {
	case MERGE_STATEMENT:
		connection_query(apply->conn, step->sql, NULL, 0, on_done, task);
		break;
	case MERGE_TRUNCATE:
		connection_query(apply->conn, step->sql, NULL, 0, on_done, task);
		note_files(apply);
		break;
	case MERGE_PREPARED:
		connection_query_prepared(apply->conn, step->name, step->sql, step->params, step->param_count,
								  on_done, task);
		break;
	case MERGE_COPY:
		connection_copy_in(apply->conn, step->sql, produce_rows, step, on_done, task);
		break;
	}
}

/* Asks for the next step; false when there is none that could be asked for. */
static bool
merge(struct apply *apply)
{
	struct merge_step *step;
	struct error err;

	if (!batch_order_next(&apply->order, &step, &err)) {
		fail(apply, &(struct task){.phase = apply->phase}, &err);
		return false;
	}
	if (step)
		execute(apply, step);
	else
		set_phase(apply, APPLY_HOLDING);
	return true;
}

static void
drop_stagings(struct apply *apply)
{
	struct buffer sql;

	memory_buffer_init(&sql);
	if (stagings_put_drop(&apply->stagings, &sql)) {
		buffer_put_u8(&sql, '\0');
		query(apply, (const char *) sql.data);
	}
	buffer_fini(&sql);
}

/* ---- the position */

/* timestamptz as text; NULL when it is not known. */
static const char *
format_time(int64_t microseconds, char *out, size_t out_bytes)
{
	time_t seconds = (time_t) (microseconds / 1000000 + SECONDS_1970_TO_2000);
	struct tm tm;
	size_t len;

	if (microseconds == 0 || !gmtime_r(&seconds, &tm))
		return NULL;
	len = strftime(out, out_bytes, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(out + len, out_bytes - len, ".%06d+00", (int) (microseconds % 1000000));
	return out;
}

static void
write_position(struct apply *apply)
{
	const struct batch *batch = apply->batch;
	char lsn[LSN_TEXT_BYTES], commit_lsn[LSN_TEXT_BYTES];
	char time[64], xid[16];
	struct param params[] = {
		param_text(lsn_format(batch->end_lsn, lsn)),
		param_text(format_time(batch->commit_time, time, sizeof time)),
		param_text(apply->task),
		param_text(apply->epoch),
		param_text(batch->last_xid ? xid : NULL),
		param_text(batch->last_xid ? lsn_format(batch->last_commit_lsn, commit_lsn) : NULL),
	};

	snprintf(xid, sizeof xid, "%" PRIu32, batch->last_xid);
	connection_query_prepared(apply->conn, "sluice_progress", progress_advance_sql(), params, 6, on_done,
							  new_task(apply));
}

static void
committed(struct apply *apply)
{
	apply->in_transaction = false;
	apply->commits++;
	stagings_committed(&apply->stagings);
}

/* ---- the order of things */

/* Asks for what comes next; false when that depends on the answers. */
static bool
ask(struct apply *apply)
{
	switch (apply->phase) {
	case APPLY_BEGINNING:
		apply->began_here = !apply->in_transaction;
		if (apply->began_here)
			query(apply, "BEGIN");
		apply->in_transaction = true;
		if (apply->dialect->analyze_targets)
			set_phase(apply, APPLY_LOOKING);
		else
			begin_merging(apply);
		return true;
	case APPLY_LOOKING:
		if (look(apply))
			set_phase(apply, APPLY_LOOKED);
		else
			begin_merging(apply);
		return true;
	case APPLY_MERGING:
		return merge(apply);
	case APPLY_HOLDING:
		write_holds(apply);
		set_phase(apply, apply->batch->final ? APPLY_DROPPING : APPLY_WRITTEN);
		return true;
	case APPLY_DROPPING:
		drop_stagings(apply);
		set_phase(apply, APPLY_ADVANCING);
		return true;
	case APPLY_ADVANCING:
		write_position(apply);
		set_phase(apply, APPLY_WRITTEN);
		return true;
	default:
		return false;
	}
}

/* Does what comes after what is answered. */
static void
end_phase(struct apply *apply)
{
	if (apply->phase == APPLY_WRITTEN && apply->batch->final) {
		set_phase(apply, APPLY_COMMITTING);
		query(apply, "COMMIT");
		connection_end_transaction(apply->conn);
		return;
	}
	if (apply->phase == APPLY_ROLLING_BACK) {
		set_phase(apply, APPLY_DISCARDING);
		query(apply, "DISCARD TEMP");
		connection_end_transaction(apply->conn);
		return;
	}
	if (apply->phase == APPLY_DISCARDING) {
		set_phase(apply, APPLY_BEGINNING);
		go_on(apply);
		return;
	}
	if (apply->phase == APPLY_COMMITTING) {
		committed(apply);
		if (apply->dialect->vacuum_progress && apply->commits % COMMITS_BETWEEN_VACUUMS == 0) {
			set_phase(apply, APPLY_VACUUMING);
			query(apply, "VACUUM sluice.progress");
			connection_end_transaction(apply->conn);
			return;
		}
	}
	finish(apply);
}

static void
go_on(struct apply *apply)
{
	while (apply->in_flight < IN_FLIGHT_MAX && ask(apply))
		;
	if (apply->in_flight == 0 && apply->phase != APPLY_FAILED)
		end_phase(apply);
}

void
apply_start(struct apply *apply, struct batch *batch)
{
	assert(batch);
	apply->batch = batch;
	apply->answered_us = batch_clock_us();
	leave_out_held(apply, batch);
	set_phase(apply, APPLY_BEGINNING);
	go_on(apply);
}
