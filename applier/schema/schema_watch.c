#include "schema_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "pattern.h"
#include "schema_follow.h"
#include "servers/source.h"
#include "servers/target.h"
#include "state/state_tables.h"
#include "tables/mapping.h"
#include "tables/schema_change.h"
#include "tables/table_definition.h"

/* ---- while the stream runs */

static void
take_versions(struct source_table *source, const struct source_table *now)
{
	free(source->storage);
	source->storage = now->storage ? memory_strdup(now->storage) : NULL;
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = table_definition_find(now, source->columns[i].attnum);

		if (column)
			source->columns[i].version = column->version;
	}
}

bool
schema_watch(struct table *table, const struct source_table *now, struct schema_notes *notes, bool *moved,
			 struct error *err)
{
	enum rewrite rewrite = table_definition_rewritten(&table->source, now);

	if (rewrite != REWRITE_NONE)
		return schema_notes_add(notes, table, SCHEMA_COPIED_ANEW, schema_rewrite_reason(rewrite), err);
	/* What the stream has yet to bring is not part of the comparison. */
	if (!table_definition_moved(&table->source, now))
		return true;
	take_versions(&table->source, now);
	*moved = true;
	return true;
}

/* ---- at a start: following tables */

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
		log_warning("%s.%s is %s: %s", table->source.schema, table->source.name,
					state == TABLE_HELD ? "held" : "copied anew", reason);
	return write_row(destination, config, table, err);
}

/* The definition that the stream has left, with what is to be known of the types. */
static bool
step_back(struct connection *source, struct table *table, bool *all, struct error *err)
{
	struct source_table *now = &table->source;
	struct source_table before;

	table_definition_copy(&before, table->defined);
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
same_name(const struct source_table *a, const struct source_table *b)
{
	return strcmp(a->schema, b->schema) == 0 && strcmp(a->name, b->name) == 0;
}

static const char old_override[] = "it was renamed at the source: give its override in the configuration the "
								   "new name; the table is then copied anew";

/* Whether the configuration has an override for a name that the table has no more. */
static bool
keeps_old_override(const struct config *config, const struct table *table)
{
	const struct source_table *before = table->defined;
	bool found = false;

	for (unsigned i = 0; table->row >= TABLE_ROW_RENAMED && !found && i < config->tables.override_count;
		 i++) {
		struct pattern name;

		if (pattern_parse(config->tables.overrides[i].source, &name))
			continue;
		found = strcmp(name.schema.text, before->schema) == 0 && strcmp(name.table.text, before->name) == 0;
		pattern_free(&name);
	}
	return found;
}

static bool
settle_table(struct connection *source, struct connection *destination, const struct config *config,
			 struct table *table, struct error *err)
{
	enum rewrite rewrite = table_definition_rewritten(table->defined, &table->source);
	bool all;

	if (keeps_old_override(config, table))
		return put_aside(destination, config, table, TABLE_HELD, old_override, err);
	if (table->row == TABLE_ROW_RESELECTED)
		return put_aside(destination, config, table, TABLE_WAITING_AGAIN,
						 "it was renamed at the source, and has another override", err);
	if (rewrite != REWRITE_NONE)
		return put_aside(destination, config, table, TABLE_WAITING_AGAIN, schema_rewrite_reason(rewrite),
						 err);
	if (!table_definition_same(table->defined, &table->source) ||
		!same_name(table->defined, &table->source)) {
		if (!step_back(source, table, &all, err))
			return false;
		return all || put_aside(destination, config, table, TABLE_WAITING_AGAIN,
								"a column's type is gone from the source meanwhile", err);
	}
	return !table_definition_moved(table->defined, &table->source) ||
		   write_row(destination, config, table, err);
}

static bool
carry_out_notes(struct connection *destination, const struct config *config, struct catalog *catalog,
				struct schema_notes *notes, struct error *err)
{
	for (unsigned i = 0; i < notes->count; i++) {
		const struct schema_note *note = &notes->notes[i];
		struct table *table = catalog_find_oid(catalog, note->oid);

		if (!table || note->fate == SCHEMA_GONE || !table->defined || !table_follows(table))
			continue;
		if (!put_aside(destination, config, table,
					   note->fate == SCHEMA_HELD ? TABLE_HELD : TABLE_WAITING_AGAIN, note->reason, err))
			return false;
	}
	schema_notes_clear(notes);
	return true;
}

bool
schema_settle(struct connection *source, struct connection *destination, const struct config *config,
			  struct catalog *catalog, struct schema_notes *notes, struct error *err)
{
	if (notes && !carry_out_notes(destination, config, catalog, notes, err))
		return false;
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (table->defined && table_follows(table) && !settle_table(source, destination, config, table, err))
			return false;
	}
	catalog_sort(catalog);
	return true;
}

