/*
 * The bodies of frames, compressed with lz4's block format.  Each frame stands
 * for itself: a reader may lose one, or begin with any.
 */
#ifndef SLUICE_FRAME_H
#define SLUICE_FRAME_H

#include "change.h"

/* No body is larger, compressed or not: a message of the server has less. */
#define FRAME_BODY_MAX ((size_t) 1 << 30)

/* A smaller body is not worth the reader's trouble. */
#define FRAME_COMPRESS_MIN ((size_t) 256)

/*
 * Puts a whole frame, as change_frame_end() left it, into `out` in compressed
 * form.  False where that would not be smaller; then `out` holds nothing of use.
 */
bool frame_compress(const struct buffer *frame, struct buffer *out);

/*
 * The messages of a frame, uncompressed into `scratch` where they are not that
 * already: a view of the frame or of the scratch buffer.  False when the body is
 * damaged, or, with scratch->failed, too large for the buffer or for memory.
 */
bool frame_body(const struct frame *frame, struct buffer *scratch, struct bytes *body);

/* Where the messages of frames are gathered that come in parts.  Whoever has it sets up both buffers. */
struct frame_parts {
	struct buffer unpacked;
	struct buffer joined;
};

/*
 * As frame_body(), with the parts that came before; empty where more parts follow.  frame_parts_done() when the body
 * has been read: it gives back the memory of a large one.
 */
bool frame_parts_take(struct frame_parts *parts, const struct frame *frame, struct bytes *body);
void frame_parts_done(struct frame_parts *parts, const struct frame *frame);
void frame_parts_fini(struct frame_parts *parts);

#endif
