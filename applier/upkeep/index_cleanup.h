/* What is done about followed indexes (index_follow.h) outside of the stream, each at once. */
#ifndef SLUICE_INDEX_CLEANUP_H
#define SLUICE_INDEX_CLEANUP_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * At the start of an attempt: finds out whose indexes follow and which of them differ, drops what the source has no more, and
 * tidies.  A state that is not installed yet has no indexes.  True: some were dropped, which the catalog still has.
 */
bool index_cleanup_start(struct connection *source, struct connection *control, const struct config *config,
						 struct catalog *catalog);

enum index_cleanup {
	INDEX_CLEANUP_NOTHING, /* there was none, or the servers would not say */
	INDEX_CLEANUP_DROPPED,
	INDEX_CLEANUP_LOCKED, /* those that may have caused the refusal are locked by others */
};

/*
 * Drops ours that the source has no more, since they may refuse rows: a unique one from the time when the target was created, one
 * whose expression fails, one whose entries have a limit.  What is locked stays, and failures are only logged.
 *
 * `refusal` NULL, or an error about rows.  Of its table also those are dropped that may have caused it, although the source has them:
 * unique ones that it has made again, between which rows need not have been unique; and any other, for an error that an expression
 * or a long entry causes, since they may have been built before such rows came.
 */
enum index_cleanup index_cleanup_drop(struct connection *source, struct connection *control,
									  const struct config *config, struct catalog *catalog,
									  const struct error *refusal);
/* Whether such an error may be one that an index causes. */
bool index_cleanup_may_help(const struct error *refusal);
/*
 * Those of one table that the source has no more, within the open transaction in which its target is about to be altered: they may
 * forbid that.  Waits for readers, as the ALTER TABLE does.
 */
MUST_CHECK bool index_cleanup_drop_inside(struct connection *source, struct connection *destination,
										  const struct config *config, struct table *table,
										  struct error *err);

/*
 * When the task is dropped: removes its indexes that were not completed.  One that cannot be dropped is named in the log.
 */
MUST_CHECK bool index_cleanup_end(struct connection *destination, const char *task, struct error *err);

#endif
