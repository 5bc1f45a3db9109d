/*
 * Copies tables while the others stream: new ones, ones that are to be copied
 * again, ones whose copy was interrupted.
 *
 *	snapshot ──► copying ──► building ──► replaying ──► settling ──► idle
 *	a temporary  initial_    indexes      backlog is    until that
 *	slot's       copy                     applied       is durable
 *
 * From before the snapshot is taken, the stream's changes of these tables go
 * into a backlog.  The copy holds all that committed before the snapshot's LSN;
 * what committed later is applied from the backlog, between the transactions of
 * the stream and in the same batches, until the backlog is empty.  Then the
 * tables have caught up and are followed like all others.
 *
 * The backlog does not outlive the process, so a copied table is complete only
 * once its state is `streaming`.  Until then it is `replaying` (table_state.h),
 * and every new attempt copies it again.
 */
#ifndef SLUICE_BACKGROUND_COPY_H
#define SLUICE_BACKGROUND_COPY_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "fold.h"
#include "io/connection.h"
#include "monitor/monitor.h"
#include "pipeline.h"
#include "tables/catalog.h"

struct background_copy;
struct backlog;

struct background_copy_setup {
	struct loop *loop;
	const struct config *config;
	const struct dialect *dialect;
	struct catalog *catalog;
	struct connection *control; /* to the destination, for everything but batches */
	int64_t epoch;
	struct monitor *monitor; /* gets the progress of the copies; NULL: none */
};

/* Whether tables wait for a copy, and the spill directory can hold the backlog. */
bool background_copy_is_possible(const struct config *config, const struct catalog *catalog);

/* For the catalog's tables that wait for a copy; must be created before the first change is folded. */
struct background_copy *background_copy_create(const struct background_copy_setup *setup);
/* May be called at any time; pumps the loop for a short while. */
void background_copy_destroy(struct background_copy *background);

struct backlog *background_copy_backlog(const struct background_copy *background);
bool background_copy_has_begun(const struct background_copy *background);
bool background_copy_is_idle(const struct background_copy *background);

/* Takes the next step if it is due; not to be called from a callback. */
MUST_CHECK bool background_copy_turn(struct background_copy *background, const struct pipeline *pipeline,
									 struct error *err);
/* In state replaying: folds about `bytes` of the backlog; only between two transactions of the stream.  `more`: some is
 * left that can be folded at once. */
MUST_CHECK bool background_copy_fold(struct background_copy *background, struct fold *fold,
									 struct pipeline *pipeline, size_t bytes, bool *more, struct error *err);

#endif
