/*
 * A batch that failed: completes the message, and decides whether the batch is
 * applied again, either to name the refused row or without the refused table.
 */
#include <string.h>

#include "apply_parts.h"
#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "lsn.h"
#include "merge/merge_outcome.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

/* ---- failing */

/* TRUNCATE of a table that a foreign key of another, not truncated, table refers to. */
#define FEATURE_NOT_SUPPORTED "0A000"

static void
explain_truncate(struct error *err)
{
	if (strcmp(err->sqlstate, FEATURE_NOT_SUPPORTED) == 0)
		error_hint(err, "Drop the foreign key at the destination, since the source obeys its own; or leave"
						" truncate out of the table's operations.");
	error_context(err, "truncating");
}

/* The server names the refused row of a COPY by its number; the message names its key. */
static void
name_row(struct merge_step *step, struct error *err)
{
	const char *column;
	struct buffer key;

	if (err->copy_row == 0 || !step || step->kind != MERGE_COPY || err->class != ERROR_DATA)
		return;
	column =
		sqlstate_is_of_encoding(err->sqlstate) ? copy_walk_invalid_column(&step->walk, err->copy_row) : NULL;
	if (column)
		error_context(err, "column %s", column);
	memory_buffer_init(&key);
	copy_walk_put_key(&step->walk, err->copy_row, &key);
	if (key.len > 0)
		error_row(err, (const char *) key.data, (int) key.len);
	buffer_fini(&key);
}

/* The table that a failure is about: that of the step, or, at COMMIT, the one that the server names. */
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

/* Adds to the message what was being done. */
static void
add_context(const struct apply *apply, const struct apply_request *request, struct error *err)
{
	const struct table *table = table_of(request, err);
	char lsn[LSN_TEXT_BYTES];

	if (request->step && request->step->kind == MERGE_TRUNCATE)
		explain_truncate(err);
	name_row(request->step, err);
	if (table) {
		mapping_explain_refusal(table, err);
		error_about_table(err, table->source.schema, table->source.name);
		error_context(err, "%s %s.%s", request->step ? "merging into" : "committing changes of",
					  table->target_schema, table->target_name);
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
	/* Pending requests refer to the batch, which the owner gets back. */
	connection_abandon(apply->conn);
	apply_enter(apply, APPLY_FAILED);
	apply->batch = NULL;
	apply->done(apply->arg, batch, &err);
}

/* ---- applying it again */

/*
 * A refused batch is applied again with statements that name the refused row (MERGE_NAMING), unless earlier rounds share
 * its transaction.
 */
static bool
can_be_redone(const struct apply_request *request)
{
	return request->step && request->apply->began_here && request->apply->manner == MERGE_FAST;
}

/* The server names the column of a value that it refuses in a COPY, not of one that is a parameter: applying again can name it. */
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

/* `dropped`: a request has failed, so those queued behind it get no answers. */
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

/* ---- holding tables */

void
apply_remember_held(struct apply *apply, const struct table *table)
{
	apply->held = memory_resize(apply->held, apply->held_count + 1, sizeof(*apply->held));
	apply->held[apply->held_count++] = table;
}

/*
 * With apply.refused: hold, a table whose target refuses a change is held, and the batch is applied again without it.
 * Where earlier rounds share the transaction, the whole attempt has to start over instead.
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

/* This side ended the COPY: its reason replaces the server's message. */
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
