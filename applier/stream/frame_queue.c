#include "frame_queue.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "change.h"

void
frame_queue_add(struct frame_queue *queue, struct bytes frame)
{
	struct queued_frame *added = memory_alloc(sizeof *added + frame.len);

	added->next = NULL;
	added->len = frame.len;
	added->open = frame.len > 1 && (frame.data[1] & FRAME_OPEN);
	memcpy(added->data, frame.data, frame.len);
	if (queue->last)
		queue->last->next = added;
	else
		queue->first = added;
	queue->last = added;
	queue->bytes += frame.len;
	queue->closed += !added->open;
}

struct queued_frame *
frame_queue_take(struct frame_queue *queue)
{
	struct queued_frame *frame = queue->first;

	queue->first = frame->next;
	if (!queue->first)
		queue->last = NULL;
	queue->bytes -= frame->len;
	queue->closed -= !frame->open;
	return frame;
}

void
frame_queue_fini(struct frame_queue *queue)
{
	while (queue->first)
		free(frame_queue_take(queue));
}
