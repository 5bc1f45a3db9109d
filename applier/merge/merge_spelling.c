#include "merge_spelling.h"

#include <stdlib.h>

#include "base/memory.h"

#define NUMERIC_OID 1700
#define BPCHAR_OID 1042
/* Offset, in a numeric value in binary form, of the number of displayed digits, which does not count for equality. */
#define NUMERIC_SCALE_AT 6
#define NUMERIC_SCALE_BYTES 2

/* Types whose equal values have the same bytes: bool, bytea, "char", name, int8, int2, int4, text, oid, varchar,
 * macaddr, macaddr8, date, time, timestamp, timestamptz, timetz, money, inet, cidr, bit, varbit, uuid, pg_lsn, xid8.
 * (For text this holds with deterministic collations, the only ones that all servers have.) */
static const uint32_t bytewise[] = {16,	  17,	18,	  19,	20,	 21,  23,  25,	 26,   1043, 829,  774, 1082,
									1083, 1114, 1184, 1266, 790, 869, 650, 1560, 1562, 2950, 3220, 5069};

static bool
is_bytewise(const struct change_column *column)
{
	if (column->typtype == 'e')
		return true;
	/* With a type modifier all values have the same number of digits, or are padded with blanks. */
	if (column->base_type == NUMERIC_OID || column->base_type == BPCHAR_OID)
		return column->base_type == column->type && column->typmod >= 0;
	for (size_t i = 0; i < sizeof bytewise / sizeof *bytewise; i++)
		if (bytewise[i] == column->base_type)
			return true;
	return false;
}

static const struct change_column *
key_column(const struct shape *shape, unsigned position)
{
	return &shape->relation->columns[shape->fed[shape->key[position]].source];
}

static bool
has_spellings(const struct shape *shape)
{
	for (unsigned i = 0; i < shape->key_count; i++)
		if (!is_bytewise(key_column(shape, i)))
			return true;
	return false;
}

/* The part that is the same in all spellings of a value; nothing where only the server's code for the type knows it. */
static void
put_common(struct buffer *out, const struct shape *shape, unsigned position, const uint8_t *data,
		   uint32_t len)
{
	const struct change_column *column = key_column(shape, position);
	bool numeric =
		column->base_type == NUMERIC_OID && !shape->text && len >= NUMERIC_SCALE_AT + NUMERIC_SCALE_BYTES;

	if (is_bytewise(column)) {
		buffer_put_u32(out, len);
		buffer_put(out, data, len);
	} else if (numeric) {
		buffer_put_u32(out, len);
		buffer_put(out, data, NUMERIC_SCALE_AT);
		buffer_put(out, data + NUMERIC_SCALE_AT + NUMERIC_SCALE_BYTES,
				   len - NUMERIC_SCALE_AT - NUMERIC_SCALE_BYTES);
	}
}

static void
put_common_key(struct buffer *out, const struct merge_builder *b, uint32_t entry)
{
	const struct keymap_key *key = keymap_key(&b->net->map, entry);
	struct reader r;

	buffer_reset(out);
	reader_init(&r, key->ptr, key->len);
	for (unsigned i = 0; i < b->shape->key_count; i++) {
		uint32_t len = reader_get_u32(&r);

		put_common(out, b->shape, i, reader_get(&r, len), len);
	}
}

static bool
any_meet(const struct merge_builder *b)
{
	struct buffer common;
	struct keymap seen;
	bool found = false;

	keymap_init(&seen);
	memory_buffer_init(&common);
	for (uint32_t i = 0; !found && i < net_change_count(b->net); i++) {
		if (!(b->actions[i] & NET_INSERT))
			continue;
		put_common_key(&common, b, i);
		keymap_insert(&seen, b->arena, common.data, (uint32_t) common.len, &found);
	}
	buffer_fini(&common);
	keymap_fini(&seen);
	return found;
}

bool
merge_spelling_may_meet(const struct merge_builder *b)
{
	const struct shape *shape = b->shape;

	return b->inserts > 1 && shape->match == MATCH_KEY && !shape_follows_all(shape) &&
		   !shape->table->shared_with && has_spellings(shape) && any_meet(b);
}

struct insertion {
	int64_t change;
	uint32_t entry;
};

static int
earlier_first(const void *a, const void *b)
{
	int64_t x = ((const struct insertion *) a)->change, y = ((const struct insertion *) b)->change;

	return (x > y) - (x < y);
}

const uint32_t *
merge_spelling_order(const struct merge_builder *b)
{
	struct insertion *insertions = memory_alloc((size_t) b->inserts * sizeof *insertions);
	uint32_t *order = arena_alloc(b->arena, (size_t) b->inserts * sizeof *order);
	uint32_t count = 0;

	for (uint32_t i = 0; i < net_change_count(b->net); i++)
		if (b->actions[i] & NET_INSERT)
			insertions[count++] = (struct insertion){b->net->rows[i].count, i};
	qsort(insertions, count, sizeof *insertions, earlier_first);
	for (uint32_t i = 0; i < count; i++)
		order[i] = insertions[i].entry;
	free(insertions);
	return order;
}
