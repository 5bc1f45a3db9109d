#include "quote.h"
#include "value_text_types.h"

#include <inttypes.h>

#define ARRAY_MAX_DIMENSIONS 6
#define NULL_ELEMENT UINT32_MAX
#define BOX_OID 603

/* ---- quoting: a value is written first, then quoted in place if it needs quotes */

static bool
is_blank(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
contains(const struct buffer *out, size_t start, const char *special)
{
	for (size_t i = start; i < out->len; i++)
		if (is_blank(out->data[i]) || (out->data[i] && strchr(special, out->data[i])))
			return true;
	return false;
}

static bool
is_null_word(const struct buffer *out, size_t start)
{
	static const char word[] = "null";

	if (out->len - start != sizeof word - 1)
		return false;
	for (size_t i = 0; i < sizeof word - 1; i++)
		if ((out->data[start + i] | 0x20) != word[i])
			return false;
	return true;
}

static unsigned
escape_in_array(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	to[0] = '\\';
	to[c == '"' || c == '\\'] = c;
	return c == '"' || c == '\\' ? 2 : 1;
}

static unsigned
escape_in_range(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	to[0] = to[1] = c;
	return c == '"' || c == '\\' ? 2 : 1;
}

/* ---- arrays */

struct array {
	uint32_t type;
	char delimiter;
	unsigned dimension_count;
	uint32_t sizes[ARRAY_MAX_DIMENSIONS];
	int32_t lower_bounds[ARRAY_MAX_DIMENSIONS];
	uint64_t element_count;
};

static bool
get_array(struct reader *in, struct array *array)
{
	array->dimension_count = reader_get_u32(in);
	(void) reader_get_u32(in); /* whether there are NULLs */
	array->type = reader_get_u32(in);
	array->delimiter = array->type == BOX_OID ? ';' : ',';
	array->element_count = array->dimension_count > 0;
	if (in->failed || array->dimension_count > ARRAY_MAX_DIMENSIONS)
		return false;
	for (unsigned i = 0; i < array->dimension_count; i++) {
		array->sizes[i] = reader_get_u32(in);
		array->lower_bounds[i] = (int32_t) reader_get_u32(in);
		if (array->sizes[i] > INT32_MAX)
			return false;
		array->element_count *= array->sizes[i];
		/* Each element takes at least four bytes; this also limits the product. */
		if (array->element_count > reader_left(in))
			return false;
	}
	return !in->failed;
}

/* "[2:4][0:1]=", for bounds that do not begin with 1. */
static void
put_bounds(struct buffer *out, const struct array *array)
{
	bool usual = true;

	for (unsigned i = 0; i < array->dimension_count; i++)
		usual = usual && array->lower_bounds[i] == 1;
	if (usual)
		return;
	for (unsigned i = 0; i < array->dimension_count; i++)
		buffer_printf(out, "[%" PRId32 ":%" PRId64 "]", array->lower_bounds[i],
					  (int64_t) array->lower_bounds[i] + array->sizes[i] - 1);
	buffer_put_u8(out, '=');
}

static bool
put_array_element(struct buffer *out, const struct array *array, struct reader *in)
{
	const char special[] = {'"', '\\', '{', '}', array->delimiter, '\0'};
	uint32_t len = reader_get_u32(in);
	size_t start = out->len;

	if (len == NULL_ELEMENT) {
		buffer_put(out, "NULL", 4);
		return true;
	}
	if (in->failed || !value_text_put_element(out, array->type, in, len))
		return false;
	if (!out->failed && (out->len == start || is_null_word(out, start) || contains(out, start, special)))
		quote_tail(out, start, "\"", "\"", escape_in_array);
	return true;
}

/* The braces that open or close around element `index`: one for each
 * dimension whose turn begins there. */
static void
put_braces(struct buffer *out, const struct array *array, uint64_t index, char brace)
{
	uint64_t span = 1;

	for (unsigned i = array->dimension_count; i-- > 0;) {
		span *= array->sizes[i];
		if (index % span != 0)
			return;
		buffer_put_u8(out, (uint8_t) brace);
	}
}

bool
value_text_array(struct buffer *out, struct reader *in)
{
	struct array array;

	if (!get_array(in, &array))
		return false;
	if (array.element_count == 0) {
		buffer_put(out, "{}", 2);
		return true;
	}
	put_bounds(out, &array);
	for (uint64_t i = 0; i < array.element_count; i++) {
		if (i > 0)
			buffer_put_u8(out, (uint8_t) array.delimiter);
		put_braces(out, &array, i, '{');
		if (!put_array_element(out, &array, in))
			return false;
		put_braces(out, &array, i + 1, '}');
	}
	return true;
}

/* int2vector, oidvector: arrays in binary form, a list with blanks as text. */
bool
value_text_vector(struct buffer *out, struct reader *in)
{
	struct array array;

	if (!get_array(in, &array) || array.dimension_count > 1)
		return false;
	array.delimiter = ' ';
	for (uint64_t i = 0; i < array.element_count; i++) {
		if (i > 0)
			buffer_put_u8(out, ' ');
		if (!put_array_element(out, &array, in))
			return false;
	}
	return true;
}

/* ---- ranges */

enum range_flags {
	RANGE_EMPTY = 0x01,
	RANGE_LOWER_INCLUSIVE = 0x02,
	RANGE_UPPER_INCLUSIVE = 0x04,
	RANGE_LOWER_INFINITE = 0x08,
	RANGE_UPPER_INFINITE = 0x10,
};

static bool
put_bound(struct buffer *out, uint32_t subtype, struct reader *in)
{
	uint32_t len = reader_get_u32(in);
	size_t start = out->len;

	if (in->failed || !value_text_put_element(out, subtype, in, len))
		return false;
	if (!out->failed && (out->len == start || contains(out, start, "\"\\()[],")))
		quote_tail(out, start, "\"", "\"", escape_in_range);
	return true;
}

bool
value_text_range(struct buffer *out, struct reader *in, uint32_t subtype)
{
	uint8_t flags = reader_get_u8(in);

	if (flags & RANGE_EMPTY) {
		buffer_put(out, "empty", 5);
		return true;
	}
	buffer_put_u8(out, flags & RANGE_LOWER_INCLUSIVE ? '[' : '(');
	if (!(flags & RANGE_LOWER_INFINITE) && !put_bound(out, subtype, in))
		return false;
	buffer_put_u8(out, ',');
	if (!(flags & RANGE_UPPER_INFINITE) && !put_bound(out, subtype, in))
		return false;
	buffer_put_u8(out, flags & RANGE_UPPER_INCLUSIVE ? ']' : ')');
	return true;
}

bool
value_text_multirange(struct buffer *out, struct reader *in, uint32_t subtype)
{
	uint32_t count = reader_get_u32(in);

	buffer_put_u8(out, '{');
	for (uint32_t i = 0; i < count && !in->failed; i++) {
		uint32_t len = reader_get_u32(in);
		struct reader range;

		reader_init(&range, reader_get(in, len), len);
		if (i > 0)
			buffer_put_u8(out, ',');
		if (in->failed || !value_text_range(out, &range, subtype) || range.failed || reader_left(&range) > 0)
			return false;
	}
	buffer_put_u8(out, '}');
	return true;
}
