#include "schema_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "schema_decision.h"
#include "schema_name.h"
#include "servers/source_catalog.h"
#include "servers/target.h"
#include "servers/trial.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

/* ---- while the stream runs */

static void
take_versions(struct source_table *source, const struct source_table *now)
{
	free(source->storage);
	source->storage = now->storage ? memory_strdup(now->storage) : NULL;
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = stored_definition_find(now, source->columns[i].attnum);

		if (column)
			source->columns[i].version = column->version;
	}
}

bool
schema_watch(struct table *table, const struct source_table *now, struct schema_notes *notes, bool *moved,
			 struct error *err)
{
	const char *rewritten = schema_decision_rewrite_reason(stored_definition_rewritten(&table->source, now));

	if (rewritten)
		return schema_notes_add(notes, table, SCHEMA_COPIED_AGAIN, rewritten, err);
	/* Only files and versions are compared; changes of columns arrive in the stream. */
	if (!stored_definition_moved(&table->source, now))
		return true;
	take_versions(&table->source, now);
	*moved = true;
	return true;
}

/* ---- at a start: tables that follow */

static bool
write_row(struct connection *destination, const struct config *config, const struct table *table,
		  struct error *err)
{
	return !destination || state_tables_write(destination, config->task, table, err);
}

static bool
put_aside(struct connection *destination, const struct config *config, struct table *table,
		  enum table_state state, const char *reason, struct error *err)
{
	free(table->error);
	table->error = memory_strdup(reason);
	table_move(table, state);
	if (destination)
		log_table(LOG_WARNING, &table->source, "%s.%s is %s: %s", table->source.schema, table->source.name,
				  state == TABLE_HELD ? "held" : "copied again", reason);
	return write_row(destination, config, table, err);
}

/* Puts the table back to its stored definition, the one at the stream's position; its types are looked up. */
static bool
step_back(struct connection *source, struct table *table, bool *all, struct error *err)
{
	struct source_table *now = &table->source;
	struct source_table before;

	stored_definition_copy(&before, table->defined);
	before.partition = now->partition;
	before.estimated_rows = now->estimated_rows;
	before.bytes = now->bytes;
	if (!source_read_types(source, before.columns, before.column_count, all, err)) {
		source_table_free(&before);
		return false;
	}
	source_table_free(now);
	*now = before;
	return true;
}

static bool
settle_table(struct connection *source, struct connection *destination, const struct config *config,
			 struct table *table, struct error *err)
{
	struct schema_decision decision;
	bool all = true;

	schema_decision_make_at_start(&decision, config, table);
	if (decision.action != SCHEMA_ADOPT)
		return put_aside(destination, config, table,
						 decision.action == SCHEMA_HOLD ? TABLE_HELD : TABLE_WAITING_AGAIN, decision.reason,
						 err);
	if (!stored_definition_same(table->defined, &table->source) ||
		!stored_definition_same_name(table->defined, &table->source)) {
		if (!step_back(source, table, &all, err))
			return false;
		return all ||
			   put_aside(destination, config, table, TABLE_WAITING_AGAIN, schema_decision_types_gone, err);
	}
	return !stored_definition_moved(table->defined, &table->source) ||
		   write_row(destination, config, table, err);
}

static bool
carry_out_notes(struct connection *destination, const struct config *config, struct catalog *catalog,
				struct schema_notes *notes, struct error *err)
{
	for (unsigned i = 0; i < notes->count; i++) {
		const struct schema_note *note = &notes->notes[i];
		struct table *table = catalog_find_oid(catalog, note->oid);

		if (!table || note->outcome == SCHEMA_GONE || !table->defined || !table_follows(table))
			continue;
		if (!put_aside(destination, config, table,
					   note->outcome == SCHEMA_HELD ? TABLE_HELD : TABLE_WAITING_AGAIN, note->reason, err))
			return false;
	}
	schema_notes_clear(notes);
	return true;
}

/* The decision compares these types with the target's; types that no longer exist stay unknown. */
static bool
read_stored_types(struct connection *source, struct source_table *stored, struct error *err)
{
	bool all;

	return source_read_types(source, stored->columns, stored->column_count, &all, err);
}

bool
schema_watch_settle(struct connection *source, struct connection *destination, const struct config *config,
					struct catalog *catalog, struct schema_notes *notes, struct error *err)
{
	if (notes && !carry_out_notes(destination, config, catalog, notes, err))
		return false;
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined)
			continue;
		if (table_follows(table) ? !settle_table(source, destination, config, table, err)
								 : !read_stored_types(source, table->defined, err))
			return false;
	}
	catalog_sort(catalog);
	return true;
}

