#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/keymap.h"
#include "base/memory.h"
#include "base/sql.h"
#include "describe.h"
#include "dialect/ddl.h"
#include "dialect/ddl_type.h"
#include "state/unfinished.h"
#include "tables/mapping.h"

/* Each created table locks a few objects until the commit, on every segment. */
#define CREATED_AT_ONCE 500

/* ---- which targets there are */

/* Two arrays of the same length, as parameters. */
struct name_pairs {
	struct buffer schemas;
	struct buffer names;
};

static void
name_pairs_init(struct name_pairs *pairs)
{
	memory_buffer_init(&pairs->schemas);
	memory_buffer_init(&pairs->names);
}

static void
name_pairs_fini(struct name_pairs *pairs)
{
	buffer_fini(&pairs->schemas);
	buffer_fini(&pairs->names);
}

static void
name_pairs_add(struct name_pairs *pairs, const char *schema, const char *name)
{
	sql_array_element(&pairs->schemas, schema);
	sql_array_element(&pairs->names, name);
}

static bool
name_pairs_execute(struct name_pairs *pairs, struct connection *destination, const char *sql,
				   struct result **res, struct error *err)
{
	struct param params[2];

	sql_array_end(&pairs->schemas);
	sql_array_end(&pairs->names);
	params[0] = param_text(sql_text(&pairs->schemas));
	params[1] = param_text(sql_text(&pairs->names));
	return connection_execute(destination, sql, params, 2, res, err);
}

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

/* Names of the rules that apply to this session. */
static const char rules[] =
	"(SELECT string_agg(quote_ident(w.rulename), ', ' ORDER BY w.rulename) FROM pg_rewrite w"
	" WHERE w.ev_class = c.oid AND w.ev_type IN ('2', '3', '4') AND (w.ev_enabled = 'A' OR w.ev_enabled ="
	" CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END))";

static void
put_tables_query(struct buffer *sql, const struct dialect *dialect)
{
	const struct dialect_catalog *catalog = &dialect->catalog;

	buffer_printf(sql, "SELECT w.i - 1, c.oid, %s, %s, %s, ", catalog->kind, catalog->partitioned,
				  catalog->storage);
	put_triggers(sql, dialect);
	buffer_printf(sql,
				  ", EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhparent = c.oid) AND NOT (%s), %s, %s, "
				  "c.relfilenode",
				  catalog->partitioned, routes_rows, rules);
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
		};
		describe_add(describe, table->target.oid, table);
	}
	describe_sort(describe);
}

static bool
find_tables(struct connection *destination, const struct dialect *dialect, struct catalog *catalog,
			struct describe *describe, struct error *err)
{
	struct name_pairs names;
	struct buffer sql;
	struct result *res;
	bool ok;

	name_pairs_init(&names);
	memory_buffer_init(&sql);
	for (unsigned i = 0; i < catalog->count; i++) {
		target_table_free(&catalog->tables[i].target);
		name_pairs_add(&names, catalog->tables[i].target_schema, catalog->tables[i].target_name);
	}
	put_tables_query(&sql, dialect);
	ok = name_pairs_execute(&names, destination, sql_text(&sql), &res, err);
	if (ok) {
		read_tables(catalog, describe, res);
		result_free(res);
	}
	buffer_fini(&sql);
	name_pairs_fini(&names);
	return ok;
}

/* ---- their columns */

/*
 * The equality that a type's indexes know, of its default operator class for btree or else for hash (access methods 403
 * and 405, whose equality is strategy 3 and 1); an extension's lies where the session does not look for operators.
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

/* ---- their keys */

static struct target_column *
column_by_attnum(const struct target_table *target, long attnum)
{
	for (unsigned i = 0; i < target->column_count; i++)
		if (target->columns[i].attnum == attnum)
			return &target->columns[i];
	return NULL;
}

/* "2 1" becomes columns; as many as there are, at most `max`. */
static unsigned
read_attnums(const struct target_table *target, const char *attnums, unsigned max,
			 struct target_column *columns[TABLE_MAX_KEY])
{
	unsigned count = 0;
	char *end;

