/*
 * A pipe from a COPY … TO STDOUT at the source to a COPY … FROM STDIN at the
 * destination.  Rows pass unchanged through a bounded buffer; the faster side
 * waits for the other, and the source for the throttle that all pipes share.
 */
#ifndef SLUICE_COPY_PIPE_H
#define SLUICE_COPY_PIPE_H

#include "buffer.h"
#include "io/connection.h"
#include "io/throttle.h"

struct copy_pipe {
	struct connection *source;
	struct connection *destination;
	const bool *given_up; /* once true, the running copy fails */
	struct throttle *throttle;
	void (*source_failed)(void *arg, const struct error *err);
	void *arg;
	struct buffer data;
	size_t taken;		/* of data, already handed on */
	bool source_paused; /* the buffer is full */
	bool source_done;
	int64_t rows;		 /* of this copy, as far as they have come */
	int64_t source_rows; /* of this copy, once the source has sent all */
	int64_t bytes;		 /* of all copies */
};

/* The rest of the structure is the caller's to fill. */
void copy_pipe_init(struct copy_pipe *pipe);
/* Closes both connections. */
void copy_pipe_fini(struct copy_pipe *pipe);

/* The throttle has opened. */
void copy_pipe_go_on(struct copy_pipe *pipe);

/* Queues both statements; `done` and its argument are the one at the destination's. */
void copy_pipe_start(struct copy_pipe *pipe, const char *copy_out, const char *copy_in, connection_done done,
					 void *arg);

#endif