/* ---- at a start: tables that are held or copied again */

static bool
shares_target(const struct catalog *catalog, const struct table *table)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *other = &catalog->tables[i];

		if (other != table && strcmp(other->target_name, table->target_name) == 0 &&
			strcmp(other->target_schema, table->target_schema) == 0)
			return true;
	}
	return false;
}

/* `table` is as the source has it today; the rows in its target will be discarded. */
static struct schema_case
case_of(const struct dialect *dialect, const struct config *config, const struct table *table, bool shared)
{
	return (struct schema_case){
		.config = config,
		.dialect = dialect,
		.stored = table->defined,
		.table = table,
		.today = &table->source,
		.emptied = true,
		.shared = shared,
	};
}

/* The table as it will be once its target is in line: with today's definition and names, waiting for its copy. */
static struct table
reconciled(const struct table *table, bool renamed)
{
	struct table after = *table;

	after.defined = memory_alloc_zero(1, sizeof *after.defined);
	stored_definition_copy(after.defined, &table->source);
	stored_definition_keep_defaults(after.defined, table->defined);
	after.target_schema = memory_strdup(renamed ? table->source.schema : table->target_schema);
	after.target_name = memory_strdup(renamed ? table->source.name : table->target_name);
	if (table->state != TABLE_WAITING_AGAIN)
		table_move(&after, TABLE_WAITING_AGAIN);
	after.error = NULL;
	return after;
}

/* Frees what reconciled() allocates for its own copy of a table. */
static void
release(struct table *table)
{
	source_table_free(table->defined);
	free(table->defined);
	free(table->target_schema);
	free(table->target_name);
	free(table->error);
}

static void
put_reconciliation(struct buffer *sql, const struct config *config, const struct schema_decision *decision,
				   const struct table *table, const struct table *after)
{
	buffer_printf(sql, "BEGIN;\n");
	if (decision->action == SCHEMA_EXECUTE) {
		buffer_printf(sql, "%sTRUNCATE ", table->index_drops ? table->index_drops : "");
		mapping_put_target_rows(sql, table);
		buffer_printf(sql, ";\n%s", (const char *) decision->change.sql.data);
	}
	state_tables_put_definition(sql, config->task, after);
	state_tables_put_state(sql, config->task, after);
	buffer_printf(sql, ";\nCOMMIT");
}

/* A person may have renamed a held table's target as the source renamed the table. */
static bool
find_renamed_target(struct connection *destination, const struct dialect *dialect,
					const struct catalog *catalog, struct table *table, struct error *err)
{
	if (table->target.exists || table->override ||
		stored_definition_same_name(table->defined, &table->source) ||
		schema_name_find_holder(catalog, table, table->source.schema, table->source.name))
		return true;
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = memory_strdup(table->source.schema);
	table->target_name = memory_strdup(table->source.name);
	return target_read_table(destination, dialect, table, err);
}

/* Carries the decision out; if the destination refuses, `refusal` says why, and the table is unchanged. */
static bool
reconcile_by(struct connection *destination, const struct config *config,
			 const struct schema_decision *decision, struct table *table, struct error *refusal,
			 struct error *err)
{
	struct table after = reconciled(table, decision->change.renamed);
	struct buffer sql;
	bool done;

	sql_init(&sql);
	put_reconciliation(&sql, config, decision, table, &after);
	done = trial_execute(destination, sql_text(&sql), refusal, err) && !refusal->message[0];
	buffer_fini(&sql);
	release(done ? table : &after);
	if (done)
		*table = after;
	return done || refusal->message[0];
}

static bool
hold(struct connection *destination, const struct config *config, const struct schema_decision *decision,
	 struct table *table, struct error *err)
{
	if (table->state == TABLE_HELD && table->error && strcmp(table->error, decision->reason) == 0)
		return true;
	return put_aside(destination, config, table, TABLE_HELD, decision->reason, err);
}

/* Remembers the refused statements: the table is not tried again until others are needed. */
static void
note_refused(struct table *table, const struct schema_decision *decision)
{
	free(table->refused);
	table->refused = memory_strdup((const char *) decision->change.sql.data);
}

static bool
carry_out(struct connection *destination, const struct dialect *dialect, const struct catalog *catalog,
		  const struct schema_case *c, struct schema_decision *decision, struct table *table,
		  struct error *err)
{
	bool was_held = table->state == TABLE_HELD;
	struct error refusal = {0};