	while (count < max && count < TABLE_MAX_KEY) {
		long attnum = strtol(attnums, &end, 10);
		struct target_column *column = column_by_attnum(target, attnum);

		if (end == attnums || !column)
			break;
		columns[count++] = column;
		attnums = end;
	}
	return count;
}

static void
read_distribution(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct target_column *columns[TABLE_MAX_KEY];
	unsigned count = read_attnums(&table->target, result_text(res, first, 1), TABLE_MAX_KEY, columns);

	(void) end;
	for (unsigned i = 0; i < count; i++)
		columns[i]->distribution_position = (int) i + 1;
}

static void
read_partition_keys(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	for (unsigned row = first; row < end; row++) {
		const char *name = result_text(res, row, 1);

		for (unsigned i = 0; i < table->target.column_count; i++)
			if (name[0] == '\0' || strcmp(table->target.columns[i].name, name) == 0)
				table->target.columns[i].guarded = true;
	}
}

/* Whether an index over these columns is one over the match key. */
static bool
is_match_key(const struct table *table, struct target_column *const *columns, unsigned count)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned key_count = table_match_key(table, key), found = 0;

	for (unsigned i = 0; i < key_count; i++)
		for (unsigned j = 0; j < count; j++)
			found += mapping_find_target(table, table->source.columns[key[i]].name) == columns[j];
	return key_count == count && found == count;
}

static void
guard_all(struct target_table *target)
{
	for (unsigned i = 0; i < target->column_count; i++)
		target->columns[i].guarded = true;
}

/*
 * The columns by whose values an entry of the index is what it is, since rows that pass such
 * values on to each other collide in the middle of an UPDATE.  A generated column stands for those that it is
 * computed from, an expression over whole rows for all of them; neither says for which.
 */
static void
guard(struct target_table *target, struct target_column *const *columns, unsigned count, const char *used)
{
	char *end;

	for (unsigned i = 0; i < count; i++) {
		columns[i]->guarded = true;
		if (columns[i]->generated)
			guard_all(target);
	}
	for (;; used = end) {
		long attnum = strtol(used, &end, 10);
		struct target_column *column = column_by_attnum(target, attnum);

		if (end == used)
			return;
		if (!column || column->generated)
			guard_all(target);
		else
			column->guarded = true;
	}
}

/* Rows with different keys cannot have equal entries in an index that holds the key. */
static bool
holds_match_key(const struct table *table, struct target_column *const *columns, unsigned count)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned key_count = table_match_key(table, key), found = 0;

	for (unsigned i = 0; i < key_count; i++)
		for (unsigned j = 0; j < count; j++)
			found += mapping_find_target(table, table->source.columns[key[i]].name) == columns[j];
	return key_count > 0 && found >= key_count;
}

static void
put_indexes_query(struct buffer *sql, const struct dialect *dialect)
{
	buffer_printf(
		sql,
		"SELECT i.indrelid, i.indisprimary, %s, i.indkey::text,"
		" i.indexprs IS NULL AND i.indpred IS NULL AND NOT i.indisexclusion,"
		" (SELECT k.conname FROM pg_constraint k WHERE i.indisprimary AND k.conrelid = i.indrelid"
		"  AND k.contype = 'p'), i.indisexclusion,"
		" CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL THEN '' ELSE (SELECT"
		"  string_agg(d.refobjsubid::text, ' ') FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND"
		"  d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid) END"
		" FROM pg_index i WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisunique OR i.indisexclusion)"
		" ORDER BY i.indrelid",
		dialect->catalog.key_columns);
}

static void
read_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	for (unsigned row = first; row < end; row++) {
		struct target_column *columns[TABLE_MAX_KEY];
		unsigned key_columns = (unsigned) result_int(res, row, 2);
		unsigned count = read_attnums(&table->target, result_text(res, row, 3), key_columns, columns);

		for (unsigned i = 0; i < count && result_bool(res, row, 1); i++)
			columns[i]->key_position = (int) i + 1;
		if (!result_is_null(res, row, 5)) {
			free(table->target.primary_name);
			table->target.primary_name = memory_strdup(result_text(res, row, 5));
		}
		if (result_bool(res, row, 4) && is_match_key(table, columns, count))
			table->target.has_match_unique = true;
		else if (result_bool(res, row, 6) || !holds_match_key(table, columns, count))
			guard(&table->target, columns, count, result_text(res, row, 7));
	}
}

