#include "dialect_greenplum.h"

static void
put_table_options(struct buffer *sql, const struct table *table, unsigned fillfactor)
{
	static const char *const with[] = {
		[TABLE_STORAGE_DEFAULT] = "",
		[TABLE_STORAGE_HEAP] = "\nWITH (appendonly = false)",
		[TABLE_STORAGE_AO_ROW] = "\nWITH (appendonly = true, orientation = row)",
		[TABLE_STORAGE_AO_COLUMN] = "\nWITH (appendonly = true, orientation = column)",
		/* access methods of later servers: the check refuses them, and so does this dialect */
		[TABLE_STORAGE_BEAM] = "\nUSING beam",
		[TABLE_STORAGE_PAX] = "\nUSING pax",
	};

	if (fillfactor)
		buffer_printf(sql, "\nWITH (appendonly = false, fillfactor = %u)\n", fillfactor);
	else
		buffer_printf(sql, "%s\n", with[dialect_greenplum_storage(table)]);
	dialect_greenplum_put_distribution(sql, table);
}

/* The catalogs of PostgreSQL 9.4: no declarative partitions, no generated and identity columns, no INCLUDE columns. */
/* clang-format off */
#define TRAITS \
	.remember_planner = DIALECT_GREENPLUM_REMEMBER_PLANNER, \
	.has_segments = true, \
	.few_rows = 2, \
	.array_rows = 2000, \
	.analyze_staging = true, \
	.without_nested_loops = DIALECT_GREENPLUM_WITHOUT_NESTED_LOOPS, \
	.with_nested_loops = DIALECT_GREENPLUM_WITH_NESTED_LOOPS, \
	.catalog = \
		{ \
			.kind = "CASE c.relstorage WHEN 'x' THEN 'f' ELSE c.relkind END", \
			.partitioned = \
				"EXISTS (SELECT 1 FROM pg_partition q WHERE q.parrelid = c.oid AND NOT q.paristemplate)" \
				" OR EXISTS (SELECT 1 FROM pg_partition_rule q JOIN pg_inherits h ON h.inhparent =" \
				" q.parchildrelid WHERE q.parchildrelid = c.oid)", \
			.storage = "c.relstorage", \
			.distribution = DIALECT_GREENPLUM_DISTRIBUTION, \
			.partition_keys = \
				"SELECT k.parrelid, coalesce(a.attname, '') FROM (SELECT p.parrelid," \
				" unnest(p.paratts::int2[]) AS attnum FROM pg_partition p WHERE NOT p.paristemplate AND" \
				" p.parrelid = ANY ($1::oid[])) k LEFT JOIN pg_attribute a ON a.attrelid = k.parrelid AND" \
				" a.attnum = k.attnum ORDER BY k.parrelid", \
			.generated = "false", \
			.identity = "''", \
			.key_columns = "i.indnatts", \
			.hides_rows = "false", \
		}, \
	.allows_unique = dialect_greenplum_allows_unique, \
	.put_table_options = put_table_options, \
	.put_staging_options = dialect_greenplum_put_staging_options
/* clang-format on */

const struct dialect dialect_greenplum6 = {.name = "greenplum6", TRAITS};

/* AnalyticDB for PostgreSQL 6.0 */
const struct dialect dialect_adbpg6 = {.name = "adbpg6", TRAITS};
