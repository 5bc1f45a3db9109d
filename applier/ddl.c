#include "ddl.h"

#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* reg* and the like name what only the source's own catalog has: text keeps the name. */
static bool
means_the_same(const struct source_column *column)
{
	return column->builtin || strcmp(column->base_schema, "pg_catalog") != 0;
}

static bool
keeps_type(const struct source_column *column)
{
	return column->exists_at_target && means_the_same(column);
}

bool
ddl_put_column_type(struct buffer *sql, const struct source_column *column)
{
	const char *type = column->element ? "text[]" : "text";

	if (keeps_type(column))
		type = column->formatted;
	else if (column->typtype == 'd' && column->base_exists_at_target && means_the_same(column))
		type = column->base_formatted;
	buffer_put(sql, type, strlen(type));
	return !keeps_type(column);
}

/* Names may hold anything, a comment ends with its line. */
static void
put_in_comment(struct buffer *sql, const char *name)
{
	for (; *name; name++)
		buffer_put_u8(sql, (unsigned char) *name < ' ' ? ' ' : (uint8_t) *name);
}

static void
put_type_changes(struct buffer *sql, const struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = &source->columns[i];

		if (keeps_type(column))
			continue;
		buffer_printf(sql, "-- column ");
		put_in_comment(sql, column->name);
		buffer_printf(sql, ": ");
		put_in_comment(sql, column->formatted);
		buffer_printf(sql, " becomes ");
		ddl_put_column_type(sql, column);
		buffer_put_u8(sql, '\n');
	}
}

static void
put_columns(struct buffer *sql, const struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = &source->columns[i];

		buffer_printf(sql, "%s\n\t", i ? "," : "");
		sql_identifier(sql, column->name);
		buffer_put_u8(sql, ' ');
		ddl_put_column_type(sql, column);
		if (column->not_null)
			buffer_printf(sql, " NOT NULL");
	}
}

/* ---- keys */

static unsigned
primary_key(const struct source_table *source, unsigned key[TABLE_MAX_KEY])
{
	unsigned count = 0;

	for (unsigned i = 0; i < source->column_count; i++) {
		int at = source->columns[i].primary_position;

		if (at < 1 || at > TABLE_MAX_KEY)
			continue;
		key[at - 1] = i;
		count++;
	}
	return count;
}

static bool
key_has(const unsigned *key, unsigned count, unsigned column)
{
	for (unsigned i = 0; i < count; i++)
		if (key[i] == column)
			return true;
	return false;
}

/* Whether two keys are made of the same columns. */
static bool
same_columns(const unsigned *a, unsigned a_count, const unsigned *b, unsigned b_count)
{
	if (a_count != b_count)
		return false;
	for (unsigned i = 0; i < a_count; i++)
		if (!key_has(b, b_count, a[i]))
			return false;
	return true;
}

static void
put_key(struct buffer *sql, const struct source_table *source, const unsigned *key, unsigned count)
{
	buffer_put_u8(sql, '(');
	for (unsigned i = 0; i < count; i++) {
		if (i)
			buffer_printf(sql, ", ");
		sql_identifier(sql, source->columns[key[i]].name);
	}
	buffer_put_u8(sql, ')');
}

/*
 * Every batch finds its rows by the match key: without an index each would
 * read the whole table.  Plain where the destination has no unique one.
 */
static void
put_match_index(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned count = table_match_key(table, key);
	bool unique = count > 0 && dialect->allows_unique(table, key, count);

	if (count == 0)
		return;
	buffer_printf(sql, "CREATE %sINDEX ON ", unique ? "UNIQUE " : "");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_put_u8(sql, ' ');
	put_key(sql, &table->source, key, count);
	buffer_printf(sql, ";\n");
}

void
ddl_put_create_table(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	unsigned primary[TABLE_MAX_KEY], match[TABLE_MAX_KEY];
	unsigned primary_count = primary_key(&table->source, primary);
	unsigned match_count = table_match_key(table, match);

	put_type_changes(sql, &table->source);
	if (primary_count > 0 && !dialect->allows_unique(table, primary, primary_count)) {
		buffer_printf(sql, "-- without its primary key: storage or distribution does not allow it\n");
		primary_count = 0;
	}
	buffer_printf(sql, "CREATE TABLE ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_printf(sql, " (");
	put_columns(sql, &table->source);
	if (primary_count > 0) {
		buffer_printf(sql, ",\n\tPRIMARY KEY ");
		put_key(sql, &table->source, primary, primary_count);
	}
	buffer_printf(sql, "\n)");
	dialect->put_table_options(sql, table);
	buffer_printf(sql, ";\n");
	if (!same_columns(primary, primary_count, match, match_count))
		put_match_index(sql, dialect, table);
}

/* ---- everything */

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
	return strcmp(*(char *const *) a, *(char *const *) b);
}

void
ddl_put_create_schemas(struct buffer *sql, const struct catalog *catalog,
					   const struct string_list *existing_schemas)
{
	char **schemas = catalog_alloc(catalog->count, sizeof(*schemas));
	unsigned count = 0;

	for (unsigned i = 0; i < catalog->count; i++)
		if (!catalog->tables[i].target.exists)
			schemas[count++] = catalog->tables[i].target_schema;
	if (count > 1)
		qsort(schemas, count, sizeof(*schemas), compare_strings);
	for (unsigned i = 0; i < count; i++) {
		if ((i > 0 && strcmp(schemas[i], schemas[i - 1]) == 0) || list_has(existing_schemas, schemas[i]))
			continue;
		buffer_printf(sql, "CREATE SCHEMA IF NOT EXISTS ");
		sql_identifier(sql, schemas[i]);
		buffer_printf(sql, ";\n");
	}
	free(schemas);
}

void
ddl_put_create(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
			   const struct string_list *existing_schemas)
{
	ddl_put_create_schemas(sql, catalog, existing_schemas);
	for (unsigned i = 0; i < catalog->count; i++) {
		if (catalog->tables[i].target.exists)
			continue;
		if (sql->len > 0)
			buffer_put_u8(sql, '\n');
		ddl_put_create_table(sql, dialect, &catalog->tables[i]);
	}
}
