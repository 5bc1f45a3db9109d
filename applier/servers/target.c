#include "target.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/sql.h"
#include "describe.h"
#include "tables/mapping.h"
#include "target_index.h"
#include "target_types.h"
#include "text_arrays.h"

/* ---- which targets there are */

static enum target_storage
storage_of(char letter)
{
	return letter == 'a' ? TARGET_AO_ROW : letter == 'c' ? TARGET_AO_COLUMN : TARGET_HEAP;
}

/* Enabled triggers of users, and foreign keys from and to the table. */
static void
put_triggers(struct buffer *sql, const struct dialect *dialect)
{
	buffer_printf(sql, "EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal"
					   " AND g.tgenabled <> 'D')");
	if (dialect->catalog.enforces_foreign_keys)
		buffer_printf(sql, " OR c.oid IN (SELECT f.conrelid FROM pg_constraint f WHERE f.contype = 'f'"
						   " UNION ALL SELECT f.confrelid FROM pg_constraint f WHERE f.contype = 'f')");
}

/* Row (1), before (2) and insert (4): TRIGGER_TYPE_… of catalog/pg_trigger.h. */
static const char routes_rows[] = "EXISTS (SELECT 1 FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT"
								  " g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 7 = 7)";

/* Names of the rules that would fire in this session. */
static const char rules[] =
	"(SELECT string_agg(quote_ident(w.rulename), ', ' ORDER BY w.rulename) FROM pg_rewrite w"
	" WHERE w.ev_class = c.oid AND w.ev_type IN ('2', '3', '4') AND (w.ev_enabled = 'A' OR w.ev_enabled ="
	" CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END))";

/* The owner, if the session lacks the owner's rights: VACUUM and ANALYZE then skip the table. */
static const char others[] =
	"CASE WHEN NOT (pg_has_role(c.relowner, 'USAGE') OR (SELECT pg_has_role(d.datdba, 'USAGE')"
	" FROM pg_database d WHERE d.datname = current_database())) THEN pg_get_userbyid(c.relowner) END";

static void
put_tables_query(struct buffer *sql, const struct dialect *dialect)
{
	const struct dialect_catalog *catalog = &dialect->catalog;

	buffer_printf(sql, "SELECT w.i - 1, c.oid, %s, %s, %s, ", catalog->kind, catalog->partitioned,
				  catalog->storage);
	put_triggers(sql, dialect);
	buffer_printf(sql,
				  ", EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhparent = c.oid) AND NOT (%s), %s, %s, "
				  "c.relfilenode, %s",
				  catalog->partitioned, routes_rows, rules, others);
	buffer_printf(sql, " FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w (s, n, i)"
					   " JOIN pg_namespace s ON s.nspname = w.s::name"
					   " JOIN pg_class c ON c.relnamespace = s.oid AND c.relname = w.n::name");
}

static void
read_tables(struct catalog *catalog, struct describe *describe, const struct result *res)
{
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct table *table = &catalog->tables[result_int(res, row, 0)];

		table->target = (struct target_table){
			.exists = true,
			.oid = (uint32_t) result_int(res, row, 1),
			.file = (uint32_t) result_int(res, row, 9),
			.kind = result_text(res, row, 2)[0],
			.partitioned = result_bool(res, row, 3),
			.storage = storage_of(result_text(res, row, 4)[0]),
			.has_triggers = result_bool(res, row, 5),
			.has_children = result_bool(res, row, 6),
			.routes_rows = result_bool(res, row, 7),
			.rules = result_is_null(res, row, 8) ? NULL : memory_strdup(result_text(res, row, 8)),
			.owner = result_is_null(res, row, 10) ? NULL : memory_strdup(result_text(res, row, 10)),
		};
		describe_add(describe, table->target.oid, table);
	}
	describe_sort(describe);
}

static bool
find_tables(struct connection *destination, const struct dialect *dialect, struct catalog *catalog,
			struct describe *describe, struct error *err)
{
	struct text_arrays names;
	struct buffer sql;
	struct result *res;
	bool ok;

	text_arrays_init(&names, 2);
	memory_buffer_init(&sql);
	for (unsigned i = 0; i < catalog->count; i++) {
		target_table_free(&catalog->tables[i].target);
		text_arrays_add(
			&names, (const char *const[]){catalog->tables[i].target_schema, catalog->tables[i].target_name});
	}
	put_tables_query(&sql, dialect);
	ok = text_arrays_execute(&names, destination, sql_text(&sql), &res, err);
	if (ok) {
		read_tables(catalog, describe, res);
		result_free(res);
	}
	buffer_fini(&sql);
	text_arrays_fini(&names);
	return ok;
}

/* ---- columns of the targets */

/*
 * The equality operator of a type's default operator class for btree, or else for hash (access methods 403
 * and 405, where equality is strategy 3 and 1). Only operators outside of pg_catalog are returned: an
 * extension's may lie in a schema that is not in the session's search_path.
 */
#define EQUALITY                                                                                             \
	"(SELECT 'OPERATOR(' || quote_ident(en.nspname) || '.' || e.oprname || ')' FROM pg_opclass k"            \
	" JOIN pg_amop p ON p.amopfamily = k.opcfamily AND p.amoplefttype = b.oid AND p.amoprighttype = b.oid"   \
	"  AND p.amopstrategy = CASE k.opcmethod WHEN 403 THEN 3 ELSE 1 END"                                     \
	" JOIN pg_operator e ON e.oid = p.amopopr JOIN pg_namespace en ON en.oid = e.oprnamespace"               \
	" WHERE k.opcmethod IN (403, 405) AND k.opcdefault AND k.opcintype = b.oid"                              \
	"  AND en.nspname <> 'pg_catalog' ORDER BY k.opcmethod LIMIT 1)"

