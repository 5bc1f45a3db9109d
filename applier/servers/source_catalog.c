#include "source_catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "describe.h"
#include "partition_tree.h"
#include "source_selection.h"
#include "tables/stored_definition.h"
#include "vetting.h"

#define REASONS_BYTES ((size_t) 1 << 12)

/* ---- all selected tables */

/*
 * The size of a partitioned table is that of its leaves. Like the planner, the row count scales the
 * density of the last ANALYZE to the present size. Functions that read sizes lock the table, and would
 * wait for hours behind VACUUM FULL; so a table with an AccessExclusiveLock gets the numbers of pg_class
 * instead.
 */
static const char sizes_sql[] =
	"WITH locked AS MATERIALIZED (SELECT relation FROM pg_locks WHERE locktype = 'relation'"
	"  AND mode = 'AccessExclusiveLock'"
	"  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
	" SELECT c.oid, sum(CASE WHEN m.oid IN (SELECT relation FROM locked)"
	"  THEN m.relpages * current_setting('block_size')::bigint ELSE pg_table_size(m.oid) END),"
	" sum(CASE WHEN m.oid IN (SELECT relation FROM locked) THEN greatest(m.reltuples, 0)"
	"  WHEN m.reltuples > 0 AND m.relpages > 0 THEN m.reltuples / m.relpages *"
	"  (pg_relation_size(m.oid) / current_setting('block_size')::int) ELSE 0 END)::bigint,"
	" string_agg(DISTINCT m.relreplident::text, '')"
	" FROM pg_class c CROSS JOIN LATERAL (SELECT c.oid WHERE c.relkind = 'r' UNION ALL"
	"  SELECT p.relid FROM " PARTITION_TREE_SQL(
		"c.oid") " p WHERE c.relkind = 'p' AND p.isleaf) leaf (oid)"
				 " JOIN pg_class m ON m.oid = leaf.oid"
				 " WHERE c.oid = ANY ($1::oid[]) GROUP BY c.oid ORDER BY c.oid";

/* The replica identity that all leaves have at least; "df": default is contained in full. */
static char
common_identity(const char *identities)
{
	if (identities[1] == '\0')
		return identities[0];
	return strcmp(identities, "df") == 0 ? 'd' : 'n';
}

static void
read_size(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct source_table *source = &table->source;

	(void) end;
	source->bytes = result_int(res, first, 1);
	source->estimated_rows = result_int(res, first, 2);
	if (source->partitioned && !result_is_null(res, first, 3))
		source->identity = common_identity(result_text(res, first, 3));
}

/*
 * A default refers to no column, so the relation is 0: newer servers would lock the table for nothing if
 * its OID were passed.
 */
#define DEFAULT_SQL VETTING_SQL("pg_get_expr(d.adbin, 0)")
#define DEFAULT_TREE VETTING_TREE("d.adbin")

/*
 * `portable` are built-in types that have a binary form and mean the same in every database. Excluded are
 * types that hold a catalog's OID (reg…) and internal ones that have no input. NOT NULL counts only if it
 * is validated (PostgreSQL 18 has NOT VALID ones). Virtual generated columns have no stored value and are
 * left out.
 */
static const char columns_sql[] = DESCRIBE_DOMAIN_BASES
	","
	" portable AS (SELECT oid FROM pg_type WHERE oid < 16384 AND typnamespace = 'pg_catalog'::regnamespace"
	"  AND typtype IN ('b', 'r', 'm') AND typsend <> 0 AND typreceive <> 0"
	"  AND typname !~ '^_?(reg|pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_)')"
	" SELECT a.attrelid, a.attnum, a.attname, a.atttypid, b.oid,"
	"  CASE WHEN b.typlen = -1 THEN b.typelem ELSE 0 END, t.typtype, b.typtype, tn.nspname, t.typname,"
	"  format_type(a.atttypid, a.atttypmod), bn.nspname, b.typname,"
	"  format_type(b.oid, coalesce(s.typmod, a.atttypmod)),"
	"  b.oid IN (SELECT oid FROM portable) AND (b.typlen <> -1 OR b.typelem = 0"
	"   OR b.typelem IN (SELECT oid FROM portable)),"
	"  a.atttypmod, a.attnotnull AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = a.attrelid"
	"   AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated),"
	"  a.attgenerated = 's', a.attidentity, a.xmin, " DEFAULT_SQL ","
	"  (SELECT x.extname FROM pg_depend m JOIN pg_extension x ON x.oid = m.refobjid WHERE m.deptype = 'e'"
	"   AND m.classid = 'pg_type'::regclass"
	"   AND m.objid = CASE WHEN b.typlen = -1 AND b.typelem <> 0 THEN b.typelem ELSE b.oid "
	"END), " DEFAULT_TREE " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
	" JOIN pg_namespace tn ON tn.oid = t.typnamespace LEFT JOIN bases s ON s.domain = t.oid"
	" LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated = ''"
	" JOIN pg_type b ON b.oid = coalesce(s.oid, t.oid) JOIN pg_namespace bn ON bn.oid = b.typnamespace"
	" WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'"
	" ORDER BY a.attrelid, a.attnum";

