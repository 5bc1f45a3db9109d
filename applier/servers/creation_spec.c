#include "creation_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "describe.h"
#include "dialect/ddl_column.h"
#include "dialect/ddl_index.h"
#include "dialect/ddl_partition.h"
#include "rehearse.h"
#include "tables/mapping.h"
#include "vetting.h"

/* ---- columns */

static const char comments_sql[] =
	"SELECT a.attrelid, a.attnum, col_description(a.attrelid, a.attnum) FROM pg_attribute a"
	" WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped"
	" AND col_description(a.attrelid, a.attnum) IS NOT NULL ORDER BY a.attrelid, a.attnum";

static bool
find_position(const struct source_table *source, long attnum, unsigned *position)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		if (source->columns[i].attnum != attnum)
			continue;
		*position = i;
		return true;
	}
	return false;
}

/* NULL stays NULL. */
static const char *
keep(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	return result_is_null(res, row, column) ? NULL : arena_strdup(memory, result_text(res, row, column));
}

static void
read_comments(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct definition *definition = table->source.definition;

	for (unsigned row = first; row < end; row++) {
		unsigned position;

		if (find_position(&table->source, (long) result_int(res, row, 1), &position))
			definition->columns[position].comment = keep(definition->memory, res, row, 2);
	}
}

static void
take_defaults(const struct source_table *source, struct definition *definition)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		if (!source->columns[i].default_sql)
			continue;
		definition->columns[i].default_sql = arena_strdup(definition->memory, source->columns[i].default_sql);
		if (source->columns[i].default_refused)
			definition->columns[i].default_refused =
				arena_strdup(definition->memory, source->columns[i].default_refused);
	}
}

/* ---- operator classes */

/*
 * One that is neither the server's own nor an extension's: a superuser of the source has made it, and nobody has vetted
 * at its functions.  NULL: there is none.
 */
#define FOREIGN_OPCLASS(classes)                                                                             \
	"(SELECT quote_ident(cn.nspname) || '.' || quote_ident(cl.opcname) FROM pg_opclass cl"                   \
	" JOIN pg_namespace cn ON cn.oid = cl.opcnamespace WHERE cl.oid = ANY (" classes "::oid[])"              \
	" AND cn.nspname <> 'pg_catalog' AND NOT EXISTS (SELECT FROM pg_depend d"                                \
	"  WHERE d.classid = 'pg_opclass'::regclass AND d.objid = cl.oid AND d.deptype = 'e') LIMIT 1)"

/* Why it is not taken over; NULL: there is none. */
static const char *
keep_opclass(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	char reason[200];

	if (result_is_null(res, row, column))
		return NULL;
	snprintf(reason, sizeof reason, "the operator class %s is not known to be harmless",
			 result_text(res, row, column));
	return arena_strdup(memory, reason);
}

/* ---- names */

/* Why nothing of that schema is made: tables of it are none of a task's, but partitions and types may lie in any. */
static const char *
in_state_schema(const char *schema)
{
	return strcmp(schema, "sluice") == 0 ? "the schema sluice is that of the task's state" : NULL;
}

/* ---- tables */

static const char tables_sql[] =
	"SELECT c.oid, obj_description(c.oid, 'pg_class'),"
	" CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,"
	" p.partstrat, p.partattrs::text, " VETTING_TREE(
		"p.partexprs") ","
					   " p.partexprs IS NOT NULL, " FOREIGN_OPCLASS(
						   "p.partclass") " FROM pg_class c LEFT JOIN pg_partitioned_table p ON p.partrelid "
										  "= c.oid"
										  " WHERE c.oid = ANY ($1::oid[]) ORDER BY c.oid";

/* Attnums, of which 0 is an expression: the positions of the columns among them; false: that is not all. */
static bool
read_positions(const struct source_table *source, const char *attnums, unsigned positions[TABLE_MAX_KEY],
			   unsigned *count)
{
	bool all = true;
	char *end;

	*count = 0;
	for (long attnum = strtol(attnums, &end, 10); end != attnums; attnum = strtol(attnums, &end, 10)) {
		attnums = end;
		if (*count < TABLE_MAX_KEY && find_position(source, attnum, &positions[*count]))
			(*count)++;
		else
			all = false;
	}
	return all;
}

