/*
 * Reads the creation specs of missing tables from the source, and tries at the destination which parts of
 * them it accepts.
 */
#ifndef SLUICE_CREATION_SPEC_H
#define SLUICE_CREATION_SPEC_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/creation_specs.h"

/*
 * Reads the spec of every table whose target is missing; sends no query if no target is. The targets must
 * have been read before. Types and defaults are tried at the destination in a transaction that is rolled
 * back; whatever the destination refuses is marked with its reason.
 */
MUST_CHECK bool creation_spec_read(struct connection *source, struct connection *destination,
								   const struct config *config, struct catalog *catalog, struct error *err);

#endif
