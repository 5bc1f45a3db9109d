/*
 * Makes the targets that are missing at the destination, with their schemas and types.
 */
#ifndef SLUICE_TARGET_CREATION_H
#define SLUICE_TARGET_CREATION_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Creates the missing targets, at most 500 in one transaction, and reads all targets again. The targets
 * must have been read before; no transaction may be open.
 */
MUST_CHECK bool target_create_missing(struct connection *destination, const struct dialect *dialect,
									  const char *task, struct catalog *catalog, struct error *err);

#endif