/* ---- their secondary indexes, where those are in the way of another type */

static const char secondary_indexes_sql[] =
	"SELECT i.indrelid, quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
	" CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.indexrelid) ELSE pg_get_constraintdef(k.oid) END, "
	"k.conname,"
	" i.indkey::text, i.indexprs IS NULL AND i.indpred IS NULL FROM pg_index i"
	" JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid"
	"  AND k.contype IN ('u', 'x')"
	" WHERE i.indrelid = ANY ($1::oid[]) AND NOT i.indisprimary ORDER BY i.indrelid, i.indexrelid";

static void
read_secondary_index(struct table *table, struct target_index *index, const struct result *res, unsigned row)
{
	struct target_column *columns[TABLE_MAX_KEY];

	*index = (struct target_index){
		.name = memory_strdup(result_text(res, row, 1)),
		.definition = memory_strdup(result_text(res, row, 2)),
		.constraint = result_is_null(res, row, 3) ? NULL : memory_strdup(result_text(res, row, 3)),
		.plain = result_bool(res, row, 5),
	};
	index->column_count = read_attnums(&table->target, result_text(res, row, 4), TABLE_MAX_KEY, columns);
	for (unsigned i = 0; i < index->column_count; i++)
		index->columns[i] = columns[i]->attnum;
}

static void
read_secondary_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct target_table *target = &table->target;

	target->indexes = memory_alloc_zero(end - first, sizeof *target->indexes);
	for (unsigned row = first; row < end; row++)
		read_secondary_index(table, &target->indexes[target->index_count++], res, row);
}

/* ---- the types of the source that the destination has */

/*
 * An extension's type may lie in another schema there, and goes before another of
 * the source's name.  An array is hashed as its elements are; which operator class serves a type:
 * GetDefaultOpClass(), of indexcmds.c.
 */
static const char types_sql[] =
	"SELECT w.i - 1, e.typtype IN ('e', 'r') OR EXISTS (SELECT 1 FROM pg_opclass o"
	"  JOIN pg_am m ON m.oid = o.opcmethod WHERE m.amname = 'hash' AND o.opcdefault AND (o.opcintype = e.oid"
	"  OR EXISTS (SELECT 1 FROM pg_cast k WHERE k.castsource = e.oid AND k.casttarget = o.opcintype"
	"   AND k.castmethod = 'b' AND k.castcontext = 'i'))),"
	" CASE WHEN s.nspname <> w.s::name THEN quote_ident(s.nspname) END"
	" FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY w (s, n, x, i)"
	" JOIN pg_type t ON t.typname = w.n::name AND t.typisdefined"
	" JOIN pg_namespace s ON s.oid = t.typnamespace"
	" JOIN pg_type e ON e.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.oid END"
	" LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = e.oid AND d.deptype = 'e'"
	" LEFT JOIN pg_extension x ON x.oid = d.refobjid AND x.extname = w.x::name"
	" WHERE s.nspname = w.s::name OR x.oid IS NOT NULL ORDER BY w.i, x.oid IS NOT NULL";

/* Many columns share few types: each type is asked for once. */
struct types {
	struct arena memory;
	struct arena scratch;
	struct keymap numbers; /* schema, NUL, name */
	struct name_pairs names;
	struct buffer extensions; /* that go with the names; empty: none */
	bool *exist;			  /* by number */
	bool *hashable;
	const char **schemas; /* see source_column.schema_at_target; in `memory` */
};

static uint32_t
type_number(struct types *types, const char *schema, const char *name, const char *extension)
{
	size_t schema_len = strlen(schema) + 1, name_len = strlen(name);
	char *key = arena_alloc_unaligned(&types->scratch, schema_len + name_len);
	uint32_t number;
	bool found;

	memcpy(key, schema, schema_len);
	memcpy(key + schema_len, name, name_len);
	number = keymap_insert(&types->numbers, &types->memory, key, (uint32_t) (schema_len + name_len), &found);
	arena_reset(&types->scratch);
	if (!found) {
		name_pairs_add(&types->names, schema, name);
		sql_array_element(&types->extensions, extension ? extension : "");
	}
	return number;
}

