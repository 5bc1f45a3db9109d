/*
 * Which types of the source's columns exist at the destination, in which schema, and whether they can be
 * hashed there.
 */
#ifndef SLUICE_TARGET_TYPES_H
#define SLUICE_TARGET_TYPES_H

#include "io/connection.h"
#include "tables/catalog.h"

/* Covers the columns of all tables at the source and of their stored definitions, with one query. */
MUST_CHECK bool target_types_find(struct connection *destination, struct catalog *catalog, struct error *err);

#endif
