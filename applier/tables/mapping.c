#include "mapping.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"

/* ---- columns */

static bool
list_has(const struct string_list *list, const char *name)
{
	for (unsigned i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

bool
mapping_selects(const struct table *table, const char *column)
{
	const struct table_override *override = table->override;

	return !override || override->columns.count == 0 || list_has(&override->columns, column);
}

bool
mapping_is_subset(const struct table *table)
{
	for (unsigned i = 0; i < table->source.column_count; i++)
		if (!mapping_selects(table, table->source.columns[i].name))
			return true;
	return false;
}

bool
mapping_keeps_columns(const struct table *table)
{
	const struct table_override *override = table->override;

	return !override || (override->columns.count == 0 && override->rename_count == 0);
}

const char *
mapping_target_name(const struct table *table, const char *column)
{
	const struct table_override *override = table->override;

	for (unsigned i = 0; override && i < override->rename_count; i++)
		if (strcmp(override->rename[i].from, column) == 0)
			return override->rename[i].to;
	return column;
}

const struct target_column *
mapping_find_target(const struct table *table, const char *column)
{
	if (!mapping_selects(table, column))
		return NULL;
	return target_find_column(&table->target, mapping_target_name(table, column));
}

const struct source_column *
mapping_find_source(const struct table *table, const char *target_column)
{
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *column = &table->source.columns[i];

		if (mapping_selects(table, column->name) &&
			strcmp(mapping_target_name(table, column->name), target_column) == 0)
			return column;
	}
	return NULL;
}

/* ---- rows */

const char *
mapping_where(const struct table *table)
{
	return table->override ? table->override->where : NULL;
}

void
mapping_put_target_rows(struct buffer *sql, const struct table *table)
{
	buffer_printf(sql, table->target.partitioned ? "" : "ONLY ");
	sql_qualified(sql, table->target_schema, table->target_name);
}

bool
mapping_copies_in_part(const struct table *table, const struct config *config)
{
	return config->initial_copy.mode == COPY_MODE_NONE ||
		   config->initial_copy.existing == COPY_EXISTING_APPEND || table->shared_with ||
		   mapping_where(table) || !(table->operations & OPERATION_INSERT);
}

/* ---- description in words */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static int
compare_renames(const void *a, const void *b)
{
	return strcmp(((const struct column_rename *) a)->from, ((const struct column_rename *) b)->from);
}

/* Sorted, since the order in the configuration has no meaning. */
static void
put_columns(struct buffer *words, const struct string_list *columns)
{
	char **sorted = memory_alloc_zero(columns->count, sizeof *sorted);

	if (columns->count > 0)
		memcpy(sorted, columns->items, columns->count * sizeof *sorted);
	qsort(sorted, columns->count, sizeof *sorted, compare_names);
	for (unsigned i = 0; i < columns->count; i++) {
		buffer_printf(words, i ? ", " : "columns ");
		sql_identifier(words, sorted[i]);
	}
	free(sorted);
}

static void
put_renames(struct buffer *words, const struct column_rename *renames, unsigned count)
{
	struct column_rename *sorted = memory_alloc_zero(count, sizeof *sorted);

	if (count > 0)
		memcpy(sorted, renames, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_renames);
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(words, "%s", i ? ", " : words->len > 0 ? "; rename " : "rename ");
		sql_identifier(words, sorted[i].from);
		buffer_printf(words, " to ");
		sql_identifier(words, sorted[i].to);
	}
	free(sorted);
}

char *
mapping_describe(const struct table *table)
{
	const struct table_override *override = table->override;
	struct buffer words;
	char *text;

	memory_buffer_init(&words);
	if (override) {
		put_columns(&words, &override->columns);
		put_renames(&words, override->rename, override->rename_count);
	}
	if (mapping_where(table))
		buffer_printf(&words, "%swhere %s", words.len > 0 ? "; " : "", mapping_where(table));
	if (words.len == 0)
		buffer_printf(&words, "all");
	buffer_put_u8(&words, '\0');
	text = memory_strdup((const char *) words.data);
	buffer_fini(&words);
	return text;
}

/* ---- several sources of one target */

static int
compare_targets(const void *a, const void *b)
{
	const struct table *x = *(const struct table *const *) a, *y = *(const struct table *const *) b;
	int order = strcmp(x->target_schema, y->target_schema);

	return order ? order : strcmp(x->target_name, y->target_name);
}

