#include "initial_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "copy_statements.h"
#include "log.h"
#include "mapping.h"
#include "progress.h"
#include "source.h"
#include "sql.h"
#include "target.h"

#define PIPE_PAUSE_BYTES ((size_t) 1 << 20)
#define PIPE_PIECE_BYTES ((size_t) 256 << 10)
#define PIPE_LIMIT ((size_t) 2 << 30) /* a row is at most 1 GB */
#define TICK_MS 1000
#define PLAIN_REPORT_TICKS 10
#define STATE_TICKS 2
/* What the last word on the progress may take when all is over. */
#define STATE_GRACE_MS 3000

struct copy;

/* One pipe and the table that it copies. */
struct job {
	struct copy *copy;
	struct connection *source;
	struct connection *destination;
	struct table *table; /* NULL: none left */
	struct buffer pipe;
	size_t pipe_taken; /* of pipe.data, already handed on */
	bool source_paused;
	bool source_done;
	int64_t rows;
	int64_t started_ms;
};

struct copy {
	const struct initial_copy_setup *setup;
	struct job *jobs;
	unsigned job_count;
	struct table **queue; /* largest first */
	unsigned queue_count;
	unsigned next;
	unsigned copied;
	unsigned postponed; /* not what the snapshot shows any more */
	int64_t rows;		/* of the tables that are done */
	int64_t bytes;		/* through all pipes */
	int64_t started_ms;
	struct loop_timer *tick;
	unsigned ticks;
	bool state_in_flight;
	bool terminal;
	bool failed;
	struct error err;
};

static void start_next(struct job *job);

static void
fail(struct job *job, const struct error *err)
{
	struct copy *copy = job->copy;

	if (copy->failed)
		return;
	copy->failed = true;
	copy->err = *err;
	if (!job->table)
		return;
	mapping_explain_collision(job->table, &copy->err);
	error_context(&copy->err, "copying %s.%s", job->table->source.schema, job->table->source.name);
}

/* ---- the pipe */

static bool
on_source_data(void *arg, struct bytes message)
{
	struct job *job = arg;

	buffer_put(&job->pipe, message.data, message.len);
	job->rows++;
	job->copy->bytes += (int64_t) message.len;
	connection_resume(job->destination);
	job->source_paused = job->pipe.len - job->pipe_taken >= PIPE_PAUSE_BYTES;
	return !job->source_paused;
}

static void
on_source_done(void *arg, const struct result *res, const struct error *err)
{
	struct job *job = arg;

	(void) res;
	if (err)
		fail(job, err);
	job->source_done = true;
	connection_resume(job->destination);
}

static enum copy_next
on_destination_wants(void *arg, struct buffer *out)
{
	struct job *job = arg;
	size_t left = job->pipe.len - job->pipe_taken;
	size_t piece = left < PIPE_PIECE_BYTES ? left : PIPE_PIECE_BYTES;

	if (job->copy->failed || job->pipe.failed)
		return COPY_ABORT;
	if (left == 0)
		return job->source_done ? COPY_END : COPY_WAIT;
	buffer_put(out, job->pipe.data + job->pipe_taken, piece);
	job->pipe_taken += piece;
	if (job->pipe_taken == job->pipe.len) {
		buffer_reset(&job->pipe);
		job->pipe_taken = 0;
	}
	if (job->source_paused && job->pipe.len - job->pipe_taken < PIPE_PAUSE_BYTES) {
		job->source_paused = false;
		connection_resume(job->source);
	}
	return COPY_MORE;
}

/* ---- one table after another */

static void
on_analyzed(void *arg, const struct result *res, const struct error *err)
{
	struct job *job = arg;
	struct copy *copy = job->copy;

	(void) res;
	if (err) {
		fail(job, err);
		return;
	}
	copy->copied++;
	copy->rows += job->table->rows_copied;
	log_info("copied %s.%s: %" PRId64 " rows in %.1f s", job->table->source.schema, job->table->source.name,
			 job->table->rows_copied, (double) (loop_now_ms(copy->setup->loop) - job->started_ms) / 1000);
	start_next(job);
}

static void
on_step(void *arg, const struct result *res, const struct error *err)
{
	(void) res;
	if (err)
		fail(arg, err);
}

/* Without statistics the destination's planner would guess at the merges. */
static void
on_committed(void *arg, const struct result *res, const struct error *err)
{
	struct job *job = arg;
	struct buffer sql;

	(void) res;
	if (err) {
		fail(job, err);
		return;
	}
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	buffer_printf(&sql, "ANALYZE ");
	sql_qualified(&sql, job->table->target_schema, job->table->target_name);
	buffer_put_u8(&sql, '\0');
	connection_query(job->destination, (const char *) sql.data, NULL, 0, on_analyzed, job);
	buffer_fini(&sql);
}

