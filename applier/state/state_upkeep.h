/*
 * What sluice.tables keeps for the upkeep of targets (upkeep.h): rows updated or deleted since the last VACUUM, and why
 * there is none, for `status`.
 */
#ifndef SLUICE_STATE_UPKEEP_H
#define SLUICE_STATE_UPKEEP_H

#include "buffer.h"

struct state_upkeep {
	uint32_t source_oid;
	int64_t dead_rows;
	const char *note; /* NULL: nothing to be said */
};

/* A statement that writes it for some tables of a task, at least one. */
void state_upkeep_put(struct buffer *sql, const char *task, const struct state_upkeep *tables,
					  unsigned count);

#endif
