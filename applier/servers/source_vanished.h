/*
 * Tables of the source that others drop or create while catalogs are read: which are gone, which are not
 * visible yet, and which errors mean nothing else.
 */
#ifndef SLUICE_SOURCE_VANISHED_H
#define SLUICE_SOURCE_VANISHED_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Finds a table that transaction `xid` mentioned in the stream: whether it exists now, and whether that
 * transaction is visible yet (a commit reaches the stream before it becomes visible).
 */
MUST_CHECK bool source_find_table(struct connection *source, uint32_t oid, uint32_t xid, bool *exists,
								  bool *visible, struct error *err);
/*
 * Reads the present names of tables: rows of OID, schema and name, none for a table that is gone.
 */
MUST_CHECK bool source_read_names(struct connection *source, const uint32_t *oids, unsigned count,
								  struct result **res, struct error *err);
/*
 * Removes tables from the catalog that were dropped while it was read. Some queries return no rows for
 * them and others wrong values, since functions of the server (rights, sizes, expressions) read the
 * present catalog. ERROR_RESTART if a table to be made was dropped.
 */
MUST_CHECK bool source_remove_vanished(struct connection *source, struct catalog *catalog, struct error *err);
/*
 * Whether the error means that an object no longer exists, as happens when tables are dropped while
 * catalogs are read.
 */
bool source_is_vanished(const struct error *err);
/*
 * Turns such an error into ERROR_RESTART, so that the next attempt reads the present catalogs. The server's words, which
 * may be internal ones, become the hint: planned restarts do not show it, but too many of them do.
 */
void source_restart_if_vanished(struct error *err);

#endif