static void
read_column(struct source_column *column, const struct result *res, unsigned row)
{
	*column = (struct source_column){
		.attnum = (int) result_int(res, row, 1),
		.name = memory_strdup(result_text(res, row, 2)),
		.type = (uint32_t) result_int(res, row, 3),
		.base_type = (uint32_t) result_int(res, row, 4),
		.element = (uint32_t) result_int(res, row, 5),
		.typtype = result_text(res, row, 6)[0],
		.base_typtype = result_text(res, row, 7)[0],
		.type_schema = memory_strdup(result_text(res, row, 8)),
		.type_name = memory_strdup(result_text(res, row, 9)),
		.formatted = memory_strdup(result_text(res, row, 10)),
		.base_schema = memory_strdup(result_text(res, row, 11)),
		.base_name = memory_strdup(result_text(res, row, 12)),
		.base_formatted = memory_strdup(result_text(res, row, 13)),
		.builtin = result_bool(res, row, 14),
		.typmod = (int) result_int(res, row, 15),
		.not_null = result_bool(res, row, 16),
		.generated = result_bool(res, row, 17),
		.identity = result_text(res, row, 18)[0],
		.version = (uint32_t) result_int(res, row, 19),
		.default_sql = result_is_null(res, row, 20) ? NULL : memory_strdup(result_text(res, row, 20)),
		.extension = result_is_null(res, row, 21) ? NULL : memory_strdup(result_text(res, row, 21)),
		.default_tree = result_is_null(res, row, 20) ? NULL : memory_strdup(result_text(res, row, 22)),
	};
}

/*
 * Replaces pg_attribute in columns_sql by columns that exist in no catalog (any more): $2 and $3 are their
 * types and modifiers. A type that no longer exists yields no row.
 */
static const char types_head[] =
	"WITH RECURSIVE pg_attribute AS (SELECT 0::oid AS attrelid, i::smallint AS attnum, ''::name AS attname,"
	" atttypid, atttypmod, false AS attnotnull, false AS attisdropped, ''::\"char\" AS attgenerated,"
	" ''::\"char\" AS attidentity, 0 AS xmin, 0::oid AS attcollation, false AS atthasdef"
	" FROM unnest($2::oid[], $3::int[]) WITH ORDINALITY u (atttypid, atttypmod, i)), ";

static bool
ask_types(struct connection *source, const struct source_column *columns, unsigned count, struct result **res,
		  struct error *err)
{
	struct buffer sql, types, typmods;
	struct param params[3] = {param_text("{0}")};
	char number[16];
	bool ok;

	memory_buffer_init(&sql);
	memory_buffer_init(&types);
	memory_buffer_init(&typmods);
	for (unsigned i = 0; i < count; i++) {
		snprintf(number, sizeof number, "%u", columns[i].type);
		sql_array_element(&types, number);
		snprintf(number, sizeof number, "%d", columns[i].typmod);
		sql_array_element(&typmods, number);
	}
	sql_array_end(&types);
	sql_array_end(&typmods);
	params[1] = param_text((const char *) types.data);
	params[2] = param_text((const char *) typmods.data);
	buffer_printf(&sql, "%s%s", types_head, columns_sql + strlen("WITH RECURSIVE "));
	buffer_put_u8(&sql, '\0');
	ok = connection_execute(source, (const char *) sql.data, params, 3, res, err);
	buffer_fini(&sql);
	buffer_fini(&types);
	buffer_fini(&typmods);
	return ok;
}

