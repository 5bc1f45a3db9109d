#include "base/memory.h"
#include "merge_builder.h"

#include <stdio.h>

/* ---- deleting few keys: arrays as parameters */

/*
 * Arrays of arrays and of composites are unnested to the bottom; the OIDs of
 * types outside pg_catalog, which the binary form names, are the target's own.
 */
static bool
can_be_array(const struct merge_builder *b)
{
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		const struct target_column *column = merge_builder_key(b->shape, i);

		if (column->base_name[0] == '_' || column->base_typtype == 'c')
			return false;
		if (!b->shape->text &&
			(merge_builder_is_domain(column) || strcmp(column->type_schema, "pg_catalog") != 0))
			return false;
	}
	return true;
}

/* One dimension, no NULLs (array_recv, src/backend/utils/adt/arrayfuncs.c). */
static void
put_binary_array_head(struct buffer *out, uint32_t element_type, uint32_t count)
{
	buffer_put_u32(out, 1); /* dimensions */
	buffer_put_u32(out, 0); /* has NULLs */
	buffer_put_u32(out, element_type);
	buffer_put_u32(out, count);
	buffer_put_u32(out, 1); /* lower bound */
}

static void
put_text_array_element(struct buffer *out, const uint8_t *data, uint32_t len)
{
	buffer_put_u8(out, out->len > 1 ? ',' : ' ');
	buffer_put_u8(out, '"');
	for (uint32_t i = 0; i < len; i++) {
		if (data[i] == '"' || data[i] == '\\')
			buffer_put_u8(out, '\\');
		buffer_put_u8(out, data[i]);
	}
	buffer_put_u8(out, '"');
}

/* Key column `column` of the entries to delete, as an array. */
static struct param
key_array(struct merge_builder *b, unsigned column)
{
	struct buffer out;
	bool text = b->shape->text;
	struct param param = {.binary = !text};

	memory_buffer_init(&out);
	if (text)
		buffer_put_u8(&out, '{');
	else
		put_binary_array_head(&out, merge_builder_key(b->shape, column)->type, (uint32_t) b->deletes);
	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		const struct keymap_key *key = keymap_key(&b->net->map, i);
		const uint8_t *data = NULL;
		struct reader r;
		uint32_t len = 0;

		if (!(b->actions[i] & NET_DELETE))
			continue;
		reader_init(&r, key->ptr, key->len);
		for (unsigned k = 0; k <= column; k++) {
			len = reader_get_u32(&r);
			data = reader_get(&r, len);
		}
		if (text)
			put_text_array_element(&out, data, len);
		else
			copy_put_field(&out, false, true, data, len);
	}
	if (text)
		buffer_put(&out, "}", 2);
	param.len = out.len;
	param.data = arena_copy(b->arena, out.data, out.len);
	buffer_fini(&out);
	return param;
}

static void
delete_by_arrays(struct merge_builder *b)
{
	struct merge_step *step;
	bool first = true;
	char name[48];

	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING unnest(");
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "$%u::", i + 1);
		merge_builder_type(b, merge_builder_key(b->shape, i));
		put(b, "[]");
	}
	put(b, ") AS k(");
	for (unsigned i = 0; i < b->shape->key_count; i++)
		buffer_printf(&b->sql, i ? ", k%u" : "k%u", i + 1);
	put(b, ") WHERE ");
	merge_builder_match(b, "k");
	step = merge_builder_step(b, MERGE_PREPARED);
	snprintf(name, sizeof name, "sluice_delete_%u", b->shape->number);
	step->name = arena_strdup(b->arena, name);
	step->param_count = b->shape->key_count;
	step->params = arena_alloc(b->arena, step->param_count * sizeof *step->params);
	for (unsigned i = 0; i < step->param_count; i++)
		step->params[i] = key_array(b, i);
}

/* ---- deleting many keys: a staging table */

static void
delete_by_staging(struct merge_builder *b)
{
	merge_staging_keys(b);
	put(b, "COPY ");
	merge_builder_staging(b, "keys");
	merge_builder_copy(b, COPY_KEYS);
	merge_staging_analyze(b, "keys");
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING ");
	merge_builder_staging(b, "keys");
	put(b, " AS s WHERE ");
	merge_builder_match(b, "s");
	merge_builder_step(b, MERGE_STATEMENT);
}

void
merge_delete_keys(struct merge_builder *b)
{
	if (merge_single_suits_deletes(b))
		merge_single_deletes(b);
	else if (b->deletes <= MERGE_FEW_KEYS && can_be_array(b))
		delete_by_arrays(b);
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
	step->expected_rows = rows;
	step->mismatch = "rows to delete are not in the target as the source had them";
	put_planner_setting(b, b->dialect->with_nested_loops);
}