static void
read_table(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct definition *definition = table->source.definition;

	(void) end;
	definition->comment = keep(definition->memory, res, first, 1);
	definition->oid = table->source.oid;
	definition->partition_key = keep(definition->memory, res, first, 2);
	definition->partition_strategy = result_text(res, first, 3)[0];
	if (!read_positions(&table->source, result_text(res, first, 4), definition->partition_columns,
						&definition->partition_column_count))
		definition->partition_column_count = 0;
	if (result_bool(res, first, 6))
		definition->partition_expressions = keep(definition->memory, res, first, 5);
	definition->partition_refused = keep_opclass(definition->memory, res, first, 7);
}

/* ---- indexes */

/* The tail is what pg_get_indexdef() says behind the table's name. */
static const char indexes_sql[] =
	"SELECT i.indrelid, ic.relname, pg_get_constraintdef(k.oid), substr(pg_get_indexdef(i.indexrelid),"
	"  length('CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX '"
	"   || quote_ident(ic.relname) || ' ON ' || CASE WHEN ic.relkind = 'I' THEN 'ONLY ' ELSE '' END"
	"   || quote_ident(n.nspname) || '.' || quote_ident(c.relname)) + 2),"
	" i.indkey::text, i.indisunique, i.indexprs IS NULL AND i.indpred IS NULL, i.indisexclusion,"
	" i.indexprs IS NOT NULL, " VETTING_TREE("i.indexprs") ", i.indpred IS NOT NULL, " VETTING_TREE(
		"i.indpred") ", " FOREIGN_OPCLASS("i.indclass") " FROM pg_index i JOIN pg_class ic ON ic.oid = "
														"i.indexrelid JOIN pg_class c ON c.oid = i.indrelid"
														" JOIN pg_namespace n ON n.oid = c.relnamespace"
														" LEFT JOIN pg_constraint k ON k.conindid = "
														"i.indexrelid AND k.conrelid = i.indrelid"
														"  AND k.contype IN ('u', 'x')"
														" WHERE i.indrelid = ANY ($1::oid[]) AND "
														"i.indisvalid AND NOT i.indisprimary"
														" ORDER BY i.indrelid, i.indexrelid";

static void
read_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct definition *definition = table->source.definition;
	struct arena *memory = definition->memory;

	definition->indexes = arena_alloc_zero(memory, (end - first) * sizeof(*definition->indexes));
	for (unsigned row = first; row < end; row++) {
		struct index_definition *index = &definition->indexes[definition->index_count++];

		index->name = keep(memory, res, row, 1);
		index->constraint = keep(memory, res, row, 2);
		index->tail = keep(memory, res, row, 3);
		index->plain =
			read_positions(&table->source, result_text(res, row, 4), index->columns, &index->column_count) &&
			result_bool(res, row, 6);
		index->unique = result_bool(res, row, 5);
		index->expressions = result_bool(res, row, 8) ? keep(memory, res, row, 9) : NULL;
		index->condition = result_bool(res, row, 10) ? keep(memory, res, row, 11) : NULL;
		index->refused = result_bool(res, row, 7) ? "exclusion constraints are left to the source"
												  : keep_opclass(memory, res, row, 12);
	}
}

/* Those that the configuration asks for. */
static void
choose_indexes(struct definition *definition, enum schema_indexes wanted)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < definition->index_count; i++) {
		const struct index_definition *index = &definition->indexes[i];

		if (wanted == SCHEMA_INDEXES_ALL || (wanted == SCHEMA_INDEXES_UNIQUE && index->unique))
			definition->indexes[kept++] = *index;
	}
	definition->index_count = kept;
}

/* ---- partitions */

static const char partitions_sql[] =
	"SELECT r.oid, c.oid, t.parentrelid::oid, n.nspname, c.relname, pg_get_expr(c.relpartbound, c.oid),"
	" CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, " VETTING_TREE(
		"p.partexprs") ","
					   " p.partexprs IS NOT NULL, " FOREIGN_OPCLASS(
						   "p.partclass") " FROM pg_class r CROSS JOIN LATERAL pg_partition_tree(r.oid) t "
										  "JOIN pg_class c ON c.oid = t.relid"
										  " JOIN pg_namespace n ON n.oid = c.relnamespace"
										  " LEFT JOIN pg_partitioned_table p ON p.partrelid = c.oid"
										  " WHERE r.oid = ANY ($1::oid[]) AND r.relkind = 'p' AND t.level > "
										  "0 ORDER BY r.oid, t.level, c.oid";

