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

/*
 * Makes sure that the task's slot is a failover slot. `replication` is the connection that will stream
 * from it.
 */
MUST_CHECK bool failover_mark_slot(struct connection *replication, const struct config *config,
								   struct error *err);

/*
 * After a standby was promoted, the source's timeline differs from the task's. If the new timeline's
 * history includes everything that was applied, sets the task's timeline to the new one, in `progress`
 * only. Otherwise nothing changes, and the precheck reports it.
 */
MUST_CHECK bool failover_follow(struct loop *loop, const struct config *config, struct connection *source,
								struct progress *progress, struct error *err);

/*
 * Finds in a history file (lines "1\t0/5000000\treason\n") the LSN at which timeline `former` was left;
 * false if it is not an ancestor.
 */
bool failover_find_switch(const char *history, int64_t former, uint64_t *lsn);

#endif