/* Whoever finds the table copied already, as by a session that was lost when
 * its COMMIT was on the way, must not add his rows to it. */
static void
fail_copied(struct job *job)
{
	struct error err;

	error_set(&err, ERROR_RETRY, "the table was copied by another session meanwhile");
	fail(job, &err);
}

static void
on_claimed(void *arg, const struct result *res, const struct error *err)
{
	if (err)
		fail(arg, err);
	else if (result_int(res, 0, 0) != 1)
		fail_copied(arg);
}

static void
on_state_advanced(void *arg, const struct result *res, const struct error *err)
{
	struct job *job = arg;

	if (err)
		fail(job, err);
	else if (result_affected(res) != 1)
		fail_copied(job);
	else
		connection_query(job->destination, "COMMIT", NULL, 0, on_committed, job);
}

static void
on_destination_done(void *arg, const struct result *res, const struct error *err)
{
	struct job *job = arg;
	const struct initial_copy_setup *setup = job->copy->setup;
	struct buffer sql;

	if (err) {
		fail(job, err);
		return;
	}
	job->table->rows_copied = result_affected(res);
	job->table->snapshot_lsn = setup->snapshot_lsn;
	job->table->state = setup->snapshot_lsn > setup->applied_lsn ? TABLE_CATCHING_UP : TABLE_STREAMING;
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	progress_put_table_copied(&sql, setup->config->task, job->table);
	buffer_put_u8(&sql, '\0');
	connection_query(job->destination, (const char *) sql.data, NULL, 0, on_state_advanced, job);
	buffer_fini(&sql);
}

static void
claim_table(struct job *job)
{
	struct buffer sql;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	progress_put_table_claim(&sql, job->copy->setup->config->task, job->table);
	buffer_put_u8(&sql, '\0');
	connection_query(job->destination, (const char *) sql.data, NULL, 0, on_claimed, job);
	buffer_fini(&sql);
}

static void
clear_target(struct job *job)
{
	struct buffer sql;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	buffer_printf(&sql, "TRUNCATE ");
	sql_qualified(&sql, job->table->target_schema, job->table->target_name);
	buffer_put_u8(&sql, '\0');
	connection_query(job->destination, (const char *) sql.data, NULL, 0, on_step, job);
	buffer_fini(&sql);
}

static void
start_copy(struct job *job)
{
	struct buffer sql;

	connection_query(job->destination, "BEGIN", NULL, 0, on_step, job);
	claim_table(job);
	if (job->copy->setup->config->initial_copy.existing == COPY_EXISTING_CLEAR)
		clear_target(job);
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	copy_put_in(&sql, job->table);
	connection_copy_in(job->destination, (const char *) sql.data, on_destination_wants, job,
					   on_destination_done, job);
	buffer_reset(&sql);
	copy_put_out(&sql, job->table);
	connection_copy_out(job->source, (const char *) sql.data, on_source_data, job, on_source_done, job);
	buffer_fini(&sql);
}

/* ---- whether the table still is what the snapshot shows */

static void
postpone(struct job *job)
{
	const struct source_table *source = &job->table->source;

	log_info("%s.%s was altered, rewritten, made anew or dropped at the source meanwhile: left for another "
			 "snapshot",
			 source->schema, source->name);
	job->table->state = TABLE_WAITING;
	job->copy->postponed++;
	start_next(job);
}

static bool
is_undefined(const struct error *err)
{
	return strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0;
}

static void
on_looked(void *arg, const struct result *res, const struct error *err)
{
	struct job *job = arg;

	if (err && !is_undefined(err)) {
		fail(job, err);
	} else if (err) {
		connection_query(job->source, "ROLLBACK TO SAVEPOINT look", NULL, 0, on_step, job);
		postpone(job);
	} else if (!result_bool(res, 0, 0)) {
		postpone(job);
	} else {
		start_copy(job);
	}
}

static void
look_at_source(struct job *job)
{
	struct buffer sql;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	copy_put_look(&sql, job->table);
	connection_query(job->source, (const char *) sql.data, NULL, 0, on_looked, job);
	buffer_fini(&sql);
}