	if (decision->action == SCHEMA_HOLD)
		return hold(destination, c->config, decision, table, err);
	if (decision->change.renamed && !schema_name_make_way(destination, c->config->task, catalog, table,
														  table->source.schema, table->source.name, err))
		return false;
	if (!reconcile_by(destination, c->config, decision, table, &refusal, err))
		return false;
	if (refusal.message[0]) {
		note_refused(table, decision);
		schema_decision_refused(decision, c, &refusal);
		return hold(destination, c->config, decision, table, err);
	}
	if (was_held)
		log_table(LOG_INFO, &table->source, "%s.%s is held no longer: it is copied again",
				  table->source.schema, table->source.name);
	return decision->action != SCHEMA_EXECUTE || target_read_table(destination, dialect, table, err);
}

static bool
reconcile_table(struct connection *destination, const struct dialect *dialect, const struct config *config,
				struct catalog *catalog, struct table *table, struct error *err)
{
	struct schema_case c = case_of(dialect, config, table, shares_target(catalog, table));
	struct schema_decision decision;
	bool ok;

	schema_decision_make(&decision, &c);
	ok = carry_out(destination, dialect, catalog, &c, &decision, table, err);
	schema_decision_fini(&decision);
	return ok;
}

bool
schema_watch_reconcile(struct connection *destination, const struct dialect *dialect,
					   const struct config *config, struct catalog *catalog, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined || table_follows(table) || table->state == TABLE_HELD_FOR_RESYNC)
			continue;
		if (!find_renamed_target(destination, dialect, catalog, table, err))
			return false;
		if (!table->target.exists)
			continue;
		if (!reconcile_table(destination, dialect, config, catalog, table, err))
			return false;
	}
	return true;
}

/* ---- held tables */

/* Completes a table that was just read from the source with the held table's settings and stored definition. */
static void
take_held(struct table *table, const struct table *held)
{
	table->target_schema = memory_strdup(held->target_schema);
	table->target_name = memory_strdup(held->target_name);
	table->override = held->override;
	table->operations = held->operations;
	table->defined = memory_alloc_zero(1, sizeof *table->defined);
	stored_definition_copy(table->defined, held->defined);
	table->row =
		stored_definition_same_name(table->defined, &table->source) ? TABLE_ROW_SAME : TABLE_ROW_RENAMED;
}

/* Logs and stores the reason why a table is held when it has changed. */
static bool
say_again(struct connection *destination, const struct config *config, struct table *held,
		  const struct schema_decision *decision, struct error *err)
{
	struct buffer sql;

	if (held->error && strcmp(held->error, decision->reason) == 0)
		return true;
	free(held->error);
	held->error = memory_strdup(decision->reason);
	log_table(LOG_WARNING, &held->source, "%s.%s is held: %s", held->source.schema, held->source.name,
			  held->error);
	sql_init(&sql);
	state_tables_put_state(&sql, config->task, held);
	return connection_execute_buffer(destination, &sql, NULL, err);
}

/* ERROR_RESTART if the table can go on with the source and the target as they are today. */
static bool
judge_held(struct connection *destination, const struct schema_case *c, struct table *held, struct error *err)
{
	struct schema_decision decision;
	bool ok = true;

	schema_decision_make(&decision, c);
	if (decision.action == SCHEMA_HOLD)
		ok = say_again(destination, c->config, held, &decision, err);
	else if (!held->refused || strcmp(held->refused, (const char *) decision.change.sql.data) != 0)
		ok =
			error_set(err, ERROR_RESTART,
					  "the target %s.%s of %s.%s, which was held, can be brought in line now: starting over",
					  c->table->target_schema, c->table->target_name, held->source.schema, held->source.name);
	schema_decision_fini(&decision);
	return ok;
}

static bool
check_held_table(struct connection *source, struct connection *destination, const struct dialect *dialect,
				 const struct config *config, struct catalog *catalog, struct table *held, struct error *err)
{
	struct catalog seen;
	bool ok = source_read_tables(source, &held->source.oid, 1, &seen, err);

	if (!ok)
		return false;
	if (seen.count > 0) {
		struct table *now = &seen.tables[0];
		struct schema_case c;

		take_held(now, held);
		ok = target_read_table(destination, dialect, now, err) &&
			 find_renamed_target(destination, dialect, catalog, now, err);
		c = case_of(dialect, config, now, shares_target(catalog, held));
		if (ok && now->target.exists)
			ok = judge_held(destination, &c, held, err);
	}
	catalog_free(&seen);
	return ok;
}

bool
schema_watch_held(struct connection *source, struct connection *destination, const struct dialect *dialect,
				  const struct config *config, struct catalog *catalog, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (table->state == TABLE_HELD && table->defined &&
			!check_held_table(source, destination, dialect, config, catalog, table, err))
			return false;
	}
	return true;
}
