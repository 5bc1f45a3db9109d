#include "merge_builder.h"

static void
put_group_condition(struct merge_builder *b, unsigned number)
{
	buffer_printf(&b->sql, " WHERE s.g = %u AND ", number);
	merge_builder_match(b, "s");
}

static void
put_source(struct merge_builder *b)
{
	put(b, " FROM ");
	merge_builder_staging(b, "rows");
	put(b, " AS s");
}

/* ---- in place */

/* SET for the columns that have values; key columns only if the key changed. */
static bool
put_patch_list(struct merge_builder *b, const struct merge_group *group)
{
	bool first = true;

	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if ((merge_group_lacks(b, group, i) && !group->mixed) || !merge_builder_sets(b, group->moved, i))
			continue;
		put_separator(b, ", ", &first);
		sql_identifier(&b->sql, b->shape->fed[i].target->name);
		put(b, " = ");
		merge_builder_value(b, group, i);
	}
	return !first;
}

/* The count for all updates of the table, and for the deletes of rows that are deleted and inserted instead. */
static struct merge_count *
count_patches(struct merge_builder *b)
{
	if (!b->patched && !b->shape->rows_may_be_absent)
		b->patched = merge_builder_count(b, b->patches, b->patches);
	return b->patched;
}

/* For rows without a column to set no statement is executed, so they cannot be counted. */
static void
forget_group(struct merge_builder *b, const struct merge_group *group)
{
	struct merge_count *count = count_patches(b);

	buffer_reset(&b->sql);
	if (!count)
		return;
	count->least -= group->rows;
}

void
merge_update_patch(struct merge_builder *b, unsigned number)
{
	const struct merge_group *group = &b->groups[number];

	put(b, "UPDATE ");
	merge_builder_target_rows(b);
	put(b, " AS t SET ");
	if (!put_patch_list(b, group)) {
		forget_group(b, group);
		return;
	}
	put_source(b);
	put_group_condition(b, number);
	if (b->marks)
		put(b, " AND s.differs IS NULL");
	merge_builder_add(b, merge_builder_step(b, MERGE_STATEMENT), count_patches(b));
}

/* ---- where guarded columns differ */

/* The target's column, cast to the type that it has in staging. */
static void
put_target_value(struct merge_builder *b, const struct target_column *column)
{
	merge_builder_column(b, "t", column);
	if (!merge_builder_is_domain(column))
		return;
	put(b, "::");
	merge_builder_plain_type(b, column);
}

/* Whether to compare the column: not if all rows of the group keep the target's value. */
static bool
compares(const struct merge_builder *b, const struct merge_group *group, unsigned fed)
{
	return group->mixed || !merge_group_lacks(b, group, fed);
}

/* Compares bytes: equal values may look different (numeric 1.0 and 1.00, intervals, letter case in an extension's
 * type), and some types have no = operator. */
static bool
put_differs(struct merge_builder *b, const struct merge_group *group)
{
	const struct shape *shape = b->shape;
	bool first = true;

	put(b, " AND ROW(");
	for (unsigned i = 0; i < shape->guarded_count; i++) {
		if (!compares(b, group, shape->guarded[i]))
			continue;
		put_separator(b, ", ", &first);
		put_target_value(b, shape->fed[shape->guarded[i]].target);
	}
	if (first)
		return false;
	put(b, ")::record *<> ROW(");
	first = true;
	for (unsigned i = 0; i < shape->guarded_count; i++) {
		if (!compares(b, group, shape->guarded[i]))
			continue;
		put_separator(b, ", ", &first);
		merge_builder_value(b, group, shape->guarded[i]);
	}
	put(b, ")::record");
	return true;
}

