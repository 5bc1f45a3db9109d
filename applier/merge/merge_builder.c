#include "merge_builder.h"

#include "tables/mapping.h"

/* ---- steps */

struct merge_step *
merge_builder_step(struct merge_builder *b, enum merge_step_kind kind)
{
	struct merge_step *step = arena_alloc_zero(b->arena, sizeof *step);
	struct merge_steps *steps = &b->plan->phases[b->phase];

	step->kind = kind;
	step->table = b->shape->table;
	step->net = b->net;
	step->entry = ENTRY_NONE;
	buffer_put_u8(&b->sql, '\0');
	b->too_long |= b->sql.failed;
	step->sql = b->sql.failed ? "" : arena_strdup(b->arena, (const char *) b->sql.data);
	buffer_reset(&b->sql);
	if (steps->last)
		steps->last->next = step;
	else
		steps->first = step;
	steps->last = step;
	return step;
}

struct merge_step *
merge_builder_copy(struct merge_builder *b, enum copy_content content)
{
	struct merge_step *step;

	buffer_printf(&b->sql, " FROM STDIN%s", copy_format_clause(b->shape->text));
	step = merge_builder_step(b, MERGE_COPY);
	copy_walk_init(&step->walk, b->net, content, b->actions, b->groups_of,
				   content == COPY_INSERTS ? NULL : b->order, b->arena);
	return step;
}

/* ---- row counts */

struct merge_count *
merge_builder_count(struct merge_builder *b, int64_t least, int64_t most)
{
	struct merge_count *count = arena_alloc_zero(b->arena, sizeof *count);

	count->least = least;
	count->most = most;
	return count;
}

void
merge_builder_add(struct merge_builder *b, struct merge_step *step, struct merge_count *count)
{
	(void) b;
	step->count = count;
	if (count)
		count->last = step;
}

void
merge_builder_await(struct merge_step *step, struct merge_count *count, int rows)
{
	step->awaited = count;
	step->awaits = rows;
}

/* A rule or trigger of the target may prevent the insert. */
void
merge_builder_take(struct merge_builder *b, struct merge_step *step)
{
	step->finding = MERGE_ROWS_NOT_TAKEN;
	merge_builder_add(b, step, b->taken);
}

struct merge_count *
merge_builder_count_deletes(struct merge_builder *b)
{
	return merge_counts_deletes(b) ? merge_builder_count(b, b->deletes - b->perhaps, b->deletes) : NULL;
}

void
merge_builder_name_absent(struct merge_builder *b, const char *what)
{
	struct merge_step *step;
	bool first = true;

	if (b->manner != MERGE_NAMING || b->shape->rows_may_be_absent)
		return;
	put(b, "SELECT ");
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "s.k%u::text", i + 1);
	}
	put(b, " FROM ");
	merge_builder_staging(b, what);
	put(b, " AS s WHERE NOT EXISTS (SELECT 1 FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t WHERE ");
	merge_builder_match(b, "s");
	put(b, ") LIMIT 1");
	step = merge_builder_step(b, MERGE_STATEMENT);
	step->finding = MERGE_ROW_NAMED;
	merge_builder_add(b, step, merge_builder_count(b, 0, 0));
}

/* ---- staged values */

bool
merge_group_lacks(const struct merge_builder *b, const struct merge_group *group, unsigned fed)
{
	unsigned source = b->shape->fed[fed].source;

	return group->unchanged && (group->unchanged[source / 8] >> (source % 8) & 1);
}

void
merge_builder_value(struct merge_builder *b, const struct merge_group *group, unsigned fed)
{
	if (!group->mixed || !merge_group_lacks(b, group, fed)) {
		buffer_printf(&b->sql, "s.c%u", fed + 1);
		return;
	}
	buffer_printf(&b->sql, "CASE WHEN get_bit(s.u, %u) = 1 THEN ", b->shape->fed[fed].source);
	merge_builder_column(b, "t", b->shape->fed[fed].target);
	buffer_printf(&b->sql, " ELSE s.c%u END", fed + 1);
}

