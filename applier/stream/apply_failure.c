/*
 * A batch that failed: the message that says where, and whether the batch is
 * done again, to tell more of the failure or without the table that it is about.
 */
#include <string.h>

#include "apply_parts.h"
#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "merge/merge_outcome.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

/* ---- failing */

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
add_context(const struct apply *apply, const struct apply_request *request, struct error *err)
{
	const struct table *table = request->step ? request->step->table : NULL;
	char lsn[LSN_TEXT_BYTES];

	if (request->step && request->step->kind == MERGE_TRUNCATE)
		explain_truncate(err);
	name_row(request->step, err);
	if (table) {
		mapping_explain_refusal(table, err);
		error_about_table(err, table->source.schema, table->source.name);
		error_context(err, "merging into %s.%s", table->target_schema, table->target_name);
	}
	error_about_lsn(err, apply->batch->end_lsn);
	if (apply->batch->end_lsn)
		error_context(err, "applying the batch up to %s", lsn_format(apply->batch->end_lsn, lsn));
	else
		error_context(err, "applying a round of a large transaction");
}

void
apply_fail(struct apply *apply, const struct apply_request *request, const struct error *cause)
{
	struct error err = *cause;
	struct batch *batch = apply->batch;

	add_context(apply, request, &err);
	/* What was asked already refers to the batch. */
	connection_abandon(apply->conn);
	apply_enter(apply, APPLY_FAILED);
	apply->batch = NULL;
	apply->done(apply->arg, batch, &err);
}

/* ---- doing it again */

/*
 * A batch that was refused is done again in words that tell more (MERGE_NAMING), unless earlier rounds
 * share its transaction.
 */
static bool
can_be_redone(const struct apply_request *request)
{
	return request->step && request->apply->began_here && request->apply->manner == MERGE_FAST;
}

/* A value that the target refuses is told by its column where it comes with a COPY, not where it is a parameter. */
static bool
can_be_told(const struct apply_request *request, const struct error *err)
{
	return can_be_redone(request) && err->class == ERROR_DATA && request->step->kind == MERGE_PREPARED;
}

static bool
can_be_named(const struct apply_request *request)
{
	return can_be_redone(request) && merge_outcome_can_be_named(request->step);
}

/* `dropped`: a request has failed, and with it those that were queued behind it. */
static void
roll_back(struct apply *apply, bool dropped)
{
	if (dropped)
		apply->in_flight = 0;
	apply_query(apply, "ROLLBACK");
	connection_end_transaction(apply->conn);
}

static void
redo(struct apply *apply, enum merge_manner manner, bool dropped)
{
	apply->manner = manner;
	apply->in_transaction = false;
	stagings_fini(&apply->stagings);
	stagings_init(&apply->stagings);
	apply_enter(apply, APPLY_ROLLING_BACK);
	roll_back(apply, dropped);
}

/* ---- tables that are held */

/* The table that a failure is about: the step's, or at the COMMIT the one that the server names. */
static const struct table *
table_of(const struct apply_request *request, const struct error *err)
{
	const struct batch *batch = request->apply->batch;

	if (request->step && request->step->table)
		return request->step->table;
	for (unsigned i = 0; err->table[0] && i < batch->net_count; i++) {
		const struct table *table = batch->nets[i]->shape->table;

		if (strcmp(table->target_name, err->table) == 0 && strcmp(table->target_schema, err->schema) == 0)
			return table;
	}
	return NULL;
}

void
apply_remember_held(struct apply *apply, const struct table *table)
{
	apply->held = memory_resize(apply->held, apply->held_count + 1, sizeof(*apply->held));
	apply->held[apply->held_count++] = table;
}

/*
 * A change that one target refuses holds that table, where it is to be so; then the batch is done again without it.
 * Where earlier rounds share the transaction, only the attempt as a whole can be.
 */
static bool
hold_refused(const struct apply_request *request, const struct error *cause)
{
	struct apply *apply = request->apply;
	const struct table *table = table_of(request, cause);
	struct error err = *cause;

	if (cause->class != ERROR_DATA || !table || batch_leaves_out(apply->batch, table))
		return false;
	if (!apply->began_here) {
		apply->refused_in_round = table;
		return false;
	}
	add_context(apply, request, &err);
	return apply->refused(apply->arg, apply->batch, table, &err);
}

void
apply_leave_out_held(const struct apply *apply, const struct batch *batch)
{
	for (unsigned i = 0; i < batch->net_count; i++)
		for (unsigned j = 0; j < apply->held_count; j++)
			batch->nets[i]->left_out |= batch->nets[i]->shape->table == apply->held[j];
}

void
apply_write_holds(struct apply *apply)
{
	for (const struct batch_hold *hold = apply->batch->holds; hold; hold = hold->next) {
		struct buffer sql;

		sql_init(&sql);
		state_tables_put_refused(&sql, apply->task, hold->table, hold->key, apply->batch->end_lsn);
		apply_query(apply, sql_text(&sql));
		buffer_fini(&sql);
	}
}

/* ---- answers that are failures */

bool
apply_take_void(const struct apply_request *request, const struct error *err)
{
	struct apply *apply = request->apply;

	if (apply->phase != APPLY_ROLLING_BACK || request->phase == APPLY_ROLLING_BACK)
		return false;
	if (err && err->class == ERROR_DATA)
		roll_back(apply, true);
	else if (err)
		apply_fail(apply, request, err);
	return true;
}

/* A copy that we gave up: the reason is ours, not what the server says of it. */
static void
explain_given_up(const struct apply_request *request, struct error *err)
{
	if (request->step && request->step->kind == MERGE_COPY && request->step->walk.broken)
		error_set(err, ERROR_BUG, "a row to be copied lacks a value");
}

void
apply_take_failure(const struct apply_request *request, const struct error *err, bool unexpected)
{
	struct apply *apply = request->apply;
	struct error cause = *err;

	if (!unexpected)
		explain_given_up(request, &cause);
	if (unexpected ? can_be_named(request) : can_be_told(request, &cause))
		redo(apply, MERGE_NAMING, !unexpected);
	else if (hold_refused(request, &cause))
		redo(apply, MERGE_FAST, !unexpected);
	else
		apply_fail(apply, request, &cause);
}
