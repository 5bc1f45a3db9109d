#include "merge_plan.h"

#include <stdio.h>
#include <stdlib.h>

#include "sql.h"

/* So many sets of missing columns get a statement of their own, for each action;
 * the rows with yet other sets share one that looks at every row's own set. */
#define EXACT_GROUPS 4
#define SQL_LIMIT ((size_t) 64 << 20)
#define PARAM_LIMIT ((size_t) 1 << 30)

/* Staged rows that need the same statement. */
struct group {
	enum net_action action;
	bool moved;			/* the row stands under another key in the target */
	bool mixed;			/* the rows lack different columns */
	uint8_t *unchanged; /* bitmap over the relation's columns: missing in some row, or NULL */
	int64_t rows;
};

struct builder {
	struct merge_plan *plan;
	const struct net_change *net;
	const struct shape *shape;
	const struct dialect *dialect;
	struct staging *staging;
	struct arena *arena;
	uint8_t *actions;
	uint8_t *groups_of; /* each staged entry's group */
	struct group *groups;
	unsigned group_count;
	int64_t deletes;
	int64_t inserts;
	int64_t staged;
	struct buffer sql;
	bool too_long; /* a statement was */
};

void
staging_committed(struct staging *staging)
{
	staging->keys_used = staging->rows_used = staging->counts_used = false;
}

/* ---- steps */

static struct merge_step *
add_step(struct builder *b, enum merge_step_kind kind)
{
	struct merge_step *step = arena_alloc_zero(b->arena, sizeof *step);

	step->kind = kind;
	step->expected_rows = -1;
	buffer_put_u8(&b->sql, '\0');
	b->too_long |= b->sql.failed;
	step->sql = b->sql.failed ? "" : arena_strdup(b->arena, (const char *) b->sql.data);
	buffer_reset(&b->sql);
	if (b->plan->last)
		b->plan->last->next = step;
	else
		b->plan->first = step;
	b->plan->last = step;
	return step;
}

static struct merge_step *
add_copy(struct builder *b, enum copy_content content)
{
	struct merge_step *step;

	buffer_printf(&b->sql, " FROM STDIN%s", copy_format_clause(b->shape->text));
	step = add_step(b, MERGE_COPY);
	copy_walk_init(&step->walk, b->net, content, b->actions, b->groups_of, b->arena);
	return step;
}

/* ---- names */

static void
put(struct builder *b, const char *text)
{
	buffer_put(&b->sql, text, strlen(text));
}

static void
put_target(struct builder *b)
{
	sql_qualified(&b->sql, b->shape->table->target_schema, b->shape->table->target_name);
}

static void
put_staging_name(struct builder *b, const char *what)
{
	buffer_printf(&b->sql, "pg_temp.sluice_%s_%u", what, b->shape->number);
}

static const struct target_column *
key_column(const struct shape *shape, unsigned i)
{
	return shape->fed[shape->key[i]].target;
}

/* "t"."id" */
static void
put_column(struct builder *b, const char *alias, const struct target_column *column)
{
	buffer_printf(&b->sql, "%s.", alias);
	sql_identifier(&b->sql, column->name);
}

static void
put_separator(struct builder *b, const char *separator, bool *first)
{
	if (!*first)
		put(b, separator);
	*first = false;
}

/* Names are looked up in pg_catalog alone; an extension's type has its own = beside it. */
static void
put_equals(struct builder *b, const struct target_column *column)
{
	if (column->base_typtype != 'b' || column->base_name[0] == '_' ||
		strcmp(column->base_schema, "pg_catalog") == 0) {
		put(b, " = ");
		return;
	}
	put(b, " OPERATOR(");
	sql_identifier(&b->sql, column->base_schema);
	put(b, ".=) ");
}

/* t.key = alias.k1 AND … */
static void
put_key_match(struct builder *b, const char *alias)
{
	bool first = true;

	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put_separator(b, " AND ", &first);
		put_column(b, "t", key_column(b->shape, i));
		put_equals(b, key_column(b->shape, i));
		buffer_printf(&b->sql, "%s.k%u", alias, i + 1);
	}
}

/* ---- staging tables */

/* What ON COMMIT and DISTRIBUTED BY say: the names of the staging columns that
 * hold the target's distribution key, if they all are at hand. */
