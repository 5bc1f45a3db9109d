#include "dialect.h"

static bool
allows_unique(const struct table *table, const unsigned *columns, unsigned column_count)
{
	(void) table;
	(void) columns;
	(void) column_count;
	return true;
}

static void
put_table_options(struct buffer *sql, const struct table *table, unsigned fillfactor)
{
	(void) table;
	if (fillfactor)
		buffer_printf(sql, "\nWITH (fillfactor = %u)", fillfactor);
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
	.has_autovacuum = true,
	.has_replication_role = true,
	.has_declarative_partitions = true,
	/* Turned on until the transaction ends, also if the user's setting is off. */
	.without_nested_loops = "SET LOCAL enable_nestloop = off",
	.with_nested_loops = "SET LOCAL enable_nestloop = on",
	.few_rows = 4,
	.catalog =
		{
			.kind = "c.relkind",
			.partitioned = "c.relkind = 'p'",
			.storage = "'h'",
			.generated = "a.attgenerated <> ''",
			.identity = "a.attidentity",
			.key_columns = "i.indnkeyatts",
			.hides_rows = "row_security_active(t)",
			.enforces_foreign_keys = true,
			.partition_keys = DIALECT_PARTITION_KEYS,
		},
	.allows_unique = allows_unique,
	.put_table_options = put_table_options,
	.put_staging_options = put_staging_options,
};
