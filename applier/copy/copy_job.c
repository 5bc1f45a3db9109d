#include "copy_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "copy_statements.h"
#include "servers/server_session.h"
#include "servers/slot_snapshot.h"
#include "servers/source_vanished.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

/* Where a table is smaller, its indexes are as quickly filled as built. */
#define INDEXES_AFTER_BYTES ((int64_t) 8 << 20)
/* Whose server reads a range of blocks alone. */
#define RANGES_SINCE_VERSION 140000

static void
fail(struct copy_job *job, const struct error *err)
{
	struct copy *copy = job->copy;

	if (copy->failed)
		return;
	copy->failed = true;
	copy->err = *err;
	if (!job->work)
		return;
	if (err->class == ERROR_DATA)
		copy->refused = job->work->table;
	mapping_explain_refusal(job->work->table, &copy->err);
	error_context(&copy->err, "copying %s.%s", job->work->table->source.schema,
				  job->work->table->source.name);
}

/* ---- statements */

/* Asks what the buffer holds, and frees it. */
static void
ask(struct copy_job *job, struct connection *conn, struct buffer *sql, connection_done done)
{
	connection_query(conn, sql_text(sql), NULL, 0, done, job);
	buffer_fini(sql);
}

static void
on_step(void *arg, const struct result *res, const struct error *err)
{
	(void) res;
	if (err)
		fail(arg, err);
}

/* Whoever finds the table copied already, as by a session that was lost when
 * its COMMIT was on the way, must not add its rows to it. */
static void
fail_copied(struct copy_job *job)
{
	struct error err;

	error_set(&err, ERROR_RETRY, "the table was copied by another session meanwhile");
	fail(job, &err);
}

/* ---- the end of a table */

static void
on_analyzed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy *copy = job->copy;
	const struct table *table = job->work->table;
	double seconds = (double) (loop_now_ms(copy->setup->loop) - job->work->started_ms) / 1000;
	char parts[32] = "";

	(void) res;
	if (err) {
		fail(job, err);
		return;
	}
	copy->copied++;
	if (job->work->parts.count > 0)
		snprintf(parts, sizeof parts, " in %u parts", job->work->parts.count);
	log_info("copied %s.%s: %" PRId64 " rows%s in %.1f s", table->source.schema, table->source.name,
			 table->rows_copied, parts, seconds);
	copy_job_next(job);
}

/* Without statistics the destination's planner would guess at the merges. */
static void
on_committed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct buffer sql;

	(void) res;
	if (err) {
		fail(job, err);
		return;
	}
	if (job->work->parts.count == 0)
		job->copy->rows += job->work->table->rows_copied;
	job->pipe.rows = 0;
	sql_init(&sql);
	buffer_printf(&sql, "ANALYZE ");
	sql_qualified(&sql, job->work->table->target_schema, job->work->table->target_name);
	ask(job, job->pipe.destination, &sql, on_analyzed);
}

static void
on_state_advanced(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		fail(job, err);
	else if (result_affected(res) != 1)
		fail_copied(job);
	else
		connection_query(job->pipe.destination, "COMMIT", NULL, 0, on_committed, job);
}

/* All rows are there: what waited for them, and the state, in the transaction that is open. */
static void
end_table(struct copy_job *job, int64_t rows)
{
	const struct initial_copy_setup *setup = job->copy->setup;
	struct copy_work *work = job->work;
	struct table *table = work->table;
	struct buffer sql;

	if (work->rebuild)
		connection_query(job->pipe.destination, work->rebuild, NULL, 0, on_step, job);
	table->rows_copied = rows;
	table->rows_may_be_absent = mapping_copies_in_part(table, setup->config);
	table->snapshot_lsn = setup->snapshot_lsn;
	if (setup->background)
		table_move(table, TABLE_REPLAYING);
	else
		table_move(table, setup->snapshot_lsn > setup->applied_lsn ? TABLE_CATCHING_UP : TABLE_STREAMING);
	sql_init(&sql);
	state_tables_put_copied(&sql, setup->config->task, table);
	ask(job, job->pipe.destination, &sql, on_state_advanced);
}

/* ---- rows */

