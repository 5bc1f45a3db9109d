#include "table_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "catalog.h"

#define TO(state) (1u << TABLE_##state)
#define TO_COPIED (TO(REPLAYING) | TO(CATCHING_UP) | TO(STREAMING))
#define TO_HELD (TO(HELD) | TO(HELD_FOR_RESYNC))

static const struct {
	const char *name;
	const char *shown;
	unsigned next; /* the states that may follow, as bits */
} states[] = {
	[TABLE_WAITING] = {"waiting", "waiting", TO(COPYING) | TO(STREAMING) | TO(WAITING_AGAIN) | TO_HELD},
	[TABLE_COPYING] = {"copying", "copying", TO(WAITING) | TO(COPYING_PARTS) | TO_COPIED | TO_HELD},
	[TABLE_WAITING_AGAIN] = {"waiting_again", "waiting", TO(COPYING_AGAIN) | TO(WAITING) | TO_HELD},
	[TABLE_COPYING_AGAIN] = {"copying_again", "copying",
							 TO(WAITING_AGAIN) | TO(COPYING_PARTS) | TO_COPIED | TO_HELD},
	[TABLE_COPYING_PARTS] = {"copying_parts", "copying", TO(WAITING_AGAIN) | TO_COPIED | TO_HELD},
	[TABLE_REPLAYING] = {"replaying", "catching_up", TO(WAITING_AGAIN) | TO(STREAMING) | TO_HELD},
	[TABLE_CATCHING_UP] = {"catching_up", "catching_up",
						   TO(STREAMING) | TO(WAITING) | TO(WAITING_AGAIN) | TO_HELD},
	[TABLE_STREAMING] = {"streaming", "streaming", TO(WAITING) | TO(WAITING_AGAIN) | TO_HELD},
	[TABLE_HELD] = {"held", "held", TO(WAITING) | TO(WAITING_AGAIN) | TO_HELD},
	[TABLE_HELD_FOR_RESYNC] = {"held_for_resync", "held", TO(WAITING) | TO(WAITING_AGAIN) | TO_HELD},
	[TABLE_DROPPED] = {"dropped", "dropped", 0},
};

const char *
table_state_name(enum table_state state)
{
	return states[state].name;
}

const char *
table_state_shown(enum table_state state)
{
	return states[state].shown;
}

bool
table_state_parse(const char *name, enum table_state *state)
{
	for (unsigned i = 0; i < TABLE_STATE_COUNT; i++) {
		if (strcmp(name, states[i].name) != 0)
			continue;
		*state = (enum table_state) i;
		return true;
	}
	return false;
}

bool
table_state_may_follow(enum table_state from, enum table_state to)
{
	return states[from].next & (1u << to);
}

void
table_move(struct table *table, enum table_state state)
{
	if (!table_state_may_follow(table->state, state)) {
		log_error("bug: %s.%s cannot go from %s to %s", table->source.schema, table->source.name,
				  states[table->state].name, states[state].name);
		abort();
	}
	log_debug("%s.%s: %s, before %s", table->source.schema, table->source.name, states[state].name,
			  states[table->state].name);
	table->state = state;
}

void
table_begin_copy(struct table *table)
{
	table_move(table, table->state == TABLE_WAITING ? TABLE_COPYING : TABLE_COPYING_AGAIN);
}

void
table_abandon_copy(struct table *table)
{
	table_move(table, table->state == TABLE_COPYING ? TABLE_WAITING : TABLE_WAITING_AGAIN);
}

bool
table_waits(const struct table *table)
{
	return table->state <= TABLE_COPYING_PARTS;
}

bool
table_is_copying(const struct table *table)
{
	return table->state == TABLE_COPYING || table->state == TABLE_COPYING_AGAIN ||
		   table->state == TABLE_COPYING_PARTS;
}

bool
table_has_old_rows(const struct table *table)
{
	return table->state == TABLE_WAITING_AGAIN || table->state == TABLE_COPYING_AGAIN ||
		   table->state == TABLE_COPYING_PARTS;
}

bool
table_follows(const struct table *table)
{
	return table->state == TABLE_REPLAYING || table->state == TABLE_CATCHING_UP ||
		   table->state == TABLE_STREAMING;
}

bool
table_is_held(const struct table *table)
{
	return table->state == TABLE_HELD || table->state == TABLE_HELD_FOR_RESYNC;
}
