/*
 * The row counts that the destination's planner assumes for the targets.
 *
 * Greenplum plans by the counts of the last ANALYZE and not, as PostgreSQL does, by
 * a table's present size, and nothing there analyzes a table automatically.  A
 * target that was empty at its last ANALYZE would be scanned whole by every batch.
 * So its size is queried when a session first writes to it, and
 * again when as much has been written to it as it then held; if it has
 * outgrown the planner's count, it is analyzed.
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
 * whose size is to be queried: one row for each: OID, the planner's row count, whether the target has outgrown
 * them.  False: there are none.
 */
bool statistics_put_query(struct statistics *statistics, const struct batch *batch, struct buffer *sql);
/* One row of the answer. */
void statistics_take(struct statistics *statistics, uint32_t oid, int64_t rows, bool outgrown);
/* Appends the statement that analyzes the target of the net change, once after it was found outgrown;
 * false: there is no need. */
bool statistics_put_analyze(struct statistics *statistics, const struct net_change *net, struct buffer *sql);

#endif
