/*
 * Other tasks that write to a target of this one: all tasks of a destination share sluice.tables.
 *
 * Their rows in a target must not be cleared or truncated with the task's own.
 */
#ifndef SLUICE_FEEDERS_H
#define SLUICE_FEEDERS_H

#include "base/arena.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* For each table of the catalog the name of another task that feeds its target, NULL: none does; in `memory`. */
MUST_CHECK bool feeders_read(struct connection *destination, const char *task, const struct catalog *catalog,
							 struct arena *memory, const char ***feeders, struct error *err);

/* Of one table. */
MUST_CHECK bool feeders_find(struct connection *destination, const char *task, const struct table *table,
							 struct arena *memory, const char **feeder, struct error *err);

#endif
