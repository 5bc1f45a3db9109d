/*
 * Holds reading back to a rate (base/rate.h): whoever reads asks after each
 * piece, reads nothing more when told so, and is called when it may go on.
 *
 * Several readers may share one; then the callback lets all of them go on.
 */
#ifndef SLUICE_THROTTLE_H
#define SLUICE_THROTTLE_H

#include <stddef.h>

#include "loop.h"

struct throttle;

/* `bytes_per_s` is looked at whenever something is decided, so that it may change at any time; 0: no limit. */
struct throttle *throttle_create(struct loop *loop, const int64_t *bytes_per_s, loop_callback go_on,
								 void *arg);
/* Callbacks do not come any more; NULL is allowed. */
void throttle_destroy(struct throttle *throttle);
/* Something was read; false: read no more until go_on(). */
bool throttle_took(struct throttle *throttle, size_t bytes);
/* go_on() is to come. */
bool throttle_is_closed(const struct throttle *throttle);

#endif
