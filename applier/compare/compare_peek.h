/*
 * Reads the changes that a slot holds into a window, which has the positions
 * between which they count.  Peeking does not advance the slot.
 */
#ifndef SLUICE_COMPARE_PEEK_H
#define SLUICE_COMPARE_PEEK_H

#include "base/config.h"
#include "compare_window.h"
#include "io/connection.h"

MUST_CHECK bool compare_peek(struct loop *loop, struct connection *conn, const char *slot,
							 const struct config *config, struct compare_window *window, struct error *err);

#endif
