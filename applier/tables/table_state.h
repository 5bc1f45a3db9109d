/*
 * The state of a table, which is kept in sluice.tables and in struct table, and the transitions between states.
 *
 *	waiting ───────► copying ───────┐                    copied
 *	(first copy)                    ├─ in parts ► copying_parts ─┐
 *	waiting_again ─► copying_again ─┘            │               ├─► catching_up ─► streaming
 *	(rows are ours)                              └─ as a whole ──┤                    ▲
 *	   ▲                                                         └─► replaying ───────┘
 *	   │                                                             (in the background)
 *	   └── from catching_up, streaming: the copy is void; from held: its target fits again; from held_for_resync: "table resync"
 *
 *	any state ─► held (until its target fits), held_for_resync (until "table resync")
 *	waiting_again, catching_up, streaming, held … ─► waiting: others have replaced the target
 *
 *	waiting          waits for its first copy; initial_copy.existing decides about rows in the target
 *	copying          the first copy runs, in one transaction: the target shows nothing of it before the end
 *	waiting_again    waits to be copied again; the rows in the target are ours and are cleared first
 *	copying_again    that copy runs, in one transaction that begins by clearing the rows
 *	copying_parts    the target holds only rows of parts, all of one snapshot; sluice.tables.rebuild has the
 *	                 statements that end the copy
 *	replaying        copied in the background; the changes that were set aside meanwhile are not durable yet
 *	catching_up      copied at a snapshot that is newer than the stream's position
 *	streaming        caught up; changes are applied as they come
 *	held             stands still until its target fits
 *	held_for_resync  stands still until a person asks for a new copy with "table resync"
 *	dropped          gone from the source; only a row, without a struct table.  It shows that the rows in the target
 *	                 are ours, in case another table gets the name
 *
 * An unfinished copy ends with its process.  At the next start copying then becomes waiting; copying_again,
 * copying_parts and replaying become waiting_again.
 */
#ifndef SLUICE_TABLE_STATE_H
#define SLUICE_TABLE_STATE_H

#include <stdbool.h>

#include "base/error.h"

enum table_state {
	TABLE_WAITING,
	TABLE_COPYING,
	TABLE_WAITING_AGAIN,
	TABLE_COPYING_AGAIN,
	TABLE_COPYING_PARTS,
	TABLE_REPLAYING,
	TABLE_CATCHING_UP,
	TABLE_STREAMING,
	TABLE_HELD,
	TABLE_HELD_FOR_RESYNC,
	TABLE_DROPPED,
};

#define TABLE_STATE_COUNT (TABLE_DROPPED + 1)

struct table;

/* The name that is stored in sluice.tables. */
const char *table_state_name(enum table_state state);
/* The name that people see: waiting, copying, catching_up, streaming, held, dropped. */
const char *table_state_shown(enum table_state state);
MUST_CHECK bool table_state_parse(const char *name, enum table_state *state);
bool table_state_may_follow(enum table_state from, enum table_state to);

/*
 * The only function that changes table->state, except for reading it from sluice.tables. A transition that
 * is not in the drawing above is a bug and ends the process.
 */
void table_move(struct table *table, enum table_state state);
/* The copy begins, or ends without a result. */
void table_begin_copy(struct table *table);
void table_abandon_copy(struct table *table);

/* Whether the table is waiting for a copy or being copied; or only being copied. */
bool table_waits(const struct table *table);
bool table_is_copying(const struct table *table);
/*
 * Whether the table waits for a copy, or is being copied, and its target's rows are ours: they are cleared
 * first.
 */
bool table_has_old_rows(const struct table *table);
/* Whether the rows are copied and the table takes changes, from the stream or from those set aside. */
bool table_follows(const struct table *table);
bool table_is_held(const struct table *table);

#endif
