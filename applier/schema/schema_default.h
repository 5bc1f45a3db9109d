/*
 * Column defaults that change at the source, and then at the target.  Replicated rows have their values, so defaults matter
 * only to others who write to a target, and for a cut-over; they need not change at an exact place in the stream.
 *
 * With the stored definition, sluice.tables keeps the defaults that the source had then.
 */
#ifndef SLUICE_SCHEMA_DEFAULT_H
#define SLUICE_SCHEMA_DEFAULT_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Whether defaults are to be followed that differ; not while the source's catalog is ahead of the stream. */
bool schema_default_differs(const struct config *config, const struct source_table *stands,
							const struct source_table *now);

/* In an open transaction: gives the table's target the defaults that the source has `now`, and `stands` with it.  What the
 * destination refuses is left out, as in a table that is made. */
MUST_CHECK bool schema_default_follow(struct connection *destination, const struct table *table,
									  struct source_table *stands, const struct source_table *now,
									  struct error *err);

/* At a start, with sources and targets read, in transactions of its own. */
MUST_CHECK bool schema_default_settle(struct connection *destination, const struct config *config,
									  struct catalog *catalog, struct error *err);

#endif
