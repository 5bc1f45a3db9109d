#include "merge_builder.h"
#include "merge_spelling.h"

#include <stdio.h>

static struct merge_step *
prepared_step(struct merge_builder *b, const char *what, unsigned param_count)
{
	struct merge_step *step = merge_builder_step(b, MERGE_PREPARED);
	char name[48];

	snprintf(name, sizeof name, "sluice_%s_%u", what, b->shape->number);
	step->name = arena_strdup(b->arena, name);
	step->param_count = param_count;
	step->params = arena_alloc_zero(b->arena, (param_count + 1) * sizeof *step->params);
	return step;
}

/* A text parameter must end with a NUL. */
static struct param
param_of(struct merge_builder *b, const uint8_t *data, uint32_t len)
{
	char *text;

	if (!b->shape->text)
		return (struct param){.data = data, .len = len, .binary = true};
	text = arena_alloc_unaligned(b->arena, (size_t) len + 1);
	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	return param_text(text);
}

/* ---- deleting */

/* How many rows are deleted or updated one by one at most. */
static int
few_found(const struct merge_builder *b)
{
	if (b->manner == MERGE_NAMING || b->dialect->few_rows == 0)
		return 0;
	return merge_builder_has_index(b) ? b->dialect->few_rows : 1;
}

/* Without an index each statement would read the whole target, so one statement for all is better. */
bool
merge_single_suits_deletes(const struct merge_builder *b)
{
	return b->deletes <= few_found(b);
}

static void
put_delete(struct merge_builder *b)
{
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t WHERE ");
	merge_builder_match(b, NULL);
}

/* A key is a sequence of COPY BINARY fields; they become the first parameters. */
static void
take_key(struct merge_builder *b, struct merge_step *step, uint32_t entry)
{
	const struct keymap_key *key = keymap_key(&b->net->map, entry);
	struct reader r;

	step->entry = entry;
	reader_init(&r, key->ptr, key->len);
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		uint32_t len = reader_get_u32(&r);

		step->params[i] = param_of(b, reader_get(&r, len), len);
	}
}

void
merge_single_deletes(struct merge_builder *b)
{
	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		struct merge_step *step;

		if (!(b->actions[i] & NET_DELETE))
			continue;
		put_delete(b);
		step = prepared_step(b, "delete_one", b->shape->key_count);
		take_key(b, step, i);
		if (merge_counts_deletes(b))
			merge_builder_add(b, step, merge_builder_count(b, !b->net->rows[i].perhaps, 1));
	}
}

/* ---- inserting */

/* Parameters are in memory several times until they are sent, the rows of a COPY are not. */
#define SINGLE_ROW_BYTES ((size_t) 1 << 20)

static bool
has_large_row(const struct merge_builder *b, unsigned action)
{
	for (uint32_t i = 0; i < net_change_count(b->net); i++)
		if ((b->actions[i] & action) && b->net->rows[i].row.len > SINGLE_ROW_BYTES)
			return true;
	return false;
}

/* Without a key an entry may stand for several rows. A table without columns cannot have VALUES. */
bool
merge_single_suits_inserts(const struct merge_builder *b)
{
	int64_t rows = b->inserts;

	for (uint32_t i = 0; b->shape->match == MATCH_ROW && i < net_change_count(b->net); i++)
		if (b->actions[i] & NET_INSERT)
			rows += b->net->rows[i].count - 1;
	return b->manner == MERGE_FAST && rows <= b->dialect->few_rows && b->shape->fed_count > 0 &&
		   !has_large_row(b, NET_INSERT);
}

static void
put_insert(struct merge_builder *b)
{
	bool first = true;

	put(b, "INSERT INTO ");
	merge_builder_target(b);
	merge_builder_column_list(b, false);
	merge_builder_overriding(b);
	put(b, " VALUES (");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "$%u", i + 1);
	}
	put(b, ")");
}

static void
take_row(struct merge_builder *b, struct merge_step *step, struct bytes row, struct value *values)
{
	struct reader r;

	reader_init(&r, row.data, row.len);
	b->broken |= !change_decode_row(b->shape->relation, false, &r, values);
	for (unsigned i = 0; i < step->param_count && !b->broken; i++) {
		const struct value *value = &values[b->shape->fed[i].source];

		b->broken |= value->kind == VALUE_UNCHANGED;
		step->params[i] = value->kind == VALUE_NULL ? param_text(NULL) : param_of(b, value->data, value->len);
	}
}

