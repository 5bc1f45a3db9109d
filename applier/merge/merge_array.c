#include "base/memory.h"
#include "merge_builder.h"

#include <stdio.h>

/* Statements for a medium number of rows, whose keys and values are sent as arrays in parameters: no staging table,
 * and one plan for the whole session. */

/* Not arrays of arrays and of composites, since unnest() expands them completely; and only types of pg_catalog,
 * since the binary form contains the type's OID, which is the target's own for others. */
static bool
can_be_array(const struct merge_builder *b, const struct target_column *column)
{
	if (column->base_name[0] == '_' || column->base_typtype == 'c')
		return false;
	return b->shape->text ||
		   (!merge_builder_is_domain(column) && strcmp(column->type_schema, "pg_catalog") == 0);
}

/* Without an index the planner's guess of the arrays' length may cost a scan of the target for each row. */
static int64_t
limit(const struct merge_builder *b)
{
	bool finds = b->shape->in_place && merge_builder_has_index(b) && b->dialect->array_rows > 0;

	return finds ? b->dialect->array_rows : MERGE_FEW_KEYS;
}

/* ---- building an array */

struct array {
	struct buffer data;
	bool text;
	bool has_nulls;
	uint32_t count;
};

/* One dimension (array_recv, src/backend/utils/adt/arrayfuncs.c). */
static void
array_init(struct array *array, bool text, uint32_t element_type, uint32_t count)
{
	*array = (struct array){.text = text};
	memory_buffer_init(&array->data);
	if (text) {
		buffer_put_u8(&array->data, '{');
		return;
	}
	buffer_put_u32(&array->data, 1); /* dimensions */
	buffer_put_u32(&array->data, 0); /* has NULLs */
	buffer_put_u32(&array->data, element_type);
	buffer_put_u32(&array->data, count);
	buffer_put_u32(&array->data, 1); /* lower bound */
}

static void
put_text_element(struct buffer *out, const uint8_t *data, uint32_t len)
{
	if (!data) {
		buffer_put(out, "NULL", 4);
		return;
	}
	buffer_put_u8(out, '"');
	for (uint32_t i = 0; i < len; i++) {
		if (data[i] == '"' || data[i] == '\\')
			buffer_put_u8(out, '\\');
		buffer_put_u8(out, data[i]);
	}
	buffer_put_u8(out, '"');
}

/* Appends an element; `data` NULL: a NULL. */
static void
array_put(struct array *array, const uint8_t *data, uint32_t len)
{
	if (array->text) {
		buffer_put_u8(&array->data, array->count > 0 ? ',' : ' ');
		put_text_element(&array->data, data, len);
	} else if (data) {
		copy_put_field(&array->data, false, true, data, len);
	} else {
		copy_put_null(&array->data, false, true);
	}
	array->has_nulls |= !data;
	array->count++;
}

static struct param
array_end(struct array *array, struct arena *arena)
{
	static const uint8_t has_nulls[] = {0, 0, 0, 1};
	struct param param = {.binary = !array->text};

	if (array->text)
		buffer_put(&array->data, "}", 2);
	else if (array->has_nulls)
		memcpy(array->data.data + 4, has_nulls, sizeof has_nulls);
	param.len = array->data.len;
	param.data = arena_copy(arena, array->data.data, array->data.len);
	buffer_fini(&array->data);
	return param;
}

/* Part `part` of the keys of all entries with that action. */
static struct param
key_array(struct merge_builder *b, unsigned part, enum net_action action, int64_t count)
{
	struct array array;

	array_init(&array, b->shape->text, merge_builder_key(b->shape, part)->type, (uint32_t) count);
	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		uint32_t entry = merge_builder_entry(b, i);
		const struct keymap_key *key = keymap_key(&b->net->map, entry);
		const uint8_t *data = NULL;
		struct reader r;
		uint32_t len = 0;

		if (!(b->actions[entry] & action))
			continue;
		reader_init(&r, key->ptr, key->len);
		for (unsigned k = 0; k <= part; k++) {
			len = reader_get_u32(&r);
			data = reader_get(&r, len);
		}
		array_put(&array, data, len);
	}
	return array_end(&array, b->arena);
}

static struct merge_step *
prepared_step(struct merge_builder *b, const char *what, unsigned param_count)
{
	struct merge_step *step = merge_builder_step(b, MERGE_PREPARED);
	char name[48];

	snprintf(name, sizeof name, "sluice_%s_%u", what, b->shape->number);
	step->name = arena_strdup(b->arena, name);
	step->param_count = param_count;
	step->params = arena_alloc(b->arena, param_count * sizeof *step->params);
	return step;
}

static void
put_key_arrays(struct merge_builder *b)
{
	bool first = true;

	for (unsigned i = 0; i < b->shape->key_count; i++) {
		put_separator(b, ", ", &first);
		buffer_printf(&b->sql, "$%u::", i + 1);
		merge_builder_type(b, merge_builder_key(b->shape, i));
		put(b, "[]");
	}
}

static void
put_key_names(struct merge_builder *b)
{
	for (unsigned i = 0; i < b->shape->key_count; i++)
		buffer_printf(&b->sql, i ? ", k%u" : "k%u", i + 1);
}

