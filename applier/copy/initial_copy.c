#include "initial_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "copy_job.h"
#include "copy_refusal.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

#define TICK_MS 1000
#define PLAIN_REPORT_TICKS 10
#define STATE_TICKS 2
/* How long the last write of the progress may take when the copy is over. */
#define STATE_GRACE_MS 3000

/* ---- showing progress */

static int64_t
rows_so_far(const struct copy *copy)
{
	int64_t rows = copy->rows;

	for (unsigned i = 0; i < copy->job_count; i++)
		rows += copy->jobs[i].pipe.rows;
	return rows;
}

static int64_t
rows_of_work(const struct copy *copy, const struct copy_work *work)
{
	int64_t rows = work->rows;

	for (unsigned i = 0; i < copy->job_count; i++)
		if (copy->jobs[i].work == work)
			rows += copy->jobs[i].pipe.rows;
	return rows;
}

static int64_t
bytes_so_far(const struct copy *copy)
{
	int64_t bytes = 0;

	for (unsigned i = 0; i < copy->job_count; i++)
		bytes += copy->jobs[i].pipe.bytes;
	return bytes;
}

static int64_t
rows_expected(const struct copy *copy)
{
	int64_t rows = 0;

	for (unsigned i = 0; i < copy->queue_count; i++)
		if (copy->queue[i].table->source.estimated_rows > 0)
			rows += copy->queue[i].table->source.estimated_rows;
	return rows;
}

/* What a job does besides copying rows, and what it waits for; NULL: it is copying rows. */
static const char *
describe_step(const struct copy_job *job, char *text, size_t text_bytes)
{
	int64_t ms;
	const char *stalled = connection_stalled(job->pipe.destination, &ms);
	const char *step = copy_job_state_shown(job->state);

	if (!stalled)
		return step;
	snprintf(text, text_bytes, "%s%swaiting for %s, for %" PRId64 " s", step ? step : "", step ? ", " : "",
			 stalled, ms / 1000);
	return text;
}

/* While no row comes there is no telling when the copy will end, but what it waits for. */
static void
put_outlook(const struct copy *copy, int64_t left, double rate, char *out, size_t out_bytes)
{
	bool moving = bytes_so_far(copy) > copy->bytes_at_tick;
	const char *step = NULL;
	char text[256];

	out[0] = '\0';
	if (moving && left > 0 && rate > 0)
		snprintf(out, out_bytes, ", about %.0f s left", (double) left / rate);
	for (unsigned i = 0; !moving && !step && i < copy->job_count; i++) {
		const struct copy_work *work = copy->jobs[i].work;

		step = work ? describe_step(&copy->jobs[i], text, sizeof text) : NULL;
		if (step)
			snprintf(out, out_bytes, "; %s.%s: %s", work->table->source.schema, work->table->source.name,
					 step);
	}
}

