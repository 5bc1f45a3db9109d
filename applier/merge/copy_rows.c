#include "copy_rows.h"

#include <stdio.h>
#include <stdlib.h>

#include "quote.h"
#include "value_text.h"

static const uint8_t binary_signature[] = "PGCOPY\n\377\r\n"; /* with its NUL byte */

#define BINARY_FLAGS 0
#define BINARY_EXTENSION_BYTES 0
#define BINARY_NULL UINT32_MAX
#define BINARY_TRAILER UINT16_MAX

const char *
copy_format_clause(bool text)
{
	return text ? "" : " WITH BINARY";
}

void
copy_put_start(struct buffer *out, bool text)
{
	if (text)
		return;
	buffer_put(out, binary_signature, sizeof binary_signature);
	buffer_put_u32(out, BINARY_FLAGS);
	buffer_put_u32(out, BINARY_EXTENSION_BYTES);
}

void
copy_put_end(struct buffer *out, bool text)
{
	if (!text)
		buffer_put_u16(out, BINARY_TRAILER);
}

void
copy_put_row(struct buffer *out, bool text, unsigned fields)
{
	if (!text)
		buffer_put_u16(out, (uint16_t) fields);
}

void
copy_put_row_end(struct buffer *out, bool text)
{
	if (text)
		buffer_put_u8(out, '\n');
}

