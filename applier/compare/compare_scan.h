/*
 * Reads whole tables on both sides, several at once, each reduced to the sums
 * of its buckets.
 *
 * A table is locked in ACCESS SHARE mode only while it is read: a session that
 * waits for a stronger lock blocks everybody behind it.
 */
#ifndef SLUICE_COMPARE_SCAN_H
#define SLUICE_COMPARE_SCAN_H

#include "compare.h"
#include "compare_point.h"

/* Fills the buckets.  Those of `tables` that changed since the snapshots are marked `changed`, with a reason in
 * `memory`. */
MUST_CHECK bool compare_scan_run(struct compare_point *point, struct compare_table **tables, unsigned count,
								 struct arena *memory, struct error *err);

/* Locks one table on both sides; `same`: it has not changed since the snapshots.  End with compare_scan_leave(), also
 * where it has. */
MUST_CHECK bool compare_scan_enter(const struct compare_ends *ends, const struct compare_plan *plan,
								   bool *same, struct error *err);
MUST_CHECK bool compare_scan_leave(const struct compare_ends *ends, struct error *err);

#endif
