#include "frame.h"

#include <lz4.h>

#define COMPRESSED_HEADER_BYTES (FRAME_HEADER_BYTES + 4)

/* lz4 makes no more than so many bytes of one. */
#define LZ4_MAX_RATIO 255

bool
frame_compress(const struct buffer *frame, struct buffer *out)
{
	size_t raw_len = frame->len - FRAME_HEADER_BYTES;
	int stored;

	buffer_reset(out);
	if (frame->failed || raw_len < FRAME_COMPRESS_MIN || raw_len > FRAME_BODY_MAX)
		return false;
	/* What needs more room than this is no smaller. */
	if (!buffer_reserve(out, frame->len))
		return false;
	(void) change_frame_start(out);
	buffer_put_u32(out, (uint32_t) raw_len);
	stored =
		LZ4_compress_default((const char *) frame->data + FRAME_HEADER_BYTES, (char *) out->data + out->len,
							 (int) raw_len, (int) (frame->len - COMPRESSED_HEADER_BYTES));
	if (stored <= 0)
		return false;
	out->len += (size_t) stored;
	out->data[1] = frame->data[1] | FRAME_LZ4;
	buffer_patch_u32(out, 2, (uint32_t) stored);
	return true;
}

bool
frame_body(const struct frame *frame, struct buffer *scratch, struct bytes *body)
{
	size_t raw_len = frame->raw_len;

	buffer_reset(scratch);
	*body = frame->body;
	if (!(frame->flags & FRAME_LZ4))
		return true;
	if (raw_len == 0 || raw_len > FRAME_BODY_MAX || frame->body.len > FRAME_BODY_MAX ||
		raw_len / LZ4_MAX_RATIO > frame->body.len)
		return false;
	if (!buffer_reserve(scratch, raw_len))
		return false;
	if (LZ4_decompress_safe((const char *) frame->body.data, (char *) scratch->data, (int) frame->body.len,
							(int) raw_len) != (int) raw_len)
		return false;
	scratch->len = raw_len;
	*body = (struct bytes){scratch->data, raw_len};
	return true;
}

/* ---- parts */

/* What is larger is given back. */
#define KEPT_BYTES ((size_t) 4 << 20)

bool
frame_parts_take(struct frame_parts *parts, const struct frame *frame, struct bytes *body)
{
	if (!frame_body(frame, &parts->unpacked, body))
		return false;
	if (!(frame->flags & FRAME_PART) && parts->joined.len == 0)
		return true;
	buffer_put(&parts->joined, body->data, body->len);
	*body = (struct bytes){parts->joined.data, frame->flags & FRAME_PART ? 0 : parts->joined.len};
	return !parts->joined.failed;
}

static void
empty(struct buffer *b)
{
	struct buffer before = *b;

	buffer_reset(b);
	if (b->cap <= KEPT_BYTES)
		return;
	buffer_fini(b);
	buffer_init(b, before.limit, before.resize, before.resize_context);
}

void
frame_parts_done(struct frame_parts *parts, const struct frame *frame)
{
	empty(&parts->unpacked);
	if (!(frame->flags & FRAME_PART))
		empty(&parts->joined);
}

void
frame_parts_fini(struct frame_parts *parts)
{
	buffer_fini(&parts->unpacked);
	buffer_fini(&parts->joined);
}