/* SET for the values that rows of a group lack and the target has. */
static void
put_fetched(struct merge_builder *b, const struct merge_group *group, bool *first)
{
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!merge_group_lacks(b, group, i))
			continue;
		put_separator(b, ", ", first);
		buffer_printf(&b->sql, "c%u = ", i + 1);
		if (group->mixed)
			merge_builder_value(b, group, i);
		else
			merge_builder_column(b, "t", b->shape->fed[i].target);
	}
	for (unsigned i = 0; i < b->shape->unfed_count; i++) {
		put_separator(b, ", ", first);
		buffer_printf(&b->sql, "x%u = ", i + 1);
		merge_builder_column(b, "t", b->shape->unfed[i]);
	}
}

static void
put_from_target(struct merge_builder *b, unsigned number)
{
	put(b, " FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t");
	put_group_condition(b, number);
}

void
merge_update_mark(struct merge_builder *b, unsigned number)
{
	const struct merge_group *group = &b->groups[number];
	bool first = false;

	put(b, "UPDATE ");
	merge_builder_staging(b, "rows");
	put(b, " AS s SET differs = true");
	put_fetched(b, group, &first);
	put_from_target(b, number);
	if (!put_differs(b, group)) {
		buffer_reset(&b->sql);
		return;
	}
	merge_builder_await(merge_builder_step(b, MERGE_STATEMENT), b->taken, 1);
	b->marks = true;
}

void
merge_update_delete_marked(struct merge_builder *b)
{
	if (!b->marks)
		return;
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING ");
	merge_builder_staging(b, "rows");
	put(b, " AS s WHERE s.differs AND ");
	merge_builder_match(b, "s");
	merge_builder_add(b, merge_builder_step(b, MERGE_STATEMENT), count_patches(b));
}

/* INSERT INTO target (…) SELECT s.c1, … FROM staging AS s WHERE */
static void
put_insert(struct merge_builder *b)
{
	bool first = true;

	put(b, "INSERT INTO ");
	merge_builder_target(b);
	merge_builder_column_list(b, true);
	merge_builder_overriding(b);
	put(b, " SELECT ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "s.c%u", i + 1);
	}
	for (unsigned i = 0; i < b->shape->unfed_count; i++)
		buffer_printf(&b->sql, ", s.x%u", i + 1);
	put_source(b);
	put(b, " WHERE ");
}

void
merge_update_insert_marked(struct merge_builder *b)
{
	if (!b->marks)
		return;
	put_insert(b);
	put(b, "s.differs");
	merge_builder_take(b, merge_builder_step(b, MERGE_STATEMENT));
}

/* ---- keys that moved */

/* Fetches into staging the values that only the target has. */
void
merge_update_fill(struct merge_builder *b, unsigned number)
{
	const struct merge_group *group = &b->groups[number];
	struct merge_step *step;
	bool first = true;

	put(b, "UPDATE ");
	merge_builder_staging(b, "rows");
	put(b, " AS s SET ");
	put_fetched(b, group, &first);
	if (first) {
		/* The rows lack nothing: they are staged because inserts are not replicated. */
		buffer_reset(&b->sql);
		return;
	}
	put_from_target(b, number);
	step = merge_builder_step(b, MERGE_STATEMENT);
	if (!b->shape->rows_may_be_absent)
		merge_builder_add(b, step, merge_builder_count(b, group->rows, group->rows));
}

void
merge_update_insert(struct merge_builder *b)
{
	put_insert(b);
	merge_builder_groups(b, NET_FILL);
	put(b, b->shape->rows_may_be_absent ? " AND s.found" : "");
	merge_builder_take(b, merge_builder_step(b, MERGE_STATEMENT));
}

void
merge_update_stage(struct merge_builder *b)
{
	merge_staging_rows(b);
	put(b, "COPY ");
	merge_builder_staging(b, "rows");
	/* The columns without a source are not in the data. */
	put(b, " (");
	for (unsigned i = 0; i < b->shape->key_count; i++)
		buffer_printf(&b->sql, "k%u, ", i + 1);
	put(b, "g, u");
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		buffer_printf(&b->sql, ", c%u", i + 1);
	put(b, ")");
	merge_builder_copy(b, COPY_STAGED);
	merge_staging_analyze(b, "rows");
}
