#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FIRST_BYTES 256

static void *
resize_on_heap(void *context, void *data, size_t bytes)
{
	(void) context;
	return realloc(data, bytes);
}

void
buffer_init(struct buffer *b, size_t limit, buffer_resizer resize, void *resize_context)
{
	*b = (struct buffer){
		.limit = limit,
		.resize = resize ? resize : resize_on_heap,
		.resize_context = resize_context,
	};
}

void
buffer_fini(struct buffer *b)
{
	if (!b->resize_context)
		free(b->data);
	*b = (struct buffer){.failed = true};
}

void
buffer_reset(struct buffer *b)
{
	b->len = 0;
	b->failed = false;
}

bool
buffer_grow(struct buffer *b, size_t more)
{
	size_t need, cap;
	uint8_t *data;

	if (b->failed || more > b->limit || b->len > b->limit - more) {
		b->failed = true;
		return false;
	}
	need = b->len + more;
	if (need <= b->cap)
		return true;
	cap = b->cap ? b->cap : BUFFER_FIRST_BYTES < b->limit ? BUFFER_FIRST_BYTES : b->limit;
	while (cap < need)
		cap = cap > b->limit / 2 ? b->limit : cap * 2;
	data = b->resize(b->resize_context, b->data, cap);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->cap = cap;
	return true;
}

void
buffer_patch_u32(struct buffer *b, size_t at, uint32_t value)
{
	uint32_t be = buffer_be32(value);

	if (!b->failed && at + sizeof be <= b->len)
		memcpy(b->data + at, &be, sizeof be);
}

void
buffer_printf(struct buffer *b, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		b->failed = true;
	/* vsnprintf terminates its output, so it needs one byte more than it adds. */
	if (len < 0 || !buffer_reserve(b, (size_t) len + 1))
		return;
	va_start(args, fmt);
	vsnprintf((char *) b->data + b->len, (size_t) len + 1, fmt, args);
	va_end(args);
	b->len += (size_t) len;
}

uint64_t
reader_get_long_varint(struct reader *r)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = reader_get_u8(r);

		if (r->failed)
			return 0;
		/* The tenth byte holds only bit 63. */
		if (shift == 63 && byte > 1)
			break;
		value |= (uint64_t) (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	r->failed = true;
	return 0;
}
