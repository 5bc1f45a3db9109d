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
	const bool *given_up; /* the owner's flag; once true, the running copy fails */
	struct throttle *throttle;
	void (*source_failed)(void *arg, const struct error *err);
	void *arg;
	struct buffer data;
	size_t taken;		/* bytes of `data` that the destination has already */
	bool source_paused; /* the buffer is full */
	bool source_done;
	int64_t rows;		 /* received in this copy so far */
	int64_t source_rows; /* that the source reports at the end of this copy */
	int64_t bytes;		 /* received in all copies */
};

/* Clears the structure; the caller then sets the connections, `given_up`, `throttle`, `source_failed` and `arg`. */
void copy_pipe_init(struct copy_pipe *pipe);
/* Closes both connections. */
void copy_pipe_fini(struct copy_pipe *pipe);

/* To be called when the throttle has opened: resumes reading. */
void copy_pipe_go_on(struct copy_pipe *pipe);

/* Queues both statements; `done` is called with the result of the destination's. */
void copy_pipe_start(struct copy_pipe *pipe, const char *copy_out, const char *copy_in, connection_done done,
					 void *arg);

#endif
