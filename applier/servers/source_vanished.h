/*
 * Tables of the source that others drop or make while catalogs are read: which are gone, which cannot be
 * seen yet, and which errors mean no more than that.
 */
#ifndef SLUICE_SOURCE_VANISHED_H
#define SLUICE_SOURCE_VANISHED_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Finds a table that the stream has mentioned in transaction `xid`:
 * whether it exists now, and whether that transaction's work can be seen yet
 * (a commit reaches the stream before it becomes visible).
 */
MUST_CHECK bool source_find_table(struct connection *source, uint32_t oid, uint32_t xid, bool *exists,
								  bool *visible, struct error *err);
/* Takes tables out of the catalog that were dropped while they were read: of some queries they have no rows, and of others
 * nonsense, since functions of the server (rights, sizes, expressions) read the present catalog.  An ERROR_RESTART where that concerns the definition of a table to be made. */
MUST_CHECK bool source_remove_vanished(struct connection *source, struct catalog *catalog, struct error *err);
/* Whether the error is that of an object which was there a moment ago, as in a catalog that is read while others drop
 * tables. */
bool source_is_vanished(const struct error *err);
/* Then the next attempt reads what is there. */
void source_restart_if_vanished(struct error *err);

#endif
