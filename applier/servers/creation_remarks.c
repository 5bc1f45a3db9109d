#include "creation_remarks.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "dialect/ddl_index.h"
#include "dialect/ddl_partition.h"
#include "tables/creation_specs.h"
#include "tables/mapping.h"

struct remarks {
	creation_spec_remark_taker take;
	void *arg;
};

static void PRINTF_LIKE(4, 5)
	remark(const struct remarks *remarks, const char *schema, const char *name, const char *format, ...)
{
	struct buffer subject;
	va_list args;
	char *text;

	sql_init(&subject);
	buffer_printf(&subject, "%s.%s", schema, name);
	va_start(args, format);
	text = memory_vprintf(format, args);
	va_end(args);
	remarks->take(remarks->arg, sql_text(&subject), text);
	buffer_fini(&subject);
	free(text);
}

static void
remark_on_indexes(const struct remarks *remarks, const struct dialect *dialect, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;

	for (unsigned i = 0; i < spec->index_count; i++) {
		const char *reason;
		struct buffer ignored;
		bool made;

		memory_buffer_init(&ignored);
		made = ddl_put_index(&ignored, dialect, table, &spec->indexes[i], &reason);
		if (reason)
			remark(remarks, table->target_schema, table->target_name,
				   made ? "its index %s is not unique: %s" : "it is made without the index %s: %s",
				   spec->indexes[i].name, reason);
		buffer_fini(&ignored);
	}
}

static void
remark_on_table(const struct remarks *remarks, const struct dialect *dialect, const struct table *table)
{
	const struct source_table *source = &table->source;
	const struct creation_spec *spec = source->creation_spec;
	const char *flattened;

	if (!ddl_keeps_partitions(dialect, table, &flattened) && flattened)
		remark(remarks, table->target_schema, table->target_name, "it is made as one table: %s", flattened);
	for (unsigned i = 0; i < source->column_count; i++)
		if (spec->columns[i].default_refused && mapping_selects(table, source->columns[i].name))
			remark(remarks, table->target_schema, table->target_name,
				   "the column %s is made without its default %s: %s", source->columns[i].name,
				   spec->columns[i].default_sql, spec->columns[i].default_refused);
	if (spec->comment_dropped)
		remark(remarks, table->target_schema, table->target_name,
			   "it is made without the comments that have a letter which the destination's encoding lacks");
	remark_on_indexes(remarks, dialect, table);
}

static void
remark_on_type(const struct remarks *remarks, const struct type_spec *type)
{
	if (type->refused)
		remark(remarks, type->schema, type->name, "the type is not made: %s", type->refused);
	for (unsigned i = 0; i < type->part_count && !type->exists && !type->refused; i++) {
		const struct domain_part *part = &type->parts[i];

		if (part->refused && part->name)
			remark(remarks, type->schema, type->name, "the domain is made without its constraint %s %s: %s",
				   part->name, part->sql, part->refused);
		else if (part->refused)
			remark(remarks, type->schema, type->name, "the domain is made without its default %s: %s",
				   part->sql, part->refused);
	}
}

void
creation_spec_remarks(const struct dialect *dialect, const struct catalog *catalog,
					  creation_spec_remark_taker take, void *arg)
{
	const struct remarks remarks = {take, arg};
	const struct creation_specs *specs = catalog->creation_specs;

	for (unsigned i = 0; specs && i < specs->type_count; i++)
		remark_on_type(&remarks, &specs->types[i]);
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].source.creation_spec)
			remark_on_table(&remarks, dialect, &catalog->tables[i]);
}

static void
log_remark(void *arg, const char *subject, const char *text)
{
	(void) arg;
	log_warning("%s: %s", subject, text);
}

void
creation_spec_warn(const struct dialect *dialect, const struct catalog *catalog)
{
	creation_spec_remarks(dialect, catalog, log_remark, NULL);
}
