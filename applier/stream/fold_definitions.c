#include "base/memory.h"
#include "fold_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "schema/schema_decision.h"
#include "schema/schema_default.h"
#include "schema/schema_types.h"
#include "schema/schema_watch.h"
#include "servers/source_catalog.h"
#include "servers/source_vanished.h"
#include "state/state_tables.h"

/* The tables whose definitions have to be compared with the source's. */
struct checks {
	struct table **tables;
	unsigned count;
	bool names; /* compare names, too: the stream does not show some renames */
};

/* A message alone does not take a table out of the task: the source has to confirm the drop. */
static bool
note_dropped(struct fold *f, struct table *table, struct error *err)
{
	bool exists, visible;

	if (!fold_await_visibility(f, table, err) ||
		!source_find_table(f->setup.source, table->source.oid, f->xid, &exists, &visible, err))
		return false;
	if (exists) {
		log_table(LOG_WARNING, &table->source,
				  "the plugin says that %s.%s was dropped, but the source still has it: ignored",
				  table->source.schema, table->source.name);
		return true;
	}
	return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_GONE, "it was dropped at the source",
							err);
}

/* The copy may have either definition and the queued changes both, so copy again. */
static void
note_altered(const struct fold *f, struct table *table)
{
	table->altered_lsn = f->commit_lsn;
}

/*
 * Whether the source's definition of a table that is being copied has changed.  The message alone does not say so: changed
 * privileges or statistics cause one, too.  The source shows the result of several transactions together, so each of their
 * messages counts as a change.
 */
static bool
differs_from_copy(const struct table *table, const struct source_table *now)
{
	return !stored_definition_same_name(&table->source, now) ||
		   !stored_definition_same(&table->source, now) ||
		   stored_definition_rewritten(&table->source, now) != REWRITE_NONE;
}

static bool
copy_again(struct fold *f, uint32_t oid, const char *reason, struct error *err)
{
	struct table *table = fold_table(f, oid);

	if (table && fold_sets_aside(f, table))
		note_altered(f, table);
	if (!table || fold_sets_aside(f, table) || !fold_follows(f, table))
		return true;
	return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_COPIED_AGAIN, reason, err);
}

/* The table that a changed definition belongs to; for a partition, the table that its rows are sent as. */
static struct table *
defined_table(const struct fold *f, const struct change_definition *definition,
			  const struct change_relation *relation)
{
	return fold_table(f, relation ? relation->oid : definition->oid);
}

/*
 * Handles one entry of the message; `to_read` becomes the table whose definition is to be read at the source.  Only the
 * newest relation description of a table alters its target; an older one only has the source read.
 */
static bool
take_definition(struct fold *f, const struct change_definition *definition, struct table **to_read,
				struct error *err)
{
	const struct change_relation *relation = definition->kind == DEFINITION_DESCRIBED
												 ? change_relation_of(&f->decoder, definition->relation)
												 : NULL;
	struct table *table = defined_table(f, definition, relation);

	*to_read = NULL;
	if (!table)
		return !relation || fold_skip_unknown_table(f, relation, err);
	if (fold_sets_aside(f, table)) {
		if (relation && !stored_definition_matches(&table->source, relation))
			note_altered(f, table);
		*to_read = table;
		return true;
	}
	if (!fold_follows(f, table))
		return true;
	if (definition->kind == DEFINITION_DROPPED)
		return note_dropped(f, table, err);
	if (relation && descriptions_is_latest(&f->descriptions, relation) &&
		!stored_definition_matches(&table->source, relation) &&
		!fold_follow_definition(f, table, relation, err))
		return false;
	*to_read = table;
	return true;
}

/* Opens the destination's transaction that will also have the changes of the source's transaction. */
static bool
open_transaction(struct fold *f, struct error *err)
{
	if (!fold_drain(f))
		return fold_interrupted(err);
	if (!pipeline_open_transaction(f->setup.pipeline, err))
		return false;
	f->touched = true;
	return true;
}

