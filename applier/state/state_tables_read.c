#include "base/memory.h"
#include "state_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "lsn.h"
#include "state_install.h"
#include "tables/mapping.h"
#include "tables/table_definition.h"

/* Whether what is in the target is to stay there: a table that is held is copied anew, sooner or later. */
static bool
holds_rows(const struct table *table)
{
	switch (table->state) {
	case TABLE_WAITING:
	case TABLE_COPYING:
		return table->begun;
	case TABLE_HELD:
		return false;
	default:
		return true;
	}
}

static bool
has_other_name(const struct result *res, unsigned row, const struct table *table)
{
	return strcmp(result_text(res, row, 0), table->source.schema) != 0 ||
		   strcmp(result_text(res, row, 1), table->source.name) != 0;
}

/* Whether the rows that are there were copied as they would be now. */
static bool
same_selection(const struct result *res, unsigned row, const struct table *table)
{
	char *selection = mapping_describe(table);
	/* The target of a renamed table follows its name in the stream. */
	bool renamed = has_other_name(res, row, table);
	bool same = (renamed || (strcmp(result_text(res, row, 8), table->target_schema) == 0 &&
							 strcmp(result_text(res, row, 9), table->target_name) == 0)) &&
				(result_is_null(res, row, 11) || strcmp(result_text(res, row, 11), selection) == 0);

	free(selection);
	return same;
}

static bool
fail_selected_anew(const struct result *res, unsigned row, const struct table *table, struct error *err)
{
	char *selection = mapping_describe(table);

	error_set(err, ERROR_DATA,
			  "table %s.%s was copied into %s.%s (%s), the configuration says %s.%s (%s) now",
			  table->source.schema, table->source.name, result_text(res, row, 8), result_text(res, row, 9),
			  result_is_null(res, row, 11) ? "all" : result_text(res, row, 11), table->target_schema,
			  table->target_name, selection);
	free(selection);
	return error_hint(err, "Take the change back; or delete its row from sluice.tables at the destination and"
						   " empty its target, then start again: it is copied anew.");
}

/*
 * The definition, with the names that belong to it.  A name that has changed
 * since is the stream's to tell: until then table and target go by the old one.
 */
static bool
take_definition(const struct result *res, unsigned row, struct table *table, struct error *err)
{
	struct source_table *defined = memory_alloc_zero(1, sizeof *defined);

	if (!table_definition_parse(result_text(res, row, 7), defined)) {
		free(defined);
		return error_set(err, ERROR_BUG, "the definition of table %s.%s in sluice.tables cannot be read",
						 table->source.schema, table->source.name);
	}
	defined->oid = table->source.oid;
	defined->partitioned = table->source.partitioned;
	defined->schema = memory_strdup(result_text(res, row, 0));
	defined->name = memory_strdup(result_text(res, row, 1));
	table->defined = defined;
	if (strcmp(defined->schema, table->source.schema) == 0 && strcmp(defined->name, table->source.name) == 0)
		return true;
	table->renamed = true;
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = memory_strdup(result_text(res, row, 8));
	table->target_name = memory_strdup(result_text(res, row, 9));
	return true;
}

/* Tables that were renamed go by the names that the stream still has for them. */
static void
settle_names(struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined || !table_follows(table))
			continue;
		free(table->source.schema);
		free(table->source.name);
		table->source.schema = memory_strdup(table->defined->schema);
		table->source.name = memory_strdup(table->defined->name);
	}
	catalog_sort(catalog);
}

/* Whether the table has a row of its own, under whatever name. */
static bool
has_row(const struct result *res, const struct table *table)
{
	for (unsigned i = 0; i < result_rows(res); i++)
		if (result_int(res, i, 2) == table->source.oid)
			return true;
	return false;
}

static bool
is_to_be_copied(const char *state_name)
{
	enum table_state state;

	return table_state_parse(state_name, &state) && (state == TABLE_WAITING || state == TABLE_COPYING);
}

