#include "ddl_type.h"

#include "base/sql.h"
#include "ddl_column.h"

static const char *
word(const struct type_spec *type)
{
	return type->kind == 'd' ? "DOMAIN" : "TYPE";
}

/* The order that the server's documentation has; the server accepts any. */
static void
put_parts(struct buffer *sql, const struct type_spec *type)
{
	for (unsigned i = 0; i < type->part_count; i++)
		if (!type->parts[i].name && !type->parts[i].refused)
			buffer_printf(sql, " DEFAULT %s", type->parts[i].sql);
	if (type->not_null)
		buffer_printf(sql, " NOT NULL");
	for (unsigned i = 0; i < type->part_count; i++) {
		if (!type->parts[i].name || type->parts[i].refused)
			continue;
		buffer_printf(sql, " CONSTRAINT ");
		sql_identifier(sql, type->parts[i].name);
		buffer_printf(sql, " %s", type->parts[i].sql);
	}
}

void
ddl_put_create_type(struct buffer *sql, const struct type_spec *type)
{
	buffer_printf(sql, "CREATE %s ", word(type));
	sql_qualified(sql, type->schema, type->name);
	buffer_printf(sql, " %s", type->body);
	put_parts(sql, type);
	buffer_printf(sql, ";\n");
	if (!type->comment)
		return;
	buffer_printf(sql, "COMMENT ON %s ", word(type));
	sql_qualified(sql, type->schema, type->name);
	buffer_printf(sql, " IS ");
	sql_literal(sql, type->comment);
	buffer_printf(sql, ";\n");
}

static void
put_refusal(struct buffer *sql, const struct type_spec *type)
{
	buffer_printf(sql, "-- without the type ");
	ddl_put_remark(sql, type->schema);
	buffer_put_u8(sql, '.');
	ddl_put_remark(sql, type->name);
	buffer_printf(sql, ": ");
	ddl_put_remark(sql, type->refused);
	buffer_put_u8(sql, '\n');
}

static void
put_part_refusal(struct buffer *sql, const struct type_spec *type, const struct domain_part *part)
{
	buffer_printf(sql, "-- type ");
	ddl_put_remark(sql, type->schema);
	buffer_put_u8(sql, '.');
	ddl_put_remark(sql, type->name);
	buffer_printf(sql, part->name ? ": without its constraint " : ": without its default ");
	if (part->name) {
		ddl_put_remark(sql, part->name);
		buffer_put_u8(sql, ' ');
	}
	ddl_put_remark(sql, part->sql);
	buffer_printf(sql, ": ");
	ddl_put_remark(sql, part->refused);
	buffer_put_u8(sql, '\n');
}

void
ddl_put_create_types(struct buffer *sql, const struct catalog *catalog)
{
	const struct creation_specs *specs = catalog->creation_specs;

	for (unsigned i = 0; specs && i < specs->type_count; i++)
		if (!specs->types[i].exists && !specs->types[i].refused)
			ddl_put_create_type(sql, &specs->types[i]);
}

void
ddl_put_type_remarks(struct buffer *sql, const struct catalog *catalog)
{
	const struct creation_specs *specs = catalog->creation_specs;

	for (unsigned i = 0; specs && i < specs->type_count; i++) {
		const struct type_spec *type = &specs->types[i];

		if (type->refused)
			put_refusal(sql, type);
		for (unsigned j = 0; j < type->part_count && !type->exists && !type->refused; j++)
			if (type->parts[j].refused)
				put_part_refusal(sql, type, &type->parts[j]);
	}
}
