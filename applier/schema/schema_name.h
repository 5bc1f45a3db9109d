/*
 * Targets whose source tables swap names, or take the name of a dropped one: a target gives up the name that another
 * table's target is to get.
 */
#ifndef SLUICE_SCHEMA_NAME_H
#define SLUICE_SCHEMA_NAME_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * The source has given the name schema.name to `table`.  If another table's target still has that name, its own rename
 * follows in the stream; until then that table and its target get a temporary name, as if the source had renamed it so.
 * The target of a dropped table keeps another name for good (forget.h).  Does nothing where no target has the name, or
 * where an override gave it.
 */
MUST_CHECK bool schema_name_make_way(struct connection *destination, const char *task,
									 const struct catalog *catalog, const struct table *table,
									 const char *schema, const char *name, struct error *err);

/* Whether the target has that temporary name. */
bool schema_name_is_temporary(const struct table *table);

/* The other table of the task whose target has the name; NULL: none. */
struct table *schema_name_find_holder(const struct catalog *catalog, const struct table *table,
									  const char *schema, const char *name);

#endif
