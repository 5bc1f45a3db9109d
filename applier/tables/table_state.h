/*
 * The state of a table, which is kept in sluice.tables and in struct table, and the moves between states.
 *
 *	waiting ───────► copying ───────┐                    copied
 *	(first copy)                    ├─ in parts ► copying_parts ─┐
 *	waiting_again ─► copying_again ─┘            │               ├─► catching_up ─► streaming
 *	(rows are ours)                              └─ as a whole ──┤                    ▲
 *	   ▲                                                         └─► replaying ───────┘
 *	   │                                                             (in the background)
 *	   └── from catching_up, streaming: the copy is void; from held: its target fits; from held_for_resync: "table resync"
 *
 *	any of them ─► held (until its target fits), held_for_resync (until "table resync")
 *	waiting_again, catching_up, streaming, held … ─► waiting: others have replaced the target
 *
 *	waiting          for its first copy: initial_copy.existing decides about rows that are in the target
 *	copying          that copy is under way, in one transaction: nothing of it is there before its end
 *	waiting_again    to be copied again: the rows in the target are ours, and cleared first
 *	copying_again    that is under way, in one transaction that begins by clearing them
 *	copying_parts    rows of one snapshot's parts are there, and nothing else; sluice.tables.rebuild has the statements
 *	                 that end the copy
 *	replaying        copied while the others stream; what was set aside meanwhile is not durable yet
 *	catching_up      copied at a snapshot that is ahead of the stream's position
 *	streaming
 *	held             until its target fits
 *	held_for_resync  until a person asks for a new copy with "table resync"
 *	dropped          gone from the source: a row without table, which says that the rows in the target are ours, for
 *	                 another table of the name
 *
 * With the process that made it a copy that is not finished ends: then copying is waiting again, and copying_again,
 * copying_parts and replaying are waiting_again.
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

/* As it is stored. */
const char *table_state_name(enum table_state state);
/* As a person sees it: waiting, copying, catching_up, streaming, held. */
const char *table_state_shown(enum table_state state);
MUST_CHECK bool table_state_parse(const char *name, enum table_state *state);
bool table_state_may_follow(enum table_state from, enum table_state to);

/* The one place that changes table->state, but for what is read from sluice.tables.  A move that the drawing above does not
 * have is a bug, and ends the process. */
void table_move(struct table *table, enum table_state state);
/* Its copy begins, or ends without having come to anything. */
void table_begin_copy(struct table *table);
void table_abandon_copy(struct table *table);

/* It waits for a copy, or is being copied. */
bool table_waits(const struct table *table);
bool table_is_copying(const struct table *table);
/* … and the rows that are in the target meanwhile are ours: they are cleared first. */
bool table_has_old_rows(const struct table *table);
/* Its rows are there, and it takes the changes of the stream, or those that were set aside. */
bool table_follows(const struct table *table);
bool table_is_held(const struct table *table);

#endif