static void
put_columns_query(struct buffer *sql, const struct dialect *dialect)
{
	const struct dialect_catalog *catalog = &dialect->catalog;

	buffer_printf(sql,
				  DESCRIBE_DOMAIN_BASES
				  " SELECT a.attrelid, a.attnum, a.attname, a.atttypid, tn.nspname, t.typname,"
				  " format_type(a.atttypid, a.atttypmod), bn.nspname, b.typname, b.typtype,"
				  " a.attnotnull OR t.typnotnull,"
				  " a.atthasdef OR t.typdefault IS NOT NULL OR %s <> '', %s, %s = 'a', " EQUALITY
				  " FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
				  " JOIN pg_namespace tn ON tn.oid = t.typnamespace"
				  " LEFT JOIN bases s ON s.domain = t.oid"
				  " JOIN pg_type b ON b.oid = coalesce(s.oid, t.oid)"
				  " JOIN pg_namespace bn ON bn.oid = b.typnamespace"
				  " WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped"
				  " ORDER BY a.attrelid, a.attnum",
				  catalog->identity, catalog->generated, catalog->identity);
}

static void
read_column(struct target_column *column, const struct result *res, unsigned row)
{
	*column = (struct target_column){
		.attnum = (int) result_int(res, row, 1),
		.name = memory_strdup(result_text(res, row, 2)),
		.type = (uint32_t) result_int(res, row, 3),
		.type_schema = memory_strdup(result_text(res, row, 4)),
		.type_name = memory_strdup(result_text(res, row, 5)),
		.formatted = memory_strdup(result_text(res, row, 6)),
		.base_schema = memory_strdup(result_text(res, row, 7)),
		.base_name = memory_strdup(result_text(res, row, 8)),
		.base_typtype = result_text(res, row, 9)[0],
		.not_null = result_bool(res, row, 10),
		.has_default = result_bool(res, row, 11),
		.generated = result_bool(res, row, 12),
		.identity_always = result_bool(res, row, 13),
		.equality = result_is_null(res, row, 14) ? NULL : memory_strdup(result_text(res, row, 14)),
	};
}

static void
read_columns(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct target_table *target = &table->target;

	target->columns = memory_alloc_zero(end - first, sizeof(*target->columns));
	target->column_count = end - first;
	for (unsigned row = first; row < end; row++)
		read_column(&target->columns[row - first], res, row);
}

/* ---- all of it */

/* Runs a query whose text depends on the dialect. */
static bool
describe_with(const struct describe *describe, struct connection *destination, const struct dialect *dialect,
			  void (*put_query)(struct buffer *sql, const struct dialect *dialect), describe_reader read,
			  struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	put_query(&sql, dialect);
	ok = describe_run(describe, destination, sql_text(&sql), read, err);
	buffer_fini(&sql);
	return ok;
}

/* Whether a table may have an index that finds its rows. */
static bool
has_keyless(const struct catalog *catalog)
{
	unsigned key[TABLE_MAX_KEY];

	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.identity == 'f' && table_match_key(&catalog->tables[i], key) == 0)
			return true;
	return false;
}

static bool
read_catalog(struct connection *destination, const struct dialect *dialect, struct catalog *catalog,
			 struct error *err)
{
	struct describe describe;
	bool ok;

	describe_init(&describe, catalog->count);
	ok =
		find_tables(destination, dialect, catalog, &describe, err) &&
		describe_with(&describe, destination, dialect, put_columns_query, read_columns, err) &&
		describe_with(&describe, destination, dialect, target_put_unique_indexes_query,
					  target_read_unique_indexes, err) &&
		(!(dialect->has_segments || has_keyless(catalog)) ||
		 describe_run(&describe, destination, target_secondary_indexes_sql, target_read_secondary_indexes,
					  err)) &&
		(!dialect->catalog.distribution || describe_run(&describe, destination, dialect->catalog.distribution,
														target_read_distribution, err)) &&
		describe_run(&describe, destination, dialect->catalog.partition_keys, target_read_partition_keys,
					 err) &&
		target_types_find(destination, catalog, err);
	describe_fini(&describe);
	for (unsigned i = 0; ok && i < catalog->count; i++)
		catalog->tables[i].as_text = table_needs_text(&catalog->tables[i]);
	return ok;
}

bool
target_read_catalog(struct connection *destination, const struct dialect *dialect, struct catalog *catalog,
					struct error *err)
{
	return catalog->count == 0 || read_catalog(destination, dialect, catalog, err) ||
		   error_context(err, "reading the tables of the destination");
}

bool
target_read_table(struct connection *destination, const struct dialect *dialect, struct table *table,
				  struct error *err)
{
	struct catalog one = {.tables = table, .count = 1};

	return read_catalog(destination, dialect, &one, err) ||
		   error_context(err, "reading %s.%s of the destination", table->target_schema, table->target_name);
}

bool
target_has_rows(struct connection *destination, const struct table *table, bool *has_rows, struct error *err)
{
	struct buffer sql;
	struct result *res;
	bool ok;

	memory_buffer_init(&sql);
	buffer_printf(&sql, "SELECT 1 FROM ");
	mapping_put_target_rows(&sql, table);
	buffer_printf(&sql, " LIMIT 1");
	ok = connection_execute(destination, sql_text(&sql), NULL, 0, &res, err);
	buffer_fini(&sql);
	if (!ok)
		return error_context(err, "looking for rows in %s.%s", table->target_schema, table->target_name);
	*has_rows = result_rows(res) > 0;
	result_free(res);
	return true;
}
