/*
 * The status of a daemon as one line, which `sluice status` asks for over the
 * control socket and combines with what both servers say:
 *
 *	pid=4711 ⇥ phase=copying ⇥ … ⇥ table=public.orders ⇥ rows_copied=400000 ⇥ …
 *
 * Only tables that are being copied are named.  What is not known is left
 * out; names that the reader does not know are skipped, so that two versions understand each other.
 */
#ifndef SLUICE_STATUS_LINE_H
#define SLUICE_STATUS_LINE_H

#include "base/arena.h"
#include "status_view.h"

/* Leaves out tables that would make the line longer than `most` bytes. */
void status_line_put(const struct status_view *view, size_t most, struct buffer *out);
/* The view's strings live in the arena. */
void status_line_take(const char *line, const char *task, struct arena *memory, struct status_view *view);

#endif
