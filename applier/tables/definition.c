#include "definition.h"

#include <stdlib.h>

#include "base/memory.h"

#define CHUNK_BYTES ((size_t) 1 << 14)

struct definitions *
definitions_create(struct catalog *catalog)
{
	definitions_destroy(catalog);
	catalog->definitions = memory_alloc_zero(1, sizeof(*catalog->definitions));
	arena_init(&catalog->definitions->memory, CHUNK_BYTES);
	return catalog->definitions;
}

void
definitions_destroy(struct catalog *catalog)
{
	if (!catalog->definitions)
		return;
	for (unsigned i = 0; i < catalog->count; i++)
		catalog->tables[i].source.definition = NULL;
	arena_fini(&catalog->definitions->memory);
	free(catalog->definitions);
	catalog->definitions = NULL;
}

/* Whether the type will be made, itself or as the element of an array type. */
static bool
will_exist(const struct definitions *definitions, uint32_t oid)
{
	for (unsigned i = 0; i < definitions->type_count; i++) {
		const struct type_definition *type = &definitions->types[i];

		if (!type->refused && (type->oid == oid || (type->has_array && type->array_oid == oid)))
			return true;
	}
	return false;
}

static void
mark_columns(const struct definitions *definitions, struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		struct source_column *column = &source->columns[i];

		if (!column->exists_at_target)
			column->exists_at_target = will_exist(definitions, column->type);
		if (!column->base_exists_at_target)
			column->base_exists_at_target = will_exist(definitions, column->base_type);
	}
}

void
definitions_mark_types(struct catalog *catalog)
{
	if (!catalog->definitions || catalog->definitions->type_count == 0)
		return;
	for (unsigned i = 0; i < catalog->count; i++)
		if (definition_wanted(&catalog->tables[i]))
			mark_columns(catalog->definitions, &catalog->tables[i].source);
}
