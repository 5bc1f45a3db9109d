/*
 * A table's rows, all at once or part by part, and what follows the last one:
 * the indexes that were taken off, the table's state, its statistics.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/sql.h"
#include "copy_job_steps.h"
#include "copy_statements.h"
#include "state/state_tables.h"
#include "state/unfinished.h"
#include "tables/mapping.h"

/* ---- rows */

/* Adds the rows of a whole table, or of a part that was committed. */
static void
count_rows(struct copy_job *job, int64_t rows)
{
	job->work->rows += rows;
	job->copy->rows += rows;
	job->pipe.rows = 0;
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

/* False if a trigger of the target kept rows from being inserted: then the job has failed. */
static bool
all_taken(struct copy_job *job, int64_t taken)
{
	struct error err;

	if (taken == job->pipe.source_rows)
		return true;
	error_set(&err, ERROR_DATA, "the target took %" PRId64 " of %" PRId64 " rows", taken,
			  job->pipe.source_rows);
	error_hint(&err, "A trigger of the target keeps rows from being inserted: drop that.");
	copy_job_fail(job, &err);
	return false;
}

static void
on_whole_copied(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err) {
		copy_job_fail(job, err);
		return;
	}
	if (!all_taken(job, result_affected(res)))
		return;
	count_rows(job, result_affected(res));
	copy_job_go_on(job);
}

void
copy_job_copy(struct copy_job *job)
{
	start_copy(job, on_whole_copied);
}

/* ---- parts */

static void
claim(struct copy_job *job, bool last, connection_done done)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "BEGIN;");
	state_tables_put_part_claim(&sql, job->copy->setup->config->task, job->work->table, last);
	copy_job_ask(job, job->pipe.destination, &sql, done);
}

static void
on_claimed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		copy_job_fail(job, err);
	else if (result_int(res, 0, 0) != 1)
		copy_job_fail_copied(job);
	else
		copy_job_go_on(job);
}

void
copy_job_claim_part(struct copy_job *job)
{
	claim(job, false, on_claimed);
}

/* The COMMIT queued behind this completes the part; keep its row count.  A target with triggers is not divided. */
static void
on_part_copied(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		copy_job_fail(job, err);
	else
		job->pipe.rows = result_affected(res);
}

static void
on_part_committed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	(void) res;
	if (err) {
		copy_job_fail(job, err);
		return;
	}
	count_rows(job, job->pipe.rows);
	job->part = NULL;
	job->work->parts_done++;
	copy_job_go_on(job);
}

void
copy_job_copy_part(struct copy_job *job)
{
	start_copy(job, on_part_copied);
	connection_query(job->pipe.destination, "COMMIT", NULL, 0, on_part_committed, job);
}

void
copy_job_claim_end(struct copy_job *job)
{
	claim(job, true, on_claimed);
}

/* ---- the end of a table */

/* All rows are there: restores the indexes and writes the table's state, in the open transaction. */
void
copy_job_end(struct copy_job *job)
{
	const struct initial_copy_setup *setup = job->copy->setup;
	struct copy_work *work = job->work;
	struct table *table = work->table;
	struct buffer sql;

	if (work->rebuild)
		connection_query(job->pipe.destination, work->rebuild, NULL, 0, copy_job_on_step, job);
	table->rows_copied = work->rows;
	table->rows_may_be_absent = mapping_copies_in_part(table, setup->config);
	table->snapshot_lsn = setup->snapshot_lsn;
	if (setup->background)
		table_move(table, TABLE_REPLAYING);
	else
		table_move(table, setup->snapshot_lsn > setup->applied_lsn ? TABLE_CATCHING_UP : TABLE_STREAMING);
	sql_init(&sql);
	unfinished_put_copied(&sql, table->target.oid);
	buffer_printf(&sql, "; ");
	state_tables_put_copied(&sql, setup->config->task, table);
	copy_job_ask(job, job->pipe.destination, &sql, copy_job_on_state_written);
}

static void
on_analyzed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy *copy = job->copy;
	const struct copy_work *work = job->work;
	double seconds = (double) (loop_now_ms(copy->setup->loop) - work->started_ms) / 1000;
	char parts[32] = "";

	(void) res;
	if (err) {
		copy_job_fail(job, err);
		return;
	}
	copy->copied++;
	if (work->parts.count > 0)
		snprintf(parts, sizeof parts, " in %u parts", work->parts.count);
	log_table(LOG_INFO, &work->table->source, "copied %s.%s: %" PRId64 " rows%s in %.1f s",
			  work->table->source.schema, work->table->source.name, work->table->rows_copied, parts, seconds);
	copy_job_go_on(job);
}

/* Without statistics the destination's planner would guess at the merges. */
void
copy_job_analyze(struct copy_job *job)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "ANALYZE ");
	sql_qualified(&sql, job->work->table->target_schema, job->work->table->target_name);
	copy_job_ask(job, job->pipe.destination, &sql, on_analyzed);
}
