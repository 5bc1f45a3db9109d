/*
 * Definitions outside the stream: rewrites, which the stream does not show,
 * changes while no daemon ran, and tables that are held or copied again.
 */
#ifndef SLUICE_SCHEMA_WATCH_H
#define SLUICE_SCHEMA_WATCH_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "schema_note.h"
#include "tables/catalog.h"

/*
 * Compares a table that follows with the source's catalog.  A rewrite is noted, with an ERROR_RESTART.  Changed storage
 * and column versions without a rewrite are taken over, and `moved` is set.
 */
MUST_CHECK bool schema_watch(struct table *table, const struct source_table *now, struct schema_notes *notes,
							 bool *moved, struct error *err);

/*
 * At a start, after the source's catalog and sluice.tables are read: carries out the notes, has tables copied again that
 * were rewritten meanwhile, and puts tables whose change the stream has yet to bring back to their stored definition.
 * `destination` NULL: dry run, nothing is written.  `notes` NULL: nothing is pending.
 */
MUST_CHECK bool schema_watch_settle(struct connection *source, struct connection *destination,
									const struct config *config, struct catalog *catalog,
									struct schema_notes *notes, struct error *err);

/*
 * After schema_watch_settle() and with the targets read: brings in line the targets of tables that are held or to be copied
 * again; a table whose target cannot be is held.  Targets that were altered are read again.
 */
MUST_CHECK bool schema_watch_reconcile(struct connection *destination, const struct dialect *dialect,
									   const struct config *config, struct catalog *catalog,
									   struct error *err);

/* Reads held tables and their targets again: an ERROR_RESTART when one of them can go on now; a changed reason is logged
 * and stored. */
MUST_CHECK bool schema_watch_held(struct connection *source, struct connection *destination,
								  const struct dialect *dialect, const struct config *config,
								  struct catalog *catalog, struct error *err);

#endif