static void
read_partitions(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct definition *definition = table->source.definition;
	struct arena *memory = definition->memory;

	definition->partitions = arena_alloc_zero(memory, (end - first) * sizeof(*definition->partitions));
	for (unsigned row = first; row < end; row++) {
		definition->partitions[definition->partition_count++] = (struct partition_definition){
			.oid = (uint32_t) result_int(res, row, 1),
			.parent = (uint32_t) result_int(res, row, 2),
			.schema = keep(memory, res, row, 3),
			.name = keep(memory, res, row, 4),
			.bound = keep(memory, res, row, 5),
			.key = keep(memory, res, row, 6),
			.key_expressions = result_bool(res, row, 8) ? keep(memory, res, row, 7) : NULL,
		};
		if (!definition->partition_refused)
			definition->partition_refused = in_state_schema(result_text(res, row, 3));
		if (!definition->partition_refused)
			definition->partition_refused = keep_opclass(memory, res, row, 9);
	}
}

/* ---- types */

/*
 * What a range is made with, where that is not what its subtype has by itself,
 * and the name of its multirange, where that is not what the server calls it.
 * PostgreSQL 13 has no column for those, as it has no multiranges.
 */
#define RANGES                                                                                               \
	"SELECT r.rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid AS multirange,"                               \
	" 'AS RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL)"                                             \
	"  || CASE WHEN NOT o.opcdefault THEN ', SUBTYPE_OPCLASS = ' || quote_ident(oname.nspname) || '.'"       \
	"   || quote_ident(o.opcname) ELSE '' END"                                                               \
	"  || CASE WHEN c.oid <> s.typcollation THEN ', COLLATION = ' || quote_ident(cname.nspname) || '.'"      \
	"   || quote_ident(c.collname) ELSE '' END AS body, r.rngsubopc,"                                        \
	" ', MULTIRANGE_TYPE_NAME = ' || (SELECT quote_ident(mname.nspname) || '.' || quote_ident(m.typname)"    \
	"  FROM pg_type m JOIN pg_namespace mname ON mname.oid = m.typnamespace"                                 \
	"  WHERE m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid AND (mname.oid <> t.typnamespace OR m.typname "  \
	"<>"                                                                                                     \
	"   CASE position('range' IN t.typname) WHEN 0 THEN t.typname || '_multirange'"                          \
	"   ELSE overlay(t.typname PLACING 'multirange' FROM position('range' IN t.typname) FOR 5) END))"        \
	"  AS multirange_name"                                                                                   \
	" FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_type s ON s.oid = r.rngsubtype"           \
	" JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace oname ON oname.oid = o.opcnamespace"        \
	" LEFT JOIN pg_collation c ON c.oid = r.rngcollation"                                                    \
	" LEFT JOIN pg_namespace cname ON cname.oid = c.collnamespace"

/*
 * The types of users that these types are made of, themselves included, the
 * innermost first.  Members of extensions come with CREATE EXTENSION, a
 * table's row type with its table, and a multirange with its range.
 */
static const char types_sql[] =
	"WITH RECURSIVE ranges AS (" RANGES "),"
	" need (oid, depth) AS (SELECT unnest($1::oid[]), 0 UNION"
	"  SELECT m.oid, n.depth + 1 FROM need n CROSS JOIN LATERAL ("
	"   SELECT t.typbasetype FROM pg_type t WHERE t.oid = n.oid AND t.typtype = 'd'"
	"   UNION ALL SELECT t.typelem FROM pg_type t WHERE t.oid = n.oid AND t.typlen = -1 AND t.typelem <> 0"
	"   UNION ALL SELECT a.atttypid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid"
	"    WHERE t.oid = n.oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped"
	"   UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = n.oid"
	"   UNION ALL SELECT r.rngtypid FROM ranges r WHERE r.multirange = n.oid) m (oid)),"
	" wanted AS (SELECT oid, max(depth) AS depth FROM need GROUP BY oid)"
	" SELECT t.oid, t.typarray, n.nspname, t.typname, t.typtype, CASE t.typtype"
	"  WHEN 'e' THEN 'AS ENUM (' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', '"
	"   ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '') || ')'"
	"  WHEN 'c' THEN 'AS (' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' '"
	"   || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute a"
	"   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'"
	"  WHEN 'd' THEN 'AS ' || format_type(t.typbasetype, t.typtypmod)"
	"  WHEN 'r' THEN r.body || coalesce(r.multirange_name, '') || ')' END,"
	" CASE WHEN r.multirange_name IS NOT NULL THEN r.body || ')' END, obj_description(t.oid, 'pg_type'),"
	" t.typtype = 'd' AND t.typnotnull, " FOREIGN_OPCLASS(
		"ARRAY[r.rngsubopc]") " FROM wanted w JOIN pg_type t ON t.oid = w.oid JOIN pg_namespace n ON n.oid = "
							  "t.typnamespace"
							  " LEFT JOIN pg_class c ON c.oid = t.typrelid LEFT JOIN ranges r ON r.rngtypid "
							  "= t.oid"
							  " WHERE t.oid >= 16384 AND t.typtype IN ('e', 'c', 'd', 'r', 'm') AND "
							  "coalesce(c.relkind, 'c') = 'c'"
							  " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = "
							  "'pg_type'::regclass AND d.objid = t.oid"
							  "  AND d.deptype = 'e')"
							  " ORDER BY w.depth DESC, t.oid";

