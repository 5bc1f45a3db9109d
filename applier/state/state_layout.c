#include "state_layout.h"

#include "unfinished.h"

#include <assert.h>
#include <string.h>

#include "base/sql.h"
#include "selection.h"
#include "state_indexes.h"

static const char progress_columns[] =
	"task text PRIMARY KEY, slot text NOT NULL, applied_lsn pg_lsn NOT NULL,"
	" slot_lsn pg_lsn NOT NULL, source_system text NOT NULL,"
	" source_timeline bigint NOT NULL, source_database text NOT NULL,"
	" epoch bigint NOT NULL, phase text NOT NULL, last_error text,"
	" applied_commit_time timestamptz, updated_at timestamptz NOT NULL";

static const char tables_columns[] =
	"task text, source_schema text NOT NULL, source_name text NOT NULL, source_oid bigint,"
	" target_schema text NOT NULL, target_name text NOT NULL, state text NOT NULL,"
	" snapshot_lsn pg_lsn NOT NULL, rows_copied bigint NOT NULL, error text, rebuild text, definition text,"
	" selection text, PRIMARY KEY (task, source_oid)";

const struct state_table state_tables[] = {
	{"progress", progress_columns, "task"},		  {"tables", tables_columns, "task"},
	{"unfinished", unfinished_columns, "target"}, {"selection", selection_columns, "task"},
	{"indexes", state_indexes_columns, "target"},
};

const unsigned state_table_count = sizeof state_tables / sizeof *state_tables;

/* Grouped by table; within a table, columns of the same layout stand together. */
static const struct state_column state_columns[] = {
	/* the last transaction that was applied, as the source knows it */
	{2, "progress", "last_xid", "bigint"},
	{2, "progress", "last_commit_lsn", "pg_lsn"},
	/* until when the daemon's claim to the task holds; see lease.h */
	{2, "progress", "lease_until", "timestamptz"},
	{3, "progress", "phase_since", "timestamptz"},
	/* the daemon that has the task, or had it last */
	{4, "progress", "holder_host", "text"},
	{4, "progress", "holder_pid", "bigint"},
	{4, "progress", "holder_since", "timestamptz"},
	/* pg_class.oid and relfilenode of the target that has the rows */
	{2, "tables", "target_oid", "bigint"},
	{2, "tables", "target_file", "bigint"},
	/* whether updates and deletes may find no row in the present copy */
	{2, "tables", "rows_may_be_absent", "boolean"},
	/* for a held table whose target refused a change: the row's key and the transaction's LSN */
	{2, "tables", "hold_key", "text"},
	{2, "tables", "hold_lsn", "pg_lsn"},
	/* approximate number of rows updated or deleted since the last VACUUM of the target */
	{2, "tables", "dead_rows", "bigint"},
	/* why the target is not vacuumed */
	{4, "tables", "upkeep", "text"},
	/* of the index that the statement makes: its name, its OID and its signature at the source; NULL: it does not follow the source */
	{5, "unfinished", "index_name", "text"},
	{5, "unfinished", "index_oid", "bigint"},
	{5, "unfinished", "signature", "text"},
};

/*
 * Converts a state of layouts 1 and 2, which depended on `rebuild` and `definition`, into today's state.
 */
#define STATE_IN_FULL                                                                                        \
	"CASE WHEN state IN ('waiting', 'copying') AND (rebuild IS NOT NULL OR definition IS NOT NULL)"          \
	" OR state = 'catching_up' AND rebuild IS NOT NULL THEN 'waiting_again'"                                 \
	" WHEN state = 'copying' THEN 'waiting'"                                                                 \
	" WHEN state = 'held' AND rebuild IS NOT NULL THEN 'held_for_resync' ELSE state END"

