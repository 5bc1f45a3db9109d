#include "apply.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lsn.h"
#include "mapping.h"
#include "merge_plan.h"
#include "progress.h"
#include "sql.h"

#define COPY_PIECE_BYTES ((size_t) 64 * 1024)
#define COMMITS_BETWEEN_VACUUMS 5000
#define SECONDS_1970_TO_2000 946684800

/* What the destination is doing for the batch in hand. */
enum apply_phase {
	APPLY_IDLE,
	APPLY_BEGINNING,
	APPLY_TRUNCATING,
	APPLY_MERGING,
	APPLY_ADVANCING, /* writing the new position */
	APPLY_COMMITTING,
	APPLY_VACUUMING,
	APPLY_FAILED,
};

struct apply {
	struct connection *conn;
	const struct dialect *dialect;
	char *task;
	char epoch[24];
	apply_done done;
	void *arg;
	enum apply_phase phase;
	bool in_transaction;
	struct batch *batch;
	unsigned net; /* the next one to plan */
	struct merge_plan plan;
	struct merge_step *step;  /* being executed */
	struct staging *stagings; /* by shape number */
	unsigned staging_count;
	unsigned *touched; /* numbers of the shapes that this transaction has merged, for their stagings */
	unsigned touched_count;
	unsigned touched_capacity;
	bool truncated_restarting; /* TRUNCATE … RESTART IDENTITY has its turn */
	int64_t commits;
};

static void next(struct apply *apply);

struct apply *
apply_create(struct connection *destination, const struct dialect *dialect, const char *task, int64_t epoch,
			 apply_done done, void *arg)
{
	struct apply *apply = calloc(1, sizeof *apply);

	if (!apply)
		arena_out_of_memory(sizeof *apply);
	apply->conn = destination;
	apply->dialect = dialect;
	apply->task = strdup(task);
	snprintf(apply->epoch, sizeof apply->epoch, "%" PRId64, epoch);
	apply->done = done;
	apply->arg = arg;
	return apply;
}

void
apply_destroy(struct apply *apply)
{
	if (!apply)
		return;
	batch_destroy(apply->batch);
	free(apply->stagings);
	free(apply->touched);
	free(apply->task);
	free(apply);
}

bool
apply_is_idle(const struct apply *apply)
{
	return apply->phase == APPLY_IDLE;
}

bool
apply_in_transaction(const struct apply *apply)
{
	return apply->in_transaction;
}

/* ---- failing and finishing */

/* What was being done, for the message. */
static void
add_context(const struct apply *apply, struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	if (apply->phase == APPLY_MERGING && apply->net > 0) {
		const struct table *table = apply->batch->nets[apply->net - 1]->shape->table;

		mapping_explain_collision(table, err);
		error_context(err, "merging into %s.%s", table->target_schema, table->target_name);
	}
	if (apply->batch->end_lsn)
		error_context(err, "applying the batch up to %s", lsn_format(apply->batch->end_lsn, lsn));
	else
		error_context(err, "applying a round of a large transaction");
}

static void
fail(struct apply *apply, const struct error *cause)
{
	struct error err = *cause;
	struct batch *batch = apply->batch;

	add_context(apply, &err);
	apply->phase = APPLY_FAILED;
	apply->batch = NULL;
	apply->done(apply->arg, batch, &err);
}

static void
finish(struct apply *apply)
{
	struct batch *batch = apply->batch;

	apply->phase = APPLY_IDLE;
	apply->batch = NULL;
	apply->done(apply->arg, batch, NULL);
}

/* ---- requests */

