/*
 * Writing bytes (struct buffer) and reading them (struct reader).
 *
 * A failure is sticky: after a write that did not fit, or a read past the end,
 * further calls do nothing, and the caller checks `failed` once, at the end of a
 * message.  Integers are big endian, as in PostgreSQL's binary formats.  A
 * varint is an unsigned LEB128 number of at most 10 bytes; a signed one is
 * zigzag-folded first.  A string is a varint length and that many bytes.
 */
#ifndef SLUICE_BUFFER_H
#define SLUICE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VARINT_MAX_BYTES 10

/* A view into memory that it does not own. */
struct bytes {
	const uint8_t *data;
	size_t len;
};

/*
 * Resizes `data`, NULL at first, to `bytes`; returns NULL on failure.  With `context`
 * the memory belongs to a PostgreSQL memory context; without one it is
 * on the heap, and the resizer may end the process instead of failing.
 */
typedef void *(*buffer_resizer)(void *context, void *data, size_t bytes);

struct buffer {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t limit; /* never grows beyond this many bytes */
	bool failed;  /* a write did not fit; nothing was written since */
	buffer_resizer resize;
	void *resize_context;
};

/* With resize == NULL the buffer uses realloc.  buffer_fini() frees the bytes of a
 * buffer without a context, which are on the heap. */
void buffer_init(struct buffer *b, size_t limit, buffer_resizer resize, void *resize_context);
void buffer_fini(struct buffer *b);

/* Empties the buffer and clears a failure; keeps the memory. */
void buffer_reset(struct buffer *b);

/* Removes what was written after `len`, and clears a failure. */
static inline void
buffer_truncate(struct buffer *b, size_t len)
{
	b->len = len;
	b->failed = false;
}

/* The slow path of buffer_reserve(). */
bool buffer_grow(struct buffer *b, size_t more);

/* Makes room for `more` bytes after `len`; false if that is not possible. */
static inline bool
buffer_reserve(struct buffer *b, size_t more)
{
	if (!b->failed && b->cap - b->len >= more)
		return true;
	return buffer_grow(b, more);
}

static inline void
buffer_put(struct buffer *b, const void *data, size_t len)
{
	if (len == 0 || !buffer_reserve(b, len))
		return;
	memcpy(b->data + b->len, data, len);
	b->len += len;
}

static inline void
buffer_put_u8(struct buffer *b, uint8_t value)
{
	if (!buffer_reserve(b, 1))
		return;
	b->data[b->len++] = value;
}

/* To and from big endian. */
static inline uint16_t
buffer_be16(uint16_t value)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? value : __builtin_bswap16(value);
}

static inline uint32_t
buffer_be32(uint32_t value)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? value : __builtin_bswap32(value);
}

static inline uint64_t
buffer_be64(uint64_t value)
{
	return __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? value : __builtin_bswap64(value);
}

static inline void
buffer_put_u16(struct buffer *b, uint16_t value)
{
	uint16_t be = buffer_be16(value);

	buffer_put(b, &be, sizeof be);
}

static inline void
buffer_put_u32(struct buffer *b, uint32_t value)
{
	uint32_t be = buffer_be32(value);

	buffer_put(b, &be, sizeof be);
}

static inline void
buffer_put_u64(struct buffer *b, uint64_t value)
{
	uint64_t be = buffer_be64(value);

	buffer_put(b, &be, sizeof be);
}

static inline void
buffer_put_varint(struct buffer *b, uint64_t value)
{
	if (!buffer_reserve(b, VARINT_MAX_BYTES))
		return;
	while (value >= 0x80) {
		b->data[b->len++] = (uint8_t) (value | 0x80);
		value >>= 7;
	}
	b->data[b->len++] = (uint8_t) value;
}

static inline void
buffer_put_signed(struct buffer *b, int64_t value)
{
	buffer_put_varint(b, ((uint64_t) value << 1) ^ (value < 0 ? UINT64_MAX : 0));
}

static inline void
buffer_put_string(struct buffer *b, const void *data, size_t len)
{
	buffer_put_varint(b, len);
	buffer_put(b, data, len);
}

static inline void
buffer_put_text(struct buffer *b, const char *text)
{
	buffer_put_string(b, text, strlen(text));
}

/* Overwrites four bytes written earlier, for a length that is known only later. */
void buffer_patch_u32(struct buffer *b, size_t at, uint32_t value);

/* printf into the buffer, without a terminating NUL. */
void buffer_printf(struct buffer *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct reader {
	const uint8_t *data;
	size_t len;
	size_t pos;
	bool failed; /* a read went past the end or met a malformed number */
};

static inline void
reader_init(struct reader *r, const void *data, size_t len)
{
	*r = (struct reader){.data = data, .len = len};
}

static inline size_t
reader_left(const struct reader *r)
{
	return r->len - r->pos;
}

/* The next `len` bytes, or NULL after a failure; also NULL for len 0 at the end. */
static inline const uint8_t *
reader_get(struct reader *r, size_t len)
{
	const uint8_t *at;

	if (r->failed || len > r->len - r->pos) {
		r->failed = true;
		return NULL;
	}
	at = r->data + r->pos;
	r->pos += len;
	return at;
}

static inline uint8_t
reader_get_u8(struct reader *r)
{
	const uint8_t *at = reader_get(r, 1);

	return at ? *at : 0;
}

static inline uint16_t
reader_get_u16(struct reader *r)
{
	const uint8_t *at = reader_get(r, 2);
	uint16_t be;

	if (!at)
		return 0;
	memcpy(&be, at, sizeof be);
	return buffer_be16(be);
}

static inline uint32_t
reader_get_u32(struct reader *r)
{
	const uint8_t *at = reader_get(r, 4);
	uint32_t be;

	if (!at)
		return 0;
	memcpy(&be, at, sizeof be);
	return buffer_be32(be);
}

static inline uint64_t
reader_get_u64(struct reader *r)
{
	const uint8_t *at = reader_get(r, 8);
	uint64_t be;

	if (!at)
		return 0;
	memcpy(&be, at, sizeof be);
	return buffer_be64(be);
}

/* The general case of reader_get_varint(). */
uint64_t reader_get_long_varint(struct reader *r);

static inline uint64_t
reader_get_varint(struct reader *r)
{
	if (!r->failed && r->pos < r->len && r->data[r->pos] < 0x80)
		return r->data[r->pos++];
	return reader_get_long_varint(r);
}

/* A varint that must not exceed `max`; a larger one is a failure. */
static inline uint64_t
reader_get_bounded(struct reader *r, uint64_t max)
{
	uint64_t value = reader_get_varint(r);

	if (value > max) {
		r->failed = true;
		return 0;
	}
	return value;
}

static inline int64_t
reader_get_signed(struct reader *r)
{
	uint64_t folded = reader_get_varint(r);

	return (int64_t) (folded >> 1) ^ -(int64_t) (folded & 1);
}

static inline struct bytes
reader_get_string(struct reader *r)
{
	struct bytes s = {NULL, 0};

	s.len = reader_get_varint(r);
	s.data = reader_get(r, s.len);
	if (!s.data)
		s.len = 0;
	return s;
}

#endif
