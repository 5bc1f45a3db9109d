#include "apply.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "apply_parts.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "merge/merge_outcome.h"

#define COMMITS_BETWEEN_VACUUMS 5000
/* The first VACUUM comes after the first commit: Greenplum asks all segments for the size of a table that was never
 * vacuumed or analyzed whenever it plans a statement on it, and each batch has one on sluice.progress. */
#define FIRST_VACUUM 1
/* Prepared statements of before so many executions are deallocated. */
#define EXECUTIONS_KEPT 10000
/* At most this many requests are pending; more are sent when half of them are answered. */
#define IN_FLIGHT_MAX 256

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
apply_is_busy_with(const struct apply *apply, uint32_t target_oid)
{
	if (!apply->batch)
		return apply->in_transaction || !connection_is_idle(apply->conn);
	for (unsigned i = 0; i < apply->batch->net_count; i++)
		if (apply->batch->nets[i]->shape->table->target.oid == target_oid)
			return true;
	return false;
}

bool
apply_open_transaction(struct apply *apply, struct error *err)
{
	if (!apply->in_transaction && !connection_execute(apply->conn, "BEGIN", NULL, 0, NULL, err))
		return false;
	apply->in_transaction = true;
	return true;
}

/* ---- requests */

void
apply_enter(struct apply *apply, enum apply_phase phase)
{
	assert(apply_phase_may_follow(apply->phase, phase));
	log_debug("apply: %s -> %s", apply_phase_name(apply->phase), apply_phase_name(phase));
	apply->phase = phase;
}

static bool
check_result(const struct apply_request *request, const struct result *res, struct error *err)
{
	if (request->step && merge_outcome_take(request->step, result_affected(res), err))
		return true;
	if (request->step) {
		merge_outcome_name_row(request->step, result_rows(res) > 0 ? res : NULL, err);
		return false;
	}
	if (request->phase == APPLY_HOLDING && result_affected(res) != 1)
		return error_set(err, ERROR_BUG, "sluice.tables has no row of a table that is to be held");
	if (request->phase != APPLY_ADVANCING || result_affected(res) == 1)
		return true;
	error_set(err, ERROR_REPLACED, "another daemon of task %s has taken over", request->apply->task);
	return error_hint(err, "Stop one of the two.");
}

/* Answers come in order: the time since the previous answer is charged to this request. */
static void
charge(struct apply *apply, const struct apply_request *request)
{
	int64_t now = batch_clock_us();
	enum batch_step step = BATCH_MERGE;

	if (request->phase == APPLY_COMMITTING)
		step = BATCH_COMMIT;
	else if (request->step && request->step->kind == MERGE_COPY)
		step = BATCH_STAGE;
	apply->batch->spent_us[step] += now - apply->answered_us;
	apply->answered_us = now;
}

void
apply_on_answer(void *arg, const struct result *res, const struct error *err)
{
	struct apply_request *request = arg;
	struct apply *apply = request->apply;
	struct error own;

	apply->in_flight--;
	charge(apply, request);
	if (apply_take_void(request, err))
		return;
	if (err)
		apply_take_failure(request, err, false);
	else if (!check_result(request, res, &own))
		apply_take_failure(request, &own, true);
	else if (apply->in_flight <= IN_FLIGHT_MAX / 2)
		apply_go_on(apply);
}

struct apply_request *
apply_add_request(struct apply *apply)
{
	struct apply_request *request = arena_alloc_zero(&apply->batch->arena, sizeof *request);

	request->apply = apply;
	request->phase = apply->phase;
	apply->in_flight++;
	return request;
}

void
apply_query(struct apply *apply, const char *sql)
{
	connection_query(apply->conn, sql, NULL, 0, apply_on_answer, apply_add_request(apply));
}

/* ---- phases */

static void
finish(struct apply *apply)
{
	struct batch *batch = apply->batch;

	for (const struct batch_hold *hold = batch->holds; hold; hold = hold->next)
		apply_remember_held(apply, hold->table);
	apply_enter(apply, APPLY_IDLE);
	apply->manner = MERGE_FAST;
	apply->batch = NULL;
	apply->done(apply->arg, batch, NULL);
}

static void
committed(struct apply *apply)
{
	apply->in_transaction = false;
	apply->commits++;
	stagings_committed(&apply->stagings);
}

/* Sends the requests of the current phase and enters the next; false when the phase has to wait for answers. */
static bool
ask(struct apply *apply)
{
	switch (apply->phase) {
	case APPLY_BEGINNING:
		apply->began_here = !apply->in_transaction;
		if (apply->began_here)
			apply_query(apply, "BEGIN");
		apply->in_transaction = true;
		apply_begin_merging(apply);
		return true;
	case APPLY_MERGING:
		return apply_ask_step(apply);
	case APPLY_HOLDING:
		apply_write_holds(apply);
		apply_enter(apply, apply->batch->final ? APPLY_DROPPING : APPLY_WRITTEN);
		return true;
	case APPLY_DROPPING:
		apply_drop_stagings(apply);
		apply_enter(apply, APPLY_ADVANCING);
		return true;
	case APPLY_ADVANCING:
		apply_write_position(apply);
		apply_enter(apply, APPLY_WRITTEN);
		return true;
	default:
		return false;
	}
}

/* Each definition of a table has statements of its own, which the destination's session would keep as long as it lives. */
static void
deallocate_unused(struct apply *apply)
{
	const char *name;

	for (int i = 0; i < IN_FLIGHT_MAX / 2 && (name = connection_take_unused(apply->conn, EXECUTIONS_KEPT));
		 i++) {
		struct buffer sql;

		sql_init(&sql);
		buffer_printf(&sql, "DEALLOCATE ");
		sql_identifier(&sql, name);
		apply_query(apply, sql_text(&sql));
		buffer_fini(&sql);
	}
	connection_end_transaction(apply->conn);
}

static void
vacuum_progress(struct apply *apply)
{
	if (apply->dialect->has_autovacuum || apply->commits % COMMITS_BETWEEN_VACUUMS != FIRST_VACUUM)
		return;
	apply_query(apply, "VACUUM sluice.progress");
	connection_end_transaction(apply->conn);
}

/* Goes on from a phase whose requests are all answered. */
static void
end_phase(struct apply *apply)
{
	if (apply->phase == APPLY_WRITTEN && apply->batch->final) {
		apply_enter(apply, APPLY_COMMITTING);
		apply_query(apply, "COMMIT");
		connection_end_transaction(apply->conn);
		return;
	}
	if (apply->phase == APPLY_ROLLING_BACK) {
		apply_enter(apply, APPLY_DISCARDING);
		apply_query(apply, "DISCARD TEMP");
		connection_end_transaction(apply->conn);
		return;
	}
	if (apply->phase == APPLY_DISCARDING) {
		apply_enter(apply, APPLY_BEGINNING);
		apply_go_on(apply);
		return;
	}
	if (apply->phase == APPLY_COMMITTING) {
		committed(apply);
		apply_enter(apply, APPLY_TIDYING);
		deallocate_unused(apply);
		vacuum_progress(apply);
		if (apply->in_flight > 0)
			return;
	}
	finish(apply);
}

void
apply_go_on(struct apply *apply)
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
	apply_leave_out_held(apply, batch);
	apply_enter(apply, APPLY_BEGINNING);
	apply_go_on(apply);
}