/* ---- at a start: tables that are held or copied anew */

static void
plan_for(struct schema_change *change, const struct dialect *dialect, const struct config *config,
		 const struct table *table, const char *primary_name)
{
	struct schema_question question = {
		.dialect = dialect,
		.before = table->defined,
		.table = table,
		.primary_name = primary_name,
		.emptied = true,
		.needed_only = config->schema.changes != SCHEMA_CHANGES_FOLLOW,
		.common_only = config->schema.changes == SCHEMA_CHANGES_IGNORE,
	};

	schema_change_plan(change, &question);
}

/* The table once its target is in line with it: under the names of today, and to be copied. */
static struct table
reconciled(const struct table *table, bool renamed)
{
	struct table after = *table;

	after.defined = memory_alloc_zero(1, sizeof *after.defined);
	table_definition_copy(after.defined, &table->source);
	table_definition_keep_defaults(after.defined, table->defined);
	after.target_schema = memory_strdup(renamed ? table->source.schema : table->target_schema);
	after.target_name = memory_strdup(renamed ? table->source.name : table->target_name);
	if (table->state != TABLE_WAITING_AGAIN)
		table_move(&after, TABLE_WAITING_AGAIN);
	after.error = NULL;
	return after;
}

/* What the two do not have in common. */
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
put_reconciliation(struct buffer *sql, const struct config *config, const struct schema_change *change,
				   const struct table *table, const struct table *after)
{
	buffer_printf(sql, "BEGIN;\n");
	if (change->verdict == SCHEMA_ALTER) {
		buffer_printf(sql, "TRUNCATE ");
		mapping_put_target_rows(sql, table);
		buffer_printf(sql, ";\n%s", (const char *) change->sql.data);
	}
	state_tables_put_definition(sql, config->task, after);
	state_tables_put_state(sql, config->task, after);
	buffer_printf(sql, ";\nCOMMIT");
}

static const char needs[] = ": do what it needs: ";

/* A held table's target may have been renamed as the table was. */
static bool
find_renamed_target(struct connection *destination, const struct dialect *dialect, struct table *table,
					struct error *err)
{
	if (table->target.exists || table->override || same_name(table->defined, &table->source))
		return true;
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = memory_strdup(table->source.schema);
	table->target_name = memory_strdup(table->source.name);
	return target_read_table(destination, dialect, table, err);
}

/* Carries it out; `refused` when the destination does not: then the table is as before. */
static bool
reconcile_by(struct connection *destination, const struct config *config, const struct schema_change *change,
			 struct table *table, bool *refused, struct error *err)
{
	struct table after = reconciled(table, change->renamed);
	struct buffer sql;
	struct error ignored;
	bool ok;

	sql_init(&sql);
	put_reconciliation(&sql, config, change, table, &after);
	ok = connection_execute_buffer(destination, &sql, NULL, err);
	release(ok ? table : &after);
	if (ok)
		*table = after;
	*refused = !ok && err->class == ERROR_DATA;
	return ok || (*refused && connection_execute(destination, "ROLLBACK", NULL, 0, NULL, &ignored));
}

static bool
hold(struct connection *destination, const struct config *config, const struct schema_change *change,
	 const char *why, struct table *table, struct error *err)
{
	char reason[ERROR_MESSAGE_MAX], line[ERROR_HINT_MAX];

	schema_change_line(change, line, sizeof line);
	snprintf(reason, sizeof reason,
			 "%.900s%s%s; when the target %s.%s fits, the table is copied anew by itself", why,
			 line[0] ? needs : "", line, table->target_schema, table->target_name);
	if (table->state == TABLE_HELD && table->error && strcmp(table->error, reason) == 0)
		return true;
	return put_aside(destination, config, table, TABLE_HELD, reason, err);
}

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