/* In the batches' transaction, since it may have locked the tables' rows in sluice.tables. */
static bool
write_definitions(struct fold *f, struct table **tables, unsigned count, struct error *err)
{
	struct buffer sql;

	if (!open_transaction(f, err))
		return false;
	sql_init(&sql);
	for (unsigned i = 0; i < count; i++)
		if (fold_follows(f, tables[i]) && !fold_sets_aside(f, tables[i]))
			state_tables_put_definition(&sql, f->setup.config->task, tables[i]);
	return connection_execute_buffer(pipeline_destination(f->setup.pipeline), &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/* Follows a rename for which no relation description is sent, for example that of the schema. */
static bool
check_name(struct fold *f, struct table *table, const struct source_table *now, struct error *err)
{
	if (stored_definition_same_name(&table->source, now) || !stored_definition_same(&table->source, now))
		return true;
	return fold_follow_name(f, table, now->schema, now->name, err);
}

static bool
check_defaults(struct fold *f, struct table *table, const struct source_table *now, bool *moved,
			   struct error *err)
{
	if (!schema_default_differs(f->setup.config, &table->source, now))
		return true;
	*moved = true;
	return open_transaction(f, err) &&
		   schema_default_follow(pipeline_destination(f->setup.pipeline), table, &table->source, now, err);
}

static bool
compare(struct fold *f, const struct checks *checks, const struct catalog *seen, bool *moved,
		struct error *err)
{
	for (unsigned i = 0; i < checks->count; i++) {
		struct table *table = checks->tables[i];
		const struct table *now = catalog_find_oid(seen, table->source.oid);

		table->indexes_changed = true;
		if (fold_sets_aside(f, table) && (!now || differs_from_copy(table, &now->source)))
			note_altered(f, table);
		if (!now || !fold_follows(f, table) || fold_sets_aside(f, table))
			continue;
		if ((checks->names && !check_name(f, table, &now->source, err)) ||
			!schema_watch(table, &now->source, &f->setup.memories->notes, moved, err) ||
			!check_defaults(f, table, &now->source, moved, err))
			return false;
	}
	return true;
}

/* Compares the tables with the source's catalog, which may be ahead of the stream. */
static bool
check_tables(struct fold *f, const struct checks *checks, struct error *err)
{
	uint32_t *oids = memory_alloc_zero(checks->count, sizeof *oids);
	struct catalog seen;
	bool moved = false, ok = checks->count > 0;

	for (unsigned i = 0; i < checks->count; i++)
		oids[i] = checks->tables[i]->source.oid;
	if (!ok) {
		free(oids);
		return true;
	}
	ok = fold_await_visibility(f, checks->tables[0], err) &&
		 source_read_tables(f->setup.source, oids, checks->count, &seen, err);
	free(oids);
	if (!ok)
		return false;
	ok = compare(f, checks, &seen, &moved, err);
	catalog_free(&seen);
	return ok && (!moved || write_definitions(f, checks->tables, checks->count, err));
}

/* ---- types */

/* Labels may be added before they are needed; tables that have to be copied again are noted for the next attempt. */
static bool
follow_types(struct fold *f, struct error *err)
{
	struct schema_types types = {
		.config = f->setup.config,
		.catalog = f->setup.catalog,
		.source = f->setup.source,
		.destination = f->setup.control,
	};
	struct schema_notes *notes = &f->setup.memories->notes;

	if (f->setup.catalog->count == 0)
		return true;
	if (!fold_await_visibility(f, &f->setup.catalog->tables[0], err) ||
		!schema_types_note(&types, notes, err))
		return false;
	if (notes->count > 0)
		return error_set(err, ERROR_RESTART, "%s: starting over", notes->notes[0].reason);
	return schema_types_complete(&types, err);
}

/* ---- the message */

static void
check_all(struct fold *f, struct checks *checks)
{
	checks->names = true;
	for (; checks->count < f->setup.catalog->count; checks->count++)
		checks->tables[checks->count] = &f->setup.catalog->tables[checks->count];
}

static bool
take_note(struct fold *f, const struct change_definition *definition, struct checks *checks,
		  struct error *err)
{
	switch (definition->kind) {
	case DEFINITION_REWRITTEN:
		return copy_again(f, definition->oid, schema_decision_rewrite_reason(REWRITE_VALUES), err);
	case DEFINITION_UNLOGGED:
		return copy_again(f, definition->oid, "it became UNLOGGED at the source, which no stream shows", err);
	case DEFINITION_MISSED:
		return copy_again(
			f, definition->oid,
			"its rows changed while it had a name that is not selected, and are not in the stream", err);
	case DEFINITION_UNKNOWN:
		checks->names = true;
		break;
	case DEFINITION_DESCRIBED:
	case DEFINITION_DROPPED:
		break;
	}
	if (!take_definition(f, definition, &checks->tables[checks->count], err))
		return false;
	checks->count += checks->tables[checks->count] != NULL;
	return true;
}

static bool
take_notes(struct fold *f, const struct change *change, struct checks *checks, struct error *err)
{
	struct change_definition definition;
	size_t at = 0;

	if ((change->flags & DEFINITIONS_TYPES) && !follow_types(f, err))
		return false;
	if (change->flags & DEFINITIONS_MORE)
		check_all(f, checks);
	while (change_next_definition(change, &at, &definition))
		if (!take_note(f, &definition, checks, err))
			return false;
	return check_tables(f, checks, err);
}

bool
fold_definitions(struct fold *f, const struct change *change, struct error *err)
{
	unsigned most = change->definition_count + f->setup.catalog->count;
	struct checks checks = {.tables = memory_alloc_zero(most + 1, sizeof *checks.tables)};
	bool ok = take_notes(f, change, &checks, err);

	free(checks.tables);
	return ok;
}
