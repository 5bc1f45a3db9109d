/*
 * Other tasks that write to a target of this task, found in sluice.tables, which all tasks of a
 * destination share.
 *
 * Rows of other tasks in a target must not be cleared or truncated along with the task's own.
 */
#ifndef SLUICE_FEEDERS_H
#define SLUICE_FEEDERS_H

#include "base/arena.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * For each table of the catalog, the name of another task that feeds its target; NULL: none does.
 * Allocated in `memory`.
 */
MUST_CHECK bool feeders_read(struct connection *destination, const char *task, const struct catalog *catalog,
							 struct arena *memory, const char ***feeders, struct error *err);

/* The same for one table. */
MUST_CHECK bool feeders_find(struct connection *destination, const char *task, const struct table *table,
							 struct arena *memory, const char **feeder, struct error *err);

#endif
