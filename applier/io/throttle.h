/*
 * Limits reading to a rate (base/rate.h): a reader reports each piece, stops reading when told so, and is
 * called when it may continue.
 *
 * Several readers may share a throttle; the callback then must resume all of them.
 */
#ifndef SLUICE_THROTTLE_H
#define SLUICE_THROTTLE_H

#include <stddef.h>

#include "loop.h"

struct throttle;

/* *bytes_per_s is read at each decision, so it may change at any time; 0: no limit. */
struct throttle *throttle_create(struct loop *loop, const int64_t *bytes_per_s, loop_callback go_on,
								 void *arg);
/* No callback follows. NULL is allowed. */
void throttle_destroy(struct throttle *throttle);
/* Reports that data was read; false: stop reading until go_on() is called. */
bool throttle_took(struct throttle *throttle, size_t bytes);
/* Whether readers have to wait for go_on(). */
bool throttle_is_closed(const struct throttle *throttle);

#endif
