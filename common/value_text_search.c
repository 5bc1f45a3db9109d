#include "quote.h"
#include "value_text_types.h"

static unsigned
escape_lexeme(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX])
{
	to[0] = to[1] = c;
	return c == '\'' || c == '\\' ? 2 : 1;
}

/* The NUL-terminated string at the reader's position; false when there is none. */
static bool
get_lexeme(struct reader *in, struct bytes *lexeme)
{
	const uint8_t *data = in->data + in->pos;
	const uint8_t *end = reader_left(in) ? memchr(data, 0, reader_left(in)) : NULL;

	if (in->failed || !end)
		return false;
	*lexeme = (struct bytes){data, (size_t) (end - data)};
	return reader_get(in, lexeme->len + 1);
}

static bool
put_lexeme(struct buffer *out, struct reader *in)
{
	size_t start = out->len;
	struct bytes lexeme;

	if (!get_lexeme(in, &lexeme))
		return false;
	buffer_put(out, lexeme.data, lexeme.len);
	quote_tail(out, start, "'", "'", escape_lexeme);
	return true;
}

/* ---- tsvector */

static void
put_position(struct buffer *out, uint16_t entry)
{
	static const char weights[] = "\0CBA";

	buffer_printf(out, "%u", entry & 0x3fff);
	if (weights[entry >> 14])
		buffer_put_u8(out, (uint8_t) weights[entry >> 14]);
}

bool
value_text_tsvector(struct buffer *out, struct reader *in)
{
	uint32_t count = reader_get_u32(in);

	for (uint32_t i = 0; i < count; i++) {
		uint16_t positions;

		if (i > 0)
			buffer_put_u8(out, ' ');
		if (!put_lexeme(out, in))
			return false;
		positions = reader_get_u16(in);
		for (uint16_t j = 0; j < positions && !in->failed; j++) {
			buffer_put_u8(out, j == 0 ? ':' : ',');
			put_position(out, reader_get_u16(in));
		}
	}
	return true;
}

/* ---- tsquery: an operator stands before its operands, the right one first */

enum { ITEM_OPERAND = 1, ITEM_OPERATOR = 2 };
enum { OPERATOR_NOT = 1, OPERATOR_AND = 2, OPERATOR_OR = 3, OPERATOR_PHRASE = 4 };

#define MAX_DEPTH 2000

/* An operator that binds tighter has the larger number. */
static int
priority(uint8_t operator)
{
	static const int priorities[] = {
		[OPERATOR_OR] = 1,
		[OPERATOR_AND] = 2,
		[OPERATOR_PHRASE] = 3,
		[OPERATOR_NOT] = 4,
	};

	return priorities[operator];
}

static bool
put_operand(struct buffer *out, struct reader *in)
{
	uint8_t weights = reader_get_u8(in);
	bool prefix = reader_get_u8(in) != 0;

	if (!put_lexeme(out, in))
		return false;
	if (prefix || weights)
		buffer_put_u8(out, ':');
	if (prefix)
		buffer_put_u8(out, '*');
	for (int i = 3; i >= 0; i--)
		if (weights & (1 << i))
			buffer_put_u8(out, (uint8_t) ("DCBA"[i]));
	return true;
}

/* Reads the head of an operator; false if there is no valid one. */
static bool
get_operator(struct reader *in, uint8_t *operator, unsigned * distance)
{
	*operator= reader_get_u8(in);
	*distance = *operator== OPERATOR_PHRASE ? reader_get_u16(in) : 0;
	return !in->failed && *operator>= OPERATOR_NOT && * operator<= OPERATOR_PHRASE;
}

/* Skips one query, after which the left operand stands. */
static bool
skip_query(struct reader *in)
{
	uint64_t missing = 1;
	struct bytes lexeme;
	uint8_t operator;
	unsigned distance;

	while (missing > 0) {
		uint8_t item = reader_get_u8(in);

		if (item == ITEM_OPERAND) {
			(void) reader_get_u16(in); /* weights, prefix */
			if (!get_lexeme(in, &lexeme))
				return false;
			missing--;
		} else if (item != ITEM_OPERATOR || !get_operator(in, &operator, & distance)) {
			return false;
		} else if (operator!= OPERATOR_NOT) {
			missing++;
		}
	}
	return true;
}

static void
put_operator(struct buffer *out, uint8_t operator, unsigned distance)
{
	if (operator== OPERATOR_OR)
		buffer_put(out, " | ", 3);
	else if (operator== OPERATOR_AND)
		buffer_put(out, " & ", 3);
	else if (distance == 1)
		buffer_put(out, " <-> ", 5);
	else
		buffer_printf(out, " <%u> ", distance);
}

static bool put_query(struct buffer *out, struct reader *in, int outer_priority, bool right_of_phrase,
					  int depth);

static bool
put_binary(struct buffer *out, struct reader *in, uint8_t operator, unsigned distance, int depth)
{
	struct reader right = *in;

	if (!skip_query(in) || !put_query(out, in, priority(operator), false, depth))
		return false;
	put_operator(out, operator, distance);
	return put_query(out, &right, priority(operator), operator== OPERATOR_PHRASE, depth);
}

static bool
put_operation(struct buffer *out, struct reader *in, int outer_priority, bool right_of_phrase, int depth)
{
	uint8_t operator;
	unsigned distance;
	bool parentheses;

	if (!get_operator(in, &operator, & distance))
		return false;
	parentheses = priority(operator) < outer_priority || (operator== OPERATOR_PHRASE && right_of_phrase);
	if (parentheses)
		buffer_put(out, "( ", 2);
	if (operator== OPERATOR_NOT) {
		buffer_put_u8(out, '!');
		if (!put_query(out, in, priority(operator), false, depth))
			return false;
	} else if (!put_binary(out, in, operator, distance, depth)) {
		return false;
	}
	if (parentheses)
		buffer_put(out, " )", 2);
	return true;
}

static bool
put_query(struct buffer *out, struct reader *in, int outer_priority, bool right_of_phrase, int depth)
{
	uint8_t item = reader_get_u8(in);

	if (item == ITEM_OPERAND)
		return put_operand(out, in);
	if (item == ITEM_OPERATOR && depth < MAX_DEPTH)
		return put_operation(out, in, outer_priority, right_of_phrase, depth + 1);
	return false;
}

bool
value_text_tsquery(struct buffer *out, struct reader *in)
{
	uint32_t items = reader_get_u32(in);

	return items == 0 || put_query(out, in, -1, false, 0);
}