void
merge_single_inserts(struct merge_builder *b)
{
	struct value *values = arena_alloc(b->arena, b->shape->relation->column_count * sizeof *values);

	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		const struct net_row *entry = &b->net->rows[i];
		int64_t times = b->shape->match == MATCH_ROW ? entry->count : 1;

		if (!(b->actions[i] & NET_INSERT))
			continue;
		for (; times > 0; times--) {
			struct merge_step *step;

			put_insert(b);
			step = prepared_step(b, "insert_one", b->shape->fed_count);
			step->entry = i;
			step->finding = MERGE_ROWS_NOT_TAKEN;
			merge_builder_add(b, step, merge_builder_count(b, 1, 1));
			take_row(b, step, entry->row, values);
		}
	}
}

/* In the order of the changes each row replaces the one with an equal key, so that the last one stays. */
void
merge_single_inserts_in_turn(struct merge_builder *b)
{
	struct value *values = arena_alloc(b->arena, b->shape->relation->column_count * sizeof *values);
	const uint32_t *order = merge_spelling_order(b);

	for (int64_t i = 0; i < b->inserts; i++) {
		struct merge_step *step;

		put_delete(b);
		step = prepared_step(b, "delete_one", b->shape->key_count);
		take_key(b, step, order[i]);
		put_insert(b);
		step = prepared_step(b, "insert_one", b->shape->fed_count);
		step->entry = order[i];
		step->finding = MERGE_ROWS_NOT_TAKEN;
		merge_builder_add(b, step, merge_builder_count(b, 1, 1));
		take_row(b, step, b->net->rows[order[i]].row, values);
	}
}

/* ---- updating */

/* Up to this many columns have a bit in the name of the statement that updates rows without some of them. */
#define NAMED_COLUMNS 64

static struct param
param_of_value(struct merge_builder *b, const struct value *value)
{
	return value->kind == VALUE_PRESENT ? param_of(b, value->data, value->len) : param_text(NULL);
}

static bool
suits_group(const struct merge_builder *b, const struct merge_group *group)
{
	bool whole = !group->unchanged && b->shape->unfed_count == 0;
	bool sets = false;

	/* Rows that differ in a guarded column are deleted and inserted, and rows that the target lacks are inserted:
	 * both need all values. */
	if (group->moved || group->mixed || (merge_guards(b) && !(whole && shape_follows_inserts(b->shape))) ||
		(b->shape->rows_may_be_absent && group->unchanged) ||
		(group->unchanged && b->shape->relation->column_count > NAMED_COLUMNS))
		return false;
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		sets |= merge_builder_sets(b, false, i) && !merge_group_lacks(b, group, i);
	return sets;
}

bool
merge_single_suits_updates(const struct merge_builder *b)
{
	if (b->fills > 0 || b->patches > few_found(b) || has_large_row(b, NET_PATCH))
		return false;
	for (unsigned i = 0; i < b->group_count; i++)
		if (!suits_group(b, &b->groups[i]))
			return false;
	return true;
}

/* One row to be updated. */
struct single_update {
	uint32_t entry;
	const struct merge_group *group;
	struct value *values;
	struct merge_count *count;
	struct merge_count *inserted; /* count for the insert; NULL: any number */
};

/* The name of the prepared statement says which columns the row lacks. */
static struct merge_step *
update_step(struct merge_builder *b, const struct single_update *u, unsigned param_count)
{
	uint64_t missing = 0;
	char what[48];

	for (unsigned i = 0; u->group->unchanged && i < b->shape->fed_count; i++)
		if (merge_group_lacks(b, u->group, i))
			missing |= UINT64_C(1) << b->shape->fed[i].source;
	snprintf(what, sizeof what, missing ? "update_one_%llx" : "update_one", (unsigned long long) missing);
	return prepared_step(b, what, param_count);
}