static bool
reconcile_planned(struct connection *destination, const struct config *config, struct catalog *catalog,
				  const struct schema_change *change, struct table *table, struct error *err)
{
	bool was_held = table->state == TABLE_HELD, refused;

	if (keeps_old_override(config, table))
		return was_held || put_aside(destination, config, table, TABLE_HELD, old_override, err);
	if (config->initial_copy.mode == COPY_MODE_NONE)
		return hold(destination, config, change,
					"its rows have to be copied anew, and initial_copy.mode is none", table, err);
	if (config->initial_copy.existing == COPY_EXISTING_APPEND || shares_target(catalog, table))
		return hold(destination, config, change,
					"its rows have to be copied anew and share the target with others", table, err);
	if (change->verdict == SCHEMA_REFUSE)
		return hold(destination, config, change, change->reason, table, err);
	if (change->verdict != SCHEMA_FITS && config->schema.changes != SCHEMA_CHANGES_FOLLOW)
		return hold(destination, config, change,
					config->schema.changes == SCHEMA_CHANGES_STOP
						? "its definition changed, and schema.changes is stop"
						: "its definition changed so that its rows do not fit any more",
					table, err);
	if (!reconcile_by(destination, config, change, table, &refused, err))
		return false;
	if (refused)
		return hold(destination, config, change, err->message, table, err);
	if (was_held)
		log_info("%s.%s is held no longer: it is copied anew", table->source.schema, table->source.name);
	return true;
}

static bool
reconcile_table(struct connection *destination, const struct dialect *dialect, const struct config *config,
				struct catalog *catalog, struct table *table, struct error *err)
{
	struct schema_change change;
	char *primary_name;
	bool ok;

	if (!schema_primary_name(destination, table, &primary_name, err))
		return false;
	plan_for(&change, dialect, config, table, primary_name);
	ok = reconcile_planned(destination, config, catalog, &change, table, err);
	if (ok && change.verdict == SCHEMA_ALTER)
		ok = target_read_table(destination, dialect, table, err);
	schema_change_fini(&change);
	free(primary_name);
	return ok;
}

bool
schema_reconcile(struct connection *destination, const struct dialect *dialect, const struct config *config,
				 struct catalog *catalog, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined || table_follows(table) || table->state == TABLE_HELD_FOR_RESYNC)
			continue;
		if (table->state == TABLE_HELD && !find_renamed_target(destination, dialect, table, err))
			return false;
		if (!table->target.exists)
			continue;
		if (!reconcile_table(destination, dialect, config, catalog, table, err))
			return false;
	}
	return true;
}

/* ---- held tables */

/* The table as it is today, with what was held. */
static void
take_held(struct table *table, const struct table *held)
{
	table->target_schema = memory_strdup(held->target_schema);
	table->target_name = memory_strdup(held->target_name);
	table->override = held->override;
	table->defined = memory_alloc_zero(1, sizeof *table->defined);
	table_definition_copy(table->defined, held->defined);
}

/* Whether the target fits, or needs something else than was said. */
static bool
judge_held(const struct table *held, const struct table *now, const struct schema_change *change,
		   struct error *err)
{
	char line[ERROR_HINT_MAX], said[ERROR_HINT_MAX + 40];

	schema_change_line(change, line, sizeof line);
	snprintf(said, sizeof said, "%s%s; when", needs, line);
	if (now->target.exists && change->verdict == SCHEMA_FITS)
		return error_set(err, ERROR_RESTART,
						 "the target %s.%s of %s.%s, which was held, fits again: starting over",
						 now->target_schema, now->target_name, held->source.schema, held->source.name);
	if (now->target.exists && held->error && strstr(held->error, needs) && !strstr(held->error, said))
		return error_set(err, ERROR_RESTART,
						 "what the target %s.%s of %s.%s needs has changed: starting over",
						 now->target_schema, now->target_name, held->source.schema, held->source.name);
	return true;
}

static bool
look_at_held_table(struct connection *source, struct connection *destination, const struct dialect *dialect,
				   const struct config *config, const struct table *held, struct error *err)
{
	struct catalog seen;
	char *primary_name = NULL;
	bool ok = source_look(source, &held->source.oid, 1, &seen, err);

	if (!ok)
		return false;
	if (seen.count > 0) {
		struct table *now = &seen.tables[0];
		struct schema_change change;

		take_held(now, held);
		ok = target_read_table(destination, dialect, now, err) &&
			 find_renamed_target(destination, dialect, now, err) &&
			 schema_primary_name(destination, now, &primary_name, err);
		if (ok) {
			plan_for(&change, dialect, config, now, primary_name);
			ok = judge_held(held, now, &change, err);
			schema_change_fini(&change);
		}
	}
	free(primary_name);
	catalog_free(&seen);
	return ok;
}

bool
schema_look_at_held(struct connection *source, struct connection *destination, const struct dialect *dialect,
					const struct config *config, const struct catalog *catalog, struct error *err)
{
	/* Then no table is copied anew by itself. */
	if (config->initial_copy.mode == COPY_MODE_NONE || config->initial_copy.existing == COPY_EXISTING_APPEND)
		return true;
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (table->state == TABLE_HELD && table->defined && !shares_target(catalog, table) &&
			!look_at_held_table(source, destination, dialect, config, table, err))
			return false;
	}
	return true;
}
