/*
 * Definitions outside the stream: rewrites that it does not show, changes while
 * no daemon ran, tables that are held or copied again.
 */
#ifndef SLUICE_SCHEMA_WATCH_H
#define SLUICE_SCHEMA_WATCH_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "schema_note.h"
#include "tables/catalog.h"

/*
 * Compares a table that follows with what the source has now.  A rewrite is noted, with an
 * ERROR_RESTART.  What is new of storage and versions is taken over: then `moved` is set.
 */
MUST_CHECK bool schema_watch(struct table *table, const struct source_table *now, struct schema_notes *notes,
							 bool *moved, struct error *err);

/*
 * At a start, with the source's catalog and the tables' rows read: carries out the notes, notes what was rewritten
 * meanwhile, and puts tables whose definition the stream has yet to change back to where it left them.
 * `destination` NULL: dry run, nothing is written.  `notes` NULL: nothing is pending.
 */
MUST_CHECK bool schema_settle(struct connection *source, struct connection *destination,
							  const struct config *config, struct catalog *catalog,
							  struct schema_notes *notes, struct error *err);

/*
 * After that, with the targets read: brings targets in line whose table is to be copied again, or is held and may be
 * now; holds those that cannot.  Targets that were altered are read again.
 */
MUST_CHECK bool schema_reconcile(struct connection *destination, const struct dialect *dialect,
								 const struct config *config, struct catalog *catalog, struct error *err);

/* Reads held tables and their targets again: an ERROR_RESTART when one of them can go on now; where what it needs has
 * changed, that is written down. */
MUST_CHECK bool schema_check_held(struct connection *source, struct connection *destination,
								  const struct dialect *dialect, const struct config *config,
								  struct catalog *catalog, struct error *err);

#endif
