/*
 * Tries at the destination what tables to be made need beyond plain columns,
 * their types and defaults, in a transaction that is rolled back.
 */
#ifndef SLUICE_REHEARSE_H
#define SLUICE_REHEARSE_H

#include "io/connection.h"
#include "tables/definition.h"

/* Marks what the destination refuses, and then which types will be there.  No transaction may be open. */
MUST_CHECK bool rehearse_definitions(struct connection *destination, struct catalog *catalog,
									 struct error *err);

#endif