void
merge_builder_groups(struct merge_builder *b, enum net_action action)
{
	bool first = true;

	put(b, "s.g IN (");
	for (unsigned i = 0; i < b->group_count; i++) {
		if (b->groups[i].action != action)
			continue;
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "%u", i);
	}
	put(b, ")");
}

static bool
is_guarded(const struct merge_builder *b, unsigned fed)
{
	for (unsigned i = 0; merge_guards(b) && i < b->shape->guarded_count; i++)
		if (b->shape->guarded[i] == fed)
			return true;
	return false;
}

bool
merge_builder_sets(const struct merge_builder *b, bool moved, unsigned fed)
{
	return shape_is_key(b->shape, fed) ? moved : !is_guarded(b, fed);
}

/* ---- names */

void
merge_builder_target(struct merge_builder *b)
{
	sql_qualified(&b->sql, b->shape->table->target_schema, b->shape->table->target_name);
}

void
merge_builder_target_rows(struct merge_builder *b)
{
	mapping_put_target_rows(&b->sql, b->shape->table);
}

void
merge_builder_staging(struct merge_builder *b, const char *what)
{
	buffer_printf(&b->sql, "pg_temp.sluice_%s_%u", what, b->shape->number);
}

const struct target_column *
merge_builder_key(const struct shape *shape, unsigned i)
{
	return shape->fed[shape->key[i]].target;
}

bool
merge_builder_has_index(const struct merge_builder *b)
{
	for (unsigned i = 0; i < b->shape->key_count; i++)
		if (merge_builder_key(b->shape, i)->key_position == 0)
			return false;
	return true;
}

void
merge_builder_column(struct merge_builder *b, const char *alias, const struct target_column *column)
{
	buffer_printf(&b->sql, "%s.", alias);
	sql_identifier(&b->sql, column->name);
}

/* Operators and types are looked up only in pg_catalog. An extension's type is compared with the operator of its
 * operator class for indexes, not with one that is merely named = in that schema: anybody who may create objects there
 * could have created it. */
static void
put_equals(struct merge_builder *b, const struct target_column *column)
{
	buffer_printf(&b->sql, " %s ", column->equality ? column->equality : "=");
}

void
merge_builder_equals(struct merge_builder *b, const char *alias, const struct target_column *column)
{
	merge_builder_column(b, alias, column);
	put_equals(b, column);
}

void
merge_builder_match(struct merge_builder *b, const char *alias)
{
	bool first = true;

	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put_separator(b, " AND ", &first);
		merge_builder_equals(b, "t", merge_builder_key(b->shape, i));
		if (alias) {
			buffer_printf(&b->sql, "%s.k%u", alias, i + 1);
		} else {
			buffer_printf(&b->sql, "$%u::", i + 1);
			merge_builder_type(b, merge_builder_key(b->shape, i));
		}
	}
}

void
merge_builder_column_list(struct merge_builder *b, bool with_unfed)
{
	bool first = true;

	/* A table without columns has no column list. */
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

void
merge_builder_overriding(struct merge_builder *b)
{
	if (has_identity_always(b->shape))
		put(b, " OVERRIDING SYSTEM VALUE");
}

/* ---- types */

bool
merge_builder_is_domain(const struct target_column *column)
{
	return strcmp(column->base_name, column->type_name) != 0 ||
		   strcmp(column->base_schema, column->type_schema) != 0;
}

void
merge_builder_type(struct merge_builder *b, const struct target_column *column)
{
	if (merge_builder_is_domain(column))
		sql_qualified(&b->sql, column->base_schema, column->base_name);
	else
		put(b, column->formatted);
}

void
merge_builder_plain_type(struct merge_builder *b, const struct target_column *column)
{
	sql_qualified(&b->sql, column->base_schema, column->base_name);
}
