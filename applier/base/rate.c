#include "rate.h"

/* After a pause, this part of a second's amount may be moved at once. */
#define BURST_PER_S 10

static void
flow_in(struct rate *rate, int64_t bytes_per_s, int64_t now_ms)
{
	double most = (double) bytes_per_s / BURST_PER_S;

	if (rate->begun && bytes_per_s > 0)
		rate->level += (double) bytes_per_s * (double) (now_ms - rate->at_ms) / 1000;
	if (!rate->begun || bytes_per_s == 0 || rate->level > most)
		rate->level = most;
	rate->begun = true;
	rate->at_ms = now_ms;
}

void
rate_take(struct rate *rate, int64_t bytes_per_s, size_t bytes, int64_t now_ms)
{
	flow_in(rate, bytes_per_s, now_ms);
	if (bytes_per_s > 0)
		rate->level -= (double) bytes;
}

int64_t
rate_wait_ms(struct rate *rate, int64_t bytes_per_s, int64_t now_ms)
{
	flow_in(rate, bytes_per_s, now_ms);
	if (bytes_per_s == 0 || rate->level >= 0)
		return 0;
	return (int64_t) (-rate->level * 1000 / (double) bytes_per_s) + 1;
}
