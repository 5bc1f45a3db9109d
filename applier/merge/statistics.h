/*
 * What the destination's planner believes of the targets' sizes.
 *
 * Greenplum plans by what ANALYZE last counted and not, as PostgreSQL does, by
 * the size that a table has now, and nothing there analyzes a table unasked.  A
 * target that was empty when it was copied would be read whole by every batch
 * for ever.  So its size is looked at when a session first writes to it, and
 * again when as much has been written to it as it then held; where it has
 * outgrown what the planner believes, it is analyzed.
 */
#ifndef SLUICE_STATISTICS_H
#define SLUICE_STATISTICS_H

#include "base/arena.h"
#include "base/keymap.h"
#include "batch.h"

/* Below so many rows a wrong belief costs little. */
#define STATISTICS_ROWS 10000

struct statistics {
	struct keymap numbers; /* of targets, by pg_class.oid */
	struct arena keys;
	struct statistics_target *targets; /* by number */
	unsigned capacity;
};

void statistics_init(struct statistics *statistics);
void statistics_fini(struct statistics *statistics);

/*
 * Counts what the batch is about to write.  Appends the question about those of its targets that
 * are to be looked at: one row for each, OID, rows that the planner believes in, whether the target has outgrown
 * them.  False: there are none.
 */
bool statistics_put_query(struct statistics *statistics, const struct batch *batch, struct buffer *sql);
/* One row of the answer. */
void statistics_take(struct statistics *statistics, uint32_t oid, int64_t rows, bool outgrown);
/* Appends the statement that analyzes the target of the net change, once after it was found outgrown;
 * false: there is no need. */
bool statistics_put_analyze(struct statistics *statistics, const struct net_change *net, struct buffer *sql);

#endif
