/*
 * A limit in bytes per second, as a token bucket: it fills at the rate, up to the amount of a tenth of a
 * second, and moved bytes are taken out.
 *
 * One piece, such as a row, is taken out as a whole. The bucket may then owe bytes, and nothing more may
 * be moved until that debt has been filled. So the rate holds over any period longer than the largest
 * piece needs at this rate.
 *
 * Pure: the caller passes the time, in milliseconds of a monotonic clock.
 */
#ifndef SLUICE_RATE_H
#define SLUICE_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed struct is a full bucket. */
struct rate {
	int64_t at_ms; /* time of the last update of `level` */
	double level;  /* bytes; negative: debt */
	bool begun;
};

/* Takes bytes out; bytes_per_s may differ from call to call; 0: no limit and no debt. */
void rate_take(struct rate *rate, int64_t bytes_per_s, size_t bytes, int64_t now_ms);
/* How long to wait before more bytes may be moved; 0: no wait. */
int64_t rate_wait_ms(struct rate *rate, int64_t bytes_per_s, int64_t now_ms);

#endif
