#include "creation_specs.h"

#include <stdlib.h>

#include "base/memory.h"

#define CHUNK_BYTES ((size_t) 1 << 14)

struct creation_specs *
creation_specs_create(struct catalog *catalog)
{
	creation_specs_destroy(catalog);
	catalog->creation_specs = memory_alloc_zero(1, sizeof(*catalog->creation_specs));
	arena_init(&catalog->creation_specs->memory, CHUNK_BYTES);
	return catalog->creation_specs;
}

void
creation_specs_destroy(struct catalog *catalog)
{
	if (!catalog->creation_specs)
		return;
	for (unsigned i = 0; i < catalog->count; i++)
		catalog->tables[i].source.creation_spec = NULL;
	arena_fini(&catalog->creation_specs->memory);
	free(catalog->creation_specs);
	catalog->creation_specs = NULL;
}

/* Whether the type will be made, itself or as the element of an array type. */
static bool
will_exist(const struct creation_specs *specs, uint32_t oid)
{
	for (unsigned i = 0; i < specs->type_count; i++) {
		const struct type_spec *type = &specs->types[i];

		if (!type->refused && (type->oid == oid || (type->has_array && type->array_oid == oid)))
			return true;
	}
	return false;
}

static void
mark_columns(const struct creation_specs *specs, struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		struct source_column *column = &source->columns[i];

		if (!column->exists_at_target)
			column->exists_at_target = will_exist(specs, column->type);
		if (!column->base_exists_at_target)
			column->base_exists_at_target = will_exist(specs, column->base_type);
	}
}

void
creation_specs_mark_types(struct catalog *catalog)
{
	if (!catalog->creation_specs || catalog->creation_specs->type_count == 0)
		return;
	for (unsigned i = 0; i < catalog->count; i++)
		if (creation_spec_wanted(&catalog->tables[i]))
			mark_columns(catalog->creation_specs, &catalog->tables[i].source);
}
