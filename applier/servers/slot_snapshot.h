/*
 * A slot of this program at the source, with the snapshot that the server exports as it creates it: what committed
 * before the slot's position is in the snapshot, and the slot's stream begins with the rest.
 *
 * Making a slot waits for the transactions that are open at the source, for hours where they last hours.
 */
#ifndef SLUICE_SLOT_SNAPSHOT_H
#define SLUICE_SLOT_SNAPSHOT_H

#include "base/config.h"
#include "io/connection.h"

/* `err` is NULL where the slot has been made. */
typedef void (*slot_snapshot_done)(void *arg, const struct error *err);

struct slot_snapshot {
	/* Holds the snapshot, and a temporary slot, for as long as nothing else is asked of it. */
	struct connection *replication;
	char slot[64];
	char name[128]; /* for slot_snapshot_use() */
	uint64_t lsn;	/* of the slot */

	/* slot_snapshot_begin()'s */
	slot_snapshot_done done;
	void *arg;
};

/*
 * Makes the slot and pumps the loop meanwhile.  `slot` NULL: a temporary one, whose name begins with `purpose`,
 * a word such as "copy".  Where a stop is requested meanwhile, `source` ends the walsender, which would not
 * notice by itself that its client has gone.
 */
MUST_CHECK bool slot_snapshot_take(struct slot_snapshot *snapshot, struct loop *loop,
								   const struct config *config, const char *slot, const char *purpose,
								   struct connection *source, struct error *err);
/* A temporary slot, in callbacks; the struct stays where it is until `done` was called, or it is released. */
MUST_CHECK bool slot_snapshot_begin(struct slot_snapshot *snapshot, struct loop *loop,
									const struct config *config, const char *purpose, slot_snapshot_done done,
									void *arg, struct error *err);
/* Ends the connection, and with it the snapshot and a temporary slot; also where nothing was taken. */
void slot_snapshot_release(struct slot_snapshot *snapshot);

/* Begins a transaction that sees what the exported snapshot sees; ERROR_RETRY where it is gone. */
MUST_CHECK bool slot_snapshot_use(struct connection *source, const char *name, struct error *err);

#endif