static bool
has_expected_rows(struct apply *apply, const struct result *res, struct error *err)
{
	const struct merge_step *step = apply->step;
	int64_t rows = result_affected(res);

	if (step->kind == MERGE_COPY && rows != step->walk.rows)
		return error_set(err, ERROR_BUG, "the destination took %" PRId64 " of %" PRId64 " rows", rows,
						 step->walk.rows);
	if (step->expected_rows < 0 || step->expected_rows == rows)
		return true;
	if (step->expected_rows == 0)
		error_set(err, ERROR_DATA, "%" PRId64 " %s", rows, step->mismatch);
	else
		error_set(err, ERROR_DATA, "%" PRId64 " of %" PRId64 " %s", step->expected_rows - rows,
				  step->expected_rows, step->mismatch);
	if (step->remedy)
		return error_hint(err, "%s", step->remedy);
	return error_hint(err, "Something else wrote to the target; compare both sides and copy the table anew.");
}

static bool
check_result(struct apply *apply, const struct result *res, struct error *err)
{
	if (apply->phase == APPLY_MERGING)
		return has_expected_rows(apply, res, err);
	if (apply->phase != APPLY_ADVANCING || result_affected(res) == 1)
		return true;
	error_set(err, ERROR_DATA, "another daemon of task %s has taken over", apply->task);
	return error_hint(err, "Stop one of the two.");
}

static void
on_done(void *arg, const struct result *res, const struct error *err)
{
	struct apply *apply = arg;
	struct error own;

	if (err) {
		/* A copy that we gave up: the reason is ours, not what the server says of it. */
		if (apply->phase == APPLY_MERGING && apply->step->kind == MERGE_COPY && apply->step->walk.broken) {
			error_set(&own, ERROR_BUG, "a row to be copied lacks a value");
			err = &own;
		}
		fail(apply, err);
	} else if (!check_result(apply, res, &own)) {
		fail(apply, &own);
	} else {
		next(apply);
	}
}

static void
query(struct apply *apply, const char *sql)
{
	connection_query(apply->conn, sql, NULL, 0, on_done, apply);
}

/* ---- TRUNCATE */

/* The tables that the batch truncates, with or without RESTART IDENTITY. */
static bool
put_truncate(struct apply *apply, struct buffer *sql, bool restart)
{
	bool any = false;

	for (unsigned i = 0; i < apply->batch->net_count; i++) {
		const struct net_change *net = apply->batch->nets[i];

		if (!net->truncated || net->restart_identity != restart)
			continue;
		buffer_printf(sql, any ? ", " : "TRUNCATE ");
		sql_qualified(sql, net->shape->table->target_schema, net->shape->table->target_name);
		any = true;
	}
	if (restart)
		buffer_printf(sql, " RESTART IDENTITY");
	buffer_put_u8(sql, '\0');
	return any;
}

static bool
truncate(struct apply *apply, bool restart)
{
	struct buffer sql;
	bool any;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	any = put_truncate(apply, &sql, restart);
	if (any)
		query(apply, (const char *) sql.data);
	buffer_fini(&sql);
	return any;
}

/* ---- merging */

static void
note_touched(struct apply *apply, unsigned number)
{
	if (apply->touched_count == apply->touched_capacity) {
		apply->touched_capacity = apply->touched_capacity ? 2 * apply->touched_capacity : 64;
		apply->touched = realloc(apply->touched, apply->touched_capacity * sizeof *apply->touched);
		if (!apply->touched)
			arena_out_of_memory(apply->touched_capacity * sizeof *apply->touched);
	}
	apply->touched[apply->touched_count++] = number;
}

static struct staging *
staging_of(struct apply *apply, const struct shape *shape)
{
	if (shape->number >= apply->staging_count) {
		unsigned count = (shape->number + 1) * 2;
		struct staging *grown = realloc(apply->stagings, count * sizeof *grown);

		if (!grown)
			arena_out_of_memory(count * sizeof *grown);
		memset(grown + apply->staging_count, 0, (count - apply->staging_count) * sizeof *grown);
		apply->stagings = grown;
		apply->staging_count = count;
	}
	note_touched(apply, shape->number);
	return &apply->stagings[shape->number];
}

