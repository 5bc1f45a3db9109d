/*
 * Reads the creation specs of missing tables from the source, and rehearses at
 * the destination what of them it accepts.
 */
#ifndef SLUICE_CREATION_SPEC_H
#define SLUICE_CREATION_SPEC_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/definition.h"

/*
 * For every table whose target is missing; nothing is asked where there is none.  The targets must have been
 * read.  Types and defaults are tried at the destination in a transaction that is rolled back; what it
 * refuses is marked so, with its reason.
 */
MUST_CHECK bool creation_spec_read(struct connection *source, struct connection *destination,
								   const struct config *config, struct catalog *catalog, struct error *err);

#endif
