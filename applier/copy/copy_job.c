#include "copy_job.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "copy_job_steps.h"
#include "copy_statements.h"
#include "servers/server_session.h"
#include "servers/slot_snapshot.h"
#include "tables/mapping.h"

/* ---- failing */

void
copy_job_fail(struct copy_job *job, const struct error *err)
{
	struct copy *copy = job->copy;

	if (copy->failed)
		return;
	copy->failed = true;
	copy->err = *err;
	copy->failed_work = job->work;
	copy->failed_in = job->state;
	/* A copy has no temporary tables that a lost segment could have forgotten. */
	if (job->work && strcmp(err->sqlstate, SQLSTATE_UNDEFINED_TABLE) == 0 && err->class == ERROR_RETRY)
		copy->err.class = ERROR_DATA;
	if (job->work && copy->err.class == ERROR_DATA) {
		copy->refused = job->work->table;
		copy->refused_part = job->part;
	}
	copy_job_enter(job, COPY_JOB_FAILED);
}

void
copy_job_fail_copied(struct copy_job *job)
{
	struct error err;

	error_set(&err, ERROR_RETRY, "the table was copied by another session meanwhile");
	copy_job_fail(job, &err);
}

/* ---- requests */

void
copy_job_ask(struct copy_job *job, struct connection *conn, struct buffer *sql, connection_done done)
{
	connection_query(conn, sql_text(sql), NULL, 0, done, job);
	buffer_fini(sql);
}

void
copy_job_on_step(void *arg, const struct result *res, const struct error *err)
{
	(void) res;
	if (err)
		copy_job_fail(arg, err);
}

static void
on_committed(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	(void) res;
	if (err)
		copy_job_fail(job, err);
	else if (job->state == COPY_JOB_OPENING)
		copy_job_share_parts(job);
	else
		copy_job_go_on(job);
}

void
copy_job_on_state_written(void *arg, const struct result *res, const struct error *err)
{
	struct copy_job *job = arg;

	if (err)
		copy_job_fail(job, err);
	else if (result_affected(res) != 1)
		copy_job_fail_copied(job);
	else
		connection_query(job->pipe.destination, "COMMIT", NULL, 0, on_committed, job);
}

/* ---- what comes next */

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

/* Tables that are already being copied in parts come first: their targets have no indexes until the last part is done. */
static enum copy_job_state
take_work(struct copy_job *job)
{
	if (take_part(job))
		return COPY_JOB_CLAIMING_PART;
	return take_table(job) ? COPY_JOB_CHECKING : COPY_JOB_IDLE;
}

/* The state that follows the job's present one, once that one's last answer has come. */
static enum copy_job_state
next_state(struct copy_job *job)
{
	const struct copy_work *work = job->work;

	switch (job->state) {
	case COPY_JOB_IDLE:
		return take_work(job);
	case COPY_JOB_CHECKING:
		if (!table_is_copying(work->table))
			return COPY_JOB_IDLE;
		return copy_work_is_divisible(job->copy, work->table) ? COPY_JOB_MEASURING : COPY_JOB_CLAIMING;
	case COPY_JOB_MEASURING:
		return COPY_JOB_CLAIMING;
	case COPY_JOB_CLAIMING:
		return COPY_JOB_PREPARING;
	case COPY_JOB_PREPARING:
		return work->parts.count > 0 ? COPY_JOB_OPENING : COPY_JOB_COPYING;
	case COPY_JOB_CLAIMING_PART:
		return COPY_JOB_COPYING_PART;
	case COPY_JOB_COPYING_PART:
		return work->parts_done == work->parts.count ? COPY_JOB_CLAIMING_END : COPY_JOB_IDLE;
	case COPY_JOB_COPYING:
	case COPY_JOB_CLAIMING_END:
		return COPY_JOB_ENDING;
	case COPY_JOB_ENDING:
		return COPY_JOB_ANALYZING;
	case COPY_JOB_OPENING:
	case COPY_JOB_ANALYZING:
		return COPY_JOB_IDLE;
	case COPY_JOB_FAILED:
	case COPY_JOB_STATES:
		break;
	}
	assert(false);
	return COPY_JOB_FAILED;
}

