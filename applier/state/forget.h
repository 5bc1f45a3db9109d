/*
 * Tables that have left a task: no longer selected, or dropped at the source.  Their targets stay.  The row of a table
 * that is no longer selected is deleted.  That of a dropped table is kept as long as its target exists: it says that
 * the rows in the target are the task's, for another table that gets the same name.
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

/* Whether the configuration selects the source's table at this moment. */
typedef bool (*forget_is_selected)(void *arg, uint32_t oid, bool *selected, struct error *err);

/* Forgets and logs them; where another table has the name of one that was dropped by now, its target gives way.
 * Not forgotten are those that are UNLOGGED for the time being: they are held.  A table that is selected (again) since
 * the catalog was read, as by SET LOGGED, is an ERROR_RESTART. */
MUST_CHECK bool forget_tables(struct connection *source, struct connection *destination, const char *task,
							  const struct catalog *catalog, forget_is_selected is_selected, void *arg,
							  struct error *err);

#endif
