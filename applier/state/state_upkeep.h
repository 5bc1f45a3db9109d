/*
 * What sluice.tables keeps about the upkeep of targets (upkeep.h), for `status` and the next start: rows
 * updated or deleted since the last VACUUM, and why there is no VACUUM.
 */
#ifndef SLUICE_STATE_UPKEEP_H
#define SLUICE_STATE_UPKEEP_H

#include "buffer.h"

struct state_upkeep {
	uint32_t source_oid;
	int64_t dead_rows;
	const char *note; /* NULL: nothing to report */
};

/* Statement that stores it for at least one table of a task. */
void state_upkeep_put(struct buffer *sql, const char *task, const struct state_upkeep *tables,
					  unsigned count);

#endif
