/*
 * The order in which a batch is sent to the destination, over all of its
 * tables:
 *
 *	truncates ──► fetches ──► deletes ──► updates ──► inserts
 *
 * A fetch reads values that only the target has, before the batch deletes
 * anything (merge_plan.h). Since all deletes come before all updates and
 * inserts, a key, or a value of another unique constraint, may move from one
 * row to another and from one source of a shared target to another.
 *
 * The caller executes one step after the other in one transaction of the
 * destination. The steps live in the batch's arena.
 */
#ifndef SLUICE_BATCH_ORDER_H
#define SLUICE_BATCH_ORDER_H

#include "batch.h"
#include "merge_plan.h"
#include "stagings.h"

struct batch_order {
	struct batch *batch;
	const struct dialect *dialect;
	enum merge_manner manner;
	struct stagings *stagings;
	struct merge_plan *plans; /* which of the batch's nets */
	struct merge_step *next;  /* the plan of the net entered last; NULL: no table is left */
	enum merge_phase phase;
	unsigned net; /* the next step of this phase */
};

/* The batch, the dialect and the stagings must outlive the order. Tables that the batch holds are left out. */
void batch_order_init(struct batch_order *order, struct batch *batch, const struct dialect *dialect,
					  enum merge_manner manner, struct stagings *stagings);
/* The next step; NULL: after the last. False when a table's changes cannot be planned. */
MUST_CHECK bool batch_order_next(struct batch_order *order, struct merge_step **step, struct error *err);

#endif