/* Columns: source schema, name, oid, state, snapshot_lsn, rows_copied, error, definition, target's names, whether its
 * copy was begun in parts, selection. */
static bool
take_table(const struct result *res, unsigned row, const struct catalog *catalog, struct error *err)
{
	const char *schema = result_text(res, row, 0), *name = result_text(res, row, 1);
	struct table *table = catalog_find(catalog, schema, name);

	/* Dropped, and another of our tables has its name now: see forget.h. */
	if (table && result_int(res, row, 2) != table->source.oid && has_row(res, table) &&
		!catalog_find_oid(catalog, (uint32_t) result_int(res, row, 2)))
		return true;
	/* Renamed since, or swapped with another. */
	if ((!table || result_int(res, row, 2) != table->source.oid) && !result_is_null(res, row, 7) &&
		catalog_find_oid(catalog, (uint32_t) result_int(res, row, 2)))
		table = catalog_find_oid(catalog, (uint32_t) result_int(res, row, 2));

	if (!table)
		return true;
	table->listed = true;
	table->begun = result_bool(res, row, 10);
	/* It was not copied as a whole: whatever it is now, it is as good as new. */
	if (result_int(res, row, 2) != table->source.oid &&
		(result_is_null(res, row, 7) || is_to_be_copied(result_text(res, row, 3))))
		return true;
	if (!table_state_parse(result_text(res, row, 3), &table->state) ||
		!lsn_parse(result_text(res, row, 4), &table->snapshot_lsn))
		return error_set(err, ERROR_BUG, "the row of table %s.%s in sluice.tables cannot be read", schema,
						 name);
	if (result_int(res, row, 2) == table->source.oid && holds_rows(table) &&
		!same_selection(res, row, table)) {
		if (!has_other_name(res, row, table))
			return fail_selected_anew(res, row, table, err);
		table->reselected = true;
	}
	table->rows_copied = result_int(res, row, 5);
	free(table->error);
	table->error = result_is_null(res, row, 6) ? NULL : memory_strdup(result_text(res, row, 6));
	if (result_is_null(res, row, 7))
		return true;
	/* Another table of the name: what is in the target is of the one before. */
	table->remade = result_int(res, row, 2) != table->source.oid;
	if (table->remade && table->state != TABLE_HELD)
		table->state = TABLE_WAITING;
	return take_definition(res, row, table, err);
}

bool
state_tables_read(struct connection *destination, const char *task, struct catalog *catalog,
				  struct error *err)
{
	static const char sql[] =
		"SELECT source_schema, source_name, source_oid, state, snapshot_lsn,"
		" rows_copied, error, definition, target_schema, target_name, rebuild IS NOT NULL, selection"
		" FROM sluice.tables WHERE task = $1 ORDER BY 1, 2";
	struct param param = param_text(task);
	struct state_installed installed;
	struct result *res;
	bool taken = true;

	if (!state_install_read(destination, &installed, err))
		return false;
	if (!installed.tables)
		return true;
	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	for (unsigned i = 0; taken && i < result_rows(res); i++)
		taken = take_table(res, i, catalog, err);
	result_free(res);
	if (taken)
		settle_names(catalog);
	catalog->states_read = taken;
	return taken;
}

/* Also one that the catalog lacks for now: UNLOGGED at the source. */
bool
state_tables_none_held(struct connection *destination, const char *task, struct error *err)
{
	static const char sql[] = "SELECT source_schema, source_name, error FROM sluice.tables"
							  " WHERE task = $1 AND state = 'held' ORDER BY 1, 2 LIMIT 1";
	struct param param = param_text(task);
	struct result *res;
	bool none;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	none = result_rows(res) == 0 ||
		   error_set(err, ERROR_DATA, "%s.%s is held: %s", result_text(res, 0, 0), result_text(res, 0, 1),
					 result_is_null(res, 0, 2) ? "its definition changed" : result_text(res, 0, 2));
	result_free(res);
	return none;
}
