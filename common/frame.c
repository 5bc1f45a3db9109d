#include "frame.h"

#include <lz4.h>

#define COMPRESSED_HEADER_BYTES (FRAME_HEADER_BYTES + 4)

/* How far back a block of lz4 can refer. */
#define WINDOW_BYTES ((size_t) 64 << 10)

/* lz4 expands a byte to no more than this many. */
#define LZ4_MAX_RATIO 255

/* ---- compression */

/* So large that a body copied to the start does not overwrite the last WINDOW_BYTES, at the ring's end. */
#define RING_BYTES (WINDOW_BYTES + 2 * FRAME_PACKED_MAX)

static bool
begin(struct frame_packer *packer)
{
	if (packer->stream.len > 0)
		return true;
	if (!buffer_reserve(&packer->stream, sizeof(LZ4_stream_t)) || !buffer_reserve(&packer->ring, RING_BYTES))
		return false;
	packer->stream.len = sizeof(LZ4_stream_t);
	packer->ring.len = 0;
	return LZ4_initStream(packer->stream.data, packer->stream.len) != NULL;
}

/* Copies the body into the ring, where later bodies can refer to it. */
static const char *
keep(struct buffer *ring, const uint8_t *body, size_t len)
{
	if (ring->len + len > RING_BYTES)
		ring->len = 0;
	memcpy(ring->data + ring->len, body, len);
	ring->len += len;
	return (const char *) ring->data + ring->len - len;
}

bool
frame_pack(struct frame_packer *packer, const struct buffer *frame, struct buffer *out)
{
	size_t raw_len = frame->len - FRAME_HEADER_BYTES;
	bool linked = packer->stream.len > 0;
	const char *body;
	void *stream;
	int bound, stored;

	buffer_reset(out);
	if (frame->failed || raw_len == 0 || raw_len > FRAME_PACKED_MAX)
		return false;
	bound = LZ4_compressBound((int) raw_len);
	if (!buffer_reserve(out, COMPRESSED_HEADER_BYTES + (size_t) bound) || !begin(packer))
		return false;
	(void) change_frame_start(out);
	buffer_put_u32(out, (uint32_t) raw_len);
	body = keep(&packer->ring, frame->data + FRAME_HEADER_BYTES, raw_len);
	stream = packer->stream.data;
	stored = LZ4_compress_fast_continue(stream, body, (char *) out->data + out->len, (int) raw_len, bound, 1);
	if (stored <= 0) { /* cannot happen: `bound` bytes always suffice */
		packer->stream.len = 0;
		return false;
	}
	out->len += (size_t) stored;
	out->data[1] = frame->data[1] | FRAME_LZ4 | (linked ? FRAME_LINKED : 0);
	buffer_patch_u32(out, 2, (uint32_t) stored);
	return true;
}

/* ---- decompression */

/* When the buffer would exceed this, all but the window is removed. */
#define UNPACKED_BYTES ((size_t) 256 << 10)

static void
slide(struct buffer *unpacked)
{
	if (unpacked->len <= WINDOW_BYTES)
		return;
	memmove(unpacked->data, unpacked->data + unpacked->len - WINDOW_BYTES, WINDOW_BYTES);
	unpacked->len = WINDOW_BYTES;
}

/* Checks what the header says of the body before memory is allocated; NULL: it is plausible. */
static const char *
find_false_claim(const struct buffer *unpacked, const struct frame *frame)
{
	bool linked = frame->flags & FRAME_LINKED;
	size_t limit = linked ? FRAME_PACKED_MAX : FRAME_BODY_MAX;

	if (linked && unpacked->len == 0)
		return "it refers to compressed frames before it, which did not come";
	if (frame->raw_len == 0 || frame->raw_len > limit || frame->body.len > FRAME_BODY_MAX ||
		frame->raw_len / LZ4_MAX_RATIO > frame->body.len)
		return "it cannot have the size before compression that it claims";
	return NULL;
}

static const char *
unpack(struct buffer *unpacked, const struct frame *frame, struct bytes *body)
{
	const char *problem;
	size_t window;
	uint8_t *at;

	if (!(frame->flags & FRAME_LINKED))
		buffer_reset(unpacked);
	problem = find_false_claim(unpacked, frame);
	if (problem)
		return problem;
	if (unpacked->len + frame->raw_len > UNPACKED_BYTES)
		slide(unpacked);
	if (!buffer_reserve(unpacked, frame->raw_len))
		return "it is too large for this machine's memory";
	window = unpacked->len < WINDOW_BYTES ? unpacked->len : WINDOW_BYTES;
	at = unpacked->data + unpacked->len;
	if (LZ4_decompress_safe_usingDict((const char *) frame->body.data, (char *) at, (int) frame->body.len,
									  (int) frame->raw_len, (const char *) at - window,
									  (int) window) != (int) frame->raw_len)
		return "its compressed body is damaged";
	unpacked->len += frame->raw_len;
	*body = (struct bytes){at, frame->raw_len};
	return NULL;
}

/* ---- parts */

/* A buffer larger than this is freed after use. */
#define KEPT_BYTES ((size_t) 4 << 20)

bool
frame_parts_take(struct frame_parts *parts, const struct frame *frame, struct bytes *body)
{
	*body = frame->body;
	parts->problem = frame->flags & FRAME_LZ4 ? unpack(&parts->unpacked, frame, body) : NULL;
	if (parts->problem)
		return false;
	if (!(frame->flags & FRAME_PART) && parts->joined.len == 0)
		return true;
	buffer_put(&parts->joined, body->data, body->len);
	*body = (struct bytes){parts->joined.data, frame->flags & FRAME_PART ? 0 : parts->joined.len};
	if (parts->joined.failed)
		parts->problem = "with the parts before it, it is too large for this machine's memory";
	return !parts->joined.failed;
}

static void
give_back(struct buffer *b)
{
	struct buffer before = *b;

	if (b->cap <= KEPT_BYTES)
		return;
	buffer_fini(b);
	buffer_init(b, before.limit, before.resize, before.resize_context);
}

void
frame_parts_done(struct frame_parts *parts, const struct frame *frame)
{
	give_back(&parts->unpacked);
	if (frame->flags & FRAME_PART)
		return;
	buffer_reset(&parts->joined);
	give_back(&parts->joined);
}

void
frame_parts_fini(struct frame_parts *parts)
{
	buffer_fini(&parts->unpacked);
	buffer_fini(&parts->joined);
}
