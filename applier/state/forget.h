/*
 * Tables that have left a task: no longer selected, or dropped at the source. Their targets stay. The row
 * of a table that is no longer selected is deleted. The row of a dropped table is kept as long as its
 * target exists: if another table gets the same name, that row shows that the rows in the target are the
 * task's.
 */
#ifndef SLUICE_FORGET_H
#define SLUICE_FORGET_H

#include "io/connection.h"
#include "tables/catalog.h"

struct forgotten {
	const char *schema; /* schema at the source */
	const char *name;
	const char *oid;
	const char *target_schema;
	const char *target_name;
	enum table_state state;
};

/*
 * Finds tables that are in sluice.tables but not in the catalog, ordered by name; allocated in `memory`.
 */
MUST_CHECK bool forget_find(struct connection *destination, const char *task, const struct catalog *catalog,
							struct arena *memory, struct forgotten **found, unsigned *count,
							struct error *err);

/* Whether the configuration selects the source's table now. */
typedef bool (*forget_is_selected)(void *arg, uint32_t oid, bool *selected, struct error *err);

/*
 * Forgets these tables and logs it. If another table now has the name of a dropped one, the dropped
 * table's target is renamed. A table that is UNLOGGED is held instead of forgotten. ERROR_RESTART if a
 * table is selected again since the catalog was read, for instance after SET LOGGED, or if that rename
 * removed the reason why a table is held.
 */
MUST_CHECK bool forget_tables(struct connection *source, struct connection *destination, const char *task,
							  const struct catalog *catalog, forget_is_selected is_selected, void *arg,
							  struct error *err);
/* Renames the target of this name, which another table's target is to get, if it is that of a dropped table of the task. */
MUST_CHECK bool forget_free_name(struct connection *destination, const char *task, const char *target_schema,
								 const char *target_name, struct error *err);

#endif