static void
start_next(struct job *job)
{
	struct copy *copy = job->copy;

	job->table = NULL;
	if (copy->failed || copy->next == copy->queue_count)
		return;
	job->table = copy->queue[copy->next++];
	job->table->state = TABLE_COPYING;
	job->source_done = false;
	job->source_paused = false;
	job->rows = 0;
	job->started_ms = loop_now_ms(copy->setup->loop);
	look_at_source(job);
}

/* ---- showing progress */

static int64_t
rows_so_far(const struct copy *copy)
{
	int64_t rows = copy->rows;

	for (unsigned i = 0; i < copy->job_count; i++)
		if (copy->jobs[i].table)
			rows += copy->jobs[i].rows;
	return rows;
}

static int64_t
rows_expected(const struct copy *copy)
{
	int64_t rows = 0;

	for (unsigned i = 0; i < copy->queue_count; i++)
		if (copy->queue[i]->source.estimated_rows > 0)
			rows += copy->queue[i]->source.estimated_rows;
	return rows;
}

static void
show(const struct copy *copy)
{
	double seconds = (double) (loop_now_ms(copy->setup->loop) - copy->started_ms) / 1000;
	int64_t rows = rows_so_far(copy), expected = rows_expected(copy);
	double rate = seconds > 0 ? (double) rows / seconds : 0;
	char left[64] = "";
	char line[256];

	if (expected > rows && rate > 0)
		snprintf(left, sizeof left, ", about %.0f s left", (double) (expected - rows) / rate);
	snprintf(line, sizeof line, "copied %u of %u tables, %" PRId64 " rows, %.0f MB, %.0f rows/s%s",
			 copy->copied, copy->queue_count, rows, (double) copy->bytes / 1048576, rate, left);
	if (copy->terminal)
		fprintf(stderr, "\r\033[K%s", line);
	else
		log_info("%s", line);
}

static void
on_state_written(void *arg, const struct result *res, const struct error *err)
{
	struct copy *copy = arg;

	(void) res;
	copy->state_in_flight = false;
	if (err && !copy->failed) {
		copy->failed = true;
		copy->err = *err;
	}
}

/* For `status`: the rows so far.  Touches no row whose copy has committed. */
static void
write_state(struct copy *copy)
{
	struct buffer sql;

	if (copy->state_in_flight)
		return;
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	for (unsigned i = 0; i < copy->job_count; i++)
		if (copy->jobs[i].table && copy->jobs[i].table->state == TABLE_COPYING)
			progress_put_rows_copied(&sql, copy->setup->config->task, copy->jobs[i].table,
									 copy->jobs[i].rows);
	buffer_put_u8(&sql, '\0');
	if (sql.len > 1) {
		copy->state_in_flight = true;
		connection_query(copy->setup->control, (const char *) sql.data, NULL, 0, on_state_written, copy);
	}
	buffer_fini(&sql);
}

static void
on_tick(void *arg)
{
	struct copy *copy = arg;

	copy->ticks++;
	if (copy->terminal || copy->ticks % PLAIN_REPORT_TICKS == 0)
		show(copy);
	if (copy->ticks % STATE_TICKS == 0)
		write_state(copy);
	loop_timer_arm(copy->tick, TICK_MS);
}

/* ---- beginning and ending */

static int
larger_first(const void *a, const void *b)
{
	const struct table *const *x = a, *const *y = b;

	return ((*x)->source.bytes < (*y)->source.bytes) - ((*x)->source.bytes > (*y)->source.bytes);
}

static void
fill_queue(struct copy *copy)
{
	struct catalog *catalog = copy->setup->catalog;

	copy->queue = calloc(catalog->count + 1, sizeof(*copy->queue));
	if (!copy->queue)
		arena_out_of_memory(catalog->count * sizeof(*copy->queue));
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].state == TABLE_WAITING || catalog->tables[i].state == TABLE_COPYING)
			copy->queue[copy->queue_count++] = &catalog->tables[i];
	qsort(copy->queue, copy->queue_count, sizeof(*copy->queue), larger_first);
}

