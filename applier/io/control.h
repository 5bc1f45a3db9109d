/*
 * The daemon's control socket: a UNIX socket over which another process of the same user on the same host
 * sends one line and gets one line back.
 *
 *	pause\n  ──►             ok\tpaused at 0/1A2B3C8\n
 *	                    or  failed\tthe task is being copied\n
 *
 * Callbacks only store the request. The owner of the control polls for it with control_request() and
 * answers when it is done.
 */
#ifndef SLUICE_CONTROL_H
#define SLUICE_CONTROL_H

#include <stddef.h>

#include "base/error.h"
#include "buffer.h"
#include "loop.h"

/* Limit for a request or an answer, including its end. */
#define CONTROL_LINE_BYTES 65536

struct control;

/*
 * Listens at `path`, accessible only to this user. An existing socket is replaced: it is assumed to be
 * left over from an earlier daemon.
 */
struct control *control_open(struct loop *loop, const char *path, struct error *err);
/* Pending requests fail with `reason`. NULL is allowed. */
void control_close(struct control *control, const char *reason);

/* The oldest pending request, without its line end; NULL: none. */
const char *control_request(const struct control *control);
/*
 * From now on `request` is answered in a callback as soon as it arrives, with what `put` appends, at most
 * `most` bytes. put NULL: it is treated like any other request.
 */
void control_answer_at_once(struct control *control, const char *request,
							void (*put)(void *arg, size_t most, struct buffer *out), void *arg);
/* Answers the oldest pending request. */
void control_answer(struct control *control, bool ok, const char *fmt, ...) PRINTF_LIKE(3, 4);
/*
 * Answers it with a failure. An ERROR_CONFIG keeps its class at the other side; other errors become
 * ERROR_DATA.
 */
void control_answer_error(struct control *control, const struct error *err);

/*
 * The client side: sends a request to the daemon that listens at `path` and pumps the loop until the
 * answer arrives or `patience_ms` have passed (0: without limit); the text of the answer goes to `answer`.
 * ERROR_DATA if no daemon listens, or, with the daemon's text, if the request failed; ERROR_CONFIG if the
 * request itself was wrong.
 */
MUST_CHECK bool control_ask(struct loop *loop, const char *path, const char *request, int64_t patience_ms,
							char *answer, size_t answer_bytes, struct error *err);
/* Whether a daemon listens there; if so it is alive, even if it is busy. */
bool control_is_listening(const char *path);

#endif
