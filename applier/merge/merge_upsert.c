/* Updates of rows that the target may not have: because it was never filled with all rows, or because the stream
 * does not say whether a row matched the table filter before (the log has the whole old row only with REPLICA IDENTITY
 * FULL). A query marks the staged rows that the target has. If inserts are replicated the others are inserted, and it
 * is an error if one of those lacks values. */
#include "merge_builder.h"

/* Marks the staged rows that the target has. Of these, rows to be filled will be inserted again, and rows to be
 * updated will not: hence `awaited`. */
static void
mark_found(struct merge_builder *b, enum net_action action, int awaited)
{
	struct merge_step *step;

	put(b, "UPDATE ");
	merge_builder_staging(b, "rows");
	put(b, " AS s SET found = true FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t WHERE ");
	merge_builder_match(b, "s");
	if (b->patches > 0 && b->fills > 0) {
		put(b, " AND ");
		merge_builder_groups(b, action);
	}
	step = merge_builder_step(b, MERGE_STATEMENT);
	if (awaited != 0)
		merge_builder_await(step, b->taken, awaited);
}

/* A row that the target lacks and that lacks values cannot be inserted: nobody has those values. */
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

/* Where inserts are replicated, b->taken counts the rows that the target lacks, too. */
void
merge_upsert_fetch(struct merge_builder *b)
{
	bool inserts = shape_follows_inserts(b->shape);

	if (b->patches > 0 && inserts)
		mark_found(b, NET_PATCH, -1);
	if (b->fills > 0)
		mark_found(b, NET_FILL, inserts ? 0 : 1);
	if (inserts)
		refuse_partial(b);
}

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
	merge_builder_take(b, merge_builder_step(b, MERGE_STATEMENT));
}
