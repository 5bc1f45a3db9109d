#include "merge_builder.h"

#include <stdio.h>

/* ON COMMIT and DISTRIBUTED BY: the staging columns that hold the target's distribution key, if staging has all of
 * them. */
static void
put_staging_options(struct merge_builder *b, bool has_key)
{
	const struct target_table *target = &b->shape->table->target;
	const char *names[TABLE_MAX_KEY];
	char text[TABLE_MAX_KEY][16];
	unsigned count = 0, wanted = 0;

	for (unsigned i = 0; i < target->column_count; i++)
		wanted += target->columns[i].distribution_position > 0;
	for (unsigned position = 1; has_key && position <= wanted; position++) {
		for (unsigned i = 0; i < b->shape->key_count; i++) {
			if (merge_builder_key(b->shape, i)->distribution_position != (int) position)
				continue;
			snprintf(text[count], sizeof text[count], "k%u", i + 1);
			names[count] = text[count];
			count++;
		}
	}
	b->dialect->put_staging_options(&b->sql, names, count == wanted ? count : 0);
}

/* name1 type */
static void
put_definition(struct merge_builder *b, char name, unsigned number, const struct target_column *column,
			   bool *first)
{
	put_separator(b, ", ", first);
	buffer_printf(&b->sql, "%c%u ", name, number);
	merge_builder_type(b, column);
}

static void
put_key_definitions(struct merge_builder *b, bool *first)
{
	for (unsigned i = 0; i < b->shape->key_count; i++)
		put_definition(b, 'k', i + 1, merge_builder_key(b->shape, i), first);
}

static void
put_row_definitions(struct merge_builder *b, bool *first)
{
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		put_definition(b, 'c', i + 1, b->shape->fed[i].target, first);
}

/* The table is created once in a session; it is emptied if an earlier round of this transaction has used it. */
static bool
reuse_staging(struct merge_builder *b, const char *what, bool *made, bool *used)
{
	bool reused = *made;

	if (*made && *used) {
		put(b, "TRUNCATE ");
		merge_builder_staging(b, what);
		merge_builder_step(b, MERGE_STATEMENT);
	}
	*made = *used = true;
	return reused;
}

/* CREATE TEMP TABLE accepts no schema but pg_temp, so the name is not qualified. */
static void
put_create_staging(struct merge_builder *b, const char *what)
{
	put(b, "CREATE TEMP TABLE ");
	buffer_printf(&b->sql, "sluice_%s_%u (", what, b->shape->number);
}

void
merge_staging_keys(struct merge_builder *b)
{
	bool first = true;

	if (reuse_staging(b, "keys", &b->staging->keys_made, &b->staging->keys_used))
		return;
	put_create_staging(b, "keys");
	put_key_definitions(b, &first);
	put(b, ")");
	put_staging_options(b, true);
	merge_builder_step(b, MERGE_STATEMENT);
}

void
merge_staging_rows(struct merge_builder *b)
{
	bool first = true;

	if (reuse_staging(b, "rows", &b->staging->rows_made, &b->staging->rows_used))
		return;
	put_create_staging(b, "rows");
	put_key_definitions(b, &first);
	put_separator(b, ", ", &first);
	put(b, "g int8, u bytea");
	put_row_definitions(b, &first);
	for (unsigned i = 0; i < b->shape->unfed_count; i++)
		put_definition(b, 'x', i + 1, b->shape->unfed[i], &first);
	put(b, b->shape->rows_may_be_absent ? ", found boolean" : "");
	put(b, merge_guards(b) ? ", differs boolean)" : ")");
	put_staging_options(b, true);
	merge_builder_step(b, MERGE_STATEMENT);
}

void
merge_staging_counts(struct merge_builder *b)
{
	bool first = true;

	if (reuse_staging(b, "counts", &b->staging->counts_made, &b->staging->counts_used))
		return;
	put_create_staging(b, "counts");
	put_row_definitions(b, &first);
	put_separator(b, ", ", &first);
	put(b, "n int8)");
	put_staging_options(b, false);
	merge_builder_step(b, MERGE_STATEMENT);
}

void
merge_staging_analyze(struct merge_builder *b, const char *what)
{
	if (!b->dialect->analyze_staging || b->shape->table->target.storage == TARGET_HEAP)
		return;
	put(b, "ANALYZE ");
	merge_builder_staging(b, what);
	merge_builder_step(b, MERGE_STATEMENT);
}
