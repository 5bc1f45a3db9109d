#include "dialect.h"

#include "base/sql.h"

/*
 * Row security would hide rows from an UPDATE or DELETE without a word: off
 * makes it an error.  An asynchronous commit could be lost after the source
 * was told that it is durable.  Statements are many and short: compiling one
 * takes longer than it saves.  A merge finds rows by their key in pages that
 * are mostly in memory; at the default cost of a random page the planner
 * would rather read the whole target for some thousand keys.  The text of whole rows is better hashed than
 * sorted; but before PostgreSQL 14 nothing but a sort joins by ctid.
 */
static const char session_settings[] = SQL_VALUE_SETTINGS
	"SET client_min_messages = warning;"
	"SET default_transaction_isolation = 'read committed';"
	"SET row_security = off;"
	"SET jit = off;"
	"SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',"
	" 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout');"
	"SELECT set_config(name, 'on', false) FROM pg_settings WHERE name = 'synchronous_commit' AND setting = "
	"'off';"
	"SELECT set_config(name, '1.1', false) FROM pg_settings WHERE name = 'random_page_cost' AND source <> "
	"'client';"
	"SELECT set_config('enable_mergejoin', 'off', false) WHERE current_setting('server_version_num')::int >= "
	"140000";

static bool
allows_unique(const struct table *table, const unsigned *columns, unsigned column_count)
{
	(void) table;
	(void) columns;
	(void) column_count;
	return true;
}

static void
put_table_options(struct buffer *sql, const struct table *table)
{
	(void) sql;
	(void) table;
}

static void
put_staging_options(struct buffer *sql, const char *const *columns, unsigned column_count)
{
	(void) columns;
	(void) column_count;
	buffer_printf(sql, " ON COMMIT DELETE ROWS");
}

const struct dialect dialect_postgresql = {
	.name = "postgresql",
	.session_settings = session_settings,
	.has_replication_role = true,
	.has_declarative_partitions = true,
	.few_rows = 4,
	.catalog =
		{
			.kind = "c.relkind",
			.partitioned = "c.relkind = 'p'",
			.storage = "'h'",
			.generated = "a.attgenerated <> ''",
			.identity = "a.attidentity",
			.key_columns = "i.indnkeyatts",
			.enforces_foreign_keys = true,
		},
	.allows_unique = allows_unique,
	.put_table_options = put_table_options,
	.put_staging_options = put_staging_options,
};
