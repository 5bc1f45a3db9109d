/*
 * Tries at the destination the types and defaults that the tables to be made need, in a transaction that
 * is rolled back.
 */
#ifndef SLUICE_REHEARSE_H
#define SLUICE_REHEARSE_H

#include "io/connection.h"
#include "tables/creation_specs.h"

/* Marks what the destination refuses, and then which types will exist. No transaction may be open. */
MUST_CHECK bool rehearse_definitions(struct connection *destination, struct catalog *catalog,
									 struct error *err);

#endif