static void
put_staging_options(struct builder *b, bool has_key)
{
	const struct target_table *target = &b->shape->table->target;
	const char *names[TABLE_MAX_KEY];
	char text[TABLE_MAX_KEY][16];
	unsigned count = 0, wanted = 0;

	for (unsigned i = 0; i < target->column_count; i++)
		wanted += target->columns[i].distribution_position > 0;
	for (unsigned position = 1; has_key && position <= wanted; position++) {
		for (unsigned i = 0; i < b->shape->key_count; i++) {
			if (key_column(b->shape, i)->distribution_position != (int) position)
				continue;
			snprintf(text[count], sizeof text[count], "k%u", i + 1);
			names[count] = text[count];
			count++;
		}
	}
	b->dialect->put_staging_options(&b->sql, names, count == wanted ? count : 0);
}

static bool
is_domain(const struct target_column *column)
{
	return strcmp(column->base_name, column->type_name) != 0 ||
		   strcmp(column->base_schema, column->type_schema) != 0;
}

/* Of a domain the base type: staging holds NULLs where values are missing,
 * which a domain may refuse, and not every dialect has arrays of domains. */
static void
put_type(struct builder *b, const struct target_column *column)
{
	if (is_domain(column))
		sql_qualified(&b->sql, column->base_schema, column->base_name);
	else
		put(b, column->formatted);
}

/* name1 type */
static void
put_definition(struct builder *b, char name, unsigned number, const struct target_column *column, bool *first)
{
	put_separator(b, ", ", first);
	buffer_printf(&b->sql, "%c%u ", name, number);
	put_type(b, column);
}

static void
put_key_definitions(struct builder *b, bool *first)
{
	for (unsigned i = 0; i < b->shape->key_count; i++)
		put_definition(b, 'k', i + 1, key_column(b->shape, i), first);
}

static void
put_row_definitions(struct builder *b, bool *first)
{
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		put_definition(b, 'c', i + 1, b->shape->fed[i].target, first);
}

/* Made once a session; emptied when an earlier round of this transaction used it. */
static bool
reuse_staging(struct builder *b, const char *what, bool *made, bool *used)
{
	bool reused = *made;

	if (*made && *used) {
		put(b, "TRUNCATE ");
		put_staging_name(b, what);
		add_step(b, MERGE_STATEMENT);
	}
	*made = *used = true;
	return reused;
}

/* CREATE TEMP TABLE refuses a schema but pg_temp, which says it all. */
static void
put_create_staging(struct builder *b, const char *what)
{
	put(b, "CREATE TEMP TABLE ");
	buffer_printf(&b->sql, "sluice_%s_%u (", what, b->shape->number);
}

static void
need_key_staging(struct builder *b)
{
	bool first = true;

	if (reuse_staging(b, "keys", &b->staging->keys_made, &b->staging->keys_used))
		return;
	put_create_staging(b, "keys");
	put_key_definitions(b, &first);
	put(b, ")");
	put_staging_options(b, true);
	add_step(b, MERGE_STATEMENT);
}

static void
need_row_staging(struct builder *b)
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
	put(b, shape_follows_inserts(b->shape) ? ")" : ", found boolean)");
	put_staging_options(b, true);
	add_step(b, MERGE_STATEMENT);
}

static void
need_count_staging(struct builder *b)
{
	bool first = true;

	if (reuse_staging(b, "counts", &b->staging->counts_made, &b->staging->counts_used))
		return;
	put_create_staging(b, "counts");
	put_row_definitions(b, &first);
	put_separator(b, ", ", &first);
	put(b, "n int8)");
	put_staging_options(b, false);
	add_step(b, MERGE_STATEMENT);
}

static void
analyze_staging(struct builder *b, const char *what)
{
	if (!b->dialect->analyze_staging || b->shape->table->target.storage == TARGET_HEAP)
		return;
	put(b, "ANALYZE ");
	put_staging_name(b, what);
	add_step(b, MERGE_STATEMENT);
}

/* ---- deleting few keys: arrays as parameters */

/*
 * Arrays of arrays and of composites are unnested to the bottom; the OIDs of
 * types outside pg_catalog, which the binary form names, are the target's own.
 */