/* The columns' types that the destination lacks; an element closes twice for nothing. */
static bool
put_missing_types(struct buffer *oids, const struct catalog *catalog)
{
	bool any = false;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct source_table *source = &catalog->tables[i].source;

		for (unsigned j = 0; definition_wanted(&catalog->tables[i]) && j < source->column_count; j++) {
			struct buffer text;

			if (source->columns[j].exists_at_target)
				continue;
			memory_buffer_init(&text);
			buffer_printf(&text, "%u", source->columns[j].type);
			buffer_put_u8(&text, '\0');
			sql_array_element(oids, (const char *) text.data);
			buffer_fini(&text);
			any = true;
		}
	}
	sql_array_end(oids);
	return any;
}

static void
read_type_rows(struct definitions *definitions, const struct result *res)
{
	struct arena *memory = &definitions->memory;

	definitions->types = arena_alloc_zero(memory, (result_rows(res) + 1) * sizeof(*definitions->types));
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct type_definition *type = &definitions->types[definitions->type_count++];

		*type = (struct type_definition){
			.oid = (uint32_t) result_int(res, row, 0),
			.array_oid = (uint32_t) result_int(res, row, 1),
			.schema = keep(memory, res, row, 2),
			.name = keep(memory, res, row, 3),
			.kind = result_text(res, row, 4)[0],
			.body = keep(memory, res, row, 5),
			.plain_body = keep(memory, res, row, 6),
			.comment = keep(memory, res, row, 7),
			.not_null = result_bool(res, row, 8),
			.refused = in_state_schema(result_text(res, row, 2)),
		};
		if (!type->refused)
			type->refused = keep_opclass(memory, res, row, 9);
	}
}

/* A CHECK that rows may break is no part of what CREATE DOMAIN takes. */
static const char domain_parts_sql[] =
	"SELECT p.oid, p.name, p.sql, p.tree, p.valid FROM (SELECT t.oid, NULL::name AS name,"
	"  " VETTING_SQL("pg_get_expr(t.typdefaultbin, 0)") " AS sql, " VETTING_TREE(
		"t.typdefaultbin") " AS tree,"
						   "  true AS valid FROM pg_type t WHERE t.typtype = 'd' AND t.typdefaultbin IS NOT "
						   "NULL"
						   " UNION ALL SELECT k.contypid, k.conname, " VETTING_SQL(
							   "'CHECK (' || pg_get_expr(k.conbin, 0) || ')'") ","
																			   "  " VETTING_TREE(
																				   "k.conbin") ", "
																							   "k."
																							   "convalidated "
																							   "FROM "
																							   "pg_"
																							   "constraint k "
																							   "WHERE "
																							   "k.contypid "
																							   "<> 0"
																							   "  AND "
																							   "k.contype = "
																							   "'c') p WHERE "
																							   "p.oid = ANY "
																							   "($1::oid[]) "
																							   "ORDER BY "
																							   "p.oid, "
																							   "p.name NULLS "
																							   "FIRST";

static void
read_domain_parts(struct definitions *definitions, const struct result *res)
{
	struct arena *memory = &definitions->memory;
	struct domain_part *parts = arena_alloc_zero(memory, result_rows(res) * sizeof *parts);

	for (unsigned i = 0; i < definitions->type_count; i++) {
		struct type_definition *type = &definitions->types[i];

		for (unsigned row = 0; row < result_rows(res); row++) {
			if ((uint32_t) result_int(res, row, 0) != type->oid)
				continue;
			if (type->part_count++ == 0)
				type->parts = &parts[row];
			parts[row] = (struct domain_part){
				.name = keep(memory, res, row, 1),
				.sql = keep(memory, res, row, 2),
				.tree = keep(memory, res, row, 3),
				.refused = result_bool(res, row, 4) ? NULL : "it is NOT VALID",
			};
		}
	}
}

