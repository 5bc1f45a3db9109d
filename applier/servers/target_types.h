/*
 * Which of the types of the source's columns the destination has, under which schema, and whether it hashes them.
 */
#ifndef SLUICE_TARGET_TYPES_H
#define SLUICE_TARGET_TYPES_H

#include "io/connection.h"
#include "tables/catalog.h"

/* For the source's columns of all tables, and for those of their stored definitions; one query. */
MUST_CHECK bool target_types_find(struct connection *destination, struct catalog *catalog, struct error *err);

#endif
