#include "throttle.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rate.h"

/*
 * Shorter waits would cost many turns of the loop and smooth the flow little. A raised rate takes effect
 * within the longest wait.
 */
#define SHORTEST_WAIT_MS 10
#define LONGEST_WAIT_MS 1000

struct throttle {
	struct loop *loop;
	struct loop_timer *timer;
	const int64_t *bytes_per_s;
	loop_callback go_on;
	void *arg;
	struct rate rate;
	bool closed;
};

static bool
close_if_owing(struct throttle *throttle)
{
	int64_t wait_ms = rate_wait_ms(&throttle->rate, *throttle->bytes_per_s, loop_now_ms(throttle->loop));

	throttle->closed = wait_ms > 0;
	if (!throttle->closed)
		return false;
	if (wait_ms < SHORTEST_WAIT_MS)
		wait_ms = SHORTEST_WAIT_MS;
	loop_timer_arm(throttle->timer, wait_ms < LONGEST_WAIT_MS ? wait_ms : LONGEST_WAIT_MS);
	return true;
}

static void
on_timer(void *arg)
{
	struct throttle *throttle = arg;

	if (!close_if_owing(throttle))
		throttle->go_on(throttle->arg);
}

struct throttle *
throttle_create(struct loop *loop, const int64_t *bytes_per_s, loop_callback go_on, void *arg)
{
	struct throttle *throttle = memory_alloc_zero(1, sizeof *throttle);

	throttle->loop = loop;
	throttle->bytes_per_s = bytes_per_s;
	throttle->go_on = go_on;
	throttle->arg = arg;
	throttle->timer = loop_timer_create(loop, on_timer, throttle);
	return throttle;
}

void
throttle_destroy(struct throttle *throttle)
{
	if (!throttle)
		return;
	loop_timer_destroy(throttle->timer);
	free(throttle);
}

bool
throttle_took(struct throttle *throttle, size_t bytes)
{
	rate_take(&throttle->rate, *throttle->bytes_per_s, bytes, loop_now_ms(throttle->loop));
	return !throttle->closed && !close_if_owing(throttle);
}

bool
throttle_is_closed(const struct throttle *throttle)
{
	return throttle->closed;
}