static bool
use_snapshot(struct connection *source, const char *snapshot, struct error *err)
{
	struct buffer sql;
	bool ok;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	buffer_printf(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT ");
	sql_literal(&sql, snapshot);
	buffer_put_u8(&sql, '\0');
	ok = connection_execute(source, source_session_settings, NULL, 0, NULL, err);
	if (ok && !connection_execute(source, (const char *) sql.data, NULL, 0, NULL, err)) {
		/* It ended with the session that exported it, as in a restart of the source. */
		if (err->class == ERROR_DATA)
			err->class = ERROR_RETRY;
		ok = false;
	}
	buffer_fini(&sql);
	return ok;
}

static bool
open_job(struct copy *copy, struct job *job, struct error *err)
{
	const struct initial_copy_setup *setup = copy->setup;
	const struct dialect *dialect;
	bool triggers_off;

	job->copy = copy;
	buffer_init(&job->pipe, PIPE_LIMIT, NULL, NULL);
	job->source = connection_open(setup->loop, "source", setup->config->source.conninfo, CONNECTION_SQL,
								  "sluice copy", err);
	if (!job->source || !use_snapshot(job->source, setup->snapshot, err))
		return false;
	job->destination = connection_open(setup->loop, "destination", setup->config->destination.conninfo,
									   CONNECTION_SQL, "sluice copy", err);
	return job->destination && target_open_session(job->destination, setup->config->destination.dialect,
												   &dialect, &triggers_off, err);
}

static bool
open_jobs(struct copy *copy, struct error *err)
{
	unsigned wanted = copy->setup->config->initial_copy.jobs;

	copy->job_count = wanted < copy->queue_count ? wanted : copy->queue_count;
	copy->jobs = calloc(copy->job_count + 1, sizeof *copy->jobs);
	if (!copy->jobs)
		arena_out_of_memory(copy->job_count * sizeof *copy->jobs);
	for (unsigned i = 0; i < copy->job_count; i++)
		if (!open_job(copy, &copy->jobs[i], err))
			return false;
	return true;
}

static bool
is_over(void *arg)
{
	struct copy *copy = arg;

	if (copy->failed || loop_stop_requested(copy->setup->loop))
		return true;
	return copy->copied + copy->postponed == copy->queue_count && !copy->state_in_flight;
}

static void
run_jobs(struct copy *copy)
{
	log_info("copying %u tables in %u pipes", copy->queue_count, copy->job_count);
	for (unsigned i = 0; i < copy->job_count; i++)
		start_next(&copy->jobs[i]);
	copy->tick = loop_timer_create(copy->setup->loop, on_tick, copy);
	loop_timer_arm(copy->tick, TICK_MS);
	loop_run_until(copy->setup->loop, is_over, copy);
	loop_timer_destroy(copy->tick);
	if (copy->terminal)
		fprintf(stderr, "\r\033[K");
}

static void
on_state_overdue(void *arg)
{
	struct copy *copy = arg;

	if (copy->state_in_flight)
		connection_abandon(copy->setup->control);
	copy->state_in_flight = false;
}

static bool
state_is_written(void *arg)
{
	return !((struct copy *) arg)->state_in_flight;
}

/* Its callback refers to `copy`. */
static void
end_state_writing(struct copy *copy)
{
	struct loop_timer *deadline = loop_timer_create(copy->setup->loop, on_state_overdue, copy);

	loop_timer_arm(deadline, STATE_GRACE_MS);
	loop_run_until(copy->setup->loop, state_is_written, copy);
	loop_timer_destroy(deadline);
}

static bool
outcome(struct copy *copy, struct error *err)
{
	double seconds = (double) (loop_now_ms(copy->setup->loop) - copy->started_ms) / 1000;

	if (copy->failed) {
		*err = copy->err;
		return false;
	}
	if (copy->copied + copy->postponed < copy->queue_count)
		return error_set(err, ERROR_STOPPED, "stopped during the initial copy");
	log_info("copied %u tables: %" PRId64 " rows, %.0f MB in %.1f s", copy->copied, copy->rows,
			 (double) copy->bytes / 1048576, seconds);
	if (copy->postponed > 0)
		return error_set(err, ERROR_RETRY, "%u tables need another snapshot", copy->postponed);
	return true;
}

static void
finish(struct copy *copy)
{
	for (unsigned i = 0; i < copy->job_count; i++) {
		connection_close(copy->jobs[i].source);
		connection_close(copy->jobs[i].destination);
		buffer_fini(&copy->jobs[i].pipe);
	}
	end_state_writing(copy);
	free(copy->jobs);
	free(copy->queue);
}

bool
initial_copy_run(const struct initial_copy_setup *setup, struct error *err)
{
	struct copy copy = {.setup = setup,
						.terminal = isatty(STDERR_FILENO) && setup->config->log_format == LOG_TEXT};
	bool ok = true;

	copy.started_ms = loop_now_ms(setup->loop);
	fill_queue(&copy);
	if (copy.queue_count > 0) {
		ok = open_jobs(&copy, err);
		if (ok) {
			run_jobs(&copy);
			ok = outcome(&copy, err);
		}
	}
	finish(&copy);
	return ok;
}