static bool
read_domains(struct connection *source, struct definitions *definitions, struct error *err)
{
	struct buffer oids;
	struct param param;
	struct result *res;
	bool any = false, ok = true;

	sql_init(&oids);
	for (unsigned i = 0; i < definitions->type_count; i++) {
		char text[16];

		if (definitions->types[i].kind != 'd')
			continue;
		snprintf(text, sizeof text, "%u", definitions->types[i].oid);
		sql_array_element(&oids, text);
		any = true;
	}
	sql_array_end(&oids);
	param = param_text(sql_text(&oids));
	if (any)
		ok = connection_execute(source, domain_parts_sql, &param, 1, &res, err);
	if (any && ok) {
		read_domain_parts(definitions, res);
		result_free(res);
	}
	buffer_fini(&oids);
	return ok;
}

static bool
read_types(struct connection *source, struct catalog *catalog, struct error *err)
{
	struct buffer oids;
	struct result *res;
	bool ok = true;

	memory_buffer_init(&oids);
	if (put_missing_types(&oids, catalog)) {
		struct param param = param_text((const char *) oids.data);

		ok = connection_execute(source, types_sql, &param, 1, &res, err);
		if (ok) {
			read_type_rows(catalog->definitions, res);
			result_free(res);
			ok = read_domains(source, catalog->definitions, err);
		}
	}
	buffer_fini(&oids);
	return ok;
}

/* ---- what the destination may evaluate of it */

static void
add_tree(struct vetting *vetting, const char *tree, const char **refused)
{
	if (tree)
		vetting_add(vetting, tree, refused);
}

static void
add_table(struct vetting *vetting, struct definition *definition)
{
	for (unsigned i = 0; i < definition->index_count; i++) {
		struct index_definition *index = &definition->indexes[i];

		add_tree(vetting, index->expressions, &index->refused);
		add_tree(vetting, index->condition, &index->refused);
	}
	add_tree(vetting, definition->partition_expressions, &definition->partition_refused);
	for (unsigned i = 0; i < definition->partition_count; i++)
		add_tree(vetting, definition->partitions[i].key_expressions, &definition->partition_refused);
}

static bool
vet(struct connection *source, struct catalog *catalog, struct error *err)
{
	struct definitions *definitions = catalog->definitions;
	struct vetting vetting;
	bool ok;

	vetting_init(&vetting, &definitions->memory);
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.definition)
			add_table(&vetting, catalog->tables[i].source.definition);
	for (unsigned i = 0; i < definitions->type_count; i++)
		for (unsigned j = 0; j < definitions->types[i].part_count; j++)
			vetting_add(&vetting, definitions->types[i].parts[j].tree,
						&definitions->types[i].parts[j].refused);
	ok = vetting_run(&vetting, source, err);
	vetting_fini(&vetting);
	return ok;
}

/* ---- all of it */

/* Returns for how many tables. */
static unsigned
make_room(struct catalog *catalog, struct describe *describe)
{
	struct arena *memory = &definitions_create(catalog)->memory;
	unsigned count = 0;

	for (unsigned i = 0; i < catalog->count; i++) {
		struct source_table *source = &catalog->tables[i].source;
		struct definition *definition;

		if (!definition_wanted(&catalog->tables[i]))
			continue;
		definition = arena_alloc_zero(memory, sizeof(*definition));
		definition->memory = memory;
		definition->columns =
			arena_alloc_zero(memory, (source->column_count + 1) * sizeof(*definition->columns));
		take_defaults(source, definition);
		source->definition = definition;
		describe_add(describe, source->oid, &catalog->tables[i]);
		count++;
	}
	describe_sort(describe);
	return count;
}

/* What the configuration wants of them. */
static void
choose(const struct config *config, struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct definition *definition = catalog->tables[i].source.definition;

		if (!definition)
			continue;
		choose_indexes(definition, config->schema.indexes);
		if (config->schema.partitions == SCHEMA_PARTITIONS_FLATTEN)
			definition->partition_key = NULL;
	}
}

