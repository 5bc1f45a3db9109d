/*
 * A limit of bytes per second: a bucket that fills at the rate, up to a tenth of
 * a second's worth, and that whoever moves bytes takes them out of.
 *
 * What comes in one piece, such as a row, is taken as a whole: the bucket then owes
 * the rest, and nothing may be moved until that has flowed in.  So the rate holds
 * over any time longer than the largest piece needs at this rate.
 *
 * Pure: the time is the caller's, in milliseconds of a monotonic clock.
 */
#ifndef SLUICE_RATE_H
#define SLUICE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed, it is a full bucket. */
struct rate {
	int64_t at_ms; /* when `level` was true */
	double level;  /* bytes; negative: owed */
	bool begun;
};

/* Takes bytes out at `bytes_per_s`, which may differ from call to call; 0: no limit, nothing is ever owed. */
void rate_take(struct rate *rate, int64_t bytes_per_s, size_t bytes, int64_t now_ms);
/* How long nothing may be moved; 0: go on. */
int64_t rate_wait_ms(struct rate *rate, int64_t bytes_per_s, int64_t now_ms);

#endif