static void
update_one(struct merge_builder *b, const struct single_update *u)
{
	unsigned number = b->shape->key_count;
	struct merge_step *step;
	bool first = true;

	put(b, "UPDATE ");
	merge_builder_target_rows(b);
	put(b, " AS t SET ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!merge_builder_sets(b, false, i) || merge_group_lacks(b, u->group, i))
			continue;
		put_separator(b, ", ", &first);
		sql_identifier(&b->sql, b->shape->fed[i].target->name);
		buffer_printf(&b->sql, " = $%u", ++number);
	}
	put(b, " WHERE ");
	merge_builder_match(b, NULL);
	b->phase = MERGE_UPDATE;
	step = update_step(b, u, number);
	take_key(b, step, u->entry);
	number = b->shape->key_count;
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		if (merge_builder_sets(b, false, i) && !merge_group_lacks(b, u->group, i))
			step->params[number++] = param_of_value(b, &u->values[b->shape->fed[i].source]);
	merge_builder_add(b, step, u->count);
	merge_builder_await(step, u->inserted, -1);
}

/* Deletes the row if a guarded column differs. */
static void
delete_differing(struct merge_builder *b, const struct single_update *u)
{
	unsigned keys = b->shape->key_count;
	struct merge_step *step;

	put_delete(b);
	put(b, " AND ROW(");
	for (unsigned i = 0; i < b->shape->guarded_count; i++) {
		const struct target_column *column = b->shape->fed[b->shape->guarded[i]].target;

		put(b, i ? ", " : "");
		merge_builder_column(b, "t", column);
		put(b, "::");
		merge_builder_plain_type(b, column);
	}
	put(b, ")::record *<> ROW(");
	for (unsigned i = 0; i < b->shape->guarded_count; i++) {
		buffer_printf(&b->sql, i ? ", $%u::" : "$%u::", keys + i + 1);
		merge_builder_plain_type(b, b->shape->fed[b->shape->guarded[i]].target);
	}
	put(b, ")::record");
	b->phase = MERGE_DELETE;
	step = prepared_step(b, "delete_differing", keys + b->shape->guarded_count);
	take_key(b, step, u->entry);
	for (unsigned i = 0; i < b->shape->guarded_count; i++)
		step->params[keys + i] = param_of_value(b, &u->values[b->shape->fed[b->shape->guarded[i]].source]);
	merge_builder_add(b, step, u->count);
}

/* Inserts the row if it was not updated: because it was deleted as differing, or the target lacked it. */
static void
insert_missing(struct merge_builder *b, const struct single_update *u)
{
	struct merge_step *step;

	put(b, "INSERT INTO ");
	merge_builder_target(b);
	merge_builder_column_list(b, false);
	merge_builder_overriding(b);
	put(b, " SELECT ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		buffer_printf(&b->sql, i ? ", $%u::" : "$%u::", i + 1);
		merge_builder_plain_type(b, b->shape->fed[i].target);
	}
	put(b, " WHERE NOT EXISTS (SELECT 1 FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t WHERE ");
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put(b, i ? " AND " : "");
		merge_builder_equals(b, "t", merge_builder_key(b->shape, i));
		buffer_printf(&b->sql, "$%u::", b->shape->key[i] + 1);
		merge_builder_plain_type(b, merge_builder_key(b->shape, i));
	}
	put(b, ")");
	b->phase = MERGE_INSERT;
	step = prepared_step(b, "insert_missing", b->shape->fed_count);
	step->entry = u->entry;
	step->finding = MERGE_ROWS_NOT_TAKEN;
	merge_builder_add(b, step, u->inserted);
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		step->params[i] = param_of_value(b, &u->values[b->shape->fed[i].source]);
}

void
merge_single_updates(struct merge_builder *b)
{
	struct value *values = arena_alloc(b->arena, b->shape->relation->column_count * sizeof *values);
	bool inserts = merge_guards(b) || (b->shape->rows_may_be_absent && shape_follows_inserts(b->shape));

	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		struct single_update u = {.entry = i, .values = values};
		struct reader r;

		if (!(b->actions[i] & NET_PATCH))
			continue;
		u.group = &b->groups[b->groups_of[i]];
		if (!b->shape->rows_may_be_absent)
			u.count = merge_builder_count(b, 1, 1);
		reader_init(&r, b->net->rows[i].row.data, b->net->rows[i].row.len);
		b->broken |= !change_decode_row(b->shape->relation, false, &r, values);
		if (b->broken)
			return;
		/* A trigger may skip an update that changes nothing. */
		if (inserts && !b->shape->triggers)
			u.inserted = merge_builder_count(b, 1, 1);
		if (merge_guards(b))
			delete_differing(b, &u);
		update_one(b, &u);
		if (inserts)
			insert_missing(b, &u);
	}
}