static void
on_whole_copied(void *arg, const struct result *res, const struct error *err)
{
	if (err)
		fail(arg, err);
	else
		end_table(arg, result_affected(res));
}

/* With nothing but what is queued behind it the part's rows are committed. */
static void
on_part_copied(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		fail(job, err);
	else
		job->pipe.rows = result_affected(res);
}

static void
start_copy(struct copy_job *job, connection_done done)
{
	const struct table *table = job->work->table;
	struct buffer in, out;

	sql_init(&in);
	sql_init(&out);
	copy_put_in(&in, table);
	copy_put_out(&out, table, job->part);
	copy_pipe_start(&job->pipe, (const char *) out.data, (const char *) in.data, done, job);
	buffer_fini(&in);
	buffer_fini(&out);
}

/* ---- parts */

static void
claim_part(struct copy_job *job, bool last, connection_done done)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "BEGIN;");
	state_tables_put_part_claim(&sql, job->copy->setup->config->task, job->work->table, last);
	ask(job, job->pipe.destination, &sql, done);
}

static void
on_last_claimed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		fail(job, err);
	else if (result_int(res, 0, 0) != 1)
		fail_copied(job);
	else
		end_table(job, job->work->rows);
}

static void
on_part_committed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy_work *work = job->work;

	(void) res;
	if (err) {
		fail(job, err);
		return;
	}
	work->rows += job->pipe.rows;
	job->copy->rows += job->pipe.rows;
	job->pipe.rows = 0;
	job->part = NULL;
	work->parts_done++;
	if (work->parts_done == work->parts.count)
		claim_part(job, true, on_last_claimed);
	else
		copy_job_next(job);
}

static void
on_part_claimed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err) {
		fail(job, err);
	} else if (result_int(res, 0, 0) != 1) {
		fail_copied(job);
	} else {
		start_copy(job, on_part_copied);
		connection_query(job->pipe.destination, "COMMIT", NULL, 0, on_part_committed, job);
	}
}

/* Its parts are for everybody from now on. */
static void
on_opened(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy *copy = job->copy;

	(void) res;
	if (err) {
		fail(job, err);
		return;
	}
	job->work->next_part = 0;
	copy_job_next(job);
	for (unsigned i = 0; i < copy->job_count; i++)
		if (!copy->jobs[i].work)
			copy_job_next(&copy->jobs[i]);
}

static void
on_open_written(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		fail(job, err);
	else if (result_affected(res) != 1)
		fail_copied(job);
	else
		connection_query(job->pipe.destination, "COMMIT", NULL, 0, on_opened, job);
}

/* Parts are read by other sessions, and must be of one table to the last. */
static void
keep_source_lock(struct copy_job *job)
{
	job->locks_source = false;
	connection_query(job->pipe.source, "RELEASE SAVEPOINT look", NULL, 0, on_step, job);
}

static void
open_table(struct copy_job *job)
{
	const struct initial_copy_setup *setup = job->copy->setup;
	struct copy_work *work = job->work;
	struct buffer sql;

	keep_source_lock(job);
	work->table->snapshot_lsn = setup->snapshot_lsn;
	work->table->rows_copied = 0;
	table_move(work->table, TABLE_COPYING_PARTS);
	sql_init(&sql);
	state_tables_put_opened(&sql, setup->config->task, work->table, work->rebuild);
	ask(job, job->pipe.destination, &sql, on_open_written);
}

/* ---- the beginning of a table */

static void
start_rows(struct copy_job *job)
{
	if (job->work->parts.count > 0)
		open_table(job);
	else
		start_copy(job, on_whole_copied);
}

/* Takes the indexes off, to be built when the rows are there. */
static void
on_indexes(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct buffer off, on;

	if (err) {
		fail(job, err);
		return;
	}
	sql_init(&off);
	sql_init(&on);
	for (unsigned row = 0; row < result_rows(res); row++) {
		buffer_printf(&off, "%s;", result_text(res, row, 0));
		buffer_printf(&on, "%s;", result_text(res, row, 1));
	}
	buffer_put_u8(&on, '\0');
	free(job->work->rebuild);
	job->work->rebuild = memory_strdup((const char *) on.data);
	buffer_fini(&on);
	if (off.len > 0)
		ask(job, job->pipe.destination, &off, on_step);
	else
		buffer_fini(&off);
	start_rows(job);
}

