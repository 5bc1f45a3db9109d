#include "creation_spec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "creation_letters.h"
#include "creation_parts.h"
#include "creation_types.h"
#include "describe.h"
#include "index_specs.h"
#include "partition_tree.h"
#include "rehearse.h"
#include "tables/mapping.h"
#include "vetting.h"

/* ---- columns */

static const char comments_sql[] =
	"SELECT a.attrelid, a.attnum, col_description(a.attrelid, a.attnum) FROM pg_attribute a"
	" WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped"
	" AND col_description(a.attrelid, a.attnum) IS NOT NULL ORDER BY a.attrelid, a.attnum";

bool
creation_find_position(const struct source_table *source, long attnum, unsigned *position)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		if (source->columns[i].attnum != attnum)
			continue;
		*position = i;
		return true;
	}
	return false;
}

const char *
creation_keep(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	return result_is_null(res, row, column) ? NULL : arena_strdup(memory, result_text(res, row, column));
}

static void
read_comments(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct creation_spec *spec = table->source.creation_spec;

	for (unsigned row = first; row < end; row++) {
		unsigned position;

		if (creation_find_position(&table->source, (long) result_int(res, row, 1), &position))
			spec->columns[position].comment = creation_keep(spec->memory, res, row, 2);
	}
}

static void
take_defaults(const struct source_table *source, struct creation_spec *spec)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		if (!source->columns[i].default_sql)
			continue;
		spec->columns[i].default_sql = arena_strdup(spec->memory, source->columns[i].default_sql);
		if (source->columns[i].default_refused)
			spec->columns[i].default_refused = arena_strdup(spec->memory, source->columns[i].default_refused);
	}
}

/* ---- operator classes */

const char *
creation_keep_opclass(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	char reason[200];

	if (result_is_null(res, row, column))
		return NULL;
	snprintf(reason, sizeof reason, "the operator class %s is not known to be harmless",
			 result_text(res, row, column));
	return arena_strdup(memory, reason);
}

/* ---- names */

const char *
creation_in_state_schema(const char *schema)
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

bool
creation_read_positions(const struct source_table *source, const char *attnums,
						unsigned positions[TABLE_MAX_KEY], unsigned *count)
{
	bool all = true;
	char *end;

	*count = 0;
	for (long attnum = strtol(attnums, &end, 10); end != attnums; attnum = strtol(attnums, &end, 10)) {
		attnums = end;
		if (*count < TABLE_MAX_KEY && creation_find_position(source, attnum, &positions[*count]))
			(*count)++;
		else
			all = false;
	}
	return all;
}

static void
read_table(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct creation_spec *spec = table->source.creation_spec;

	(void) end;
	spec->comment = creation_keep(spec->memory, res, first, 1);
	spec->oid = table->source.oid;
	spec->partition_key = creation_keep(spec->memory, res, first, 2);
	spec->partition_strategy = result_text(res, first, 3)[0];
	if (!creation_read_positions(&table->source, result_text(res, first, 4), spec->partition_columns,
								 &spec->partition_column_count))
		spec->partition_column_count = 0;
	if (result_bool(res, first, 6))
		spec->partition_expressions = creation_keep(spec->memory, res, first, 5);
	spec->partition_refused = creation_keep_opclass(spec->memory, res, first, 7);
}

/* ---- the column that finds rows of a table without a key */

/*
 * Chosen by the source's statistics: a column without NULLs and with few rows for each value, even for the
 * commonest. Its type has a fixed length, since an index refuses values that are too long. Columns that
 * are nearly unique come first.
 */
static const char finding_columns_sql[] =
	"SELECT c.oid, a.attnum FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" JOIN pg_attribute a ON a.attrelid = c.oid"
	" JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname"
	"  AND s.inherited = (c.relkind = 'p')"
	" CROSS JOIN LATERAL (SELECT CASE WHEN s.n_distinct < 0 THEN -s.n_distinct * c.reltuples"
	"  ELSE s.n_distinct END) d (distinct_values)"
	" WHERE c.oid = ANY ($1::oid[]) AND a.atttypid = ANY "
	"('{int2,int4,int8,oid,uuid,date,timestamp,timestamptz}'"
	"::regtype[]) AND s.null_frac = 0 AND c.reltuples >= 10000 AND d.distinct_values * 100 >= c.reltuples"
	" AND coalesce(s.most_common_freqs[1], 0) * c.reltuples <= 1000"
	" ORDER BY c.oid, d.distinct_values * 10 < c.reltuples, a.attlen, d.distinct_values DESC, a.attnum";

static void
read_finding_column(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	for (unsigned row = first; row < end; row++) {
		unsigned position;

		if (!creation_find_position(&table->source, result_int(res, row, 1), &position) ||
			!mapping_selects(table, table->source.columns[position].name))
			continue;
		table->source.creation_spec->found_by = position + 1;
		return;
	}
}

static bool
lacks_finding_column(const struct table *table)
{
	return table->source.creation_spec && table->operations & (OPERATION_UPDATE | OPERATION_DELETE) &&
		   table->source.identity == 'f' && table_match_key(table, (unsigned[TABLE_MAX_KEY]){0}) == 0;
}

static bool
find_columns(struct connection *source, const struct config *config, struct catalog *catalog,
			 struct error *err)
{
	struct describe describe;
	bool ok = true;

	if (config->schema.indexes == SCHEMA_INDEXES_NONE)
		return true;
	describe_init(&describe, catalog->count);
	for (unsigned i = 0; i < catalog->count; i++)
		if (lacks_finding_column(&catalog->tables[i]))
			describe_add(&describe, catalog->tables[i].source.oid, &catalog->tables[i]);
	describe_sort(&describe);
	if (describe.count > 0)
		ok = describe_run(&describe, source, finding_columns_sql, read_finding_column, err);
	describe_fini(&describe);
	return ok;
}

