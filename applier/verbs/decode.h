/*
 * `sluice decode`: prints captured plugin output as text, one line for each message.
 *
 * A capture is the output of pg_recvlogical with format=binary: frames, each followed by a line break.
 * Frames without line breaks are accepted, too.
 */
#ifndef SLUICE_DECODE_H
#define SLUICE_DECODE_H

#include "base/error.h"

/*
 * Reads the file to its end, or standard input if `path` is NULL, and prints to standard output. If the
 * capture is damaged or cut short, everything before that place is printed, and the error names the byte.
 */
MUST_CHECK bool decode_run(const char *path, struct error *err);

#endif
