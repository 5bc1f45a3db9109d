#include "catalog.h"

#include <stdlib.h>
#include <string.h>

#include "creation_specs.h"
#include "mapping.h"

/* ---- memory */

void
source_column_free(struct source_column *column)
{
	free(column->name);
	free(column->type_schema);
	free(column->type_name);
	free(column->formatted);
	free(column->base_schema);
	free(column->base_name);
	free(column->base_formatted);
	free(column->default_sql);
	free(column->default_tree);
	free(column->default_refused);
	free(column->extension);
	free(column->schema_at_target);
}

void
source_table_free(struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++)
		source_column_free(&source->columns[i]);
	free(source->columns);
	free(source->storage);
	free(source->schema);
	free(source->name);
	*source = (struct source_table){0};
}

void
target_table_free(struct target_table *target)
{
	free(target->primary_name);
	for (unsigned i = 0; i < target->index_count; i++) {
		free(target->indexes[i].name);
		free(target->indexes[i].definition);
		free(target->indexes[i].constraint);
	}
	free(target->indexes);
	for (unsigned i = 0; i < target->column_count; i++) {
		struct target_column *column = &target->columns[i];

		free(column->name);
		free(column->type_schema);
		free(column->type_name);
		free(column->formatted);
		free(column->base_schema);
		free(column->base_name);
		free(column->equality);
	}
	free(target->columns);
	free(target->rules);
	free(target->owner);
	*target = (struct target_table){0};
}

void
table_forget_creation_spec(struct table *table)
{
	if (table->defined)
		source_table_free(table->defined);
	free(table->defined);
	table->defined = NULL;
}

void
table_free(struct table *table)
{
	source_table_free(&table->source);
	table_forget_creation_spec(table);
	target_table_free(&table->target);
	free(table->target_schema);
	free(table->target_name);
	free(table->shared_with);
	free(table->error);
	free(table->refused);
	free(table->upkeep);
	free(table->index_drops);
	free(table->indexing);
}

void
catalog_remove(struct catalog *catalog, struct table *table)
{
	size_t behind = catalog->count - (size_t) (table - catalog->tables) - 1;

	catalog->stray_rows++;
	table_free(table);
	memmove(table, table + 1, behind * sizeof *table);
	catalog->count--;
}

void
catalog_free(struct catalog *catalog)
{
	creation_specs_destroy(catalog);
	for (unsigned i = 0; i < catalog->count; i++)
		table_free(&catalog->tables[i]);
	free(catalog->tables);
	free(catalog->blocked);
	*catalog = (struct catalog){0};
}

/* ---- finding */

static int
compare_names(const char *schema, const char *name, const struct table *table)
{
	int order = strcmp(schema, table->source.schema);

	return order ? order : strcmp(name, table->source.name);
}

static int
compare_tables(const void *a, const void *b)
{
	const struct table *table = a;

	return compare_names(table->source.schema, table->source.name, b);
}

void
catalog_sort(struct catalog *catalog)
{
	if (catalog->count > 1)
		qsort(catalog->tables, catalog->count, sizeof(*catalog->tables), compare_tables);
}

