#include "ddl_type.h"

#include "base/sql.h"
#include "ddl_column.h"

static const char *
word(const struct type_definition *type)
{
	return type->kind == 'd' ? "DOMAIN" : "TYPE";
}

void
ddl_put_create_type(struct buffer *sql, const struct type_definition *type)
{
	buffer_printf(sql, "CREATE %s ", word(type));
	sql_qualified(sql, type->schema, type->name);
	buffer_printf(sql, " %s;\n", type->body);
	if (!type->comment)
		return;
	buffer_printf(sql, "COMMENT ON %s ", word(type));
	sql_qualified(sql, type->schema, type->name);
	buffer_printf(sql, " IS ");
	sql_literal(sql, type->comment);
	buffer_printf(sql, ";\n");
}

static void
put_refusal(struct buffer *sql, const struct type_definition *type)
{
	buffer_printf(sql, "-- without the type ");
	ddl_put_remark(sql, type->schema);
	buffer_put_u8(sql, '.');
	ddl_put_remark(sql, type->name);
	buffer_printf(sql, ": ");
	ddl_put_remark(sql, type->refused);
	buffer_put_u8(sql, '\n');
}

void
ddl_put_create_types(struct buffer *sql, const struct catalog *catalog)
{
	const struct definitions *definitions = catalog->definitions;

	for (unsigned i = 0; definitions && i < definitions->type_count; i++)
		if (!definitions->types[i].exists && !definitions->types[i].refused)
			ddl_put_create_type(sql, &definitions->types[i]);
}

void
ddl_put_type_remarks(struct buffer *sql, const struct catalog *catalog)
{
	const struct definitions *definitions = catalog->definitions;

	for (unsigned i = 0; definitions && i < definitions->type_count; i++)
		if (definitions->types[i].refused)
			put_refusal(sql, &definitions->types[i]);
}
