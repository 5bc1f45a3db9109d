#include "copy_statements.h"

#include <stdlib.h>

#include "arena.h"
#include "copy_rows.h"
#include "mapping.h"
#include "sql.h"

struct fed_column {
	const struct source_column *source;
	const struct target_column *target;
};

static struct fed_column *
allocate_columns(const struct table *table)
{
	struct fed_column *fed = calloc(table->source.column_count + 1, sizeof *fed);

	if (!fed)
		arena_out_of_memory(table->source.column_count * sizeof *fed);
	return fed;
}

/* The columns that travel; returns how many. */
static unsigned
fed_columns(const struct table *table, struct fed_column *fed)
{
	unsigned count = 0;

	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];
		const struct target_column *target = mapping_find_target(table, source->name);

		if (target && !target->generated)
			fed[count++] = (struct fed_column){source, target};
	}
	return count;
}

static bool
needs_select(const struct table *table)
{
	if (table->source.partitioned || mapping_where(table))
		return true;
	for (unsigned i = 0; i < table->source.column_count; i++)
		if (table->source.columns[i].generated)
			return true;
	return false;
}

static void
put_source_columns(struct buffer *sql, const struct fed_column *fed, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (i)
			buffer_put_u8(sql, ',');
		sql_identifier(sql, fed[i].source->name);
	}
}

/* COPY of the table itself is a little faster, but takes no partitioned table,
 * no generated column and no condition. */
void
copy_put_out(struct buffer *sql, const struct table *table)
{
	struct fed_column *fed = allocate_columns(table);
	unsigned count = fed_columns(table, fed);
	bool select = needs_select(table);

	buffer_printf(sql, select ? "COPY (SELECT " : "COPY ");
	if (select)
		put_source_columns(sql, fed, count);
	if (select)
		buffer_printf(sql, table->source.partitioned ? " FROM " : " FROM ONLY ");
	sql_qualified(sql, table->source.schema, table->source.name);
	/* A condition may end with a comment. */
	if (mapping_where(table))
		buffer_printf(sql, " WHERE (%s\n)", mapping_where(table));
	buffer_printf(sql, select ? ")" : " (");
	if (!select)
		put_source_columns(sql, fed, count);
	buffer_printf(sql, "%s TO STDOUT%s", select ? "" : ")", copy_format_clause(table->as_text));
	buffer_put_u8(sql, '\0');
	free(fed);
}

void
copy_put_in(struct buffer *sql, const struct table *table)
{
	struct fed_column *fed = allocate_columns(table);
	unsigned count = fed_columns(table, fed);

	buffer_printf(sql, "COPY ");
	sql_qualified(sql, table->target_schema, table->target_name);
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(sql, i ? ", " : " (");
		sql_identifier(sql, fed[i].target->name);
	}
	buffer_printf(sql, ") FROM STDIN%s", copy_format_clause(table->as_text));
	buffer_put_u8(sql, '\0');
	free(fed);
}

/* The columns as the catalog has them, to be compared with what the snapshot shows. */
static void
put_known_columns(struct buffer *sql, const struct source_table *source)
{
	buffer_printf(sql, "ARRAY[");
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = &source->columns[i];
		struct buffer text;

		buffer_init(&text, SIZE_MAX / 2, NULL, NULL);
		buffer_printf(&text, "%d %u %s", column->attnum, column->type, column->name);
		buffer_put_u8(&text, '\0');
		buffer_printf(sql, i ? ", " : "");
		sql_literal(sql, (const char *) text.data);
		buffer_fini(&text);
	}
	buffer_printf(sql, "]::text[]");
}

/* Column names and types may have changed between the look at the catalog and the snapshot. */
static void
put_column_comparison(struct buffer *sql, const struct source_table *source)
{
	buffer_printf(sql,
				  " AND ARRAY(SELECT a.attnum || ' ' || a.atttypid || ' ' || a.attname FROM pg_attribute a"
				  " WHERE a.attrelid = %u AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'"
				  " ORDER BY a.attnum) = ",
				  source->oid);
	put_known_columns(sql, source);
}

void
copy_put_look(struct buffer *sql, const struct table *table)
{
	struct buffer name;

	buffer_init(&name, SIZE_MAX / 2, NULL, NULL);
	sql_qualified(&name, table->source.schema, table->source.name);
	buffer_put_u8(&name, '\0');
	buffer_printf(sql,
				  "SAVEPOINT look; LOCK TABLE %s IN ACCESS SHARE MODE; RELEASE look;"
				  " SELECT to_regclass(",
				  (const char *) name.data);
	sql_literal(sql, (const char *) name.data);
	buffer_printf(sql,
				  ")::oid = %u AND (SELECT bool_and(pg_relation_filenode(c.oid) = c.relfilenode"
				  " OR pg_relation_filenode(c.oid) IS NULL) FROM pg_class c WHERE c.oid = %u"
				  " OR c.oid IN (SELECT relid FROM pg_partition_tree(%u)))",
				  table->source.oid, table->source.oid, table->source.oid);
	put_column_comparison(sql, &table->source);
	buffer_put_u8(sql, '\0');
	buffer_fini(&name);
}
