#include "target_types.h"

#include <stdlib.h>
#include <string.h>

#include "base/keymap.h"
#include "base/memory.h"
#include "base/sql.h"
#include "text_arrays.h"

/*
 * An extension's type may lie in another schema at the destination; it is preferred to another type with
 * the source's name. An array can be hashed if its elements can. The choice of the operator class follows
 * GetDefaultOpClass() in indexcmds.c.
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
	struct keymap numbers;	  /* key: schema, NUL, name */
	struct text_arrays names; /* schema, name, extension; "": none */
	bool *exist;			  /* indexed by number */
	bool *hashable;
	const char **schemas; /* see source_column.schema_at_target; allocated in `memory` */
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
	if (!found)
		text_arrays_add(&types->names, (const char *const[]){schema, name, extension ? extension : ""});
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

		/* The types of a stored definition may be unknown. */
		if (!column->type_name)
			continue;
		/*
		 * Both are the same except for domains. A domain over an extension's type does not belong to the
		 * extension.
		 */
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

bool
target_types_find(struct connection *destination, struct catalog *catalog, struct error *err)
{
	struct types types = {0};
	struct result *res;
	bool ok;

	arena_init(&types.memory, 1 << 14);
	arena_init(&types.scratch, 1 << 12);
	keymap_init(&types.numbers);
	text_arrays_init(&types.names, 3);
	collect_types(&types, catalog);
	types.exist = memory_alloc_zero(keymap_count(&types.numbers), sizeof(*types.exist));
	types.hashable = memory_alloc_zero(keymap_count(&types.numbers), sizeof(*types.hashable));
	types.schemas = memory_alloc_zero(keymap_count(&types.numbers), sizeof(*types.schemas));
	ok = text_arrays_execute(&types.names, destination, types_sql, &res, err);
	if (ok) {
		read_types(&types, res);
		mark_types(&types, catalog);
		result_free(res);
	}
	free(types.exist);
	free(types.hashable);
	free(types.schemas);
	text_arrays_fini(&types.names);
	keymap_fini(&types.numbers);
	arena_fini(&types.scratch);
	arena_fini(&types.memory);
	return ok;
}
