/*
 * The staging tables of a session: which there are, and which of them to drop.
 *
 * Each existing one has a cost at every commit (ON COMMIT DELETE ROWS
 * empties it again: about 0.2 ms on PostgreSQL once any was used, and on
 * Greenplum 1 ms or more even when none was), so only those that were used
 * lately are kept.
 */
#ifndef SLUICE_STAGINGS_H
#define SLUICE_STAGINGS_H

#include "merge_plan.h"

/* So many shapes keep their staging tables. */
#define STAGINGS_KEPT 16

struct stagings {
	struct staging *all; /* by shape number */
	unsigned count;
	unsigned *touched; /* numbers of the shapes that were asked for in this transaction */
	unsigned touched_count;
	unsigned touched_capacity;
	unsigned *made; /* numbers of the shapes that have staging tables */
	unsigned made_count;
	unsigned made_capacity;
	int64_t transactions;
};

void stagings_init(struct stagings *stagings);
void stagings_fini(struct stagings *stagings);

/* Of a shape, for a merge plan of this transaction; moves with the next call. */
struct staging *stagings_of(struct stagings *stagings, unsigned shape_number);
/* Writes the statement that drops what is not kept, to be executed at the
 * transaction's end; false: there is nothing to drop. */
bool stagings_put_drop(struct stagings *stagings, struct buffer *sql);
/* The transaction was committed. */
void stagings_committed(struct stagings *stagings);

#endif
