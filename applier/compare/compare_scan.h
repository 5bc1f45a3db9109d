/*
 * Reads whole tables on both sides, several at once, each reduced to the sums
 * of its buckets.
 *
 * A table is locked in ACCESS SHARE mode while it is read, and no longer: a lock
 * that was held while another session waits for a stronger one would stop everybody behind that.
 */
#ifndef SLUICE_COMPARE_SCAN_H
#define SLUICE_COMPARE_SCAN_H

#include "compare.h"
#include "compare_point.h"

/* Fills the buckets; those of `tables` that are not what the snapshots show any more get a reason, in `memory`. */
MUST_CHECK bool compare_scan_run(struct compare_point *point, struct compare_table **tables, unsigned count,
								 struct arena *memory, struct error *err);

/* Locks one table on both sides; not `same`: it is not what the snapshots show any more.  Then, and at the end,
 * compare_scan_leave() is due. */
MUST_CHECK bool compare_scan_enter(const struct compare_ends *ends, const struct compare_plan *plan,
								   bool *same, struct error *err);
MUST_CHECK bool compare_scan_leave(const struct compare_ends *ends, struct error *err);

#endif