static bool
can_be_array(const struct builder *b)
{
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		const struct target_column *column = key_column(b->shape, i);

		if (column->base_name[0] == '_' || column->base_typtype == 'c')
			return false;
		if (!b->shape->text && (is_domain(column) || strcmp(column->type_schema, "pg_catalog") != 0))
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
key_array(struct builder *b, unsigned column)
{
	struct buffer out;
	bool text = b->shape->text;
	struct param param = {.binary = !text};

	buffer_init(&out, PARAM_LIMIT, NULL, NULL);
	if (text)
		buffer_put_u8(&out, '{');
	else
		put_binary_array_head(&out, key_column(b->shape, column)->type, (uint32_t) b->deletes);
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
	if (out.failed)
		arena_out_of_memory(out.len);
	param.len = out.len;
	param.data = arena_copy(b->arena, out.data, out.len);
	buffer_fini(&out);
	return param;
}

static void
delete_by_arrays(struct builder *b)
{
	struct merge_step *step;
	bool first = true;
	char name[48];

	put(b, "DELETE FROM ");
	put_target(b);
	put(b, " AS t USING unnest(");
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "$%u::", i + 1);
		put_type(b, key_column(b->shape, i));
		put(b, "[]");
	}
	put(b, ") AS k(");
	for (unsigned i = 0; i < b->shape->key_count; i++)
		buffer_printf(&b->sql, i ? ", k%u" : "k%u", i + 1);
	put(b, ") WHERE ");
	put_key_match(b, "k");
	step = add_step(b, MERGE_PREPARED);
	snprintf(name, sizeof name, "sluice_delete_%u", b->shape->number);
	step->name = arena_strdup(b->arena, name);
	step->param_count = b->shape->key_count;
	step->params = arena_alloc(b->arena, step->param_count * sizeof *step->params);
	for (unsigned i = 0; i < step->param_count; i++)
		step->params[i] = key_array(b, i);
}

/* ---- deleting many keys: a staging table */

static void
delete_by_staging(struct builder *b)
{
	need_key_staging(b);
	put(b, "COPY ");
	put_staging_name(b, "keys");
	add_copy(b, COPY_KEYS);
	analyze_staging(b, "keys");
	put(b, "DELETE FROM ");
	put_target(b);
	put(b, " AS t USING ");
	put_staging_name(b, "keys");
	put(b, " AS s WHERE ");
	put_key_match(b, "s");
	add_step(b, MERGE_STATEMENT);
}

static void
delete_keys(struct builder *b)
{
	if (b->deletes <= MERGE_FEW_KEYS && can_be_array(b))
		delete_by_arrays(b);
	else
		delete_by_staging(b);
}

/* ---- deleting without a key: by the rows' text */

/* row(alias.c, …)::text, over the target's columns or the staging table's. */
static void
put_row_image(struct builder *b, const char *alias, bool staged)
{
	bool first = true;

	put(b, "row(");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		if (staged)
			buffer_printf(&b->sql, "%s.c%u", alias, i + 1);
		else
			put_column(b, alias, b->shape->fed[i].target);
	}
	put(b, ")::text");
}

/* What names a row of the target: column and name in the subquery. */
static void
put_row_addresses(struct builder *b, const char *separator, const char *format)
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
put_counted_delete(struct builder *b)
{
	put(b, "DELETE FROM ");
	put_target(b);
	put(b, " AS t USING (SELECT d.n, row_number() OVER (PARTITION BY d.image) AS number");
	put_row_addresses(b, ", ", "AS ");
	put(b, " FROM ");
	put_target(b);
	put(b, " AS t JOIN (SELECT ");
	put_row_image(b, "s", true);
	put(b, " AS image, sum(s.n)::int8 AS n FROM ");
	put_staging_name(b, "counts");
	put(b, " AS s GROUP BY 1) AS d ON d.image = ");
	put_row_image(b, "t", false);
	put(b, ") AS x WHERE x.number <= x.n");
	put_row_addresses(b, " AND ", "= x.");
}

static void
delete_counts(struct builder *b)
{
	struct merge_step *step;
	int64_t rows = 0;

	for (uint32_t i = 0; i < net_change_count(b->net); i++)
		if (b->actions[i] & NET_DELETE)
			rows -= b->net->rows[i].count;
	need_count_staging(b);
	put(b, "COPY ");
	put_staging_name(b, "counts");
	add_copy(b, COPY_COUNTS);
	put(b, "ANALYZE ");
	put_staging_name(b, "counts");
	add_step(b, MERGE_STATEMENT);
	put_counted_delete(b);
	step = add_step(b, MERGE_STATEMENT);
	step->expected_rows = rows;
	step->mismatch = "rows to delete are not in the target as the source had them";
}

/* ---- rows that are staged */

static bool
is_unchanged(const struct group *group, unsigned source_column)
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
put_group_condition(struct builder *b, unsigned number)
{
	buffer_printf(&b->sql, " WHERE s.g = %u AND ", number);
	put_key_match(b, "s");
}

