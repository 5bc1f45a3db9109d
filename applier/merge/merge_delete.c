#include "base/memory.h"
#include "merge_builder.h"
#include "tables/mapping.h"

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

/* The columns that identify a row of the target: system column, and its name in the subquery. */
static void
put_row_addresses(struct merge_builder *b, const char *separator, bool as, const char *equals)
{
	static const char *const addresses[][2] = {{"ctid", "c"}, {"tableoid", "o"}, {"gp_segment_id", "g"}};
	const bool wanted[] = {true, b->shape->table->target.partitioned, b->dialect->has_segments};

	for (unsigned i = 0; i < 3; i++) {
		if (!wanted[i])
			continue;
		put(b, separator);
		if (as)
			buffer_printf(&b->sql, "t.%s AS %s", addresses[i][0], addresses[i][1]);
		else if (equals)
			buffer_printf(&b->sql, "t.%s = %s.%s", addresses[i][0], equals, addresses[i][1]);
		else
			buffer_printf(&b->sql, "t.%s", addresses[i][1]);
	}
}

/* ---- probes: columns that preselect the rows that may be equal */

#define PROBES_MAX 16
/* With up to this many rows a nested loop is harmless, even if the planner chooses one without an index. */
#define LOOPED_ROWS_MAX 1000

/* Types whose values with equal text are equal by =, which is fast and can be hashed. The reverse need not hold. */
static bool
is_probe(const struct target_column *column)
{
	static const char *const names[] = {"int2",		 "int4",		"int8", "oid",	  "numeric",
										"text",		 "varchar",		"uuid", "bpchar", "date",
										"timestamp", "timestamptz", "bool"};

	if (column->equality || strcmp(column->base_schema, "pg_catalog") != 0)
		return false;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(column->base_name, names[i]) == 0)
			return true;
	return false;
}

struct probes {
	unsigned
		fed[PROBES_MAX]; /* positions in `fed` of columns that are NULL in none of the rows to be deleted */
	bool leads
		[PROBES_MAX]; /* the column leads an index: on servers with segments the rows are found again by it, since they cannot be by address */
	unsigned count;
	bool by_index; /* the target's rows can be found by an index or their address, so a nested loop is fine */
};

static struct probes
find_probes(struct merge_builder *b)
{
	const struct shape *shape = b->shape;
	struct value *values = arena_alloc(b->arena, (shape->relation->column_count + 1) * sizeof *values);
	struct probes probes = {.count = 0};

	for (unsigned i = 0; i < shape->fed_count && probes.count < PROBES_MAX; i++)
		if (is_probe(shape->fed[i].target))
			probes.fed[probes.count++] = i;
	for (uint32_t i = 0; probes.count > 0 && i < net_change_count(b->net); i++) {
		const struct bytes *row = &b->net->rows[i].row;
		struct reader r;
		unsigned kept = 0;

		if (!(b->actions[i] & NET_DELETE))
			continue;
		reader_init(&r, row->data, row->len);
		b->broken |= !change_decode_row(shape->relation, false, &r, values);
		for (unsigned p = 0; p < probes.count; p++)
			if (values[shape->fed[probes.fed[p]].source].kind == VALUE_PRESENT)
				probes.fed[kept++] = probes.fed[p];
		probes.count = kept;
	}
	if (b->deletes > LOOPED_ROWS_MAX)
		return probes;
	probes.by_index = !b->dialect->has_segments;
	for (unsigned p = 0; b->dialect->has_segments && p < probes.count; p++) {
		probes.leads[p] = mapping_leads_index(&shape->table->target, shape->fed[probes.fed[p]].target);
		probes.by_index |= probes.leads[p];
	}
	return probes;
}

/* The values of probes that lead an index, with which the DELETE finds the row again. */
static void
put_leading(struct merge_builder *b, const struct probes *probes, const char *separator, bool as,
			const char *equals)
{
	for (unsigned i = 0; i < probes->count; i++) {
		const struct target_column *column = b->shape->fed[probes->fed[i]].target;

		if (!probes->leads[i])
			continue;
		put(b, separator);
		if (equals) {
			merge_builder_equals(b, "t", column);
			buffer_printf(&b->sql, "%s.p%u", equals, i + 1);
		} else if (as) {
			merge_builder_column(b, "t", column);
			buffer_printf(&b->sql, " AS p%u", i + 1);
		} else {
			buffer_printf(&b->sql, "t.p%u", i + 1);
		}
	}
}

/* The target's rows with their image: all of them, or those whose probes are staged. OFFSET 0 keeps the planner from
 * comparing images before the probes. */
static void
put_candidates(struct merge_builder *b, const struct probes *probes)
{
	put(b, "(SELECT ");
	put_row_image(b, "t", false);
	put(b, " AS image");
	put_row_addresses(b, ", ", true, NULL);
	put_leading(b, probes, ", ", true, NULL);
	put(b, " FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t");
	if (probes->count > 0) {
		put(b, " WHERE EXISTS (SELECT 1 FROM ");
		merge_builder_staging(b, "counts");
		put(b, " AS s");
		for (unsigned i = 0; i < probes->count; i++) {
			put(b, i ? " AND " : " WHERE ");
			merge_builder_equals(b, "t", b->shape->fed[probes->fed[i]].target);
			buffer_printf(&b->sql, "s.c%u", probes->fed[i] + 1);
		}
		put(b, ") OFFSET 0");
	}
	put(b, ") AS t");
}

/* Deletes exactly n of the equal rows. Rows are compared by their text, which can be hashed: there NULLs are equal,
 * every type has an image, and the empty string differs from NULL. The window function keeps the planner from joining
 * the target with itself first. Making the text of a row costs more than reading it, so probes choose the candidates
 * first. */
static void
put_counted_delete(struct merge_builder *b, const struct probes *probes)
{
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING (SELECT d.n, row_number() OVER (PARTITION BY d.image) AS number");
	put_row_addresses(b, ", ", false, NULL);
	put_leading(b, probes, ", ", false, NULL);
	put(b, " FROM (SELECT ");
	put_row_image(b, "s", true);
	put(b, " AS image, sum(s.n)::int8 AS n FROM ");
	merge_builder_staging(b, "counts");
	put(b, " AS s GROUP BY 1) AS d JOIN ");
	put_candidates(b, probes);
	put(b, " ON d.image = t.image) AS x WHERE x.number <= x.n");
	put_row_addresses(b, " AND ", false, "x");
	put_leading(b, probes, " AND ", false, "x");
}

/* If the planner takes the target for small, a nested loop without an index would compare each row with each other. */
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
	const struct probes probes = find_probes(b);
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
	put_planner_setting(b, probes.by_index ? NULL : b->dialect->without_nested_loops);
	put_counted_delete(b, &probes);
	step = merge_builder_step(b, MERGE_STATEMENT);
	if (merge_counts_deletes(b))
		merge_builder_add(b, step, merge_builder_count(b, rows, rows));
	put_planner_setting(b, probes.by_index ? NULL : b->dialect->with_nested_loops);
}
