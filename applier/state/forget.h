/*
 * Tables that a task had and has no more: left out of the selection, or
 * dropped at the source.  Their rows in sluice.tables go; their targets stay.
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
};

/* Those that sluice.tables has and the catalog has not, by name; in `memory`. */
MUST_CHECK bool forget_find(struct connection *destination, const char *task, const struct catalog *catalog,
							struct arena *memory, struct forgotten **found, unsigned *count,
							struct error *err);

/* Removes and logs them; where another table has the name of one that was dropped by now, its target gives way.
 * Not removed are those that are UNLOGGED for the time being: they are held. */
MUST_CHECK bool forget_tables(struct connection *source, struct connection *destination, const char *task,
							  const struct catalog *catalog, struct error *err);

#endif