/* The character after the backslash for a byte that COPY text escapes. */
static char
text_escape(uint8_t byte)
{
	switch (byte) {
	case '\\':
		return '\\';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static void
put_escaped(struct buffer *out, const uint8_t *data, size_t len)
{
	size_t plain = 0;

	for (size_t i = 0; i < len; i++) {
		char escape = text_escape(data[i]);

		if (!escape)
			continue;
		buffer_put(out, data + plain, i - plain);
		buffer_put_u8(out, '\\');
		buffer_put_u8(out, (uint8_t) escape);
		plain = i + 1;
	}
	buffer_put(out, data + plain, len - plain);
}

void
copy_put_field(struct buffer *out, bool text, bool first, const void *data, size_t len)
{
	if (text) {
		if (!first)
			buffer_put_u8(out, '\t');
		put_escaped(out, data, len);
		return;
	}
	buffer_put_u32(out, (uint32_t) len);
	buffer_put(out, data, len);
}

void
copy_put_null(struct buffer *out, bool text, bool first)
{
	if (text)
		buffer_put(out, first ? "\\N" : "\t\\N", first ? 2 : 3);
	else
		buffer_put_u32(out, BINARY_NULL);
}

/* ---- walking a net change */

void
copy_walk_init(struct copy_walk *walk, const struct net_change *net, enum copy_content content,
			   const uint8_t *actions, const uint8_t *groups, const uint32_t *order, struct arena *arena)
{
	*walk = (struct copy_walk){
		.net = net,
		.actions = actions,
		.groups = groups,
		.order = order,
		.content = content,
		.values = arena_alloc(arena, (net->shape->relation->column_count + 1) * sizeof *walk->values),
	};
}

/* An encoded key is a sequence of COPY BINARY fields already. */
static void
put_key(struct copy_walk *walk, struct buffer *out, uint32_t index)
{
	const struct keymap_key *key = keymap_key(&walk->net->map, index);
	bool text = walk->net->shape->text;
	struct reader r;

	if (!text) {
		buffer_put(out, key->ptr, key->len);
		return;
	}
	reader_init(&r, key->ptr, key->len);
	for (bool first = true; reader_left(&r) > 0 && !r.failed; first = false) {
		uint32_t len = reader_get_u32(&r);

		copy_put_field(out, true, first, reader_get(&r, len), len);
	}
}

static void
decode_entry(struct copy_walk *walk, const struct net_row *entry)
{
	struct reader r;

	reader_init(&r, entry->row.data, entry->row.len);
	if (!change_decode_row(walk->net->shape->relation, false, &r, walk->values))
		walk->broken = true;
}

/* The fed columns; an unchanged value is NULL in a staging table, and a bug elsewhere. */
static void
put_columns(struct copy_walk *walk, struct buffer *out, bool first)
{
	const struct shape *shape = walk->net->shape;

	for (unsigned i = 0; i < shape->fed_count; i++, first = false) {
		const struct value *value = &walk->values[shape->fed[i].source];

		if (value->kind == VALUE_PRESENT)
			copy_put_field(out, shape->text, first, value->data, value->len);
		else
			copy_put_null(out, shape->text, first);
		if (value->kind == VALUE_UNCHANGED && walk->content != COPY_STAGED)
			walk->broken = true;
	}
}

/* Writes a field of type int8. */
static void
put_number(struct copy_walk *walk, struct buffer *out, int64_t number)
{
	bool text = walk->net->shape->text;
	char digits[24];
	uint64_t be = buffer_be64((uint64_t) number);

	if (text)
		copy_put_field(out, true, false, digits,
					   (size_t) snprintf(digits, sizeof digits, "%lld", (long long) number));
	else
		copy_put_field(out, false, false, &be, sizeof be);
}

/* Writes a field of type bytea; its text form is \x and two digits for each byte. */
static void
put_bitmap(struct copy_walk *walk, struct buffer *out, const struct net_row *entry)
{
	const struct change_relation *relation = walk->net->shape->relation;
	const uint8_t *bitmap = net_change_unchanged(walk->net, entry);
	size_t len = (relation->column_count + 7) / 8;
	char digits[2 + CHANGE_MAX_COLUMNS / 4 + 1] = "\\x";

	if (!bitmap) {
		copy_put_null(out, walk->net->shape->text, false);
		return;
	}
	if (!walk->net->shape->text) {
		copy_put_field(out, false, false, bitmap, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		snprintf(digits + 2 + i * 2, 3, "%02x", bitmap[i]);
	copy_put_field(out, true, false, digits, 2 + len * 2);
}

static void
put_entry(struct copy_walk *walk, struct buffer *out, uint32_t index)
{
	const struct shape *shape = walk->net->shape;
	const struct net_row *entry = &walk->net->rows[index];
	bool text = shape->text;

	switch (walk->content) {
	case COPY_KEYS:
		copy_put_row(out, text, shape->key_count);
		put_key(walk, out, index);
		break;
	case COPY_INSERTS:
		copy_put_row(out, text, shape->fed_count);
		put_columns(walk, out, true);
		break;
	case COPY_STAGED:
		copy_put_row(out, text, shape->key_count + 2 + shape->fed_count);
		put_key(walk, out, entry->origin);
		put_number(walk, out, walk->groups[index]);
		put_bitmap(walk, out, entry);
		put_columns(walk, out, false);
		break;
	case COPY_COUNTS:
		copy_put_row(out, text, shape->fed_count + 1);
		put_columns(walk, out, true);
		put_number(walk, out, -entry->count);
		break;
	}
	copy_put_row_end(out, text);
	walk->rows++;
}

static bool
is_wanted(const struct copy_walk *walk, uint32_t index)
{
	static const uint8_t wanted[] = {
		[COPY_KEYS] = NET_DELETE,
		[COPY_INSERTS] = NET_INSERT,
		[COPY_STAGED] = NET_PATCH | NET_FILL,
		[COPY_COUNTS] = NET_DELETE,
	};

	return walk->actions[index] & wanted[walk->content];
}

/* How many times the entry's row is written. */
static int64_t
count_copies(const struct copy_walk *walk, uint32_t index)
{
	if (!is_wanted(walk, index))
		return 0;
	return walk->content == COPY_INSERTS && walk->net->shape->match == MATCH_ROW
			   ? walk->net->rows[index].count
			   : 1;
}

static int64_t
begin_entry(struct copy_walk *walk, uint32_t index)
{
	int64_t copies = count_copies(walk, index);

	if (copies > 0 && walk->content != COPY_KEYS)
		decode_entry(walk, &walk->net->rows[index]);
	return copies;
}

static uint32_t
entry_at(const struct copy_walk *walk, uint32_t position)
{
	return walk->order ? walk->order[position] : position;
}

bool
copy_walk_next(struct copy_walk *walk, struct buffer *out, size_t bytes)
{
	uint32_t count = net_change_count(walk->net);
	bool text = walk->net->shape->text;
	size_t start = out->len;

	if (!walk->started)
		copy_put_start(out, text);
	walk->started = true;
	while ((out->len == start || out->len - start < bytes) && !walk->broken && !out->failed) {
		if (walk->copies_left == 0 && walk->next == count)
			break;
		if (walk->copies_left == 0) {
			walk->copies_left = begin_entry(walk, entry_at(walk, walk->next++));
			continue;
		}
		put_entry(walk, out, entry_at(walk, walk->next - 1));
		walk->copies_left--;
	}
	if (!walk->broken && (walk->next < count || walk->copies_left > 0))
		return true;
	copy_put_end(out, text);
	return false;
}

/* ---- naming a row */

#define SHOWN_BYTES ((size_t) 100)

static void
put_shown_value(struct buffer *out, const struct shape *shape, const struct change_column *column,
				const uint8_t *data, size_t len)
{
	size_t start = out->len;

	if (shape->text)
		buffer_put(out, data, len);
	else
		value_text_put(out, column->base_type, column->typtype, data, len);
	if (!out->failed && out->len - start > SHOWN_BYTES) {
		buffer_truncate(out, start + SHOWN_BYTES);
		buffer_printf(out, "...");
	}
}

void
copy_rows_put_key(const struct net_change *net, uint32_t index, struct buffer *out)
{
	const struct shape *shape = net->shape;
	const struct keymap_key *key = keymap_key(&net->map, index);
	struct reader r;

	reader_init(&r, key->ptr, key->len);
	for (unsigned i = 0; i < shape->key_count; i++) {
		const struct shape_column *fed = &shape->fed[shape->key[i]];
		uint32_t len = reader_get_u32(&r);

		buffer_printf(out, "%s%s = ", i ? ", " : "", fed->target->name);
		put_shown_value(out, shape, &shape->relation->columns[fed->source], reader_get(&r, len), len);
	}
}

/* The entry of the walk's row with that number, from 1 on; UINT32_MAX: there is no such row. */
static uint32_t
find_entry(const struct copy_walk *walk, int64_t number)
{
	int64_t rows = 0;

	for (uint32_t i = 0; number > 0 && i < net_change_count(walk->net); i++) {
		rows += count_copies(walk, entry_at(walk, i));
		if (rows >= number)
			return entry_at(walk, i);
	}
	return UINT32_MAX;
}

void
copy_walk_put_key(const struct copy_walk *walk, int64_t number, struct buffer *out)
{
	uint32_t index = find_entry(walk, number);

	if (index != UINT32_MAX)
		copy_rows_put_key(walk->net, index, out);
}

const char *
copy_walk_invalid_column(struct copy_walk *walk, int64_t number)
{
	const struct shape *shape = walk->net->shape;
	uint32_t index = find_entry(walk, number);

	if (!shape->text || index == UINT32_MAX || walk->content == COPY_KEYS)
		return NULL;
	decode_entry(walk, &walk->net->rows[index]);
	for (unsigned i = 0; i < shape->fed_count; i++) {
		const struct value *value = &walk->values[shape->fed[i].source];

		if (value->kind == VALUE_PRESENT && !quote_is_utf8(value->data, value->len))
			return shape->fed[i].target->name;
	}
	return NULL;
}