bool
source_read_types(struct connection *source, struct source_column *columns, unsigned count, bool *all,
				  struct error *err)
{
	struct result *res;

	*all = true;
	if (count == 0)
		return true;
	if (!ask_types(source, columns, count, &res, err))
		return error_context(err, "asking the source for types");
	*all = result_rows(res) == count;
	for (unsigned i = 0; *all && i < count; i++) {
		struct source_column found;

		read_column(&found, res, i);
		stored_definition_copy_type(&columns[i], &found);
		source_column_free(&found);
	}
	result_free(res);
	return true;
}

static void
read_columns(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct source_table *source = &table->source;

	source->columns = memory_alloc_zero(end - first, sizeof(*source->columns));
	source->column_count = end - first;
	for (unsigned row = first; row < end; row++)
		read_column(&source->columns[row - first], res, row);
}

/*
 * Unique indexes that can identify a row. Of those over NOT NULL columns only, the first of each table is
 * the best. Deferrable ones are excluded: they may hold duplicates within a transaction, and updates do
 * not carry their columns as the old key. Keys WITHOUT OVERLAPS (PostgreSQL 18) are included: periods that do
 * not overlap, and are not empty, are not equal either.
 */
static const char indexes_sql[] =
	"SELECT i.indrelid, i.indisprimary, i.indisreplident, i.indnkeyatts, i.indkey::text FROM pg_index i"
	" WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indimmediate AND i.indisvalid"
	" AND i.indpred IS NULL AND i.indexprs IS NULL"
	" ORDER BY i.indrelid, i.indnkeyatts, i.indexrelid";

struct index_key {
	struct source_column *columns[TABLE_MAX_KEY];
	unsigned count;
	bool not_null; /* all columns are NOT NULL */
};

static struct source_column *
column_by_attnum(const struct source_table *table, long attnum)
{
	for (unsigned i = 0; i < table->column_count; i++)
		if (table->columns[i].attnum == attnum)
			return &table->columns[i];
	return NULL;
}

/* False if a column is unknown: it was added between two queries. */
static bool
read_index_key(const struct source_table *table, const char *attnums, long count, struct index_key *key)
{
	char *end;

	*key = (struct index_key){.not_null = true};
	for (long i = 0; i < count && i < TABLE_MAX_KEY; i++, attnums = end) {
		struct source_column *column = column_by_attnum(table, strtol(attnums, &end, 10));

		if (!column)
			return false;
		key->columns[key->count++] = column;
		key->not_null = key->not_null && column->not_null;
	}
	return key->count > 0;
}

static void
read_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	bool has_unique = false;

	for (unsigned row = first; row < end; row++) {
		struct index_key key;

		if (!read_index_key(&table->source, result_text(res, row, 4), (long) result_int(res, row, 3), &key))
			continue;
		for (unsigned i = 0; i < key.count; i++) {
			if (result_bool(res, row, 1))
				key.columns[i]->primary_position = (int) i + 1;
			if (result_bool(res, row, 2))
				key.columns[i]->identity_position = (int) i + 1;
			if (key.not_null && !has_unique)
				key.columns[i]->unique_position = (int) i + 1;
		}
		has_unique = has_unique || key.not_null;
	}
}

/* Assigns the reasons to the columns, in the order in which vet_defaults() added them. */
static void
take_verdicts(struct catalog *catalog, const char *const *refused)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		for (unsigned j = 0; j < catalog->tables[i].source.column_count; j++) {
			struct source_column *column = &catalog->tables[i].source.columns[j];

			if (!column->default_tree)
				continue;
			column->default_refused = *refused ? memory_strdup(*refused) : NULL;
			refused++;
			free(column->default_tree);
			column->default_tree = NULL;
		}
	}
}

static bool
vet_defaults(struct connection *source, struct catalog *catalog, struct error *err)
{
	struct vetting vetting;
	struct arena memory;
	const char **refused;
	unsigned columns = 0;
	bool ok;

	for (unsigned i = 0; i < catalog->count; i++)
		columns += catalog->tables[i].source.column_count;
	refused = memory_alloc_zero(columns, sizeof *refused);
	arena_init(&memory, REASONS_BYTES);
	vetting_init(&vetting, &memory);
	for (unsigned i = 0; i < catalog->count; i++)
		for (unsigned j = 0; j < catalog->tables[i].source.column_count; j++)
			if (catalog->tables[i].source.columns[j].default_tree)
				vetting_add(&vetting, catalog->tables[i].source.columns[j].default_tree,
							&refused[vetting.count]);
	ok = vetting_run(&vetting, source, err);
	if (ok)
		take_verdicts(catalog, refused);
	vetting_fini(&vetting);
	arena_fini(&memory);
	free(refused);
	return ok;
}