static uint32_t
base_number(struct types *types, const struct source_column *column)
{
	return type_number(types, column->base_schema, column->base_name, column->extension);
}

static void
collect_table_types(struct types *types, const struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = &source->columns[i];

		/* Of a stored definition the types may not be known. */
		if (!column->type_name)
			continue;
		/* Of most columns the same; a domain of an extension's type is not the extension's. */
		base_number(types, column);
		type_number(types, column->type_schema, column->type_name, NULL);
	}
}

static void
collect_types(struct types *types, const struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		collect_table_types(types, &catalog->tables[i].source);
		if (catalog->tables[i].defined)
			collect_table_types(types, catalog->tables[i].defined);
	}
}

static void
mark_table_types(struct types *types, struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		struct source_column *column = &source->columns[i];
		uint32_t base;

		if (!column->type_name)
			continue;
		base = base_number(types, column);
		column->exists_at_target =
			types->exist[type_number(types, column->type_schema, column->type_name, NULL)];
		column->base_exists_at_target = types->exist[base];
		column->unhashable_at_target = types->exist[base] && !types->hashable[base];
		free(column->schema_at_target);
		column->schema_at_target = types->schemas[base] ? memory_strdup(types->schemas[base]) : NULL;
	}
}

static void
mark_types(struct types *types, struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		mark_table_types(types, &catalog->tables[i].source);
		if (catalog->tables[i].defined)
			mark_table_types(types, catalog->tables[i].defined);
	}
}

static bool
ask_types(struct types *types, struct connection *destination, struct result **res, struct error *err)
{
	struct param params[3];

	sql_array_end(&types->names.schemas);
	sql_array_end(&types->names.names);
	sql_array_end(&types->extensions);
	params[0] = param_text(sql_text(&types->names.schemas));
	params[1] = param_text(sql_text(&types->names.names));
	params[2] = param_text(sql_text(&types->extensions));
	return connection_execute(destination, types_sql, params, 3, res, err);
}

static void
read_types(struct types *types, const struct result *res)
{
	for (unsigned row = 0; row < result_rows(res); row++) {
		int64_t number = result_int(res, row, 0);

		types->exist[number] = true;
		types->hashable[number] = result_bool(res, row, 1);
		types->schemas[number] =
			result_is_null(res, row, 2) ? NULL : arena_strdup(&types->memory, result_text(res, row, 2));
	}
}

static bool
find_types(struct connection *destination, struct catalog *catalog, struct error *err)
{
	struct types types = {0};
	struct result *res;
	bool ok;

	arena_init(&types.memory, 1 << 14);
	arena_init(&types.scratch, 1 << 12);
	keymap_init(&types.numbers);
	name_pairs_init(&types.names);
	memory_buffer_init(&types.extensions);
	collect_types(&types, catalog);
	types.exist = memory_alloc_zero(keymap_count(&types.numbers), sizeof(*types.exist));
	types.hashable = memory_alloc_zero(keymap_count(&types.numbers), sizeof(*types.hashable));
	types.schemas = memory_alloc_zero(keymap_count(&types.numbers), sizeof(*types.schemas));
	ok = ask_types(&types, destination, &res, err);
	if (ok) {
		read_types(&types, res);
		mark_types(&types, catalog);
		result_free(res);
	}
	free(types.exist);
	free(types.hashable);
	free(types.schemas);
	buffer_fini(&types.extensions);
	name_pairs_fini(&types.names);
	keymap_fini(&types.numbers);
	arena_fini(&types.scratch);
	arena_fini(&types.memory);
	return ok;
}

/* ---- all of it */

/* A query in the dialect's words, over the tables that were found. */
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

static bool
read_catalog(struct connection *destination, const struct dialect *dialect, struct catalog *catalog,
			 struct error *err)
{
	struct describe describe;
	bool ok;