static void
show(const struct copy *copy)
{
	double seconds = (double) (loop_now_ms(copy->setup->loop) - copy->started_ms) / 1000;
	int64_t rows = rows_so_far(copy);
	double rate = seconds > 0 ? (double) rows / seconds : 0;
	char outlook[400];
	char line[512];

	put_outlook(copy, rows_expected(copy) - rows, rate, outlook, sizeof outlook);
	snprintf(line, sizeof line, "copied %u of %u table%s, %" PRId64 " rows, %.0f MB, %.0f rows/s%s",
			 copy->copied, copy->queue_count, plural(copy->queue_count), rows,
			 (double) bytes_so_far(copy) / 1048576, rate, outlook);
	if (copy->terminal)
		log_progress(line);
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

/* Whether no job before this one copies parts of the same table. */
static bool
is_first_with(const struct copy *copy, unsigned job)
{
	for (unsigned i = 0; i < job; i++)
		if (copy->jobs[i].work == copy->jobs[job].work)
			return false;
	return true;
}

/* Writes the rows copied so far for `status`; not for tables whose copy has committed. */
static void
write_state(struct copy *copy)
{
	struct buffer sql;

	if (copy->state_in_flight)
		return;
	memory_buffer_init(&sql);
	for (unsigned i = 0; i < copy->job_count; i++) {
		const struct copy_work *work = copy->jobs[i].work;

		if (work && table_is_copying(work->table) && is_first_with(copy, i))
			state_tables_put_rows_copied(&sql, copy->setup->config->task, work->table,
										 rows_of_work(copy, work));
	}
	buffer_put_u8(&sql, '\0');
	if (sql.len > 1) {
		copy->state_in_flight = true;
		connection_query(copy->setup->control, (const char *) sql.data, NULL, 0, on_state_written, copy);
	}
	buffer_fini(&sql);
}

/* Reports the progress of each table to the monitor. */
static void
report_progress(const struct copy *copy)
{
	const struct initial_copy_setup *setup = copy->setup;

	setup->progress(setup->arg, NULL);
	for (unsigned i = 0; i < copy->job_count; i++) {
		const struct copy_work *work = copy->jobs[i].work;
		struct copy_progress progress;
		char step[1024];

		if (!work || !is_first_with(copy, i))
			continue;
		progress = (struct copy_progress){
			.table = work->table,
			.rows = rows_of_work(copy, work),
			.ms = loop_now_ms(setup->loop) - work->started_ms,
			.step = describe_step(&copy->jobs[i], step, sizeof step),
		};
		setup->progress(setup->arg, &progress);
	}
	setup->progress(setup->arg, NULL);
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
	report_progress(copy);
	copy->bytes_at_tick = bytes_so_far(copy);
	loop_timer_arm(copy->tick, TICK_MS);
}

static void
go_on_reading(void *arg)
{
	struct copy *copy = arg;

	for (unsigned i = 0; i < copy->job_count; i++)
		copy_pipe_go_on(&copy->jobs[i].pipe);
}

/* ---- beginning and ending */

static int
larger_first(const void *a, const void *b)
{
	int64_t x = ((const struct copy_work *) a)->table->source.bytes;
	int64_t y = ((const struct copy_work *) b)->table->source.bytes;

	return (x < y) - (x > y);
}

static void
fill_queue(struct copy *copy)
{
	struct catalog *catalog = copy->setup->catalog;
	const struct config *config = copy->setup->config;

	copy->queue = memory_alloc_zero(catalog->count, sizeof *copy->queue);
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table_waits(table))
			continue;
		copy->queue[copy->queue_count++].table = table;
		copy->total_bytes += table->source.bytes;
	}
	qsort(copy->queue, copy->queue_count, sizeof *copy->queue, larger_first);
	copy->part_bytes =
		copy_part_bytes(copy->total_bytes, config->initial_copy.jobs, config->initial_copy.part_bytes);
}

/* How many jobs can be busy at the same time. */
static unsigned
useful_jobs(const struct copy *copy)
{
	unsigned wanted = copy->setup->config->initial_copy.jobs;

	for (unsigned i = 0; i < copy->queue_count; i++)
		if (copy_work_is_divisible(copy, copy->queue[i].table))
			return wanted;
	return wanted < copy->queue_count ? wanted : copy->queue_count;
}

static bool
open_jobs(struct copy *copy, struct error *err)
{
	copy->job_count = useful_jobs(copy);
	copy->jobs = memory_alloc_zero(copy->job_count, sizeof *copy->jobs);
	for (unsigned i = 0; i < copy->job_count; i++)
		if (!copy_job_open(copy, i, err))
			return false;
	return true;
}

bool
initial_copy_is_over(struct copy *copy)
{
	if (copy->failed || loop_stop_requested(copy->setup->loop))
		return true;
	return copy->copied + copy->postponed == copy->queue_count && !copy->state_in_flight;
}

