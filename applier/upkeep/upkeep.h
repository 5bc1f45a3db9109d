/*
 * Upkeep of the targets, in a session of its own, while batches are applied in
 * another: the VACUUM and ANALYZE that upkeep_plan.h decides on, where the server
 * does neither (Greenplum), and the statements by which the indexes of targets
 * follow those of the source (index_follow.h).
 *
 * Everything happens in callbacks of the loop, including opening the session.
 * Nothing waits for upkeep, and its failures do not end the stream. The session
 * is opened when something is due, and closed when nothing is left.
 *
 *	RESTING ► OPENING ► PINNING ► READY ◄► RUNNING ► RESTING
 *
 * When a batch waits for a lock on the target that a statement works on, that
 * statement is cancelled.
 */
#ifndef SLUICE_UPKEEP_H
#define SLUICE_UPKEEP_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "index_follow.h"
#include "io/connection.h"
#include "merge/batch.h"
#include "monitor/metrics.h"
#include "tables/catalog.h"

struct upkeep;

struct upkeep_setup {
	struct loop *loop;
	const struct config *config;
	const struct dialect *dialect;
	struct catalog *catalog;		/* its tables get the stored counts */
	struct connection *destination; /* applies the batches, which must not wait for upkeep, … */
	struct connection *control;		/* … nor must other statements at the destination */
	struct metrics *metrics;		/* NULL: none */
	uint64_t applied_lsn;			/* where the destination is */
	/* Whether the destination is, or will soon be, changing that target. */
	bool (*busy)(void *arg, uint32_t target_oid);
	void *arg;
};

struct upkeep *upkeep_create(const struct upkeep_setup *setup);
/* To be called after each batch; `lsn` is where the destination is now, or 0 within a transaction. */
void upkeep_applied(struct upkeep *upkeep, const struct batch *batch, uint64_t lsn);
struct index_follow *upkeep_indexes(struct upkeep *upkeep);
/* During a pause upkeep must not change the destination: cancels the running statement. True when none runs any
 * more. */
bool upkeep_hold(struct upkeep *upkeep, bool hold);
/* At the end of a run: executes what is due, and pumps the loop meanwhile. */
void upkeep_finish(struct upkeep *upkeep);
/* Cancels the running statement. `store`: the control session still works, so the counts are stored through it. */
void upkeep_destroy(struct upkeep *upkeep, bool store);

#endif
