#include "state_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "state_install.h"
#include "state_layout.h"
#include "state_text.h"
#include "tables/mapping.h"
#include "tables/stored_definition.h"

/* ---- parsing */

/* One row of sluice.tables. The texts belong to the result, or to the arena with which the rows are parsed. */
struct row {
	uint32_t oid;
	const char *schema, *name;
	const char *target_schema, *target_name;
	enum table_state state;
	uint64_t snapshot_lsn;
	int64_t rows_copied;
	const char *error;		/* NULL: none */
	const char *definition; /* NULL: there is no copy yet */
	const char *selection;	/* NULL: all */
	uint32_t target_oid, target_file;
	const char *rows_may_be_absent; /* NULL: as the configuration says */
	int64_t dead_rows;
	const char *upkeep;	 /* NULL: none */
	struct table *table; /* the table that the row belongs to, or will belong to; NULL: none */
};

static void
put_select(struct buffer *sql, int layout)
{
	static const char *const later[] = {"target_oid", "target_file", "rows_may_be_absent", "dead_rows",
										"upkeep"};

	buffer_printf(sql, "SELECT source_oid, source_schema, source_name, target_schema, target_name, ");
	state_layout_put_state(sql, layout);
	buffer_printf(sql, ", snapshot_lsn, rows_copied, error, definition, selection");
	for (unsigned i = 0; i < sizeof later / sizeof *later; i++) {
		buffer_printf(sql, ", ");
		state_layout_put_column(sql, layout, "tables", later[i]);
	}
	buffer_printf(sql, " FROM sluice.tables WHERE task = $1 ORDER BY source_oid");
}

static const char *
optional(const struct result *res, unsigned row, unsigned column)
{
	return result_is_null(res, row, column) ? NULL : result_text(res, row, column);
}

static bool
parse_row(const struct result *res, unsigned i, struct arena *memory, struct row *row, struct error *err)
{
	*row = (struct row){
		.oid = (uint32_t) result_int(res, i, 0),
		.schema = state_text_read(memory, result_text(res, i, 1)),
		.name = state_text_read(memory, result_text(res, i, 2)),
		.target_schema = state_text_read(memory, result_text(res, i, 3)),
		.target_name = state_text_read(memory, result_text(res, i, 4)),
		.rows_copied = result_int(res, i, 7),
		.error = state_text_read(memory, optional(res, i, 8)),
		.definition = state_text_read(memory, optional(res, i, 9)),
		.selection = state_text_read(memory, optional(res, i, 10)),
		.target_oid = result_is_null(res, i, 11) ? 0 : (uint32_t) result_int(res, i, 11),
		.target_file = result_is_null(res, i, 12) ? 0 : (uint32_t) result_int(res, i, 12),
		.rows_may_be_absent = optional(res, i, 13),
		.dead_rows = result_is_null(res, i, 14) ? 0 : result_int(res, i, 14),
		.upkeep = state_text_read(memory, optional(res, i, 15)),
	};
	if (!table_state_parse(result_text(res, i, 5), &row->state) ||
		!lsn_parse(result_text(res, i, 6), &row->snapshot_lsn))
		return error_set(err, ERROR_BUG, "the row of table %s.%s in sluice.tables cannot be read",
						 row->schema, row->name);
	/* A table that was held before its first copy has no target to alter: it waits for that copy. */
	if (row->state == TABLE_HELD && !row->definition)
		row->state = TABLE_WAITING;
	return true;
}

/* ---- matching */

static bool
has_name(const struct row *row, const struct table *table)
{
	return strcmp(row->schema, table->source.schema) == 0 && strcmp(row->name, table->source.name) == 0;
}

static bool
has_target(const struct row *row, const struct table *table)
{
	return strcmp(row->target_schema, table->target_schema) == 0 &&
		   strcmp(row->target_name, table->target_name) == 0;
}

/* Finds the table with the row's OID, which nearly always still has the row's name. */
static struct table *
find_own(const struct catalog *catalog, const struct row *row)
{
	struct table *table = catalog_find(catalog, row->schema, row->name);

	if (row->state == TABLE_DROPPED)
		return NULL;
	return table && table->source.oid == row->oid ? table : catalog_find_oid(catalog, row->oid);
}

static struct row *
find_row(struct row *rows, unsigned count, const struct table *table)
{
	for (unsigned i = 0; i < count; i++)
		if (rows[i].table == table)
			return &rows[i];
	return NULL;
}

/* Whether no target holds rows of the table: it waits for its first copy. */
static bool
is_untouched(const struct row *row)
{
	return !row || ((row->state == TABLE_WAITING || row->state == TABLE_COPYING) && !row->definition);
}

/*
 * For a row whose table is gone: finds the table that has the same name and target now. Rows in that
 * target are ours.
 */
static struct table *
find_successor(const struct catalog *catalog, const struct row *row)
{
	struct table *table = catalog_find(catalog, row->schema, row->name);
	bool found = table && !table->predecessor && has_target(row, table) && row->state != TABLE_WAITING &&
				 row->state != TABLE_COPYING;

	return found ? table : NULL;
}

