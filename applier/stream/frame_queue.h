/*
 * The frames that were received and are not folded yet, in their order.
 */
#ifndef SLUICE_FRAME_QUEUE_H
#define SLUICE_FRAME_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

struct queued_frame {
	struct queued_frame *next;
	size_t len;
	bool open; /* its last transaction goes on in the next frame */
	uint8_t data[];
};

/* Zeroed: empty. */
struct frame_queue {
	struct queued_frame *first;
	struct queued_frame *last;
	size_t bytes;
	unsigned closed; /* frames that end outside a transaction */
};

/* Appends a copy of the frame. */
void frame_queue_add(struct frame_queue *queue, struct bytes frame);
/* Removes the first frame; the caller frees it. */
struct queued_frame *frame_queue_take(struct frame_queue *queue);
void frame_queue_fini(struct frame_queue *queue);

#endif