static enum copy_next
produce_rows(void *arg, struct buffer *out)
{
	struct merge_step *step = arg;
	bool more = copy_walk_next(&step->walk, out, COPY_PIECE_BYTES);

	if (step->walk.broken)
		return COPY_ABORT;
	return more ? COPY_MORE : COPY_END;
}

static void
execute(struct apply *apply, struct merge_step *step)
{
	apply->step = step;
	switch (step->kind) {
	case MERGE_STATEMENT:
		query(apply, step->sql);
		break;
	case MERGE_PREPARED:
		connection_query_prepared(apply->conn, step->name, step->sql, step->params, step->param_count,
								  on_done, apply);
		break;
	case MERGE_COPY:
		connection_copy_in(apply->conn, step->sql, produce_rows, step, on_done, apply);
		break;
	}
}

/* Goes to the next step, of this plan or of the next table's; false: none is left. */
static bool
merge(struct apply *apply, struct error *err, bool *failed)
{
	struct merge_step *step = apply->step ? apply->step->next : NULL;

	while (!step && apply->net < apply->batch->net_count) {
		const struct net_change *net = apply->batch->nets[apply->net++];

		if (!merge_plan_build(&apply->plan, net, apply->dialect, staging_of(apply, net->shape),
							  &apply->batch->arena, err)) {
			*failed = true;
			return false;
		}
		step = apply->plan.first;
	}
	if (!step)
		return false;
	execute(apply, step);
	return true;
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
	char lsn[LSN_TEXT_BYTES];
	char time[64];
	struct param params[] = {
		param_text(lsn_format(apply->batch->end_lsn, lsn)),
		param_text(format_time(apply->batch->commit_time, time, sizeof time)),
		param_text(apply->task),
		param_text(apply->epoch),
	};

	connection_query_prepared(apply->conn, "sluice_progress", progress_advance_sql(), params, 4, on_done,
							  apply);
}

static void
committed(struct apply *apply)
{
	apply->in_transaction = false;
	apply->commits++;
	for (unsigned i = 0; i < apply->touched_count; i++)
		staging_committed(&apply->stagings[apply->touched[i]]);
	apply->touched_count = 0;
}

/* ---- the order of things */

static void
begin_merging(struct apply *apply)
{
	apply->phase = APPLY_MERGING;
	apply->net = 0;
	apply->step = NULL;
}

/* Does what comes after what is done. */
static void
next(struct apply *apply)
{
	struct error err;
	bool failed = false;

	if (apply->phase == APPLY_BEGINNING) {
		apply->in_transaction = true;
		apply->phase = APPLY_TRUNCATING;
		apply->truncated_restarting = false;
		if (truncate(apply, false))
			return;
	}
	if (apply->phase == APPLY_TRUNCATING) {
		if (!apply->truncated_restarting) {
			apply->truncated_restarting = true;
			if (truncate(apply, true))
				return;
		}
		begin_merging(apply);
	}
	if (apply->phase == APPLY_MERGING) {
		if (merge(apply, &err, &failed))
			return;
		if (failed) {
			fail(apply, &err);
			return;
		}
		if (!apply->batch->final) {
			finish(apply);
			return;
		}
		apply->phase = APPLY_ADVANCING;
		write_position(apply);
		return;
	}
	if (apply->phase == APPLY_ADVANCING) {
		apply->phase = APPLY_COMMITTING;
		query(apply, "COMMIT");
		return;
	}
	if (apply->phase == APPLY_COMMITTING) {
		committed(apply);
		if (apply->dialect->vacuum_progress && apply->commits % COMMITS_BETWEEN_VACUUMS == 0) {
			apply->phase = APPLY_VACUUMING;
			query(apply, "VACUUM sluice.progress");
			return;
		}
	}
	finish(apply);
}

void
apply_start(struct apply *apply, struct batch *batch)
{
	apply->batch = batch;
	apply->phase = APPLY_BEGINNING;
	if (apply->in_transaction)
		next(apply);
	else
		query(apply, "BEGIN");
}