static void
clear_target(struct copy_job *job)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "TRUNCATE ");
	mapping_put_target_rows(&sql, job->work->table);
	ask(job, job->pipe.destination, &sql, on_step);
}

/* Of tables that others have made it is not known what hangs on their indexes. */
static bool
builds_indexes_after(const struct copy_work *work)
{
	const struct table *table = work->table;

	return table->created && table->target.kind == 'r' && !table->target.partitioned &&
		   (table->source.bytes >= INDEXES_AFTER_BYTES || work->parts.count > 0);
}

static bool
appends(const struct copy_job *job)
{
	return job->copy->setup->config->initial_copy.existing == COPY_EXISTING_APPEND;
}

static void
fail_begun(struct copy_job *job)
{
	struct error err;

	error_set(&err, ERROR_DATA,
			  "the target holds rows of a copy that was interrupted, among which no others"
			  " may be");
	error_hint(&err, "Let it finish with initial_copy.existing: clear, which empties the target first.");
	fail(job, &err);
}

/* `rebuild`: what a copy that was begun in parts has left to be done at its end; NULL: nothing. */
static void
begin_rows(struct copy_job *job, const char *rebuild)
{
	struct copy_work *work = job->work;
	struct buffer sql;

	if (rebuild)
		work->rebuild = memory_strdup(rebuild);
	if (table_has_old_rows(work->table) ||
		job->copy->setup->config->initial_copy.existing == COPY_EXISTING_CLEAR)
		clear_target(job);
	if (!builds_indexes_after(work) || appends(job)) {
		start_rows(job);
		return;
	}
	sql_init(&sql);
	copy_put_indexes(&sql, work->table);
	ask(job, job->pipe.destination, &sql, on_indexes);
}

static void
on_claimed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err) {
		fail(job, err);
	} else if (result_rows(res) != 1) {
		fail_copied(job);
	} else if (table_has_old_rows(job->work->table) && appends(job)) {
		fail_begun(job);
	} else {
		/* Parts must be removed again after an interruption. */
		if (!result_bool(res, 0, 1))
			copy_parts_fini(&job->work->parts);
		begin_rows(job, result_is_null(res, 0, 0) ? NULL : result_text(res, 0, 0));
	}
}

static void
begin_table(struct copy_job *job)
{
	struct buffer sql;

	job->work->next_part = job->work->parts.count;
	sql_init(&sql);
	buffer_printf(&sql, "BEGIN;");
	state_tables_put_claim(&sql, job->copy->setup->config->task, job->work->table);
	ask(job, job->pipe.destination, &sql, on_claimed);
}

static void
on_leaves(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy_work *work = job->work;

	if (err) {
		fail(job, err);
		return;
	}
	work->leaf_count = result_rows(res);
	work->leaves = memory_alloc_zero(work->leaf_count, sizeof *work->leaves);
	for (unsigned i = 0; i < work->leaf_count; i++)
		work->leaves[i] = (struct copy_leaf){
			.schema = memory_strdup(result_text(res, i, 0)),
			.name = memory_strdup(result_text(res, i, 1)),
			.bytes = result_int(res, i, 2),
			.blocks = result_int(res, i, 3),
		};
	copy_parts_init(&work->parts, work->leaves, work->leaf_count, job->copy->part_bytes);
	if (work->parts.count < 2)
		copy_parts_fini(&work->parts);
	begin_table(job);
}

static void
ask_leaves(struct copy_job *job)
{
	bool ranges = connection_server_version(job->pipe.source) >= RANGES_SINCE_VERSION;
	struct buffer sql;

	sql_init(&sql);
	copy_put_leaves(&sql, job->work->table, ranges);
	ask(job, job->pipe.source, &sql, on_leaves);
}

