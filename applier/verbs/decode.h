/*
 * `sluice decode`: prints captured plugin output as text, a line a message.
 *
 * A capture is what pg_recvlogical writes with format=binary: frames, each
 * followed by a new line; frames without it are taken as well.
 */
#ifndef SLUICE_DECODE_H
#define SLUICE_DECODE_H

#include "base/error.h"

/*
 * Reads the file, or standard input where `path` is NULL, to its end and
 * prints to standard output.  What stands before a damaged or cut place is
 * printed; the error then says at which byte that is.
 */
MUST_CHECK bool decode_run(const char *path, struct error *err);

#endif
