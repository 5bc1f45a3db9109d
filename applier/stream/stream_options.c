#include "stream_options.h"

#include <assert.h>

#include "base/memory.h"
#include "base/sql.h"
#include "common/change.h"
#include "tables/mapping.h"

static void
put_patterns(struct buffer *out, const struct string_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		buffer_printf(out, i ? ",%s" : "%s", list->items[i]);
	buffer_put_u8(out, '\0');
}

static void
put_operations(struct buffer *out, const struct config *config, const struct catalog *catalog)
{
	static const char *const names[] = {"insert", "update", "delete", "truncate"};
	unsigned operations = config->operations;
	bool first = true;

	for (unsigned i = 0; i < catalog->count; i++)
		operations |= catalog->tables[i].operations;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (!(operations & (1u << i)))
			continue;
		buffer_printf(out, first ? "%s" : ",%s", names[i]);
		first = false;
	}
	buffer_put_u8(out, '\0');
}

/* The tables whose targets cannot take the binary form. */
static void
put_text_tables(struct buffer *out, const struct catalog *catalog, const struct buffer *names)
{
	if (names->len > 0)
		buffer_put(out, names->data, names->len);
	for (unsigned i = 0; i < catalog->count; i++) {
		if (!catalog->tables[i].as_text)
			continue;
		if (out->len > 0)
			buffer_put_u8(out, ',');
		sql_qualified(out, catalog->tables[i].source.schema, catalog->tables[i].source.name);
	}
	buffer_put_u8(out, '\0');
}

/* The table filters. A held table needs none, since its rows are discarded; perhaps it is held because of its filter. */
static void
put_filters(struct buffer *out, const struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (!mapping_where(table) || table_is_held(table))
			continue;
		if (out->len > 0)
			buffer_put_u8(out, ',');
		sql_qualified(out, table->source.schema, table->source.name);
		buffer_put_u8(out, '=');
		sql_replication_literal(out, mapping_where(table));
	}
	buffer_put_u8(out, '\0');
}

static void
add(struct stream_options *options, const char *name, const char *value)
{
	assert(options->count < STREAM_OPTIONS_MAX);
	options->pairs[2 * options->count] = name;
	options->pairs[2 * options->count++ + 1] = value;
}

static void
add_unless_empty(struct stream_options *options, const char *name, const struct buffer *value)
{
	if (value->len > 1)
		add(options, name, (const char *) value->data);
}

void
stream_options_init(struct stream_options *options, const struct config *config,
					const struct catalog *catalog, const struct buffer *text_names, bool streaming)
{
	options->count = 0;
	memory_buffer_init(&options->tables);
	memory_buffer_init(&options->exclude_tables);
	memory_buffer_init(&options->operations);
	memory_buffer_init(&options->text_tables);
	memory_buffer_init(&options->filters);
	put_patterns(&options->tables, &config->tables.include);
	put_patterns(&options->exclude_tables, &config->tables.exclude);
	put_operations(&options->operations, config, catalog);
	put_text_tables(&options->text_tables, catalog, text_names);
	put_filters(&options->filters, catalog);
	if (streaming)
		add(options, "streaming", "on");
	if (config->source.compression == COMPRESSION_LZ4)
		add(options, "compression", "lz4");
	add(options, "protocol", CHANGE_VERSION_TEXT);
	add(options, "definitions", "on");
	add(options, "tables", (const char *) options->tables.data);
	add(options, "operations", (const char *) options->operations.data);
	add_unless_empty(options, "exclude_tables", &options->exclude_tables);
	add_unless_empty(options, "text_tables", &options->text_tables);
	add_unless_empty(options, "filters", &options->filters);
}

void
stream_options_fini(struct stream_options *options)
{
	buffer_fini(&options->tables);
	buffer_fini(&options->exclude_tables);
	buffer_fini(&options->operations);
	buffer_fini(&options->text_tables);
	buffer_fini(&options->filters);
}
