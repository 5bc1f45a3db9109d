/*
 * Targets that the program made for a table's first copy, and that have lost
 * their table before it: renamed, or dropped, at the source.
 */
#ifndef SLUICE_SCHEMA_ORPHAN_H
#define SLUICE_SCHEMA_ORPHAN_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Drops those whose names tables of the catalog need that wait for their first copy, so that they get targets of their own
 * definitions.  An orphan was made by the program, is empty, and no table of any task uses it; what the destination
 * refuses to drop stays.  To be called with the states read, and before the targets are.
 */
MUST_CHECK bool schema_drop_orphans(struct connection *destination, const char *task,
									const struct catalog *catalog, struct error *err);

#endif
