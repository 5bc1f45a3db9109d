#include "merge_builder.h"

static bool
is_unchanged(const struct merge_group *group, unsigned source_column)
{
	return group->unchanged && (group->unchanged[source_column / 8] >> (source_column % 8) & 1);
}

static bool
is_key(const struct shape *shape, unsigned fed)
{
	for (unsigned i = 0; i < shape->key_count; i++)
		if (shape->key[i] == fed)
			return true;
	return false;
}

static void
put_group_condition(struct merge_builder *b, unsigned number)
{
	buffer_printf(&b->sql, " WHERE s.g = %u AND ", number);
	merge_builder_match(b, "s");
}

/* The row's own value where it brought one, otherwise the target's. */
static void
put_mixed_value(struct merge_builder *b, unsigned fed)
{
	buffer_printf(&b->sql, "CASE WHEN get_bit(s.u, %u) = 1 THEN ", b->shape->fed[fed].source);
	merge_builder_column(b, "t", b->shape->fed[fed].target);
	buffer_printf(&b->sql, " ELSE s.c%u END", fed + 1);
}

/* SET for the columns that are known; the key only where it moved. */
static bool
put_patch_list(struct merge_builder *b, const struct merge_group *group)
{
	bool first = true;

	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		bool unchanged = is_unchanged(group, b->shape->fed[i].source);

		if ((unchanged && !group->mixed) || (is_key(b->shape, i) && !group->moved))
			continue;
		put_separator(b, ", ", &first);
		sql_identifier(&b->sql, b->shape->fed[i].target->name);
		put(b, " = ");
		if (unchanged)
			put_mixed_value(b, i);
		else
			buffer_printf(&b->sql, "s.c%u", i + 1);
	}
	return !first;
}

static void
expect_group(struct merge_builder *b, struct merge_step *step, const struct merge_group *group)
{
	/* The target need not have the row. */
	if (merge_looks_for_rows(b))
		return;
	step->expected_rows = group->rows;
	step->mismatch = "rows to update are not in the target";
}

void
merge_update_patch(struct merge_builder *b, unsigned number)
{
	const struct merge_group *group = &b->groups[number];

	put(b, "UPDATE ");
	merge_builder_target_rows(b);
	put(b, " AS t SET ");
	if (!put_patch_list(b, group)) {
		buffer_reset(&b->sql);
		return;
	}
	put(b, " FROM ");
	merge_builder_staging(b, "rows");
	put(b, " AS s");
	put_group_condition(b, number);
	expect_group(b, merge_builder_step(b, MERGE_STATEMENT), group);
}

/* Fetches into staging what only the target knows. */
void
merge_update_fill(struct merge_builder *b, unsigned number)
{
	const struct merge_group *group = &b->groups[number];
	bool first = true;

	put(b, "UPDATE ");
	merge_builder_staging(b, "rows");
	put(b, " AS s SET ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!is_unchanged(group, b->shape->fed[i].source))
			continue;
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "c%u = ", i + 1);
		if (group->mixed)
			put_mixed_value(b, i);
		else
			merge_builder_column(b, "t", b->shape->fed[i].target);
	}
	for (unsigned i = 0; i < b->shape->unfed_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "x%u = ", i + 1);
		merge_builder_column(b, "t", b->shape->unfed[i]);
	}
	if (merge_looks_for_rows(b)) {
		put_separator(b, ", ", &first);
		put(b, "found = true");
	}
	put(b, " FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t");
	put_group_condition(b, number);
	expect_group(b, merge_builder_step(b, MERGE_STATEMENT), group);
}

void
merge_update_insert(struct merge_builder *b)
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
	put(b, " FROM ");
	merge_builder_staging(b, "rows");
	put(b, " AS s WHERE s.g IN (");
	first = true;
	for (unsigned i = 0; i < b->group_count; i++) {
		if (b->groups[i].action != NET_FILL)
			continue;
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "%u", i);
	}
	put(b, merge_looks_for_rows(b) ? ") AND s.found" : ")");
	merge_builder_step(b, MERGE_STATEMENT);
}

void
merge_update_stage(struct merge_builder *b)
{
	merge_staging_rows(b);
	put(b, "COPY ");
	merge_builder_staging(b, "rows");
	/* The unfed columns are not in the data. */
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
