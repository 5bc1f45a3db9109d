#include "ddl_column.h"

#include <string.h>

#include "base/sql.h"

/* ---- types */

/* Types such as regclass hold OIDs of the source's catalog, which mean nothing elsewhere: as text they keep the
 * name. */
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

/* Appends the part of a type after its schema, as format_type() writes it: ".geometry(Point,4326)". */
static const char *
behind_schema(const char *formatted)
{
	bool quoted = false;

	for (; *formatted && (quoted || *formatted != '.'); formatted++)
		if (*formatted == '"')
			quoted = !quoted;
	return formatted;
}

static void
put_base_type(struct buffer *sql, const struct source_column *column, const char *formatted)
{
	if (column->schema_at_target) {
		buffer_put(sql, column->schema_at_target, strlen(column->schema_at_target));
		formatted = behind_schema(formatted);
	}
	buffer_put(sql, formatted, strlen(formatted));
}

bool
ddl_put_column_type(struct buffer *sql, const struct source_column *column)
{
	bool domain = column->typtype == 'd';

	if (keeps_type(column) && domain)
		buffer_put(sql, column->formatted, strlen(column->formatted));
	else if (keeps_type(column))
		put_base_type(sql, column, column->formatted);
	else if (domain && column->base_exists_at_target && means_the_same(column))
		put_base_type(sql, column, column->base_formatted);
	else
		buffer_printf(sql, column->element ? "text[]" : "text");
	return !keeps_type(column);
}

/* ---- columns */

void
ddl_put_column(struct buffer *sql, const char *name, const struct source_column *column,
			   const struct column_spec *spec)
{
	sql_identifier(sql, name);
	buffer_put_u8(sql, ' ');
	ddl_put_column_type(sql, column);
	if (column->not_null)
		buffer_printf(sql, " NOT NULL");
	if (spec && spec->default_sql && !spec->default_refused)
		buffer_printf(sql, " DEFAULT %s", spec->default_sql);
}

/* ---- remarks */

void
ddl_put_remark(struct buffer *sql, const char *text)
{
	for (; *text; text++)
		buffer_put_u8(sql, (unsigned char) *text < ' ' ? ' ' : (uint8_t) *text);
}

static void
put_beginning(struct buffer *sql, const struct source_column *column)
{
	buffer_printf(sql, "-- column ");
	ddl_put_remark(sql, column->name);
	buffer_printf(sql, ": ");
}

void
ddl_put_column_remarks(struct buffer *sql, const struct source_column *column, const struct column_spec *spec)
{
	if (!keeps_type(column)) {
		put_beginning(sql, column);
		ddl_put_remark(sql, column->formatted);
		buffer_printf(sql, " becomes ");
		ddl_put_column_type(sql, column);
		buffer_put_u8(sql, '\n');
	}
	if (spec && spec->default_refused) {
		put_beginning(sql, column);
		buffer_printf(sql, "without its default ");
		ddl_put_remark(sql, spec->default_sql);
		buffer_printf(sql, ": ");
		ddl_put_remark(sql, spec->default_refused);
		buffer_put_u8(sql, '\n');
	}
}
