#include "sql.h"

#include "memory.h"
#include "quote.h"

void
sql_init(struct buffer *sql)
{
	memory_buffer_init(sql);
}

const char *
sql_text(struct buffer *sql)
{
	if (sql->len == 0 || sql->data[sql->len - 1] != '\0')
		buffer_put_u8(sql, '\0');
	/* Only a failed printf() conversion leads here; half a statement must never be sent. */
	if (sql->failed)
		memory_exhausted(sql->len);
	return (const char *) sql->data;
}

static void
put_doubling(struct buffer *sql, const char *text, char quote, bool backslashes)
{
	buffer_put_u8(sql, (uint8_t) quote);
	for (; *text; text++) {
		if (*text == quote || (backslashes && *text == '\\'))
			buffer_put_u8(sql, (uint8_t) *text);
		buffer_put_u8(sql, (uint8_t) *text);
	}
	buffer_put_u8(sql, (uint8_t) quote);
}

void
sql_identifier(struct buffer *sql, const char *name)
{
	put_doubling(sql, name, '"', false);
}

void
sql_qualified(struct buffer *sql, const char *schema, const char *table)
{
	sql_identifier(sql, schema);
	buffer_put_u8(sql, '.');
	sql_identifier(sql, table);
}

char *
sql_table_name(struct arena *memory, const char *schema, const char *name)
{
	struct buffer quoted;
	char *copy;

	sql_init(&quoted);
	quote_identifier(&quoted, schema);
	buffer_put_u8(&quoted, '.');
	quote_identifier(&quoted, name);
	copy = arena_strdup(memory, sql_text(&quoted));
	buffer_fini(&quoted);
	return copy;
}

void
sql_literal(struct buffer *sql, const char *value)
{
	bool backslashes = strchr(value, '\\') != NULL;

	if (backslashes)
		buffer_put(sql, " E", 2);
	put_doubling(sql, value, '\'', backslashes);
}

void
sql_optional_literal(struct buffer *sql, const char *value)
{
	if (value)
		sql_literal(sql, value);
	else
		buffer_printf(sql, "NULL");
}

void
sql_replication_literal(struct buffer *sql, const char *value)
{
	put_doubling(sql, value, '\'', false);
}

void
sql_array_element(struct buffer *array, const char *value)
{
	buffer_put_u8(array, array->len == 0 ? '{' : ',');
	buffer_put_u8(array, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buffer_put_u8(array, '\\');
		buffer_put_u8(array, (uint8_t) *value);
	}
	buffer_put_u8(array, '"');
}

void
sql_array_end(struct buffer *array)
{
	if (array->len == 0)
		buffer_put_u8(array, '{');
	buffer_put(array, "}", 2);
}
