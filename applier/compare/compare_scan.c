#include "compare_scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

#define LEAVE_SQL "ROLLBACK TO SAVEPOINT before_lock; RELEASE SAVEPOINT before_lock"

/* How often the progress is shown, on a terminal and as lines of the log. */
#define TICK_MS 1000
#define PLAIN_TICKS 10

struct job;

struct side {
	struct job *job;
	struct connection *conn;
	enum compare_from from;
	bool busy;
};

/* Reads one table at a time, both sides in parallel. */
struct job {
	struct scan *scan;
	struct side sides[2];
	struct compare_table *table; /* NULL: none left */
	int64_t started_ms;
};

struct scan {
	struct loop *loop;
	struct job *jobs;
	unsigned job_count;
	struct compare_table **queue;
	unsigned queue_count;
	unsigned next;
	struct arena *memory; /* for reasons */
	struct loop_timer *tick;
	unsigned ticks;
	bool terminal;
	bool failed;
	struct error err;
};

static void start_next(struct job *job);

static void
fail(struct job *job, const struct error *err)
{
	struct scan *scan = job->scan;

	if (scan->failed)
		return;
	scan->failed = true;
	scan->err = *err;
	error_context(&scan->err, "comparing %s.%s", job->table->table->source.schema,
				  job->table->table->source.name);
}

static void
on_left(void *arg, const struct result *res, const struct error *err)
{
	struct side *side = arg;
	struct job *job = side->job;

	(void) res;
	side->busy = false;
	if (err)
		fail(job, err);
	else if (!job->sides[0].busy && !job->sides[1].busy)
		start_next(job);
}

static void
leave(struct side *side)
{
	connection_query(side->conn, LEAVE_SQL, NULL, 0, on_left, side);
}

/* A missing table, schema or column: treated like a table that was altered. */
static bool
is_undefined(const struct error *err)
{
	return strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0 ||
		   strcmp(err->sqlstate, "42703") == 0;
}

static void
give_up(struct side *side, const struct error *err)
{
	struct compare_table *it = side->job->table;

	if (err && !is_undefined(err)) {
		fail(side->job, err);
		return;
	}
	it->changed = true;
	it->reason =
		arena_strdup(side->job->scan->memory, err ? err->message : "it was altered or truncated meanwhile");
	leave(side);
}

static void
on_sums(void *arg, const struct result *res, const struct error *err)
{
	struct side *side = arg;
	struct compare_table *table = side->job->table;
	struct compare_bucket *buckets =
		side->from == COMPARE_TARGET ? table->target_buckets : table->source_buckets;

	if (err) {
		give_up(side, err);
		return;
	}
	for (unsigned i = 0; i < result_rows(res); i++)
		buckets[result_int(res, i, 0)] = (struct compare_bucket){
			.rows = result_int(res, i, 1),
			.sum = compare_parse_sum(result_text(res, i, 2)),
		};
	leave(side);
}

static void
on_set(void *arg, const struct result *res, const struct error *err)
{
	(void) res;
	if (err)
		fail(((struct side *) arg)->job, err);
}

static void
on_checked(void *arg, const struct result *res, const struct error *err)
{
	struct side *side = arg;
	const struct compare_plan *plan = &side->job->table->plan;
	struct buffer sql;

	if (err || !result_bool(res, 0, 0)) {
		give_up(side, err);
		return;
	}
	memory_buffer_init(&sql);
	compare_put_settings(&sql, plan, side->from);
	connection_query(side->conn, (const char *) sql.data, NULL, 0, on_set, side);
	buffer_reset(&sql);
	compare_put_sums(&sql, plan, side->from);
	connection_query(side->conn, (const char *) sql.data, NULL, 0, on_sums, side);
	buffer_fini(&sql);
}

static void
start_next(struct job *job)
{
	struct scan *scan = job->scan;

	job->table = NULL;
	if (scan->failed || scan->next == scan->queue_count)
		return;
	job->table = scan->queue[scan->next++];
	job->started_ms = loop_now_ms(scan->loop);
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &job->sides[i];
		struct buffer sql;

		side->busy = true;
		memory_buffer_init(&sql);
		compare_put_unchanged_check(&sql, &job->table->plan, side->from);
		connection_query(side->conn, (const char *) sql.data, NULL, 0, on_checked, side);
		buffer_fini(&sql);
	}
}

/* ---- showing progress */