/*
 * The format is described in stored_definition.h. If all column rows of a leaf were written by one command, it was created as
 * a partition and has had its columns from the start. The log does not contain commands' numbers (cmin): after a crash, or on a
 * promoted standby, all are 0. What remains then is the rows' places. CREATE TABLE writes the columns, and after them the six
 * system columns, the last of which is -6 (AddNewAttributeTuples, src/backend/catalog/heap.c); ATTACH PARTITION
 * writes each column again, while the place of its former row is still taken.
 */
#define LEAF_MARK_SQL                                                                                        \
	"(SELECT CASE WHEN min(a.xmin::text) <> max(a.xmin::text) OR min(a.cmin::text) <> max(a.cmin::text) "    \
	"THEN '!'"                                                                                               \
	"  WHEN min(a.place[0]) = max(a.place[0]) AND max(a.place[1]) - min(a.place[1]) = count(*) + 4"          \
	"   AND max(a.place[1]) = max(a.place[1]) FILTER (WHERE a.attnum = -6) THEN '' ELSE '?' END"             \
	"  FROM (SELECT xmin, cmin, ctid::text::point AS place, attnum FROM pg_attribute"                        \
	"   WHERE attrelid = m.oid AND (attnum > 0 OR attnum = -6)) a)"

/* Changes with each start, and with each recovery after a crash, which may leave the server's start as it was. */
#define SERVER_START_SQL                                                                                     \
	"(extract(epoch FROM pg_postmaster_start_time()) * 1000)::bigint || '-' ||"                              \
	" coalesce((extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()) * 1000)::bigint, 0)"

static const char storage_sql[] =
	"SELECT c.oid, CASE c.relkind WHEN 'r' THEN c.relfilenode::text ELSE 'start:' || " SERVER_START_SQL
	" || coalesce("
	" (SELECT string_agg(',' || m.oid || ':' || m.relfilenode || " LEAF_MARK_SQL ", '' ORDER BY m.oid)"
	"  FROM " PARTITION_TREE_SQL("c.oid") " p JOIN pg_class m ON m.oid = p.relid WHERE p.isleaf), '') END"
										  " FROM pg_class c WHERE c.oid = ANY ($1::oid[]) ORDER BY c.oid";

static void
read_storage(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	(void) end;
	table->source.storage = memory_strdup(result_text(res, first, 1));
}

static bool
describe_tables(struct connection *source, struct catalog *catalog, struct error *err)
{
	struct describe describe;
	bool ok;

	describe_init(&describe, catalog->count);
	for (unsigned i = 0; i < catalog->count; i++)
		describe_add(&describe, catalog->tables[i].source.oid, &catalog->tables[i]);
	describe_sort(&describe);
	ok = describe_run(&describe, source, sizes_sql, read_size, err) &&
		 describe_run(&describe, source, columns_sql, read_columns, err) &&
		 describe_run(&describe, source, indexes_sql, read_indexes, err) &&
		 describe_run(&describe, source, storage_sql, read_storage, err) &&
		 vet_defaults(source, catalog, err);
	describe_fini(&describe);
	return ok;
}

/* ---- single tables */

/* For a partitioned table, the replica identity of its leaves is in effect. */
static const char leaf_identities_sql[] =
	"SELECT c.oid, string_agg(DISTINCT m.relreplident::text, '') FROM pg_class c"
	" CROSS JOIN LATERAL " PARTITION_TREE_SQL("c.oid") " p JOIN pg_class m ON m.oid = p.relid"
													   " WHERE c.relkind = 'p' AND p.isleaf AND c.oid = ANY "
													   "($1::oid[]) GROUP BY c.oid ORDER BY c.oid";

static void
read_leaf_identities(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	(void) end;
	table->source.identity = common_identity(result_text(res, first, 1));
}

