/*
 * Tables that a task had and has no more: left out of the selection, or
 * dropped at the source.  Their targets stay.  The row of one that was left out goes; that of a dropped one is kept,
 * as long as there is its target, and says that the rows in there are the task's, for another table of the name.
 */
#ifndef SLUICE_FORGET_H
#define SLUICE_FORGET_H

#include "io/connection.h"
#include "tables/catalog.h"

struct forgotten {
	const char *schema; /* of the source */
	const char *name;
	const char *oid;
	const char *target_schema;
	const char *target_name;
	enum table_state state;
};

/* Those that sluice.tables has and the catalog has not, by name; in `memory`. */
MUST_CHECK bool forget_find(struct connection *destination, const char *task, const struct catalog *catalog,
							struct arena *memory, struct forgotten **found, unsigned *count,
							struct error *err);

/* Forgets and logs them; where another table has the name of one that was dropped by now, its target gives way.
 * Not forgotten are those that are UNLOGGED for the time being: they are held. */
MUST_CHECK bool forget_tables(struct connection *source, struct connection *destination, const char *task,
							  const struct catalog *catalog, struct error *err);

#endif
