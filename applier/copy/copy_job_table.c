/*
 * The steps before a table's first row is copied: check that it still is what
 * the snapshot shows, divide it, claim it, and remove old rows and indexes from
 * its target.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "copy_job_steps.h"
#include "copy_statements.h"
#include "servers/source_vanished.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

/* For smaller tables, building indexes afterwards is no faster than filling them. */
#define INDEXES_AFTER_BYTES ((int64_t) 8 << 20)
/* PostgreSQL 14: the first version with TID range scans, which read a range of blocks without the rest. */
#define RANGES_SINCE_VERSION 140000

/* ---- whether the table still is what the snapshot shows */

static void
postpone(struct copy_job *job)
{
	const struct source_table *source = &job->work->table->source;

	log_table(LOG_INFO, source,
			  "%s.%s was altered, rewritten, recreated or dropped at the source meanwhile: left for another "
			  "snapshot",
			  source->schema, source->name);
	table_abandon_copy(job->work->table);
	job->copy->postponed++;
}

static void
on_checked(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err && !source_is_vanished(err)) {
		copy_job_fail(job, err);
		return;
	}
	if (err || !result_bool(res, 0, 0))
		postpone(job);
	copy_job_go_on(job);
}

void
copy_job_check(struct copy_job *job)
{
	struct buffer sql;

	memory_buffer_init(&sql);
	copy_put_unchanged_check(&sql, job->work->table);
	job->locks_source = true;
	connection_query(job->pipe.source, (const char *) sql.data, NULL, 0, on_checked, job);
	buffer_fini(&sql);
}

/*
 * An idle job stays in its transaction until the others are done.  If it kept the locks of tables that it has copied, it
 * could block a transaction that drops several tables, for which another job waits: a deadlock that no server detects.
 */
void
copy_job_release_source(struct copy_job *job)
{
	if (!job->locks_source)
		return;
	job->locks_source = false;
	connection_query(job->pipe.source, "ROLLBACK TO SAVEPOINT before_lock; RELEASE SAVEPOINT before_lock",
					 NULL, 0, copy_job_on_step, job);
}

/* Other sessions read the parts, and the table must stay the same until the last of them. */
static void
keep_source_lock(struct copy_job *job)
{
	job->locks_source = false;
	connection_query(job->pipe.source, "RELEASE SAVEPOINT before_lock", NULL, 0, copy_job_on_step, job);
}

/* ---- dividing it */

static void
on_leaves(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy_work *work = job->work;

	if (err) {
		copy_job_fail(job, err);
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
	work->next_part = work->parts.count;
	copy_job_go_on(job);
}

void
copy_job_measure(struct copy_job *job)
{
	bool ranges = connection_server_version(job->pipe.source) >= RANGES_SINCE_VERSION;
	struct buffer sql;

	sql_init(&sql);
	copy_put_leaves(&sql, job->work->table, ranges);
	copy_job_ask(job, job->pipe.source, &sql, on_leaves);
}

/* ---- claiming it */

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
	copy_job_fail(job, &err);
}

static void
copy_as_a_whole(struct copy_work *work)
{
	copy_parts_fini(&work->parts);
	work->next_part = 0;
}

/* The answer has the index statements that an interrupted copy in parts left behind,  and whether TRUNCATE is
 * permitted, which removes committed parts after an interruption. */
static void
on_claimed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct copy_work *work = job->work;

	if (err) {
		copy_job_fail(job, err);
	} else if (result_rows(res) != 1) {
		copy_job_fail_copied(job);
	} else if (table_has_old_rows(work->table) && appends(job)) {
		fail_begun(job);
	} else {
		/* Without that permission the table is copied in one transaction. */
		if (!result_bool(res, 0, 1))
			copy_as_a_whole(work);
		if (!result_is_null(res, 0, 0))
			work->rebuild = memory_strdup(result_text(res, 0, 0));
		copy_job_go_on(job);
	}
}

void
copy_job_claim(struct copy_job *job)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "BEGIN;");
	state_tables_put_claim(&sql, job->copy->setup->config->task, job->work->table);
	copy_job_ask(job, job->pipe.destination, &sql, on_claimed);
}

/* ---- preparing its target */

static void
clear_target(struct copy_job *job)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "TRUNCATE ");
	mapping_put_target_rows(&sql, job->work->table);
	copy_job_ask(job, job->pipe.destination, &sql, copy_job_on_step);
}

/* Drops the target's indexes, to be built when the rows are there. */
static void
on_indexes(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;
	struct buffer off, on;

	if (err) {
		copy_job_fail(job, err);
		return;
	}
	sql_init(&off);
	sql_init(&on);
	for (unsigned row = 0; row < result_rows(res); row++) {
		buffer_printf(&off, "%s;", result_text(res, row, 0));
		buffer_printf(&on, "%s;", result_text(res, row, 1));
	}
	free(job->work->rebuild);
	job->work->rebuild = memory_strdup(sql_text(&on));
	buffer_fini(&on);
	if (off.len > 0)
		copy_job_ask(job, job->pipe.destination, &off, copy_job_on_step);
	else
		buffer_fini(&off);
	copy_job_go_on(job);
}

/* Only for targets that the program created: what else may depend on the indexes of others is unknown. */
static bool
builds_indexes_after(const struct copy_work *work)
{
	const struct table *table = work->table;

	return table->created && table->target.kind == 'r' && !table->target.partitioned &&
		   (table->source.bytes >= INDEXES_AFTER_BYTES || work->parts.count > 0);
}

void
copy_job_prepare(struct copy_job *job)
{
	struct copy_work *work = job->work;
	struct buffer sql;

	if (table_has_old_rows(work->table) ||
		job->copy->setup->config->initial_copy.existing == COPY_EXISTING_CLEAR)
		clear_target(job);
	if (!builds_indexes_after(work) || appends(job)) {
		copy_job_go_on(job);
		return;
	}
	sql_init(&sql);
	copy_put_indexes(&sql, work->table);
	copy_job_ask(job, job->pipe.destination, &sql, on_indexes);
}

/* ---- opening it for all jobs */

void
copy_job_open_parts(struct copy_job *job)
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
	copy_job_ask(job, job->pipe.destination, &sql, copy_job_on_state_written);
}

void
copy_job_share_parts(struct copy_job *job)
{
	struct copy *copy = job->copy;

	job->work->next_part = 0;
	copy_job_go_on(job);
	for (unsigned i = 0; i < copy->job_count; i++)
		if (copy->jobs[i].state == COPY_JOB_IDLE)
			copy_job_start(&copy->jobs[i]);
}
