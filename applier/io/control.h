/*
 * The daemon's door on its own host: a UNIX socket on which another process of
 * the same user asks one line and gets one line back.
 *
 *	pause\n  ──►             ok\tpaused at 0/1A2B3C8\n
 *	                    or  failed\tthe task is being copied\n
 *
 * Callbacks only take note of what was asked; whoever owns the control looks
 * for it at the top of the program, and answers when it is done.
 */
#ifndef SLUICE_CONTROL_H
#define SLUICE_CONTROL_H

#include <stddef.h>

#include "base/error.h"
#include "buffer.h"
#include "loop.h"

/* A request or an answer, with its end. */
#define CONTROL_LINE_BYTES 65536

struct control;

/* Listens at `path`, for this user alone; a socket that is there already is
 * taken for one that a daemon of before has left, and replaced. */
struct control *control_open(struct loop *loop, const char *path, struct error *err);
/* Requests that were not answered fail with `reason`.  NULL is allowed. */
void control_close(struct control *control, const char *reason);

/* The oldest request that has not been answered, without its line's end; NULL: none. */
const char *control_request(const struct control *control);
/* This request is answered as soon as it comes, in a callback, with what `put` appends, at most `most` bytes; put NULL: as any
 * other. */
void control_answer_at_once(struct control *control, const char *request,
							void (*put)(void *arg, size_t most, struct buffer *out), void *arg);
/* Answers that one. */
void control_answer(struct control *control, bool ok, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Answers it with a failure, whose class is that of the other side's error if it is an ERROR_CONFIG. */
void control_answer_error(struct control *control, const struct error *err);

/*
 * The other side: asks the daemon that listens at `path` and pumps the loop
 * until it has answered, or so long (0: for ever); the answer goes to `answer`.  An ERROR_DATA when
 * nobody listens, or with the daemon's words when it could not do it (ERROR_CONFIG where that
 * was about the request).
 */
MUST_CHECK bool control_ask(struct loop *loop, const char *path, const char *request, int64_t patience_ms,
							char *answer, size_t answer_bytes, struct error *err);
/* Whether a daemon listens there: then it lives, whatever it is doing. */
bool control_is_listening(const char *path);

#endif
