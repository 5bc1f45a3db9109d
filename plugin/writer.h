/*
 * Where messages go: gathered into frames, or printed as lines.
 *
 *	writer_begin()   the buffer, ready for messages: frame and startup
 *	                 message are put in front where they are due
 *	writer_end()     after every message or few: a full frame is written
 *	writer_mark()    after a message that is to stay whatever comes behind it
 *	writer_flush()   at the end of every transaction: nothing is held back
 *	writer_take_back()   after a callback that the server ended by an error
 *
 * All of them are called within the plugin's callbacks only.
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
	struct buffer part;			   /* of a frame that is too large */
};

/* The writer's memory belongs to `context` and goes at its reset. */
void writer_init(struct writer *w, LogicalDecodingContext *ctx, const struct options *options,
				 MemoryContext context);

struct buffer *writer_begin(struct writer *w);

/* Ereports where the messages did not fit; `schema` and `table` tell whose row it was, or are NULL. */
void writer_end(struct writer *w, const char *schema, const char *table);

void writer_flush(struct writer *w);

static inline void
writer_mark(struct writer *w)
{
	w->whole = w->buffer.len;
}

/* Forgets what stands behind the last mark: a part of a message. */
void writer_take_back(struct writer *w);

#endif
