/*
 * Compares a table's override with its columns: unknown names, two columns mapped to one, key columns that
 * are not replicated; and reports which data is not replicated.
 */
#include <string.h>

#include "precheck_item.h"
#include "precheck_names.h"
#include "tables/mapping.h"

/* ---- names */

/* Lists the existing columns, for the message about a missing one. */
static void
add_all_columns(struct precheck_names *names, const struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++)
		precheck_names_add(names, source->columns[i].name, "");
}

static void
check_name(struct precheck_context *c, const struct table *table, const char *key, const char *column)
{
	struct precheck_names all;

	if (source_find_column(&table->source, column))
		return;
	precheck_names_init(&all);
	add_all_columns(&all, &table->source);
	precheck_add(c, CHECK_FAILED, "columns", precheck_table_name(c, table),
				 "tables.overrides[].%s names the column \"%s\", which does not exist; there are %s", key,
				 column, precheck_names_text(&all));
	precheck_names_fini(&all);
}

static void
check_renames(struct precheck_context *c, const struct table *table)
{
	const struct table_override *override = table->override;

	for (unsigned i = 0; i < override->rename_count; i++) {
		const char *from = override->rename[i].from;

		check_name(c, table, "rename", from);
		if (!mapping_selects(table, from))
			precheck_add(
				c, CHECK_FAILED, "columns", precheck_table_name(c, table),
				"\"%s\" is renamed, but is not among its columns: add it there, or remove the rename", from);
		for (unsigned j = 0; j < i; j++)
			if (strcmp(override->rename[j].from, from) == 0)
				precheck_add(c, CHECK_FAILED, "columns", precheck_table_name(c, table),
							 "\"%s\" is renamed twice, to \"%s\" and to \"%s\"", from, override->rename[j].to,
							 override->rename[i].to);
	}
}

static void
check_collisions(struct precheck_context *c, const struct table *table)
{
	const struct source_table *source = &table->source;

	for (unsigned i = 0; i < source->column_count; i++) {
		const char *name = source->columns[i].name, *lands = mapping_target_name(table, name);

		/* mapping_find_source() returns the first column mapped to that name. */
		const struct source_column *other = mapping_find_source(table, lands);

		if (mapping_selects(table, name) && other != &source->columns[i])
			precheck_add(
				c, CHECK_FAILED, "columns", precheck_table_name(c, table),
				"\"%s\" and \"%s\" are both mapped to the column \"%s\" of %s: rename one of them, or"
				" leave it out",
				other->name, name, lands, precheck_target_name(c, table));
	}
}

/* ---- the key */

static bool
is_identity(const struct source_table *source, const struct source_column *column)
{
	return (source->identity == 'd' && column->primary_position > 0) ||
		   (source->identity == 'i' && column->identity_position > 0);
}

static void
check_key_travels(struct precheck_context *c, const struct table *table)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(table, key);

	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *column = &table->source.columns[i];
		bool needed = is_identity(&table->source, column);

		for (unsigned j = 0; j < count; j++)
			needed = needed || key[j] == i;
		if (needed && !mapping_selects(table, column->name))
			precheck_add(c, CHECK_FAILED, "key", precheck_table_name(c, table),
						 "\"%s\", of its key, is not among tables.overrides[].columns: add it", column->name);
	}
}

/* ---- data that is not replicated */

static void
report_left_out(struct precheck_context *c, const struct table *table)
{
	struct precheck_names names;

	precheck_names_init(&names);
	for (unsigned i = 0; i < table->source.column_count; i++)
		if (!mapping_selects(table, table->source.columns[i].name))
			precheck_names_add(&names, table->source.columns[i].name, "");
	if (names.count)
		precheck_add(c, CHECK_OK, "columns", precheck_table_name(c, table),
					 "left out, their data is not replicated: %s", precheck_names_text(&names));
	precheck_names_fini(&names);
}

static void
report_unfed(struct precheck_context *c, const struct table *table)
{
	struct precheck_names names;

	precheck_names_init(&names);
	for (unsigned i = 0; i < table->target.column_count; i++) {
		const struct target_column *column = &table->target.columns[i];

		if (!column->generated && !mapping_find_source(table, column->name))
			precheck_names_add(&names, column->name, "");
	}
	if (names.count)
		precheck_add(c, CHECK_OK, "columns", precheck_target_name(c, table),
					 "at the destination alone, their data is not replicated (new rows get the defaults): %s",
					 precheck_names_text(&names));
	precheck_names_fini(&names);
}

void
precheck_mapping(struct precheck_context *c, const struct table *table)
{
	const struct table_override *override = table->override;

	if (table->source.column_count == 0)
		precheck_add(c, CHECK_FAILED, "columns", precheck_table_name(c, table),
					 "it has no columns: leave it out by tables.exclude");
	for (unsigned i = 0; override && i < override->columns.count; i++)
		check_name(c, table, "columns", override->columns.items[i]);
	if (override) {
		check_renames(c, table);
		check_collisions(c, table);
		check_key_travels(c, table);
		report_left_out(c, table);
	}
	report_unfed(c, table);
}
