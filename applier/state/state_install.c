#include "state_install.h"

#include <string.h>

#include "base/sql.h"
#include "copy/after_copy.h"
#include "selection.h"

#define INSTALL_ATTEMPTS 5

static const char progress_columns[] =
	"task text PRIMARY KEY, slot text NOT NULL, applied_lsn pg_lsn NOT NULL,"
	" slot_lsn pg_lsn NOT NULL, source_system text NOT NULL,"
	" source_timeline bigint NOT NULL, source_database text NOT NULL,"
	" epoch bigint NOT NULL, phase text NOT NULL, last_error text,"
	" applied_commit_time timestamptz, updated_at timestamptz NOT NULL";

static const char tables_columns[] =
	"task text, source_schema text, source_name text, source_oid bigint NOT NULL,"
	" target_schema text NOT NULL, target_name text NOT NULL, state text NOT NULL,"
	" snapshot_lsn pg_lsn NOT NULL, rows_copied bigint NOT NULL, error text, rebuild text, definition text,"
	" selection text, PRIMARY KEY (task, source_schema, source_name)";

bool
state_install_read(struct connection *destination, struct state_installed *installed, struct error *err)
{
	static const char sql[] = "SELECT count(*) > 0, coalesce(bool_or(c.relname = 'progress'), false),"
							  " coalesce(bool_or(c.relname = 'tables'), false),"
							  " coalesce(bool_or(c.relname = 'unfinished'), false),"
							  " coalesce(bool_or(c.relname = 'selection'), false)"
							  " FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid"
							  " AND c.relname IN ('progress', 'tables', 'unfinished', 'selection')"
							  " WHERE n.nspname = 'sluice'";
	struct result *res;

	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	installed->schema = result_bool(res, 0, 0);
	installed->progress = result_bool(res, 0, 1);
	installed->tables = result_bool(res, 0, 2);
	installed->unfinished = result_bool(res, 0, 3);
	installed->selection = result_bool(res, 0, 4);
	result_free(res);
	return true;
}

bool
state_check_rights(struct connection *destination, struct error *err)
{
	static const char sql[] = "SELECT current_user,"
							  " coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE')"
							  " AND (c.oid IS NULL OR has_table_privilege(c.oid, 'SELECT'))), true)"
							  " FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid"
							  " AND c.relkind = 'r' WHERE n.nspname = 'sluice'";
	struct result *res;
	bool allowed;

	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	allowed = result_bool(res, 0, 1);
	if (!allowed) {
		error_set(err, ERROR_DATA,
				  "%s may not read the schema sluice of the destination, which another user made",
				  result_text(res, 0, 0));
		error_hint(err,
				   "GRANT USAGE, CREATE ON SCHEMA sluice TO this user; GRANT SELECT, INSERT, UPDATE, DELETE"
				   " ON ALL TABLES IN SCHEMA sluice TO this user.");
	}
	result_free(res);
	return allowed;
}

/* A task's rows lie on one segment, so that writing them takes part in no two-phase commit of its own. */
static void
put_create_table(struct buffer *sql, const struct dialect *dialect, const char *name, const char *columns,
				 const char *key)
{
	buffer_printf(sql, "CREATE TABLE sluice.%s (%s)", name, columns);
	if (dialect->has_segments)
		buffer_printf(sql, " DISTRIBUTED BY (%s)", key);
	buffer_printf(sql, ";\n");
}

static void
put_missing(struct buffer *sql, const struct dialect *dialect, const struct state_installed *installed)
{
	if (!installed->schema)
		buffer_printf(sql, "CREATE SCHEMA sluice;\n");
	if (!installed->progress)
		put_create_table(sql, dialect, "progress", progress_columns, "task");
	if (!installed->tables)
		put_create_table(sql, dialect, "tables", tables_columns, "task");
	if (!installed->unfinished)
		put_create_table(sql, dialect, "unfinished", after_copy_columns, "target");
	if (!installed->selection)
		put_create_table(sql, dialect, "selection", selection_columns, "task");
}

bool
state_install_put(struct connection *destination, const struct dialect *dialect, struct buffer *sql,
				  struct error *err)
{
	struct state_installed installed;

	if (!state_install_read(destination, &installed, err))
		return false;
	put_missing(sql, dialect, &installed);
	return true;
}

static bool
install_missing(struct connection *destination, const struct dialect *dialect,
				const struct state_installed *installed, struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	put_missing(&sql, dialect, installed);
	return connection_execute_buffer(destination, &sql, NULL, err);
}

/* The daemon of another task may make the same at this moment: schema,
 * table, or a row of the system catalogs exists already. */
static bool
is_race(const struct error *err)
{
	return strcmp(err->sqlstate, "42P06") == 0 || strcmp(err->sqlstate, "42P07") == 0 ||
		   strcmp(err->sqlstate, "23505") == 0 || strcmp(err->sqlstate, "42710") == 0;
}

bool
state_install(struct connection *destination, const struct dialect *dialect, struct error *err)
{
	struct state_installed installed;

	for (int attempt = 1;; attempt++) {
		if (!state_install_read(destination, &installed, err))
			return false;
		if (installed.schema && installed.progress && installed.tables && installed.unfinished &&
			installed.selection)
			return true;
		if (install_missing(destination, dialect, &installed, err))
			return true;
		if (!is_race(err) || attempt == INSTALL_ATTEMPTS)
			return error_context(err, "making the schema sluice for the state of the task");
	}
}
