/*
 * Targets whose tables swap names: a target gives up a name that another table's target is to get.
 */
#ifndef SLUICE_SCHEMA_NAME_H
#define SLUICE_SCHEMA_NAME_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * The source has given the name schema.name to `table`, so another table of the task whose target has it has lost it:
 * until that one's turn comes its target, and the table, go by a third name, as if the source had called it so.  Nothing
 * is done where no target is in the way, or one that an override names.
 */
MUST_CHECK bool schema_make_way(struct connection *destination, const char *task,
								const struct catalog *catalog, const struct table *table, const char *schema,
								const char *name, struct error *err);

/* The table of the task, other than this one, whose target has the name; NULL: none. */
struct table *schema_find_holder(const struct catalog *catalog, const struct table *table, const char *schema,
								 const char *name);

#endif
