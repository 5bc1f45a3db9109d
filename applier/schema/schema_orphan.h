/*
 * Orphans: targets that the program created for a table's first copy, whose table was renamed, dropped or altered at the
 * source before that copy.
 */
#ifndef SLUICE_SCHEMA_ORPHAN_H
#define SLUICE_SCHEMA_ORPHAN_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Drops each orphan whose name a table needs that waits for its first copy, so that a target is created from that
 * table's present definition.  An orphan is empty, and no table of any task uses it; one that the destination refuses to drop
 * stays.  Call it after the states are read and before the targets are.
 */
MUST_CHECK bool schema_orphan_drop_all(struct connection *destination, const char *task,
									   const struct catalog *catalog, struct error *err);

#endif
