/*
 * Updates of rows that the target may not hold, since it was never filled with
 * all of them, or since a row that comes to match a condition is told from one
 * that matched before only where the log has all of the old row.  Staged rows
 * find out whether they are in the target.  Where inserts are followed, those
 * that are not are inserted, and those of them whose values are not all at
 * hand are an error.
 */
#include "merge_builder.h"

/* Marks what the target holds, whatever is done about it afterwards. */
static void
mark_found(struct merge_builder *b)
{
	put(b, "UPDATE ");
	merge_builder_staging(b, "rows");
	put(b, " AS s SET found = true FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t WHERE ");
	merge_builder_match(b, "s");
	merge_builder_step(b, MERGE_STATEMENT);
}

/* Nobody knows the values of these. */
static void
refuse_partial(struct merge_builder *b)
{
	struct merge_step *step;
	bool first = true;

	for (unsigned i = 0; i < b->group_count; i++) {
		if (!b->groups[i].partial)
			continue;
		put(b, first ? "SELECT 1 FROM " : "");
		if (first)
			merge_builder_staging(b, "rows");
		buffer_printf(&b->sql, first ? " AS s WHERE s.found IS NULL AND s.g IN (%u" : ", %u", i);
		first = false;
	}
	if (first)
		return;
	put(b, ")");
	step = merge_builder_step(b, MERGE_STATEMENT);
	step->finding = MERGE_ROWS_PARTIAL;
	merge_builder_add(b, step, merge_builder_count(b, 0, 0));
}

void
merge_upsert_look(struct merge_builder *b)
{
	mark_found(b);
	if (shape_follows_inserts(b->shape))
		refuse_partial(b);
}

/* New rows, so that columns without a source get their defaults. */
void
merge_upsert_insert(struct merge_builder *b)
{
	bool first = true;

	put(b, "INSERT INTO ");
	merge_builder_target(b);
	merge_builder_column_list(b, false);
	merge_builder_overriding(b);
	put(b, " SELECT ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "s.c%u", i + 1);
	}
	put(b, " FROM ");
	merge_builder_staging(b, "rows");
	put(b, " AS s WHERE s.found IS NULL");
	merge_builder_step(b, MERGE_STATEMENT);
}