/* The row's own value where it brought one, otherwise the target's. */
static void
put_mixed_value(struct builder *b, unsigned fed)
{
	buffer_printf(&b->sql, "CASE WHEN get_bit(s.u, %u) = 1 THEN ", b->shape->fed[fed].source);
	put_column(b, "t", b->shape->fed[fed].target);
	buffer_printf(&b->sql, " ELSE s.c%u END", fed + 1);
}

/* SET for the columns that are known; the key only where it moved. */
static bool
put_patch_list(struct builder *b, const struct group *group)
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
expect_group(struct builder *b, struct merge_step *step, const struct group *group)
{
	/* Without inserts the target need not have the row. */
	if (!shape_follows_inserts(b->shape))
		return;
	step->expected_rows = group->rows;
	step->mismatch = "rows to update are not in the target";
}

static void
patch_group(struct builder *b, unsigned number)
{
	const struct group *group = &b->groups[number];

	put(b, "UPDATE ");
	put_target(b);
	put(b, " AS t SET ");
	if (!put_patch_list(b, group)) {
		buffer_reset(&b->sql);
		return;
	}
	put(b, " FROM ");
	put_staging_name(b, "rows");
	put(b, " AS s");
	put_group_condition(b, number);
	expect_group(b, add_step(b, MERGE_STATEMENT), group);
}

/* Fetches into staging what only the target knows. */
static void
fill_group(struct builder *b, unsigned number)
{
	const struct group *group = &b->groups[number];
	bool first = true;

	put(b, "UPDATE ");
	put_staging_name(b, "rows");
	put(b, " AS s SET ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!is_unchanged(group, b->shape->fed[i].source))
			continue;
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "c%u = ", i + 1);
		if (group->mixed)
			put_mixed_value(b, i);
		else
			put_column(b, "t", b->shape->fed[i].target);
	}
	for (unsigned i = 0; i < b->shape->unfed_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "x%u = ", i + 1);
		put_column(b, "t", b->shape->unfed[i]);
	}
	if (!shape_follows_inserts(b->shape)) {
		put_separator(b, ", ", &first);
		put(b, "found = true");
	}
	put(b, " FROM ");
	put_target(b);
	put(b, " AS t");
	put_group_condition(b, number);
	expect_group(b, add_step(b, MERGE_STATEMENT), group);
}

static void
put_column_list(struct builder *b, bool with_unfed)
{
	bool first = true;

	/* A table without columns has no list of them. */
	if (b->shape->fed_count == 0)
		return;
	put(b, " (");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		sql_identifier(&b->sql, b->shape->fed[i].target->name);
	}
	for (unsigned i = 0; with_unfed && i < b->shape->unfed_count; i++) {
		put_separator(b, ", ", &first);
		sql_identifier(&b->sql, b->shape->unfed[i]->name);
	}
	put(b, ")");
}

static bool
has_identity_always(const struct shape *shape)
{
	for (unsigned i = 0; i < shape->table->target.column_count; i++)
		if (shape->table->target.columns[i].identity_always)
			return true;
	return false;
}

static void
insert_filled(struct builder *b)
{
	bool first = true;

	put(b, "INSERT INTO ");
	put_target(b);
	put_column_list(b, true);
	put(b, has_identity_always(b->shape) ? " OVERRIDING SYSTEM VALUE SELECT " : " SELECT ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "s.c%u", i + 1);
	}
	for (unsigned i = 0; i < b->shape->unfed_count; i++)
		buffer_printf(&b->sql, ", s.x%u", i + 1);
	put(b, " FROM ");
	put_staging_name(b, "rows");
	put(b, " AS s WHERE s.g IN (");
	first = true;
	for (unsigned i = 0; i < b->group_count; i++) {
		if (b->groups[i].action != NET_FILL)
			continue;
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "%u", i);
	}
	put(b, shape_follows_inserts(b->shape) ? ")" : ") AND s.found");
	add_step(b, MERGE_STATEMENT);
}

static void
stage_rows(struct builder *b)
{
	need_row_staging(b);
	put(b, "COPY ");
	put_staging_name(b, "rows");
	/* The unfed columns are not in the data. */
	put(b, " (");
	for (unsigned i = 0; i < b->shape->key_count; i++)
		buffer_printf(&b->sql, "k%u, ", i + 1);
	put(b, "g, u");
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		buffer_printf(&b->sql, ", c%u", i + 1);
	put(b, ")");
	add_copy(b, COPY_STAGED);
	analyze_staging(b, "rows");
}

/* ---- what is to be done */

static size_t
bitmap_bytes(const struct builder *b)
{
	return (b->shape->relation->column_count + 7) / 8;
}

