/*
 * A replication slot together with the snapshot that the server exports when it creates the slot. The
 * snapshot shows what committed before the slot's position; the slot's stream has everything after it.
 *
 * Creating a slot waits for all transactions that are open at the source, however long they last.
 */
#ifndef SLUICE_SLOT_SNAPSHOT_H
#define SLUICE_SLOT_SNAPSHOT_H

#include "base/config.h"
#include "io/connection.h"

/* `err` is NULL if the slot has been made. */
typedef void (*slot_snapshot_done)(void *arg, const struct error *err);

struct slot_snapshot {
	/* Keeps the snapshot, and a temporary slot, as long as no other command is sent on it. */
	struct connection *replication;
	char slot[64];
	char name[128]; /* for slot_snapshot_use() */
	uint64_t lsn;	/* of the slot */

	/* the callback of slot_snapshot_begin() */
	slot_snapshot_done done;
	void *arg;
};

/*
 * Makes the slot, running the loop until it exists. `slot` NULL makes a temporary slot whose name contains
 * `purpose`, a word such as "copy". If a stop is requested meanwhile, the walsender is terminated over
 * `source`, since it would not notice that its client has gone. `turn` (NULL: none) is called in each turn of the loop.
 */
MUST_CHECK bool slot_snapshot_take(struct slot_snapshot *snapshot, struct loop *loop,
								   const struct config *config, const char *slot, const char *purpose,
								   struct connection *source, loop_callback turn, void *turn_arg,
								   struct error *err);
/*
 * Makes a temporary slot without running the loop. The struct must not move until `done` was called or the
 * snapshot was released.
 */
MUST_CHECK bool slot_snapshot_begin(struct slot_snapshot *snapshot, struct loop *loop,
									const struct config *config, const char *purpose, slot_snapshot_done done,
									void *arg, struct error *err);
/* Closes the connection, which ends the snapshot and a temporary slot. Allowed if nothing was taken. */
void slot_snapshot_release(struct slot_snapshot *snapshot);

/* Begins a transaction with the exported snapshot; ERROR_RETRY if that is gone. */
MUST_CHECK bool slot_snapshot_use(struct connection *source, const char *name, struct error *err);

#endif