/* The successor takes over the row; a row of its own that only waits is dropped. */
static void
hand_over(const struct catalog *catalog, struct row *rows, unsigned count, struct row *row)
{
	struct table *table = find_successor(catalog, row);
	struct row *own = table ? find_row(rows, count, table) : NULL;

	if (!table || !is_untouched(own))
		return;
	if (own)
		own->table = NULL;
	table->row = TABLE_ROW_NONE;
	table->predecessor = row->oid;
	row->table = table;
}

static void
match(const struct catalog *catalog, struct row *rows, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct row *row = &rows[i];

		row->table = find_own(catalog, row);
		/* With earlier layouts a table could have two rows, and it is unknown which is right. */
		if (row->table && row->table->row != TABLE_ROW_NONE)
			row->table = NULL;
		if (row->table)
			row->table->row = has_name(row, row->table) ? TABLE_ROW_SAME : TABLE_ROW_RENAMED;
	}
	for (unsigned i = 0; i < count; i++) {
		if (!rows[i].table)
			hand_over(catalog, rows, count, &rows[i]);
	}
}

/* ---- names that are still in use */

/*
 * Finds the renamed table whose target still has the name; the stream, or the next change of that target,
 * will rename it.
 */
static const struct table *
find_holder(const struct row *rows, unsigned count, const struct table *table)
{
	for (unsigned i = 0; i < count; i++) {
		const struct table *other = rows[i].table;

		if (other && other != table && other->row >= TABLE_ROW_RENAMED && rows[i].definition &&
			has_target(&rows[i], table))
			return other;
	}
	return NULL;
}

static bool
any_renamed(const struct row *rows, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (rows[i].table && rows[i].table->row >= TABLE_ROW_RENAMED)
			return true;
	return false;
}

static void
block(struct catalog *catalog, const struct table *table, const struct table *holder)
{
	free(catalog->blocked);
	catalog->blocked =
		memory_printf("%s.%s waits until the target of %s.%s, which had that name, is renamed, too",
					  table->source.schema, table->source.name, holder->source.schema, holder->source.name);
}

static void
leave_out_blocked(struct catalog *catalog, const struct row *rows, unsigned count)
{
	bool *blocked;
	unsigned kept = 0;

	if (!any_renamed(rows, count))
		return;
	blocked = memory_alloc_zero(catalog->count, sizeof *blocked);
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];
		const struct table *holder = table->state == TABLE_WAITING ? find_holder(rows, count, table) : NULL;

		blocked[i] = holder;
		if (holder)
			block(catalog, table, holder);
	}
	for (unsigned i = 0; i < catalog->count; i++) {
		if (blocked[i])
			table_free(&catalog->tables[i]);
		else
			catalog->tables[kept++] = catalog->tables[i];
	}
	catalog->stray_rows += catalog->count - kept;
	catalog->count = kept;
	free(blocked);
}

/* ---- what the row means for the table */

static bool
same_selection(const struct row *row, const struct table *table)
{
	char *selection = mapping_describe(table);
	bool same = !row->selection || strcmp(row->selection, selection) == 0;

	free(selection);
	return same;
}

static bool
fail_reselected(const struct row *row, const struct table *table, struct error *err)
{
	char *selection = mapping_describe(table);

	error_set(err, ERROR_DATA,
			  "table %s.%s was copied into %s.%s (%s), the configuration says %s.%s (%s) now",
			  table->source.schema, table->source.name, row->target_schema, row->target_name,
			  row->selection ? row->selection : "all", table->target_schema, table->target_name, selection);
	free(selection);
	return error_hint(err, "Take the change back; or delete its row from sluice.tables at the destination and"
						   " empty its target, then start again: it is copied again.");
}

/* Whether the configuration names the table's target, which does not follow the table's name then. */
static bool
has_own_target(const struct table *table)
{
	return table->override && table->override->target;
}

/* Takes the stored definition together with the names that belong to it. */
static bool
take_definition(const struct row *row, struct table *table, struct error *err)
{
	struct source_table *defined = memory_alloc_zero(1, sizeof *defined);

	if (!stored_definition_parse(row->definition, defined)) {
		free(defined);
		return error_set(err, ERROR_BUG, "the definition of table %s.%s in sluice.tables cannot be read",
						 table->source.schema, table->source.name);
	}
	defined->oid = table->source.oid;
	defined->partitioned = table->source.partitioned;
	defined->schema = memory_strdup(row->schema);
	defined->name = memory_strdup(row->name);
	table->defined = defined;
	return true;
}

/*
 * The target of a renamed table keeps its name until the stream reaches the rename, or until the target is
 * altered to fit.
 */
static void
take_old_target(const struct row *row, struct table *table)
{
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = memory_strdup(row->target_schema);
	table->target_name = memory_strdup(row->target_name);
}

