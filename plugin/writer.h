/*
 * Where messages go: gathered into frames, or printed as lines.
 *
 *	writer_begin()       returns the buffer for messages, after the start of a
 *	                     frame and the startup message where they are due
 *	writer_end()         after one or a few messages: sends a full frame
 *	writer_mark()        after a complete message: writer_take_back() keeps it
 *	writer_take_back()   after a callback that the server ended by an error
 *	writer_flush()       at the end of each transaction: sends all that is left
 *
 * They may be called only within the plugin's callbacks.
 */
#ifndef SLUICE_WRITER_H
#define SLUICE_WRITER_H

#include "postgres.h"

#include "replication/logical.h"

#include "common/change.h"
#include "common/frame.h"

#include "options.h"

struct writer {
	LogicalDecodingContext *ctx;
	const struct options *options;
	MemoryContext context;
	const char *database;
	struct buffer buffer; /* a frame in the making, or messages to be printed */
	size_t whole;		  /* bytes of it up to the last mark */
	struct change_base base;
	bool started;				   /* the startup message is out */
	struct change_decoder decoder; /* text only */
	struct buffer line;			   /* text only */
	struct frame_packer packer;	   /* compression only */
	struct buffer packed;		   /* a compressed frame */
	struct buffer part;			   /* the part of a large frame that is being sent */
};

/* The writer's memory belongs to `context` and goes at its reset. */
void writer_init(struct writer *w, LogicalDecodingContext *ctx, const struct options *options,
				 MemoryContext context);

struct buffer *writer_begin(struct writer *w);

/* Ereports if the messages did not fit.  `schema` and `table` name the table of the row, or are NULL. */
void writer_end(struct writer *w, const char *schema, const char *table);

void writer_flush(struct writer *w);

static inline void
writer_mark(struct writer *w)
{
	w->whole = w->buffer.len;
}

/* Removes what was written after the last mark: a part of a message. */
void writer_take_back(struct writer *w);

#endif
