#include "dialect_greenplum.h"

static void
put_table_options(struct buffer *sql, const struct table *table, unsigned fillfactor)
{
	static const char *const using[] = {
		[TABLE_STORAGE_DEFAULT] = "",
		[TABLE_STORAGE_HEAP] = "\nUSING heap",
		[TABLE_STORAGE_AO_ROW] = "\nUSING ao_row",
		[TABLE_STORAGE_AO_COLUMN] = "\nUSING ao_column",
		[TABLE_STORAGE_BEAM] = "\nUSING beam",
		[TABLE_STORAGE_PAX] = "\nUSING pax",
	};

	buffer_printf(sql, "%s\n", using[dialect_greenplum_storage(table)]);
	if (fillfactor)
		buffer_printf(sql, "WITH (fillfactor = %u)\n", fillfactor);
	dialect_greenplum_put_distribution(sql, table);
}

/* The catalogs of PostgreSQL 12 and later, with Greenplum's distribution. Beam and PAX are column-oriented and mark
 * rows as deleted: no assumption about heap tables is used for them. */
/* clang-format off */
#define TRAITS \
	.remember_planner = DIALECT_GREENPLUM_REMEMBER_PLANNER, \
	.has_segments = true, \
	.few_rows = 2, \
	.array_rows = 2000, \
	.has_replication_role = true, \
	.has_declarative_partitions = true, \
	.has_access_methods = true, \
	.analyze_staging = true, \
	.without_nested_loops = DIALECT_GREENPLUM_WITHOUT_NESTED_LOOPS, \
	.with_nested_loops = DIALECT_GREENPLUM_WITH_NESTED_LOOPS, \
	.catalog = \
		{ \
			.kind = "c.relkind", \
			.partitioned = "c.relkind = 'p'", \
			.storage = "CASE (SELECT m.amname FROM pg_am m WHERE m.oid = c.relam)" \
					   " WHEN 'ao_row' THEN 'a' WHEN 'ao_column' THEN 'c' WHEN 'beam' THEN 'c' WHEN 'pax' THEN 'c' ELSE 'h' END", \
			.distribution = DIALECT_GREENPLUM_DISTRIBUTION, \
			.partition_keys = DIALECT_PARTITION_KEYS, \
			.generated = "a.attgenerated <> ''", \
			.identity = "a.attidentity", \
			.key_columns = "i.indnkeyatts", \
			.hides_rows = "row_security_active(t)", \
		}, \
	.allows_unique = dialect_greenplum_allows_unique, \
	.put_table_options = put_table_options, \
	.put_staging_options = dialect_greenplum_put_staging_options
/* clang-format on */

const struct dialect dialect_greenplum7 = {.name = "greenplum7", TRAITS};

/* Based on PostgreSQL 14; also SynxDB 4 and HashData of that generation. */
const struct dialect dialect_cloudberry = {.name = "cloudberry", TRAITS};

/* AnalyticDB for PostgreSQL 7.0 */
const struct dialect dialect_adbpg7 = {.name = "adbpg7", TRAITS};