struct table *
catalog_find(const struct catalog *catalog, const char *schema, const char *name)
{
	unsigned low = 0, high = catalog->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		int order = compare_names(schema, name, &catalog->tables[middle]);

		if (order == 0)
			return &catalog->tables[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct table *
catalog_find_oid(const struct catalog *catalog, uint32_t oid)
{
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.oid == oid)
			return &catalog->tables[i];
	return NULL;
}

const struct target_column *
target_find_column(const struct target_table *target, const char *name)
{
	for (unsigned i = 0; i < target->column_count; i++)
		if (strcmp(target->columns[i].name, name) == 0)
			return &target->columns[i];
	return NULL;
}

const struct source_column *
source_find_column(const struct source_table *source, const char *name)
{
	for (unsigned i = 0; i < source->column_count; i++)
		if (strcmp(source->columns[i].name, name) == 0)
			return &source->columns[i];
	return NULL;
}

/* ---- the match key */

static int
primary_position(const struct source_column *column)
{
	return column->primary_position;
}

static int
identity_position(const struct source_column *column)
{
	return column->identity_position;
}

static int
unique_position(const struct source_column *column)
{
	return column->unique_position;
}

/* Writes the columns of one index, in the index's order. */
static unsigned
key_by_position(const struct source_table *source, int (*position)(const struct source_column *),
				unsigned key[TABLE_MAX_KEY])
{
	unsigned count = 0;

	for (unsigned i = 0; i < source->column_count; i++) {
		int at = position(&source->columns[i]);

		if (at < 1 || at > TABLE_MAX_KEY)
			continue;
		key[at - 1] = i;
		count++;
	}
	return count;
}

static unsigned
key_by_names(const struct source_table *source, const struct string_list *names, unsigned key[TABLE_MAX_KEY])
{
	if (names->count > TABLE_MAX_KEY)
		return 0;
	for (unsigned i = 0; i < names->count; i++) {
		const struct source_column *column = source_find_column(source, names->items[i]);

		if (!column)
			return 0;
		key[i] = (unsigned) (column - source->columns);
	}
	return names->count;
}

bool
table_shares_target(const struct table *a, const struct table *b)
{
	return strcmp(a->target_name, b->target_name) == 0 && strcmp(a->target_schema, b->target_schema) == 0;
}

unsigned
table_match_key(const struct table *table, unsigned key[TABLE_MAX_KEY])
{
	const struct source_table *source = &table->source;
	unsigned count = 0;

	if (table->override && table->override->key.count > 0)
		return key_by_names(source, &table->override->key, key);
	if (source->identity == 'i')
		count = key_by_position(source, identity_position, key);
	if (count == 0)
		count = key_by_position(source, primary_position, key);
	if (count == 0 && source->identity == 'f')
		count = key_by_position(source, unique_position, key);
	return count;
}

bool
table_lacks_identity(const struct table *table)
{
	const struct source_table *source = &table->source;
	unsigned key[TABLE_MAX_KEY];

	if (source->column_count == 0)
		return true;
	if (!(table->operations & (OPERATION_UPDATE | OPERATION_DELETE)))
		return false;
	switch (source->identity) {
	case 'f':
		return false;
	case 'i':
		return key_by_position(source, identity_position, key) == 0;
	case 'd':
		return key_by_position(source, primary_position, key) == 0;
	default:
		return true;
	}
}

/* ---- binary or text */

static bool
is_string(const char *schema, const char *name)
{
	return strcmp(schema, "pg_catalog") == 0 && (strcmp(name, "text") == 0 || strcmp(name, "varchar") == 0);
}

/*
 * Types whose empty values the receive functions refuse: for vectors on every server, for tsquery on
 * PostgreSQL 9.4.
 */
static bool
has_unreadable_binary(const char *type)
{
	if (*type == '_')
		type++;
	return strcmp(type, "int2vector") == 0 || strcmp(type, "oidvector") == 0 || strcmp(type, "tsquery") == 0;
}

/*
 * Whether the target's column reads the binary form of the source's as the same value. Text and varchar
 * have the same form; that of an enum is its label.
 */
static bool
same_binary_form(const struct source_column *source, const struct target_column *target)
{
	bool both_strings = is_string(source->base_schema, source->base_name) || source->base_typtype == 'e';

	if (both_strings && is_string(target->base_schema, target->base_name))
		return true;
	if (source->base_typtype == 'e')
		return target->base_typtype == 'e';
	return source->builtin && !has_unreadable_binary(source->base_name) &&
		   strcmp(source->base_schema, target->base_schema) == 0 &&
		   strcmp(source->base_name, target->base_name) == 0;
}

bool
table_needs_text(const struct table *table)
{
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];
		const struct target_column *target = mapping_find_target(table, source->name);

		if (!mapping_selects(table, source->name))
			continue;
		if (target ? !same_binary_form(source, target) : !source->builtin && source->base_typtype != 'e')
			return true;
	}
	return false;
}
