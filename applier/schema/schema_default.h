/*
 * Changes column defaults at the target after they changed at the source.  Replicated rows bring their values, so
 * defaults matter only to other writers and after a cut-over; they need not change at an exact place in the stream.
 *
 * The stored definition in sluice.tables has the source's defaults that were last carried over to the target.
 */
#ifndef SLUICE_SCHEMA_DEFAULT_H
#define SLUICE_SCHEMA_DEFAULT_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Whether the definition that the table `stands` at has other defaults than the catalog has `now`, and they are to be
 * followed; false while the catalog is ahead of the stream. */
bool schema_default_differs(const struct config *config, const struct source_table *stands,
							const struct source_table *now);

/* In an open transaction: gives the target, and the definition `stands`, the defaults that the source has `now`.  A
 * default that the destination refuses is left out and logged, as when a table is created. */
MUST_CHECK bool schema_default_follow(struct connection *destination, const struct table *table,
									  struct source_table *stands, const struct source_table *now,
									  struct error *err);

/* The same for all tables at a start, after the sources and targets are read; each table in its own transaction. */
MUST_CHECK bool schema_default_settle(struct connection *destination, const struct config *config,
									  struct catalog *catalog, struct error *err);

#endif