/* The function that sends the requests of a state; NULL: the state has none. */
static void (*const requests[COPY_JOB_STATES])(struct copy_job *job) = {
	[COPY_JOB_CHECKING] = copy_job_check,
	[COPY_JOB_MEASURING] = copy_job_measure,
	[COPY_JOB_CLAIMING] = copy_job_claim,
	[COPY_JOB_PREPARING] = copy_job_prepare,
	[COPY_JOB_COPYING] = copy_job_copy,
	[COPY_JOB_OPENING] = copy_job_open_parts,
	[COPY_JOB_CLAIMING_PART] = copy_job_claim_part,
	[COPY_JOB_COPYING_PART] = copy_job_copy_part,
	[COPY_JOB_CLAIMING_END] = copy_job_claim_end,
	[COPY_JOB_ENDING] = copy_job_end,
	[COPY_JOB_ANALYZING] = copy_job_analyze,
};

static void
put_work_down(struct copy_job *job)
{
	copy_job_release_source(job);
	job->work = NULL;
	job->part = NULL;
	job->pipe.rows = 0;
}

void
copy_job_start(struct copy_job *job)
{
	enum copy_job_state state;

	assert(job->state == COPY_JOB_IDLE);
	if (job->copy->failed)
		return;
	state = next_state(job);
	if (state == COPY_JOB_IDLE)
		return;
	copy_job_enter(job, state);
	requests[state](job);
}

void
copy_job_go_on(struct copy_job *job)
{
	enum copy_job_state state;

	if (job->copy->failed)
		return;
	state = next_state(job);
	if (state == COPY_JOB_IDLE)
		put_work_down(job);
	copy_job_enter(job, state);
	if (state == COPY_JOB_IDLE)
		copy_job_start(job);
	else
		requests[state](job);
}

/* A target without triggers, which no other table feeds: after an interruption the committed parts are emptied again. */
bool
copy_work_is_divisible(const struct copy *copy, const struct table *table)
{
	const struct config *config = copy->setup->config;

	return copy_is_divisible(table->source.bytes, copy->total_bytes, config->initial_copy.jobs,
							 copy->part_bytes) &&
		   initial_copy_may_clear(config, table) && !table->target.has_triggers &&
		   (table->target.kind == 'r' || table->target.kind == 'p');
}

/* ---- beginning and ending */

/* COPY uses the present columns, the check before it those of the snapshot.  A column that was renamed or dropped in
 * between (42703) is no data error: the next attempt reads the new definition. */
static void
on_source_failed(void *arg, const struct error *err)
{
	struct copy_job *job = arg;
	struct error cause = *err;

	if (cause.class == ERROR_DATA && strcmp(cause.sqlstate, "42703") == 0)
		cause.class = ERROR_RESTART;
	/* The source sends one message for each row, so it failed at the row after those that came. */
	if (sqlstate_is_of_encoding(cause.sqlstate))
		cause.copy_row = job->pipe.rows + 1;
	if (!job->copy->failed)
		job->copy->refused_at_source = true;
	copy_job_fail(job, &cause);
}

bool
copy_job_open(struct copy *copy, unsigned number, struct error *err)
{
	const struct initial_copy_setup *setup = copy->setup;
	struct copy_job *job = &copy->jobs[number];
	struct destination_session opened;

	job->copy = copy;
	job->number = number;
	copy_pipe_init(&job->pipe);
	job->pipe.given_up = &copy->failed;
	job->pipe.throttle = copy->throttle;
	job->pipe.source_failed = on_source_failed;
	job->pipe.arg = job;
	job->pipe.source = server_session_source(setup->loop, setup->config, "sluice copy", err);
	if (!job->pipe.source || !slot_snapshot_use(job->pipe.source, setup->snapshot, err) ||
		!connection_execute(job->pipe.source, copy_same_order, NULL, 0, NULL, err))
		return false;
	if (!server_session_writer(setup->loop, setup->config, "sluice copy", setup->epoch, &opened, err))
		return false;
	job->pipe.destination = opened.conn;
	return server_session_match_bytes(opened.conn, job->pipe.source, err);
}

void
copy_job_close(struct copy_job *job)
{
	copy_pipe_fini(&job->pipe);
}
