#include "merge_plan.h"

#include <stdlib.h>

#include "base/memory.h"
#include "key_order.h"
#include "merge_builder.h"
#include "merge_spelling.h"

/* For each action, up to this many sets of missing columns get a statement of their own; rows with other sets share
 * one statement that uses each row's own set. */
#define EXACT_GROUPS 2
#define SQL_LIMIT ((size_t) 64 << 20)

void
staging_committed(struct staging *staging)
{
	staging->keys_used = staging->rows_used = staging->counts_used = false;
}

/* ---- deciding */

static size_t
bitmap_bytes(const struct merge_builder *b)
{
	return (b->shape->relation->column_count + 7) / 8;
}

static bool
same_bitmap(const struct merge_builder *b, const uint8_t *x, const uint8_t *y)
{
	return x && y ? memcmp(x, y, bitmap_bytes(b)) == 0 : x == y;
}

static unsigned
add_group(struct merge_builder *b, const struct merge_group *group)
{
	b->groups = memory_resize(b->groups, b->group_count + 1, sizeof *b->groups);
	b->groups[b->group_count] = *group;
	return b->group_count++;
}

static void
join_mixed(struct merge_builder *b, struct merge_group *group, const uint8_t *unchanged)
{
	for (size_t i = 0; unchanged && i < bitmap_bytes(b); i++)
		group->unchanged[i] |= unchanged[i];
}

/* The group for a staged entry. */
static unsigned
find_group(struct merge_builder *b, uint32_t index)
{
	const struct net_row *entry = &b->net->rows[index];
	const uint8_t *unchanged = net_change_unchanged(b->net, entry);
	struct merge_group wanted = {
		.action = b->actions[index] & NET_FILL ? NET_FILL : NET_PATCH,
		.moved = entry->origin != index,
		.partial = entry->partial,
	};
	unsigned alike = 0;

	for (unsigned i = 0; i < b->group_count; i++) {
		struct merge_group *group = &b->groups[i];

		if (group->action != wanted.action || group->moved != wanted.moved ||
			group->partial != wanted.partial)
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
survey(struct merge_builder *b)
{
	uint32_t count = net_change_count(b->net);

	b->actions = arena_alloc(b->arena, count + 1);
	net_change_decide(b->net, b->actions);
	for (uint32_t i = 0; i < count; i++) {
		unsigned number;

		b->deletes += (b->actions[i] & NET_DELETE) != 0;
		b->perhaps += (b->actions[i] & NET_DELETE) && b->net->rows[i].perhaps;
		b->inserts += (b->actions[i] & NET_INSERT) != 0;
		if (!(b->actions[i] & (NET_PATCH | NET_FILL)))
			continue;
		if (!b->groups_of)
			b->groups_of = arena_alloc_zero(b->arena, count * sizeof *b->groups_of);
		number = find_group(b, i);
		b->groups[number].rows++;
		b->groups_of[i] = (uint8_t) number;
		b->patches += (b->actions[i] & NET_PATCH) != 0;
		b->fills += (b->actions[i] & NET_FILL) != 0;
	}
}

/* Rows are looked up in the order of their keys, but for tables whose triggers may see in which order rows change. */
static void
arrange(struct merge_builder *b)
{
	if (b->shape->match == MATCH_KEY && !b->shape->triggers &&
		b->deletes + b->patches + b->fills > b->dialect->few_rows)
		b->order = key_order(b->net, b->arena);
}

static void
for_each_group(struct merge_builder *b, enum net_action action,
			   void (*make)(struct merge_builder *, unsigned))
{
	for (unsigned i = 0; i < b->group_count; i++)
		if (b->groups[i].action == action)
			make(b, i);
}

static void
plan_deletes(struct merge_builder *b)
{
	if (b->deletes == 0)
		return;
	if (b->shape->match == MATCH_ROW)
		merge_delete_counts(b);
	else
		merge_delete_keys(b);
}

/* How many staged rows are inserted. With guarded columns, or rows that the target may lack, only the queries at the
 * destination tell: merge_builder_await() then adjusts the count. */
static struct merge_count *
count_taken(struct merge_builder *b)
{
	bool absent = b->shape->rows_may_be_absent;
	int64_t least = absent ? b->patches + b->fills : b->fills;

	return merge_builder_count(b, absent && !shape_follows_inserts(b->shape) ? 0 : least,
							   b->patches + b->fills);
}

/* Plans rows with values that only the target has, and rows that are updated. */
static void
plan_staged(struct merge_builder *b)
{
	b->taken = count_taken(b);
	b->phase = MERGE_FETCH;
	merge_update_stage(b);
	if (b->shape->rows_may_be_absent)
		merge_upsert_fetch(b);
	else
		merge_builder_name_absent(b, "rows");
	for_each_group(b, NET_FILL, merge_update_fill);
	if (merge_guards(b))
		for_each_group(b, NET_PATCH, merge_update_mark);
	b->phase = MERGE_DELETE;
	merge_update_delete_marked(b);
	b->phase = MERGE_UPDATE;
	for_each_group(b, NET_PATCH, merge_update_patch);
	b->phase = MERGE_INSERT;
	merge_update_insert_marked(b);
	if (b->fills > 0)
		merge_update_insert(b);
	if (b->shape->rows_may_be_absent && shape_follows_inserts(b->shape))
		merge_upsert_insert(b);
}

/* An update changes nothing in a table that has only key columns. */
static bool
changes_rows(const struct merge_builder *b)
{
	if (b->fills > 0 || merge_guards(b) || b->shape->rows_may_be_absent)
		return b->fills > 0 || b->patches > 0;
	for (unsigned i = 0; b->patches > 0 && i < b->shape->fed_count; i++)
		if (merge_builder_sets(b, b->shape->triggers, i))
			return true;
	return false;
}

static void
plan_inserts(struct merge_builder *b)
{
	if (b->inserts == 0)
		return;
	if (merge_spelling_may_meet(b)) {
		merge_single_inserts_in_turn(b);
		return;
	}
	if (merge_single_suits_inserts(b)) {
		merge_single_inserts(b);
		return;
	}
	put(b, "COPY ");
	merge_builder_target(b);
	merge_builder_column_list(b, false);
	merge_builder_copy(b, COPY_INSERTS)->finding = MERGE_ROWS_NOT_TAKEN;
}

static void
plan(struct merge_builder *b)
{
	if (changes_rows(b)) {
		if (merge_single_suits_updates(b))
			merge_single_updates(b);
		else if (merge_array_suits_updates(b))
			merge_array_updates(b);
		else
			plan_staged(b);
	}
	b->phase = MERGE_DELETE;
	plan_deletes(b);
	b->phase = MERGE_INSERT;
	plan_inserts(b);
}

bool
merge_plan_build(struct merge_plan *out, const struct net_change *net, const struct dialect *dialect,
				 enum merge_manner manner, struct staging *staging, struct arena *arena, struct error *err)
{
	struct merge_builder b = {
		.plan = out,
		.net = net,
		.shape = net->shape,
		.dialect = dialect,
		.manner = manner,
		.staging = staging,
		.arena = arena,
	};

	*out = (struct merge_plan){0};
	memory_buffer_init_limited(&b.sql, SQL_LIMIT);
	survey(&b);
	arrange(&b);
	plan(&b);
	buffer_fini(&b.sql);
	free(b.groups);
	if (b.broken)
		return error_set(err, ERROR_BUG, "a row to be inserted lacks a value");
	return !b.too_long || error_set(err, ERROR_DATA, "a statement for %s.%s would be too long",
									net->shape->table->target_schema, net->shape->table->target_name);
}
