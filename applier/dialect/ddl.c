#include "ddl.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "ddl_column.h"
#include "ddl_index.h"
#include "ddl_partition.h"
#include "ddl_type.h"
#include "tables/mapping.h"

/* ---- one table */

static const struct column_spec *
column_spec(const struct source_table *source, unsigned column)
{
	return source->creation_spec ? &source->creation_spec->columns[column] : NULL;
}

static void
put_columns(struct buffer *sql, const struct table *table)
{
	const struct source_table *source = &table->source;
	const char *separator = "";

	for (unsigned i = 0; i < source->column_count; i++) {
		const char *name = source->columns[i].name;

		if (!mapping_selects(table, name))
			continue;
		buffer_printf(sql, "%s\n\t", separator);
		separator = ",";
		ddl_put_column(sql, mapping_target_name(table, name), &source->columns[i], column_spec(source, i));
	}
}

static void
put_comment(struct buffer *sql, const struct table *table, const char *column, const char *comment)
{
	buffer_printf(sql, "COMMENT ON %s ", column ? "COLUMN" : "TABLE");
	sql_qualified(sql, table->target_schema, table->target_name);
	if (column) {
		buffer_put_u8(sql, '.');
		sql_identifier(sql, column);
	}
	buffer_printf(sql, " IS ");
	sql_literal(sql, comment);
	buffer_printf(sql, ";\n");
}

static void
put_comments(struct buffer *sql, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;

	if (!spec)
		return;
	if (spec->comment)
		put_comment(sql, table, NULL, spec->comment);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const char *name = table->source.columns[i].name;

		if (spec->columns[i].comment && mapping_selects(table, name))
			put_comment(sql, table, mapping_target_name(table, name), spec->columns[i].comment);
	}
}

void
ddl_put_table_remarks(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	const struct source_table *source = &table->source;
	const char *flattened;

	if (!ddl_keeps_partitions(dialect, table, &flattened) && flattened) {
		buffer_printf(sql, "-- as one table: ");
		ddl_put_remark(sql, flattened);
		buffer_put_u8(sql, '\n');
	}
	for (unsigned i = 0; i < source->column_count; i++)
		if (mapping_selects(table, source->columns[i].name))
			ddl_put_column_remarks(sql, &source->columns[i], column_spec(source, i));
	if (ddl_lacks_primary_key(dialect, table))
		buffer_printf(sql, "-- without its primary key: storage or distribution does not allow it\n");
}

void
ddl_put_create_table(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	unsigned primary[TABLE_MAX_KEY];
	unsigned primary_count = ddl_primary_key(dialect, table, primary);

	buffer_printf(sql, "CREATE TABLE ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_printf(sql, " (");
	put_columns(sql, table);
	if (primary_count > 0) {
		buffer_printf(sql, ",\n\tPRIMARY KEY ");
		ddl_put_key(sql, table, primary, primary_count);
	}
	buffer_printf(sql, "\n)");
	ddl_put_partition_key(sql, dialect, table);
	ddl_put_table_options(sql, dialect, table);
	ddl_put_partition_list(sql, dialect, table);
	buffer_printf(sql, ";\n");
	ddl_put_partitions(sql, dialect, table);
	ddl_put_match_index(sql, dialect, table);
	put_comments(sql, table);
}

/* ---- all statements */

static bool
list_has(const struct string_list *list, const char *name)
{
	for (unsigned i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* At most one for each table, type and partition. */
static size_t
most_schemas(const struct catalog *catalog)
{
	size_t most = catalog->count + (catalog->creation_specs ? catalog->creation_specs->type_count : 0);

	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.creation_spec)
			most += catalog->tables[i].source.creation_spec->partition_count;
	return most;
}

static unsigned
collect_partition_schemas(const struct dialect *dialect, const struct table *table, const char **schemas)
{
	const struct creation_spec *spec = table->source.creation_spec;
	const char *remark;
	unsigned count = 0;

	if (!dialect->has_declarative_partitions || !ddl_keeps_partitions(dialect, table, &remark))
		return 0;
	for (; count < spec->partition_count; count++)
		schemas[count] = ddl_partition_schema(table, &spec->partitions[count]);
	return count;
}

/* Collects the schemas of the targets, partitions and types that will be created, sorted; returns how many. */
static unsigned
collect_schemas(const struct dialect *dialect, const struct catalog *catalog, const char **schemas)
{
	const struct creation_specs *specs = catalog->creation_specs;
	unsigned count = 0;

	for (unsigned i = 0; i < catalog->count; i++) {
		if (catalog->tables[i].target.exists)
			continue;
		schemas[count++] = catalog->tables[i].target_schema;
		count += collect_partition_schemas(dialect, &catalog->tables[i], schemas + count);
	}
	for (unsigned i = 0; specs && i < specs->type_count; i++)
		if (!specs->types[i].exists && !specs->types[i].refused)
			schemas[count++] = specs->types[i].schema;
	if (count > 1)
		qsort(schemas, count, sizeof(*schemas), compare_strings);
	return count;
}

void
ddl_put_create_schemas(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
					   const struct string_list *existing_schemas)
{
	const char **schemas = memory_alloc_zero(most_schemas(catalog), sizeof(*schemas));
	unsigned count = collect_schemas(dialect, catalog, schemas);

	for (unsigned i = 0; i < count; i++) {
		if ((i > 0 && strcmp(schemas[i], schemas[i - 1]) == 0) || list_has(existing_schemas, schemas[i]))
			continue;
		buffer_printf(sql, "CREATE SCHEMA IF NOT EXISTS ");
		sql_identifier(sql, schemas[i]);
		buffer_printf(sql, ";\n");
	}
	free(schemas);
}

static void
put_blank_line(struct buffer *sql)
{
	if (sql->len > 0)
		buffer_put_u8(sql, '\n');
}

static void
put_all_after_copy(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog)
{
	size_t began = sql->len, heading;

	put_blank_line(sql);
	buffer_printf(sql, "-- when the rows have been copied\n");
	heading = sql->len;
	for (unsigned i = 0; i < catalog->count; i++)
		if (!catalog->tables[i].target.exists && mapping_is_first(catalog, i))
			ddl_put_after_copy(sql, dialect, &catalog->tables[i]);
	if (sql->len == heading)
		buffer_truncate(sql, began);
}

void
ddl_put_create(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
			   const struct string_list *existing_schemas)
{
	ddl_put_create_schemas(sql, dialect, catalog, existing_schemas);
	ddl_put_create_types(sql, catalog);
	ddl_put_type_remarks(sql, catalog);
	for (unsigned i = 0; i < catalog->count; i++) {
		if (catalog->tables[i].target.exists || !mapping_is_first(catalog, i))
			continue;
		put_blank_line(sql);
		ddl_put_table_remarks(sql, dialect, &catalog->tables[i]);
		ddl_put_create_table(sql, dialect, &catalog->tables[i]);
	}
	put_all_after_copy(sql, dialect, catalog);
}