static void
start_jobs(struct copy *copy)
{
	log_info("copying %u table%s in %u pipe%s", copy->queue_count, plural(copy->queue_count), copy->job_count,
			 plural(copy->job_count));
	for (unsigned i = 0; i < copy->job_count; i++)
		copy_job_start(&copy->jobs[i]);
	copy->tick = loop_timer_create(copy->setup->loop, on_tick, copy);
	loop_timer_arm(copy->tick, TICK_MS);
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

/* Waits for the pending write, whose callback refers to `copy`; after the grace period gives it up. */
static void
end_state_writing(struct copy *copy)
{
	struct loop_timer *deadline = loop_timer_create(copy->setup->loop, on_state_overdue, copy);

	loop_timer_arm(deadline, STATE_GRACE_MS);
	loop_run_until(copy->setup->loop, state_is_written, copy);
	loop_timer_destroy(deadline);
}

/* Adds the row, the remedy, and the step in which the job failed. */
static void
explain_failure(const struct copy *copy, struct error *err)
{
	const struct table *table = copy->failed_work->table;
	const struct source_table *source = &table->source;

	copy_refusal_name_row(copy, err);
	if (sqlstate_is_of_encoding(err->sqlstate))
		error_hint(err, "Correct the value at the source, or leave the column out, then start again.");
	else if (copy->refused_at_source && mapping_where(table) && err->class == ERROR_DATA)
		error_hint(
			err, "Correct the rows at the source, or tables.overrides[].where so that it can be evaluated for"
				 " each, then start again.");
	else if (!copy->refused_at_source)
		mapping_explain_refusal(table, err);
	error_about_table(err, source->schema, source->name);
	if (copy->failed_in == COPY_JOB_COPYING || copy->failed_in == COPY_JOB_COPYING_PART)
		error_context(err, "copying %s.%s", source->schema, source->name);
	else
		error_context(err, "copying %s.%s (%s)", source->schema, source->name,
					  copy_job_state_name(copy->failed_in));
}

static bool
outcome(struct copy *copy, struct error *err)
{
	double seconds = (double) (loop_now_ms(copy->setup->loop) - copy->started_ms) / 1000;

	if (copy->failed) {
		*err = copy->err;
		if (copy->failed_work)
			explain_failure(copy, err);
		return false;
	}
	if (copy->copied + copy->postponed < copy->queue_count)
		return error_set(err, ERROR_STOPPED, "stopped during the initial copy");
	log_info("copied %u table%s: %" PRId64 " rows, %.0f MB in %.1f s", copy->copied, plural(copy->copied),
			 copy->rows, (double) bytes_so_far(copy) / 1048576, seconds);
	if (copy->postponed > 0 && !copy->setup->background)
		return error_set(err, ERROR_RESTART, "%u table%s to be copied from a newer snapshot", copy->postponed,
						 plural(copy->postponed));
	return true;
}

static void
free_work(struct copy_work *work)
{
	copy_parts_fini(&work->parts);
	for (unsigned i = 0; i < work->leaf_count; i++) {
		free(work->leaves[i].schema);
		free(work->leaves[i].name);
	}
	free(work->leaves);
	free(work->rebuild);
}

static void
finish(struct copy *copy)
{
	loop_timer_destroy(copy->tick);
	throttle_destroy(copy->throttle);
	for (unsigned i = 0; i < copy->job_count; i++)
		copy_job_close(&copy->jobs[i]);
	end_state_writing(copy);
	for (unsigned i = 0; i < copy->queue_count; i++)
		free_work(&copy->queue[i]);
	free(copy->jobs);
	free(copy->queue);
	free(copy);
}

struct copy *
initial_copy_begin(const struct initial_copy_setup *setup, struct error *err)
{
	struct copy *copy = memory_alloc_zero(1, sizeof *copy);

	copy->setup = setup;
	copy->terminal = !setup->background && isatty(STDERR_FILENO) && setup->config->log_format == LOG_TEXT;
	copy->started_ms = loop_now_ms(setup->loop);
	copy->throttle =
		throttle_create(setup->loop, &setup->config->initial_copy.rate_bytes, go_on_reading, copy);
	fill_queue(copy);
	if (!open_jobs(copy, err)) {
		finish(copy);
		return NULL;
	}
	if (copy->queue_count > 0)
		start_jobs(copy);
	return copy;
}

bool
initial_copy_end(struct copy *copy, struct table **refused, struct error *err)
{
	bool ok = copy->queue_count == 0 || outcome(copy, err);

	if (refused)
		*refused = copy->refused;
	if (copy->terminal)
		log_progress(NULL);
	finish(copy);
	return ok;
}

/* ---- tables that cannot be copied */

bool
initial_copy_may_clear(const struct config *config, const struct table *table)
{
	return !table->shared_with && config->initial_copy.existing != COPY_EXISTING_APPEND;
}

bool
initial_copy_hold(const struct initial_copy_setup *setup, struct table *refused, struct error *err)
{
	char reason[ERROR_MESSAGE_MAX];
	struct arena memory;
	const char *name;

	arena_init(&memory, 1024);
	name = sql_table_name(&memory, refused->source.schema, refused->source.name);
	snprintf(reason, sizeof reason, "%.1500s; fix that, then \"sluice table resync %s\" copies it again",
			 err->message, name);
	table_move(refused, TABLE_HELD_FOR_RESYNC);
	if (state_tables_hold_copy(setup->control, setup->config->task, refused, reason, err)) {
		log_table(LOG_WARNING, &refused->source, "%s is held: %s", name, reason);
		error_set(err, ERROR_RESTART, "going on without %s, which is held", name);
	}
	arena_fini(&memory);
	return false;
}
