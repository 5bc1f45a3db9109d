/*
 * The user-defined types that the tables to be made need and the destination lacks: enums, composites,
 * domains with their constraints, ranges. Part of creation_spec.
 */
#ifndef SLUICE_CREATION_TYPES_H
#define SLUICE_CREATION_TYPES_H

#include "io/connection.h"
#include "tables/catalog.h"
#include "tables/creation_specs.h"

/* Fills catalog->creation_specs; a type stands behind the types that it is made of. */
MUST_CHECK bool creation_types_read(struct connection *source, struct catalog *catalog, struct error *err);

#endif
