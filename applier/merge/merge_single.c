#include "merge_builder.h"

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

/* A text parameter ends with a NUL. */
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

/* Whether the target has its primary key, and with it an index, over the match key. */
static bool
has_index(const struct merge_builder *b)
{
	for (unsigned i = 0; i < b->shape->key_count; i++)
		if (merge_builder_key(b->shape, i)->key_position == 0)
			return false;
	return true;
}

/* Where each one would read the whole target, one statement does for all. */
bool
merge_single_suits_deletes(const struct merge_builder *b)
{
	return b->deletes <= (has_index(b) ? b->dialect->few_rows : 1) && b->dialect->few_rows > 0;
}

static void
put_delete(struct merge_builder *b)
{
	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t WHERE ");
	merge_builder_match(b, NULL);
}

/* A key is a sequence of COPY BINARY fields. */
static void
take_key(struct merge_builder *b, struct merge_step *step, const struct keymap_key *key)
{
	struct reader r;

	reader_init(&r, key->ptr, key->len);
	for (unsigned i = 0; i < step->param_count; i++) {
		uint32_t len = reader_get_u32(&r);

		step->params[i] = param_of(b, reader_get(&r, len), len);
	}
}

void
merge_single_deletes(struct merge_builder *b)
{
	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		if (!(b->actions[i] & NET_DELETE))
			continue;
		put_delete(b);
		take_key(b, prepared_step(b, "delete_one", b->shape->key_count), keymap_key(&b->net->map, i));
	}
}

/* ---- inserting */

/* Without a key an entry may stand for several rows.  A table without columns has no VALUES. */
bool
merge_single_suits_inserts(const struct merge_builder *b)
{
	int64_t rows = b->inserts;

	for (uint32_t i = 0; b->shape->match == MATCH_ROW && i < net_change_count(b->net); i++)
		if (b->actions[i] & NET_INSERT)
			rows += b->net->rows[i].count - 1;
	return rows <= b->dialect->few_rows && b->shape->fed_count > 0;
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
			step->expected_rows = 1;
			step->mismatch = "rows to insert were not taken";
			take_row(b, step, entry->row, values);
		}
	}
}
