/*
 * The staging tables of a session: which exist, and which of them to drop.
 *
 * Each staging table costs time at every commit, because ON COMMIT DELETE ROWS
 * empties it (about 0.2 ms on PostgreSQL once any was used, on Greenplum 1 ms
 * or more even if none was), so only those that were used recently are kept.
 */
#ifndef SLUICE_STAGINGS_H
#define SLUICE_STAGINGS_H

#include "merge_plan.h"

/* How many shapes keep their staging tables. */
#define STAGINGS_KEPT 16
/* A staging table is dropped after this time, and made again when it is needed. */
#define STAGING_LIFE_S 3600

struct stagings {
	struct staging *all; /* by shape number */
	unsigned count;
	unsigned *touched; /* numbers of the shapes used in this transaction */
	unsigned touched_count;
	unsigned touched_capacity;
	unsigned *made; /* numbers of the shapes that have staging tables */
	unsigned made_count;
	unsigned made_capacity;
	int64_t transactions;
};

void stagings_init(struct stagings *stagings);
void stagings_fini(struct stagings *stagings);

/* The staging tables of a shape, for a merge plan of this transaction; valid until the next call. */
struct staging *stagings_of(struct stagings *stagings, unsigned shape_number);
/* Writes the statement that drops surplus and old tables, to be executed at the end of the transaction; false: there are
 * none. `now_s`: of any clock. */
bool stagings_put_drop(struct stagings *stagings, int64_t now_s, struct buffer *sql);
/* To be called after each commit. */
void stagings_committed(struct stagings *stagings);

#endif
