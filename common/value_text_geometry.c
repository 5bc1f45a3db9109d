#include "value_text_types.h"

/* A point without its parentheses. */
static void
put_pair(struct buffer *out, struct reader *in)
{
	(void) value_text_float8(out, in);
	buffer_put_u8(out, ',');
	(void) value_text_float8(out, in);
}

bool
value_text_point(struct buffer *out, struct reader *in)
{
	buffer_put_u8(out, '(');
	put_pair(out, in);
	buffer_put_u8(out, ')');
	return true;
}

static void
put_points(struct buffer *out, struct reader *in, uint32_t count)
{
	for (uint32_t i = 0; i < count && !in->failed; i++) {
		if (i > 0)
			buffer_put_u8(out, ',');
		(void) value_text_point(out, in);
	}
}

bool
value_text_lseg(struct buffer *out, struct reader *in)
{
	buffer_put_u8(out, '[');
	put_points(out, in, 2);
	buffer_put_u8(out, ']');
	return true;
}

bool
value_text_box(struct buffer *out, struct reader *in)
{
	put_points(out, in, 2);
	return true;
}

bool
value_text_path(struct buffer *out, struct reader *in)
{
	bool closed = reader_get_u8(in) != 0;

	buffer_put_u8(out, closed ? '(' : '[');
	put_points(out, in, reader_get_u32(in));
	buffer_put_u8(out, closed ? ')' : ']');
	return true;
}

bool
value_text_polygon(struct buffer *out, struct reader *in)
{
	buffer_put_u8(out, '(');
	put_points(out, in, reader_get_u32(in));
	buffer_put_u8(out, ')');
	return true;
}

bool
value_text_line(struct buffer *out, struct reader *in)
{
	buffer_put_u8(out, '{');
	put_pair(out, in);
	buffer_put_u8(out, ',');
	(void) value_text_float8(out, in);
	buffer_put_u8(out, '}');
	return true;
}

bool
value_text_circle(struct buffer *out, struct reader *in)
{
	buffer_put_u8(out, '<');
	(void) value_text_point(out, in);
	buffer_put_u8(out, ',');
	(void) value_text_float8(out, in);
	buffer_put_u8(out, '>');
	return true;
}