static void
take_target(const struct row *row, struct table *table)
{
	table->target_oid = row->target_oid;
	table->target_file = row->target_file;
}

static bool
take_own(const struct row *row, struct table *table, struct error *err)
{
	bool renamed = table->row == TABLE_ROW_RENAMED;

	table->state = row->state;
	table->snapshot_lsn = row->snapshot_lsn;
	table->rows_copied = row->rows_copied;
	/* The table has another target now, which holds none of its rows. */
	if (!has_target(row, table) && ((table_waits(table) && (!renamed || !row->definition)) ||
									(renamed && !table_is_held(table) && has_own_target(table)))) {
		table->state = TABLE_WAITING;
		return true;
	}
	if (table_follows(table) && ((!renamed && !has_target(row, table)) || !same_selection(row, table))) {
		if (!renamed)
			return fail_reselected(row, table, err);
		table->row = TABLE_ROW_RESELECTED;
	}
	table->error = row->error ? memory_strdup(row->error) : NULL;
	table->dead_rows = row->dead_rows;
	table->upkeep = row->upkeep ? memory_strdup(row->upkeep) : NULL;
	take_target(row, table);
	if (!table_waits(table) && row->rows_may_be_absent)
		table->rows_may_be_absent = row->rows_may_be_absent[0] == 't';
	if (!row->definition)
		return true;
	if (renamed)
		take_old_target(row, table);
	return take_definition(row, table, err);
}

/* Columns of the dropped and the new table correspond only by name. */
static bool
take_over(const struct row *row, struct table *table, struct error *err)
{
	table->state = TABLE_WAITING_AGAIN;
	take_target(row, table);
	if (!row->definition)
		return true;
	if (!take_definition(row, table, err))
		return false;
	stored_definition_match_names(table->defined, &table->source);
	return true;
}

/* Renamed tables get the names that the stream still uses for them, unless they are to be copied again in any case. */
static void
settle_names(struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined || !table_follows(table) || table->row == TABLE_ROW_RESELECTED)
			continue;
		free(table->source.schema);
		free(table->source.name);
		table->source.schema = memory_strdup(table->defined->schema);
		table->source.name = memory_strdup(table->defined->name);
	}
	catalog_sort(catalog);
}

static bool
take_rows(const struct result *res, struct catalog *catalog, struct error *err)
{
	unsigned count = result_rows(res);
	struct row *rows = memory_alloc_zero(count, sizeof *rows);
	struct arena memory;
	bool ok = true;

	arena_init(&memory, 4096);
	for (unsigned i = 0; ok && i < count; i++)
		ok = parse_row(res, i, &memory, &rows[i], err);
	if (ok)
		match(catalog, rows, count);
	for (unsigned i = 0; ok && i < count; i++) {
		struct table *table = rows[i].table;

		if (table)
			ok = table->predecessor ? take_over(&rows[i], table, err) : take_own(&rows[i], table, err);
	}
	if (ok) {
		for (unsigned i = 0; i < count; i++)
			catalog->stray_rows += !rows[i].table;
		leave_out_blocked(catalog, rows, count);
		settle_names(catalog);
	}
	arena_fini(&memory);
	free(rows);
	return ok;
}

bool
state_tables_read(struct connection *destination, const char *task, struct catalog *catalog,
				  struct error *err)
{
	struct param param = param_text(task);
	struct state_installed installed;
	struct result *res;
	struct buffer sql;
	bool ok;

	if (!state_install_read(destination, &installed, err))
		return false;
	if (!installed.tables)
		return true;
	sql_init(&sql);
	put_select(&sql, installed.layout);
	ok = connection_execute(destination, sql_text(&sql), &param, 1, &res, err);
	buffer_fini(&sql);
	if (!ok)
		return false;
	ok = take_rows(res, catalog, err);
	result_free(res);
	catalog->states_read = ok;
	return ok;
}

/* Includes held tables that the catalog lacks at present: those that are UNLOGGED at the source. */
bool
state_tables_none_held(struct connection *destination, const char *task, struct error *err)
{
	static const char sql[] =
		"SELECT source_schema, source_name, error, state LIKE 'held%' FROM sluice.tables"
		" WHERE task = $1 AND (state LIKE 'held%' OR state LIKE 'waiting%' AND error IS NOT NULL)"
		" ORDER BY 1, 2 LIMIT 1";
	struct param param = param_text(task);
	struct result *res;
	struct arena memory;
	bool none;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	arena_init(&memory, 1024);
	none = result_rows(res) == 0 ||
		   error_set(err, ERROR_DATA, "%s.%s %s: %s", state_text_read(&memory, result_text(res, 0, 0)),
					 state_text_read(&memory, result_text(res, 0, 1)),
					 result_bool(res, 0, 3) ? "is held" : "waits",
					 result_is_null(res, 0, 2) ? "its definition changed"
											   : state_text_read(&memory, result_text(res, 0, 2)));
	arena_fini(&memory);
	result_free(res);
	return none;
}