static bool
same_bitmap(const struct builder *b, const uint8_t *x, const uint8_t *y)
{
	return x && y ? memcmp(x, y, bitmap_bytes(b)) == 0 : x == y;
}

static unsigned
add_group(struct builder *b, const struct group *group)
{
	b->groups = realloc(b->groups, (b->group_count + 1) * sizeof *b->groups);
	if (!b->groups)
		arena_out_of_memory((b->group_count + 1) * sizeof *b->groups);
	b->groups[b->group_count] = *group;
	return b->group_count++;
}

static void
join_mixed(struct builder *b, struct group *group, const uint8_t *unchanged)
{
	for (size_t i = 0; unchanged && i < bitmap_bytes(b); i++)
		group->unchanged[i] |= unchanged[i];
}

/* The group of a staged entry. */
static unsigned
find_group(struct builder *b, uint32_t index)
{
	const struct net_row *entry = &b->net->rows[index];
	const uint8_t *unchanged = net_change_unchanged(b->net, entry);
	struct group wanted = {
		.action = b->actions[index] & NET_FILL ? NET_FILL : NET_PATCH,
		.moved = entry->origin != index,
	};
	unsigned alike = 0;

	for (unsigned i = 0; i < b->group_count; i++) {
		struct group *group = &b->groups[i];

		if (group->action != wanted.action || group->moved != wanted.moved)
			continue;
		if (!group->mixed && same_bitmap(b, group->unchanged, unchanged))
			return i;
		if (group->mixed) {
			join_mixed(b, group, unchanged);
			return i;
		}
		alike++;
	}
	wanted.mixed = alike == EXACT_GROUPS;
	if (unchanged)
		wanted.unchanged = arena_copy(b->arena, unchanged, bitmap_bytes(b));
	else if (wanted.mixed)
		wanted.unchanged = arena_alloc_zero(b->arena, bitmap_bytes(b));
	return add_group(b, &wanted);
}

/* Counts the actions and sorts the staged rows into groups. */
static void
survey(struct builder *b)
{
	uint32_t count = net_change_count(b->net);

	b->actions = arena_alloc(b->arena, count + 1);
	net_change_decide(b->net, b->actions);
	for (uint32_t i = 0; i < count; i++) {
		unsigned number;

		b->deletes += (b->actions[i] & NET_DELETE) != 0;
		b->inserts += (b->actions[i] & NET_INSERT) != 0;
		if (!(b->actions[i] & (NET_PATCH | NET_FILL)))
			continue;
		if (!b->groups_of)
			b->groups_of = arena_alloc_zero(b->arena, count * sizeof *b->groups_of);
		number = find_group(b, i);
		b->groups[number].rows++;
		b->groups_of[i] = (uint8_t) number;
		b->staged++;
	}
}

static void
for_each_group(struct builder *b, enum net_action action, void (*make)(struct builder *, unsigned))
{
	for (unsigned i = 0; i < b->group_count; i++)
		if (b->groups[i].action == action)
			make(b, i);
}

static bool
has_group(const struct builder *b, enum net_action action)
{
	for (unsigned i = 0; i < b->group_count; i++)
		if (b->groups[i].action == action)
			return true;
	return false;
}

static void
plan_deletes(struct builder *b)
{
	if (b->deletes == 0)
		return;
	if (b->shape->match == MATCH_ROW)
		delete_counts(b);
	else
		delete_keys(b);
}

static void
plan(struct builder *b)
{
	if (b->staged > 0) {
		stage_rows(b);
		for_each_group(b, NET_FILL, fill_group);
	}
	plan_deletes(b);
	for_each_group(b, NET_PATCH, patch_group);
	if (has_group(b, NET_FILL))
		insert_filled(b);
	if (b->inserts > 0) {
		put(b, "COPY ");
		put_target(b);
		put_column_list(b, false);
		add_copy(b, COPY_INSERTS);
	}
}

bool
merge_plan_build(struct merge_plan *out, const struct net_change *net, const struct dialect *dialect,
				 struct staging *staging, struct arena *arena, struct error *err)
{
	struct builder b = {
		.plan = out,
		.net = net,
		.shape = net->shape,
		.dialect = dialect,
		.staging = staging,
		.arena = arena,
	};

	*out = (struct merge_plan){0};
	buffer_init(&b.sql, SQL_LIMIT, NULL, NULL);
	survey(&b);
	plan(&b);
	buffer_fini(&b.sql);
	free(b.groups);
	return !b.too_long || error_set(err, ERROR_DATA, "a statement for %s.%s would be too long",
									net->shape->table->target_schema, net->shape->table->target_name);
}
