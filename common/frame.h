/*
 * The bodies of frames, compressed with lz4's block format, and put together where they come in parts.
 *
 * A body is compressed with the 64 kB of bodies before it as a dictionary, so that a transaction of a few rows becomes
 * smaller, too.  The first one of a connection refers to nothing and begins the dictionary; the others (FRAME_LINKED)
 * can only be read by a reader that has read all compressed frames since.
 */
#ifndef SLUICE_FRAME_H
#define SLUICE_FRAME_H

#include "change.h"

/* No body is larger, compressed or not: a message of the server has less. */
#define FRAME_BODY_MAX ((size_t) 1 << 30)

/* What a packer takes at once; a larger body is sent in parts of this size. */
#define FRAME_PACKED_MAX ((size_t) 128 << 10)

/* Compresses the frames of one connection.  Whoever has it sets up both buffers, and drops it with the connection. */
struct frame_packer {
	struct buffer stream; /* lz4's own state */
	struct buffer ring;	  /* what was compressed last, where lz4 looks for it */
};

/*
 * Puts a whole frame, as change_frame_end() left it, into `out` in compressed form.  `out` is to be sent, or no
 * compressed frame after it can be read.  False where the body is empty or larger than FRAME_PACKED_MAX, or a buffer
 * cannot grow; then the frame is to be sent as it is, and `out` holds nothing of use.
 */
bool frame_pack(struct frame_packer *packer, const struct buffer *frame, struct buffer *out);

/* Where the messages of frames are gathered that come compressed or in parts.  Whoever has it sets up both buffers. */
struct frame_parts {
	struct buffer unpacked; /* the last compressed bodies */
	struct buffer joined;
	const char *problem; /* why frame_parts_take() failed, in words: "it …" */
};

/*
 * The messages of a frame, uncompressed and with the parts that came before: a view of the frame or of a buffer; empty
 * where more parts follow.  False when the body is damaged or too large for a buffer or for memory: then
 * parts->problem says which.  frame_parts_done() when the body has been read: it gives back the memory of a large one.
 */
bool frame_parts_take(struct frame_parts *parts, const struct frame *frame, struct bytes *body);
void frame_parts_done(struct frame_parts *parts, const struct frame *frame);
void frame_parts_fini(struct frame_parts *parts);

#endif