	describe_init(&describe, catalog->count);
	ok = find_tables(destination, dialect, catalog, &describe, err) &&
		 describe_with(&describe, destination, dialect, put_columns_query, read_columns, err) &&
		 describe_with(&describe, destination, dialect, put_indexes_query, read_indexes, err) &&
		 (!dialect->has_segments ||
		  describe_run(&describe, destination, secondary_indexes_sql, read_secondary_indexes, err)) &&
		 (!dialect->catalog.distribution ||
		  describe_run(&describe, destination, dialect->catalog.distribution, read_distribution, err)) &&
		 describe_run(&describe, destination, dialect->catalog.partition_keys, read_partition_keys, err) &&
		 find_types(destination, catalog, err);
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

/* ---- creating */

static bool
execute_buffer(struct connection *destination, struct buffer *sql, struct error *err)
{
	return sql->len == 0 || connection_execute(destination, sql_text(sql), NULL, 0, NULL, err);
}

/* Asks which schemas there are, then makes the others, and the types. */
static bool
create_schemas(struct connection *destination, const struct dialect *dialect, const struct catalog *catalog,
			   struct error *err)
{
	struct string_list existing = {0};
	struct buffer sql;
	struct result *res;
	bool ok;

	if (!connection_execute(destination, "SELECT nspname FROM pg_namespace", NULL, 0, &res, err))
		return false;
	existing.items = memory_alloc_zero(result_rows(res), sizeof(*existing.items));
	for (; existing.count < result_rows(res); existing.count++)
		existing.items[existing.count] = memory_strdup(result_text(res, existing.count, 0));
	result_free(res);
	memory_buffer_init(&sql);
	ddl_put_create_schemas(&sql, dialect, catalog, &existing);
	ddl_put_create_types(&sql, catalog);
	ok = execute_buffer(destination, &sql, err) ||
		 error_context(err, "creating the schemas and types of the targets");
	buffer_fini(&sql);
	for (unsigned i = 0; i < existing.count; i++)
		free(existing.items[i]);
	free(existing.items);
	return ok;
}

static bool
create_table(struct connection *destination, const struct dialect *dialect, const struct table *table,
			 struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	ddl_put_create_table(&sql, dialect, table);
	unfinished_put(&sql, dialect, table);
	ok = execute_buffer(destination, &sql, err) ||
		 error_context(err, "creating %s.%s", table->target_schema, table->target_name);
	buffer_fini(&sql);
	return ok;
}

/* Those from *next on that are missing, as many as one transaction should make. */
static bool
create_some(struct connection *destination, const struct dialect *dialect, const struct catalog *catalog,
			unsigned *next, struct error *err)
{
	for (unsigned created = 0; *next < catalog->count && created < CREATED_AT_ONCE; (*next)++) {
		if (catalog->tables[*next].target.exists || !mapping_is_first(catalog, *next))
			continue;
		if (!create_table(destination, dialect, &catalog->tables[*next], err))
			return false;
		created++;
	}
	return true;
}

/* The first transaction makes the schemas, too. */
static bool
create_all(struct connection *destination, const struct dialect *dialect, const struct catalog *catalog,
		   struct error *err)
{
	for (unsigned next = 0; next < catalog->count;) {
		if (!connection_execute(destination, "BEGIN", NULL, 0, NULL, err))
			return false;
		if ((next == 0 && !create_schemas(destination, dialect, catalog, err)) ||
			!create_some(destination, dialect, catalog, &next, err)) {
			struct error ignored;

			/* The transaction has failed, so the only other outcome is a lost connection. */
			(void) !connection_execute(destination, "ROLLBACK", NULL, 0, NULL, &ignored);
			return false;
		}
		if (!connection_execute(destination, "COMMIT", NULL, 0, NULL, err))
			return false;
	}
	return true;
}

bool
target_create_missing(struct connection *destination, const struct dialect *dialect, struct catalog *catalog,
					  struct error *err)
{
	bool missing = false;

	for (unsigned i = 0; i < catalog->count; i++) {
		catalog->tables[i].created = !catalog->tables[i].target.exists;
		missing = missing || catalog->tables[i].created;
	}
	if (!missing)
		return true;
	return create_all(destination, dialect, catalog, err) &&
		   target_read_catalog(destination, dialect, catalog, err);
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
