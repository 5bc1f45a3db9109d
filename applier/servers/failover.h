/*
 * Failover slots (source.failover, PostgreSQL 17 and later), and how a task
 * continues after a switchover.
 */
#ifndef SLUICE_FAILOVER_H
#define SLUICE_FAILOVER_H

#include "base/config.h"
#include "io/connection.h"
#include "state/progress.h"

#define FAILOVER_VERSION_MIN 170000

/* Makes sure that the slot is one; over the connection that is going to stream from it. */
MUST_CHECK bool failover_mark_slot(struct connection *replication, const struct config *config,
								   struct error *err);

/*
 * The source's timeline differs from the task's when a standby was promoted.  Where the new one's
 * history has everything that was applied, the task's becomes the new one, in `progress` alone; otherwise
 * nothing changes, and the precheck says so.
 */
MUST_CHECK bool failover_follow(struct loop *loop, const struct config *config, struct connection *source,
								struct progress *progress, struct error *err);

/* When the timeline `former` was left, by a history file: "1\t0/5000000\treason\n"; false: it is none of its ancestors. */
bool failover_find_switch(const char *history, int64_t former, uint64_t *lsn);

#endif
