#include "base/memory.h"
#include "merge_builder.h"

#include <stdio.h>

/* ---- deleting many keys: a staging table */

static void
delete_by_staging(struct merge_builder *b)
{
	merge_staging_keys(b);
	put(b, "COPY ");
	merge_builder_staging(b, "keys");
	merge_builder_copy(b, COPY_KEYS);
	merge_staging_analyze(b, "keys");
	if (b->perhaps == 0 && merge_counts_deletes(b))
		merge_builder_name_absent(b, "keys");
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING ");
	merge_builder_staging(b, "keys");
	put(b, " AS s WHERE ");
	merge_builder_match(b, "s");
	merge_builder_add(b, merge_builder_step(b, MERGE_STATEMENT), merge_builder_count_deletes(b));
}

void
merge_delete_keys(struct merge_builder *b)
{
	if (merge_single_suits_deletes(b))
		merge_single_deletes(b);
	else if (merge_array_suits_deletes(b))
		merge_array_deletes(b);
	else
		delete_by_staging(b);
}

/* ---- deleting without a key: by the rows' text */

/* row(alias.c, …)::text, over the target's columns or the staging table's. */
static void
put_row_image(struct merge_builder *b, const char *alias, bool staged)
{
	bool first = true;

	put(b, "row(");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		if (staged)
			buffer_printf(&b->sql, "%s.c%u", alias, i + 1);
		else
			merge_builder_column(b, alias, b->shape->fed[i].target);
	}
	put(b, ")::text");
}

/* What names a row of the target: column and name in the subquery. */
static void
put_row_addresses(struct merge_builder *b, const char *separator, const char *format)
{
	static const char *const addresses[][2] = {{"ctid", "c"}, {"tableoid", "o"}, {"gp_segment_id", "g"}};
	const bool wanted[] = {true, b->shape->table->target.partitioned, b->dialect->has_segments};

	for (unsigned i = 0; i < 3; i++) {
		if (!wanted[i])
			continue;
		put(b, separator);
		buffer_printf(&b->sql, "t.%s %s%s", addresses[i][0], format, addresses[i][1]);
	}
}

/*
 * Exactly n of the equal rows, found by a plan that hashes: NULLs are equal in
 * the text of a row, types without = have one, and the empty string differs
 * from NULL.  The window keeps the planner from joining the target's two
 * appearances first, each row with itself.
 */
static void
put_counted_delete(struct merge_builder *b)
{
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING (SELECT d.n, row_number() OVER (PARTITION BY d.image) AS number");
	put_row_addresses(b, ", ", "AS ");
	put(b, " FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t JOIN (SELECT ");
	put_row_image(b, "s", true);
	put(b, " AS image, sum(s.n)::int8 AS n FROM ");
	merge_builder_staging(b, "counts");
	put(b, " AS s GROUP BY 1) AS d ON d.image = ");
	put_row_image(b, "t", false);
	put(b, ") AS x WHERE x.number <= x.n");
	put_row_addresses(b, " AND ", "= x.");
}

/* Nested loops compare each row with each where the planner takes the target for small. */
static void
put_planner_setting(struct merge_builder *b, const char *setting)
{
	if (!setting)
		return;
	put(b, setting);
	merge_builder_step(b, MERGE_STATEMENT);
}

void
merge_delete_counts(struct merge_builder *b)
{
	struct merge_step *step;
	int64_t rows = 0;

	for (uint32_t i = 0; i < net_change_count(b->net); i++)
		if (b->actions[i] & NET_DELETE)
			rows -= b->net->rows[i].count;
	merge_staging_counts(b);
	put(b, "COPY ");
	merge_builder_staging(b, "counts");
	merge_builder_copy(b, COPY_COUNTS);
	put(b, "ANALYZE ");
	merge_builder_staging(b, "counts");
	merge_builder_step(b, MERGE_STATEMENT);
	put_planner_setting(b, b->dialect->without_nested_loops);
	put_counted_delete(b);
	step = merge_builder_step(b, MERGE_STATEMENT);
	if (merge_counts_deletes(b))
		merge_builder_add(b, step, merge_builder_count(b, rows, rows));
	put_planner_setting(b, b->dialect->with_nested_loops);
}