/* The job that has been reading its table for the longest time; NULL: none. */
static const struct job *
find_longest(const struct scan *scan, unsigned *busy)
{
	const struct job *longest = NULL;

	*busy = 0;
	for (unsigned i = 0; i < scan->job_count; i++) {
		const struct job *job = &scan->jobs[i];

		if (!job->table)
			continue;
		*busy += 1;
		if (!longest || job->started_ms < longest->started_ms)
			longest = job;
	}
	return longest;
}

/* Each side answers once for a whole table, so the progress within a table is not known. */
static void
show(const struct scan *scan)
{
	const struct source_table *source;
	const struct job *job;
	char line[512];
	unsigned busy;

	job = find_longest(scan, &busy);
	if (!job)
		return;
	source = &job->table->table->source;
	snprintf(line, sizeof line, "compared %u of %u table%s; reading %.63s.%.63s (about %lld rows) for %lld s",
			 scan->next - busy, scan->queue_count, plural(scan->queue_count), source->schema, source->name,
			 (long long) source->estimated_rows,
			 (long long) (loop_now_ms(scan->loop) - job->started_ms) / 1000);
	if (scan->terminal)
		log_progress(line);
	else
		log_info("%s", line);
}

static void
on_tick(void *arg)
{
	struct scan *scan = arg;

	scan->ticks++;
	if (scan->terminal || scan->ticks % PLAIN_TICKS == 0)
		show(scan);
	loop_timer_arm(scan->tick, TICK_MS);
}

static bool
is_over(void *arg)
{
	const struct scan *scan = arg;

	if (scan->failed || loop_stop_requested(scan->loop))
		return true;
	for (unsigned i = 0; i < scan->job_count; i++)
		if (scan->jobs[i].table)
			return false;
	return true;
}

bool
compare_scan_run(struct compare_point *point, struct compare_table **tables, unsigned count,
				 struct arena *memory, struct error *err)
{
	struct scan scan = {
		.loop = point->loop,
		.jobs = memory_alloc_zero(point->end_count, sizeof *scan.jobs),
		.job_count = point->end_count,
		.queue = tables,
		.queue_count = count,
		.memory = memory,
		.terminal = isatty(STDERR_FILENO) && point->config->log_format == LOG_TEXT,
	};

	scan.tick = loop_timer_create(point->loop, on_tick, &scan);
	loop_timer_arm(scan.tick, TICK_MS);
	for (unsigned i = 0; i < point->end_count; i++) {
		struct job *job = &scan.jobs[i];

		job->scan = &scan;
		job->sides[0] = (struct side){job, point->ends[i].source, COMPARE_SOURCE, false};
		job->sides[1] = (struct side){job, point->ends[i].target, COMPARE_TARGET, false};
		start_next(job);
	}
	loop_run_until(point->loop, is_over, &scan);
	loop_timer_destroy(scan.tick);
	if (scan.terminal)
		log_progress(NULL);
	/* The callbacks of pending requests refer to the scan. */
	for (unsigned i = 0; i < point->end_count; i++) {
		if (!scan.jobs[i].table)
			continue;
		connection_abandon(point->ends[i].source);
		connection_abandon(point->ends[i].target);
	}
	free(scan.jobs);
	if (scan.failed) {
		*err = scan.err;
		return false;
	}
	return !loop_stop_requested(point->loop) || error_set(err, ERROR_STOPPED, "stopped");
}

/* ---- one table, in sequence */

static bool
lock_table(struct connection *conn, const struct compare_plan *plan, enum compare_from from, bool *same,
		   struct error *err)
{
	struct result *res;
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	compare_put_unchanged_check(&sql, plan, from);
	ok = connection_execute(conn, (const char *) sql.data, NULL, 0, &res, err);
	buffer_fini(&sql);
	if (!ok) {
		*same = false;
		return is_undefined(err);
	}
	*same &= result_bool(res, 0, 0);
	result_free(res);
	return true;
}

bool
compare_scan_enter(const struct compare_ends *ends, const struct compare_plan *plan, bool *same,
				   struct error *err)
{
	*same = true;
	return lock_table(ends->source, plan, COMPARE_SOURCE, same, err) &&
		   lock_table(ends->target, plan, COMPARE_TARGET, same, err);
}

bool
compare_scan_leave(const struct compare_ends *ends, struct error *err)
{
	return connection_execute(ends->source, LEAVE_SQL, NULL, 0, NULL, err) &&
		   connection_execute(ends->target, LEAVE_SQL, NULL, 0, NULL, err);
}