/* The target must be one that may be emptied again: TRUNCATE refuses where foreign keys lead to it. */
bool
copy_work_is_divisible(const struct copy *copy, const struct table *table)
{
	const struct config *config = copy->setup->config;

	return copy_is_divisible(table->source.bytes, copy->total_bytes, config->initial_copy.jobs,
							 copy->part_bytes) &&
		   config->initial_copy.existing != COPY_EXISTING_APPEND && !table->target.has_triggers &&
		   (table->target.kind == 'r' || table->target.kind == 'p') && !table->shared_with;
}

/* ---- whether the table still is what the snapshot shows */

static void
postpone(struct copy_job *job)
{
	const struct source_table *source = &job->work->table->source;

	log_info("%s.%s was altered, rewritten, recreated or dropped at the source meanwhile: left for another "
			 "snapshot",
			 source->schema, source->name);
	table_abandon_copy(job->work->table);
	job->copy->postponed++;
	copy_job_next(job);
}

static void
on_checked(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err && !source_is_vanished(err)) {
		fail(job, err);
	} else if (err || !result_bool(res, 0, 0)) {
		postpone(job);
	} else if (copy_work_is_divisible(job->copy, job->work->table)) {
		ask_leaves(job);
	} else {
		begin_table(job);
	}
}

static void
check_source(struct copy_job *job)
{
	struct buffer sql;

	memory_buffer_init(&sql);
	copy_put_unchanged_check(&sql, job->work->table);
	job->locks_source = true;
	connection_query(job->pipe.source, (const char *) sql.data, NULL, 0, on_checked, job);
	buffer_fini(&sql);
}

/* ---- what to do next */

static bool
take_part(struct copy_job *job)
{
	struct copy *copy = job->copy;

	for (unsigned i = 0; i < copy->next; i++) {
		struct copy_work *work = &copy->queue[i];

		if (work->next_part >= work->parts.count)
			continue;
		job->work = work;
		job->part = &work->parts.parts[work->next_part++];
		return true;
	}
	return false;
}

static bool
take_table(struct copy_job *job)
{
	struct copy *copy = job->copy;

	if (copy->next == copy->queue_count)
		return false;
	job->work = &copy->queue[copy->next++];
	table_begin_copy(job->work->table);
	job->work->started_ms = loop_now_ms(copy->setup->loop);
	return true;
}

/*
 * A job that has nothing left to do waits for the others inside its transaction.  With locks of tables that are done it
 * could stand in the way of a transaction that drops several tables, for which another job waits: a circle that no
 * server sees.
 */
static void
release_source_lock(struct copy_job *job)
{
	if (!job->locks_source)
		return;
	job->locks_source = false;
	connection_query(job->pipe.source, "ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look", NULL, 0, on_step,
					 job);
}

void
copy_job_next(struct copy_job *job)
{
	job->work = NULL;
	job->part = NULL;
	job->pipe.rows = 0;
	if (job->copy->failed)
		return;
	release_source_lock(job);
	if (take_part(job))
		claim_part(job, false, on_part_claimed);
	else if (take_table(job))
		check_source(job);
}

/* ---- beginning and ending */

/* The check before it sees the snapshot, COPY the columns of the moment: of one that was renamed or dropped in between the next
 * attempt knows. */
static void
on_source_failed(void *arg, const struct error *err)
{
	struct error cause = *err;

	if (cause.class == ERROR_DATA && strcmp(cause.sqlstate, "42703") == 0)
		cause.class = ERROR_RESTART;
	fail(arg, &cause);
}

bool
copy_job_open(struct copy_job *job, struct copy *copy, struct error *err)
{
	const struct initial_copy_setup *setup = copy->setup;
	struct destination_session opened;

	job->copy = copy;
	copy_pipe_init(&job->pipe);
	job->pipe.given_up = &copy->failed;
	job->pipe.source_failed = on_source_failed;
	job->pipe.arg = job;
	job->pipe.source = server_session_source(setup->loop, setup->config, "sluice copy", err);
	if (!job->pipe.source || !slot_snapshot_use(job->pipe.source, setup->snapshot, err))
		return false;
	if (!server_session_destination(setup->loop, setup->config, "sluice copy", &opened, err))
		return false;
	job->pipe.destination = opened.conn;
	return true;
}

void
copy_job_close(struct copy_job *job)
{
	copy_pipe_fini(&job->pipe);
}
