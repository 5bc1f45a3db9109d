/*
 * A table that was created under the name of a dropped one takes over its target: the unique constraints of the dropped
 * table must not refuse rows of the new one.
 */
#ifndef SLUICE_SCHEMA_SUCCESSOR_H
#define SLUICE_SCHEMA_SUCCESSOR_H

#include "io/connection.h"
#include "tables/catalog.h"

/* Drops secondary unique constraints and indexes of targets that were taken over, unless the new table has the same at
 * the source.  One that the destination refuses to drop is logged, and stays. */
MUST_CHECK bool schema_successor_free_targets(struct connection *source, struct connection *destination,
											  const struct catalog *catalog, struct error *err);

#endif
