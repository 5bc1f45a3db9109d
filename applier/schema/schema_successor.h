/*
 * A table that takes over the target of another one, which had its name and is gone: what that one demanded of its rows
 * must not bind those that come.
 */
#ifndef SLUICE_SCHEMA_SUCCESSOR_H
#define SLUICE_SCHEMA_SUCCESSOR_H

#include "io/connection.h"
#include "tables/catalog.h"

/* Drops secondary unique constraints and indexes of the targets that tables with a predecessor take over, unless the
 * source has the same for the table of today.  What the destination refuses is logged, and stays. */
MUST_CHECK bool schema_free_successors(struct connection *source, struct connection *destination,
									   const struct catalog *catalog, struct error *err);

#endif