static const struct state_step state_steps[] = {
	{3, "UPDATE sluice.tables SET state = " STATE_IN_FULL ";"},
	{3, "UPDATE sluice.tables SET rebuild = NULL WHERE rebuild = '';"},
	/*
	 * If a table has two rows, it is unknown which is right: one is deleted and the table copied again.
	 */
	{3, "UPDATE sluice.tables SET state = 'waiting_again' WHERE (task, source_oid) IN"
		" (SELECT task, source_oid FROM sluice.tables GROUP BY task, source_oid HAVING count(*) > 1);"},
	{3, "DELETE FROM sluice.tables WHERE (task, source_oid, source_schema || '.' || source_name) IN"
		" (SELECT task, source_oid, max(source_schema || '.' || source_name) FROM sluice.tables"
		" GROUP BY task, source_oid HAVING count(*) > 1);"},
	{3, "ALTER TABLE sluice.tables DROP CONSTRAINT tables_pkey;"},
	{3, "ALTER TABLE sluice.tables ADD PRIMARY KEY (task, source_oid);"},
};

#define COLUMN_COUNT (sizeof state_columns / sizeof *state_columns)
#define STEP_COUNT (sizeof state_steps / sizeof *state_steps)

static bool
is_of(const struct state_column *column, const char *table)
{
	return strcmp(column->table, table) == 0;
}

/*
 * On Greenplum, all rows of a task lie on one segment, so that writing them adds no segment to a commit.
 */
static void
put_distribution(struct buffer *sql, const struct dialect *dialect, const char *key)
{
	if (dialect->has_segments)
		buffer_printf(sql, " DISTRIBUTED BY (%s)", key);
	buffer_printf(sql, ";\n");
}

void
state_layout_put_create(struct buffer *sql, const struct dialect *dialect, const struct state_table *table)
{
	buffer_printf(sql, "CREATE TABLE sluice.%s (%s", table->name, table->columns);
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		if (is_of(&state_columns[i], table->name))
			buffer_printf(sql, ", %s %s", state_columns[i].name, state_columns[i].type);
	buffer_printf(sql, ")");
	put_distribution(sql, dialect, table->distribution);
}

/* One statement for each table, so that each table is locked only once. */
static void
put_columns(struct buffer *sql, int from, const char *table)
{
	bool first = true;

	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		const struct state_column *column = &state_columns[i];

		if (!is_of(column, table) || column->since <= from)
			continue;
		if (first)
			buffer_printf(sql, "ALTER TABLE sluice.%s", table);
		buffer_printf(sql, "%s ADD COLUMN %s %s", first ? "" : ",", column->name, column->type);
		first = false;
	}
	if (!first)
		buffer_printf(sql, ";\n");
}

void
state_layout_put_upgrade(struct buffer *sql, int from)
{
	for (unsigned i = 0; i < state_table_count; i++)
		put_columns(sql, from, state_tables[i].name);
	for (unsigned i = 0; i < STEP_COUNT; i++)
		if (state_steps[i].since > from)
			buffer_printf(sql, "%s\n", state_steps[i].sql);
}

void
state_layout_put_version(struct buffer *sql, const struct dialect *dialect, bool present)
{
	if (!present) {
		buffer_printf(sql, "CREATE TABLE sluice.layout (version integer PRIMARY KEY)");
		put_distribution(sql, dialect, "version");
	}
	buffer_printf(sql, "DELETE FROM sluice.layout;\nINSERT INTO sluice.layout (version) VALUES (%d);\n",
				  STATE_LAYOUT_PRESENT);
}

bool
state_layout_is_additive(int from)
{
	for (unsigned i = 0; i < STEP_COUNT; i++)
		if (state_steps[i].since > from)
			return false;
	return true;
}

void
state_layout_put_column(struct buffer *sql, int layout, const char *table, const char *name)
{
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		const struct state_column *column = &state_columns[i];

		if (!is_of(column, table) || strcmp(column->name, name) != 0)
			continue;
		if (column->since <= layout)
			buffer_printf(sql, "%s", name);
		else
			buffer_printf(sql, "NULL::%s AS %s", column->type, name);
		return;
	}
	assert(!"a column that no layout has");
}

void
state_layout_put_state(struct buffer *sql, int layout)
{
	buffer_printf(sql, "%s AS state", layout < 3 ? STATE_IN_FULL : "state");
}
