/*
 * Upkeep of the targets where the server does none (Greenplum): carries out what upkeep_plan.h decides, VACUUM and
 * ANALYZE, on a session of its own, while batches are applied on another.
 *
 * Everything happens in callbacks of the loop: opening the session, too.  Nothing waits for it, and its failures are no
 * failures of the stream: the session is opened when something is due, and ended when nothing is any more.
 *
 *	RESTING ► OPENING ► PINNING ► READY ◄► RUNNING ► RESTING
 *
 * A batch that waits while a statement holds a lock on a target of it cancels that statement.
 */
#ifndef SLUICE_UPKEEP_H
#define SLUICE_UPKEEP_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "merge/batch.h"
#include "monitor/metrics.h"
#include "tables/catalog.h"

struct upkeep;

struct upkeep_setup {
	struct loop *loop;
	const struct config *config;
	const struct dialect *dialect;
	struct catalog *catalog;		/* is told what is stored of its tables */
	struct connection *destination; /* whose batches are not to wait … */
	struct connection *control;		/* … nor what else is done there */
	struct metrics *metrics;		/* or NULL */
	/* Whether what the destination does or is about to do touches that target. */
	bool (*busy)(void *arg, uint32_t target_oid);
	void *arg;
};

/* NULL where the server does it all; the others take NULL. */
struct upkeep *upkeep_create(const struct upkeep_setup *setup);
/* A batch was applied. */
void upkeep_applied(struct upkeep *upkeep, const struct batch *batch);
/* While the task is paused nothing of it may change the destination: cancels what runs.  Whether that has ended. */
bool upkeep_hold(struct upkeep *upkeep, bool hold);
/* Nothing more will be applied: does what is due, and pumps the loop meanwhile. */
void upkeep_finish(struct upkeep *upkeep);
/* Cancels what runs.  `store`: the control session still works; what was counted is written down over it. */
void upkeep_destroy(struct upkeep *upkeep, bool store);

#endif