static bool
describe_tables(const struct describe *describe, struct connection *source, const struct config *config,
				struct catalog *catalog, struct error *err)
{
	if (!describe_run(describe, source, comments_sql, read_comments, err) ||
		!describe_run(describe, source, tables_sql, read_table, err) ||
		!describe_run(describe, source, indexes_sql, read_indexes, err) ||
		(config->schema.partitions == SCHEMA_PARTITIONS_KEEP &&
		 !describe_run(describe, source, partitions_sql, read_partitions, err)))
		return false;
	choose(config, catalog);
	return read_types(source, catalog, err) && vet(source, catalog, err);
}

bool
creation_spec_read(struct connection *source, struct connection *destination, const struct config *config,
				   struct catalog *catalog, struct error *err)
{
	struct describe describe;
	bool ok = true;

	describe_init(&describe, catalog->count);
	if (make_room(catalog, &describe) > 0)
		ok = (describe_tables(&describe, source, config, catalog, err) ||
			  error_context(err, "reading the definitions of the source's tables")) &&
			 (rehearse_definitions(destination, catalog, err) ||
			  error_context(err, "trying the definitions at the destination"));
	describe_fini(&describe);
	return ok;
}

/* ---- what is left out */

struct remarks {
	creation_spec_remark_taker take;
	void *arg;
};

static void PRINTF_LIKE(4, 5)
	remark(const struct remarks *remarks, const char *schema, const char *name, const char *format, ...)
{
	struct buffer subject;
	va_list args;
	char *text;

	sql_init(&subject);
	buffer_printf(&subject, "%s.%s", schema, name);
	va_start(args, format);
	text = memory_vprintf(format, args);
	va_end(args);
	remarks->take(remarks->arg, sql_text(&subject), text);
	buffer_fini(&subject);
	free(text);
}

static void
remark_on_indexes(const struct remarks *remarks, const struct dialect *dialect, const struct table *table)
{
	const struct definition *definition = table->source.definition;

	for (unsigned i = 0; i < definition->index_count; i++) {
		const char *reason;
		struct buffer ignored;

		memory_buffer_init(&ignored);
		if (!ddl_put_index(&ignored, dialect, table, &definition->indexes[i], &reason) && reason)
			remark(remarks, table->target_schema, table->target_name, "it is made without the index %s: %s",
				   definition->indexes[i].name, reason);
		buffer_fini(&ignored);
	}
}

static void
remark_on_table(const struct remarks *remarks, const struct dialect *dialect, const struct table *table)
{
	const struct source_table *source = &table->source;
	const struct definition *definition = source->definition;
	const char *flattened;

	if (!ddl_keeps_partitions(dialect, table, &flattened) && flattened)
		remark(remarks, table->target_schema, table->target_name, "it is made as one table: %s", flattened);
	for (unsigned i = 0; i < source->column_count; i++)
		if (definition->columns[i].default_refused && mapping_selects(table, source->columns[i].name))
			remark(remarks, table->target_schema, table->target_name,
				   "the column %s is made without its default %s: %s", source->columns[i].name,
				   definition->columns[i].default_sql, definition->columns[i].default_refused);
	remark_on_indexes(remarks, dialect, table);
}

static void
remark_on_type(const struct remarks *remarks, const struct type_definition *type)
{
	if (type->refused)
		remark(remarks, type->schema, type->name, "the type is not made: %s", type->refused);
	for (unsigned i = 0; i < type->part_count && !type->exists && !type->refused; i++) {
		const struct domain_part *part = &type->parts[i];

		if (part->refused && part->name)
			remark(remarks, type->schema, type->name, "the domain is made without its constraint %s %s: %s",
				   part->name, part->sql, part->refused);
		else if (part->refused)
			remark(remarks, type->schema, type->name, "the domain is made without its default %s: %s",
				   part->sql, part->refused);
	}
}

void
creation_spec_remarks(const struct dialect *dialect, const struct catalog *catalog,
					  creation_spec_remark_taker take, void *arg)
{
	const struct remarks remarks = {take, arg};
	const struct definitions *definitions = catalog->definitions;

	for (unsigned i = 0; definitions && i < definitions->type_count; i++)
		remark_on_type(&remarks, &definitions->types[i]);
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.definition)
			remark_on_table(&remarks, dialect, &catalog->tables[i]);
}

static void
log_remark(void *arg, const char *subject, const char *text)
{
	(void) arg;
	log_warning("%s: %s", subject, text);
}

void
creation_spec_warn(const struct dialect *dialect, const struct catalog *catalog)
{
	creation_spec_remarks(dialect, catalog, log_remark, NULL);
}