/* ---- partitions */

static const char partitions_sql[] =
	"SELECT r.oid, c.oid, t.parentrelid::oid, n.nspname, c.relname, pg_get_expr(c.relpartbound, 0),"
	" CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END, " VETTING_TREE(
		"p.partexprs") ","
					   " p.partexprs IS NOT NULL, " FOREIGN_OPCLASS("p.partclass") " FROM pg_class r CROSS "
																				   "JOIN "
																				   "LATERAL"
																				   " " PARTITION_TREE_SQL(
																					   "r.oid") " t "
																								"JOIN "
																								"pg_class c "
																								"ON c.oid = "
																								"t.relid"
																								" JOIN "
																								"pg_"
																								"namespace n "
																								"ON n.oid = "
																								"c."
																								"relnamespace"
																								" LEFT JOIN "
																								"pg_"
																								"partitioned_"
																								"table p ON "
																								"p.partrelid "
																								"= c.oid"
																								" WHERE "
																								"r.oid = ANY "
																								"($1::oid[]) "
																								"AND "
																								"r.relkind = "
																								"'p' AND "
																								"t.level > "
																								"0 ORDER BY "
																								"r.oid, "
																								"t.level, "
																								"c.oid";

static void
read_partitions(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct creation_spec *spec = table->source.creation_spec;
	struct arena *memory = spec->memory;

	spec->partitions = arena_alloc_zero(memory, (end - first) * sizeof(*spec->partitions));
	for (unsigned row = first; row < end; row++) {
		spec->partitions[spec->partition_count++] = (struct partition_spec){
			.oid = (uint32_t) result_int(res, row, 1),
			.parent = (uint32_t) result_int(res, row, 2),
			.schema = creation_keep(memory, res, row, 3),
			.name = creation_keep(memory, res, row, 4),
			.bound = creation_keep(memory, res, row, 5),
			.key = creation_keep(memory, res, row, 6),
			.key_expressions = result_bool(res, row, 8) ? creation_keep(memory, res, row, 7) : NULL,
		};
		if (!spec->partition_refused)
			spec->partition_refused = creation_in_state_schema(result_text(res, row, 3));
		if (!spec->partition_refused)
			spec->partition_refused = creation_keep_opclass(memory, res, row, 9);
	}
}

/* ---- which expressions the destination may evaluate */

static void
add_tree(struct vetting *vetting, const char *tree, const char **refused)
{
	if (tree)
		vetting_add(vetting, tree, refused);
}

static void
add_table(struct vetting *vetting, struct creation_spec *spec)
{
	index_specs_vet(vetting, spec);
	add_tree(vetting, spec->partition_expressions, &spec->partition_refused);
	for (unsigned i = 0; i < spec->partition_count; i++)
		add_tree(vetting, spec->partitions[i].key_expressions, &spec->partition_refused);
}

static bool
vet(struct connection *source, struct catalog *catalog, struct error *err)
{
	struct creation_specs *specs = catalog->creation_specs;
	struct vetting vetting;
	bool ok;

	vetting_init(&vetting, &specs->memory);
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.creation_spec)
			add_table(&vetting, catalog->tables[i].source.creation_spec);
	for (unsigned i = 0; i < specs->type_count; i++)
		for (unsigned j = 0; j < specs->types[i].part_count; j++)
			vetting_add(&vetting, specs->types[i].parts[j].tree, &specs->types[i].parts[j].refused);
	ok = vetting_run(&vetting, source, err);
	vetting_fini(&vetting);
	return ok;
}

/* ---- all of it */

/* Returns the number of tables that need a spec. */
static unsigned
make_room(struct catalog *catalog, struct describe *describe)
{
	struct arena *memory = &creation_specs_create(catalog)->memory;
	unsigned count = 0;

	for (unsigned i = 0; i < catalog->count; i++) {
		struct source_table *source = &catalog->tables[i].source;
		struct creation_spec *spec;

		if (!creation_spec_wanted(&catalog->tables[i]))
			continue;
		spec = arena_alloc_zero(memory, sizeof(*spec));
		spec->memory = memory;
		spec->columns = arena_alloc_zero(memory, (source->column_count + 1) * sizeof(*spec->columns));
		take_defaults(source, spec);
		source->creation_spec = spec;
		describe_add(describe, source->oid, &catalog->tables[i]);
		count++;
	}
	describe_sort(describe);
	return count;
}

/* Drops what the configuration does not want. */
static void
choose(const struct config *config, struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct creation_spec *spec = catalog->tables[i].source.creation_spec;

		if (!spec)
			continue;
		index_specs_choose(spec, config->schema.indexes);
		if (config->schema.partitions == SCHEMA_PARTITIONS_FLATTEN)
			spec->partition_key = NULL;
	}
}

static bool
describe_tables(const struct describe *describe, struct connection *source, const struct config *config,
				struct catalog *catalog, struct error *err)
{
	if (!describe_run(describe, source, comments_sql, read_comments, err) ||
		!describe_run(describe, source, tables_sql, read_table, err) ||
		!index_specs_read(describe, source, err) || !find_columns(source, config, catalog, err) ||
		(config->schema.partitions == SCHEMA_PARTITIONS_KEEP &&
		 !describe_run(describe, source, partitions_sql, read_partitions, err)))
		return false;
	choose(config, catalog);
	return creation_types_read(source, catalog, err) && vet(source, catalog, err);
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
			 ((creation_letters_leave_out(destination, catalog, err) &&
			   rehearse_definitions(destination, catalog, err)) ||
			  error_context(err, "trying the definitions at the destination"));
	describe_fini(&describe);
	return ok;
}