static bool
check_names(struct connection *source, const char *oids, struct catalog *seen, struct error *err)
{
	static const char sql[] = "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident FROM pg_class c"
							  " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])"
							  " AND c.relkind IN ('r', 'p') AND c.relpersistence = 'p' ORDER BY c.oid";
	struct param param = param_text(oids);
	struct result *res;

	if (!connection_execute(source, sql, &param, 1, &res, err))
		return false;
	seen->tables = memory_alloc_zero(result_rows(res), sizeof *seen->tables);
	for (; seen->count < result_rows(res); seen->count++)
		seen->tables[seen->count].source = (struct source_table){
			.oid = (uint32_t) result_int(res, seen->count, 0),
			.schema = memory_strdup(result_text(res, seen->count, 1)),
			.name = memory_strdup(result_text(res, seen->count, 2)),
			.partitioned = result_text(res, seen->count, 3)[0] == 'p',
			.identity = result_text(res, seen->count, 4)[0],
		};
	result_free(res);
	return true;
}

bool
source_read_tables(struct connection *source, const uint32_t *oids, unsigned count, struct catalog *seen,
				   struct error *err)
{
	struct describe describe;
	bool ok;

	*seen = (struct catalog){0};
	describe_init(&describe, count);
	for (unsigned i = 0; i < count; i++)
		describe_add(&describe, oids[i], NULL);
	describe_sort(&describe);
	ok = check_names(source, (const char *) describe.oids.data, seen, err);
	describe.count = 0;
	for (unsigned i = 0; i < seen->count; i++)
		describe.tables[describe.count++] =
			(struct describe_table){.oid = seen->tables[i].source.oid, .table = &seen->tables[i]};
	ok = ok && describe_run(&describe, source, columns_sql, read_columns, err) &&
		 describe_run(&describe, source, indexes_sql, read_indexes, err) &&
		 describe_run(&describe, source, leaf_identities_sql, read_leaf_identities, err) &&
		 describe_run(&describe, source, storage_sql, read_storage, err) && vet_defaults(source, seen, err);
	describe_fini(&describe);
	if (!ok) {
		catalog_free(seen);
		return error_context(err, "reading tables of the source");
	}
	return true;
}

bool
source_read_missing(struct connection *source, uint32_t oid, int attnum, bool *there, char **value,
					struct error *err)
{
	/* A partitioned table has no rows of its own, so the value is read from its leaves. */
	static const char sql[] =
		"SELECT EXISTS (SELECT 1 FROM pg_attribute r WHERE r.attrelid = $1::oid AND r.attnum = $2::int"
		"  AND NOT r.attisdropped),"
		" count(*) > 0 AND count(*) = count(v.value) AND min(v.value) = max(v.value), min(v.value)"
		" FROM (SELECT CASE WHEN a.atthasmissing THEN"
		"  (SELECT u FROM unnest(a.attmissingval::text::text[]) u) END AS value"
		"  FROM pg_attribute r JOIN " PARTITION_TREE_SQL(
			"$1") " l ON l.isleaf"
				  "  JOIN pg_attribute a ON a.attrelid = l.relid AND a.attname = r.attname AND a.attnum > 0"
				  "  WHERE r.attrelid = $1::oid AND r.attnum = $2::int AND NOT r.attisdropped) v";
	char oid_text[16], attnum_text[16];
	const struct param params[] = {param_text(oid_text), param_text(attnum_text)};
	struct result *res;

	snprintf(oid_text, sizeof oid_text, "%u", oid);
	snprintf(attnum_text, sizeof attnum_text, "%d", attnum);
	if (!connection_execute(source, sql, params, 2, &res, err))
		return error_context(err, "asking the source for the value of a new column");
	*there = result_bool(res, 0, 0);
	*value = result_bool(res, 0, 1) ? memory_strdup(result_text(res, 0, 2)) : NULL;
	result_free(res);
	return true;
}

bool
source_read_catalog(struct connection *source, const struct config *config, struct catalog *catalog,
					struct error *err)
{
	bool ok;

	*catalog = (struct catalog){0};
	ok = source_select_tables(source, config, catalog, err);
	catalog_sort(catalog);
	ok = ok && source_apply_config(catalog, config, err) && describe_tables(source, catalog, err);
	if (!ok) {
		catalog_free(catalog);
		return error_context(err, "reading the tables of the source");
	}
	return true;
}
