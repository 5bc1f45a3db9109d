/*
 * Indexes and constraints of created tables, which are built after the rows
 * were copied.  Their statements are stored in sluice.unfinished from the transaction that
 * creates the table until the one that executes them, so that no crash loses them.
 */
#ifndef SLUICE_AFTER_COPY_H
#define SLUICE_AFTER_COPY_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Builds the missing indexes of tables that have been copied, one
 * statement after another, and reads those targets again.  A statement that the destination refuses is
 * logged and discarded, since an index is not data.
 */
MUST_CHECK bool after_copy_run(struct loop *loop, struct connection *destination,
							   const struct dialect *dialect, const char *task, struct catalog *catalog,
							   struct error *err);

/* The same for tables in state replaying, as statements for the caller to execute: one transaction for each step.  `sql`
 * stays empty when there are none. */
MUST_CHECK bool after_copy_put_replaying(struct buffer *sql, struct connection *destination, const char *task,
										 const struct catalog *catalog, struct error *err);

#endif