/* Joins the names of `tables`, which share a target. */
static char *
names_of(struct table *const *tables, unsigned count)
{
	struct buffer names;
	char *text;

	memory_buffer_init(&names);
	for (unsigned i = 0; i < count; i++)
		buffer_printf(&names, "%s%s.%s",
					  i == 0		   ? ""
					  : i + 1 == count ? " and "
									   : ", ",
					  tables[i]->source.schema, tables[i]->source.name);
	buffer_put_u8(&names, '\0');
	text = memory_strdup((const char *) names.data);
	buffer_fini(&names);
	return text;
}

static void
mark_shared(struct table **tables, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		free(tables[i]->shared_with);
		tables[i]->shared_with = count > 1 ? names_of(tables, count) : NULL;
	}
}

void
mapping_find_shared(struct catalog *catalog)
{
	struct table **sorted = memory_alloc_zero(catalog->count, sizeof(struct table *));
	unsigned first = 0;

	for (unsigned i = 0; i < catalog->count; i++)
		sorted[i] = &catalog->tables[i];
	if (catalog->count > 1)
		qsort(sorted, catalog->count, sizeof(*sorted), compare_targets);
	for (unsigned i = 1; i <= catalog->count; i++) {
		if (i < catalog->count && compare_targets(&sorted[first], &sorted[i]) == 0)
			continue;
		mark_shared(sorted + first, i - first);
		first = i;
	}
	free(sorted);
}

bool
mapping_is_first(const struct catalog *catalog, unsigned number)
{
	const struct table *table = &catalog->tables[number];

	for (unsigned i = 0; table->shared_with && i < number; i++) {
		const struct table *earlier = &catalog->tables[i];

		if (compare_targets(&earlier, &table) == 0)
			return false;
	}
	return true;
}

#define UNIQUE_VIOLATION "23505"

/*
 * SQLSTATE classes for a refused value: data exceptions, NULLs, CHECK constraints of domains and columns,
 * and syntax errors in a copied row, which a type such as tsquery raises.
 */
static bool
is_refused_value(const struct error *err)
{
	const char *state = err->sqlstate;

	return strncmp(state, "22", 2) == 0 || strcmp(state, "23502") == 0 || strcmp(state, "23514") == 0 ||
		   (strcmp(state, "42601") == 0 && err->copy_row > 0);
}

static void
explain_collision(const struct table *table, struct error *err)
{
	if (table_waits(table))
		error_hint(
			err,
			"%s share the target, and their keys must not collide: change the row in %s.%s, keep it out by"
			" tables.overrides[].where, or give the tables targets of their own.",
			table->shared_with, table->source.schema, table->source.name);
	else
		error_hint(
			err,
			"%s share the target, and their keys must not collide; what was logged stays so: take one of"
			" them out with \"sluice table remove\", or start afresh with \"sluice drop\" when no key is"
			" there twice.",
			table->shared_with);
}

void
mapping_explain_refusal(const struct table *table, struct error *err)
{
	if (table->shared_with && strcmp(err->sqlstate, UNIQUE_VIOLATION) == 0)
		explain_collision(table, err);
	else if (!err->hint[0] && sqlstate_is_of_encoding(err->sqlstate))
		error_hint(err,
				   "Correct the value at the source; what is logged stays so: apply.refused: hold lets the"
				   " other tables go on, and \"sluice table resync\" copies this one again.");
	else if (!err->hint[0] && is_refused_value(err))
		error_hint(err,
				   "Alter %s.%s so that it takes the value, then start again: it goes on from where it"
				   " stopped.",
				   table->target_schema, table->target_name);
}

const char *
mapping_copy_remedy(const struct config *config, const struct table *table)
{
	if (config->initial_copy.mode == COPY_MODE_NONE)
		return "with initial_copy {mode: full, existing: clear}, \"sluice reload\" and \"sluice table "
			   "resync\" copy"
			   " the table again";
	if (table->shared_with || config->initial_copy.existing == COPY_EXISTING_APPEND)
		return "take it out with \"sluice table remove\", delete its rows at the target, and let \"sluice "
			   "table"
			   " add\" bring it back";
	return "\"sluice table resync\" copies the table again";
}

bool
mapping_leads_index(const struct target_table *target, const struct target_column *column)
{
	for (unsigned i = 0; i < target->index_count; i++)
		if (target->indexes[i].plain && target->indexes[i].columns[0] == column->attnum)
			return true;
	return false;
}
