/*
 * Compresses and decompresses the bodies of frames (lz4's block format), and joins those that come in parts.
 *
 * A body is compressed with the 64 kB of bodies before it as a dictionary, so that a transaction of a few rows becomes
 * smaller, too.  The first compressed body of a connection needs no dictionary; the others (FRAME_LINKED)
 * can be read only after all compressed frames before them.
 */
#ifndef SLUICE_FRAME_H
#define SLUICE_FRAME_H

#include "change.h"

/* No body is larger, compressed or not: a message of the server is limited to less. */
#define FRAME_BODY_MAX ((size_t) 1 << 30)

/* The largest body that frame_pack() compresses; a larger one is sent in parts of this size. */
#define FRAME_PACKED_MAX ((size_t) 128 << 10)

/* Compresses the frames of one connection.  The owner initializes both buffers, and frees them with the connection. */
struct frame_packer {
	struct buffer stream; /* lz4's own state */
	struct buffer ring;	  /* the last bodies before compression, to which lz4's state points */
};

/*
 * Writes a frame, as change_frame_end() left it, into `out` in compressed form.  Then `out` must be sent, or no later
 * compressed frame can be read.  False if the body is empty or larger than FRAME_PACKED_MAX, or a buffer
 * cannot grow; then the frame must be sent as it is, and the contents of `out` are undefined.
 */
bool frame_pack(struct frame_packer *packer, const struct buffer *frame, struct buffer *out);

/* Decompresses frames and joins their parts.  The owner initializes both buffers. */
struct frame_parts {
	struct buffer unpacked; /* the last bodies that came compressed, decompressed */
	struct buffer joined;
	const char *problem; /* why frame_parts_take() failed, in words: "it …" */
};

/*
 * Sets `body` to the messages of a frame, decompressed and joined with the parts before it: a view of the frame or of a
 * buffer, empty if more parts follow.  False if the body is damaged or too large for a buffer or for memory; then
 * parts->problem says which.  Call frame_parts_done() after the body has been read: it frees the memory of a large one.
 */
bool frame_parts_take(struct frame_parts *parts, const struct frame *frame, struct bytes *body);
void frame_parts_done(struct frame_parts *parts, const struct frame *frame);
void frame_parts_fini(struct frame_parts *parts);

#endif