/* ---- deleting */

bool
merge_array_suits_deletes(const struct merge_builder *b)
{
	if (b->manner == MERGE_NAMING || b->deletes > limit(b))
		return false;
	for (unsigned i = 0; i < b->shape->key_count; i++)
		if (!can_be_array(b, merge_builder_key(b->shape, i)))
			return false;
	return true;
}

void
merge_array_deletes(struct merge_builder *b)
{
	struct merge_step *step;

	put(b, "DELETE FROM ");
	merge_builder_target_rows(b);
	put(b, " AS t USING unnest(");
	put_key_arrays(b);
	put(b, ") AS k(");
	put_key_names(b);
	put(b, ") WHERE ");
	merge_builder_match(b, "k");
	step = prepared_step(b, "delete", b->shape->key_count);
	merge_builder_add(b, step, merge_builder_count_deletes(b));
	for (unsigned i = 0; i < step->param_count; i++)
		step->params[i] = key_array(b, i, NET_DELETE, b->deletes);
}

/* ---- updating */

static size_t
row_bytes(const struct merge_builder *b)
{
	size_t bytes = 0;

	for (uint32_t i = 0; i < net_change_count(b->net); i++)
		if (b->actions[i] & NET_PATCH)
			bytes += b->net->rows[i].row.len;
	return bytes;
}

/* For rows that all have the same columns, and that the target is known to have. */
bool
merge_array_suits_updates(const struct merge_builder *b)
{
	bool sets = false;

	if (b->manner == MERGE_NAMING || b->fills > 0 || b->patches > limit(b) || merge_guards(b) ||
		b->shape->rows_may_be_absent || b->group_count != 1 || b->groups[0].moved || b->groups[0].unchanged)
		return false;
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!can_be_array(b, b->shape->fed[i].target))
			return false;
		sets |= merge_builder_sets(b, false, i);
	}
	return sets && row_bytes(b) <= MERGE_FEW_BYTES;
}

static void
take_values(struct merge_builder *b, struct array *arrays, const struct net_row *entry, struct value *values)
{
	struct reader r;

	reader_init(&r, entry->row.data, entry->row.len);
	b->broken |= !change_decode_row(b->shape->relation, false, &r, values);
	for (unsigned i = 0; i < b->shape->fed_count && !b->broken; i++) {
		const struct value *value = &values[b->shape->fed[i].source];

		if (merge_builder_sets(b, false, i))
			array_put(&arrays[i], value->kind == VALUE_PRESENT ? value->data : NULL, value->len);
	}
}

/* The parameters after those of the key. */
static void
put_value_arrays(struct merge_builder *b, struct param *params)
{
	struct array *arrays = arena_alloc(b->arena, b->shape->fed_count * sizeof *arrays);
	struct value *values = arena_alloc(b->arena, b->shape->relation->column_count * sizeof *values);
	unsigned count = 0;

	for (unsigned i = 0; i < b->shape->fed_count; i++)
		if (merge_builder_sets(b, false, i))
			array_init(&arrays[i], b->shape->text, b->shape->fed[i].target->type, (uint32_t) b->patches);
	for (uint32_t i = 0; i < net_change_count(b->net); i++) {
		uint32_t entry = merge_builder_entry(b, i);

		if (b->actions[entry] & NET_PATCH)
			take_values(b, arrays, &b->net->rows[entry], values);
	}
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		if (merge_builder_sets(b, false, i))
			params[count++] = array_end(&arrays[i], b->arena);
}

static unsigned
put_update(struct merge_builder *b)
{
	unsigned params = b->shape->key_count;
	bool first = true;

	put(b, "UPDATE ");
	merge_builder_target_rows(b);
	put(b, " AS t SET ");
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!merge_builder_sets(b, false, i))
			continue;
		put_separator(b, ", ", &first);
		sql_identifier(&b->sql, b->shape->fed[i].target->name);
		buffer_printf(&b->sql, " = s.c%u", i + 1);
	}
	put(b, " FROM unnest(");
	put_key_arrays(b);
	for (unsigned i = 0; i < b->shape->fed_count; i++) {
		if (!merge_builder_sets(b, false, i))
			continue;
		buffer_printf(&b->sql, ", $%u::", ++params);
		merge_builder_plain_type(b, b->shape->fed[i].target);
		put(b, "[]");
	}
	put(b, ") AS s(");
	put_key_names(b);
	for (unsigned i = 0; i < b->shape->fed_count; i++)
		if (merge_builder_sets(b, false, i))
			buffer_printf(&b->sql, ", c%u", i + 1);
	put(b, ") WHERE ");
	merge_builder_match(b, "s");
	return params;
}

void
merge_array_updates(struct merge_builder *b)
{
	unsigned params = put_update(b);
	struct merge_step *step;

	b->phase = MERGE_UPDATE;
	step = prepared_step(b, "update", params);
	merge_builder_add(b, step, merge_builder_count(b, b->patches, b->patches));
	for (unsigned i = 0; i < b->shape->key_count; i++)
		step->params[i] = key_array(b, i, NET_PATCH, b->patches);
	put_value_arrays(b, step->params + b->shape->key_count);
}
