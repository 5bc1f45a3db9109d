/*
 * Definitions with letters that the destination's encoding lacks: what may be missing is left out of the targets, so that
 * no statement fails for such a letter. Names of tables and columns are the prechecks' (precheck_encoding.c).
 */
#ifndef SLUICE_CREATION_LETTERS_H
#define SLUICE_CREATION_LETTERS_H

#include "io/connection.h"
#include "tables/catalog.h"
#include "tables/creation_specs.h"

/* Refuses or drops the comments, indexes, partitions and types of the catalog's creation specs. Not in a transaction. */
MUST_CHECK bool creation_letters_leave_out(struct connection *destination, struct catalog *catalog,
										   struct error *err);

/* The same for the indexes of one table. */
MUST_CHECK bool creation_letters_refuse_indexes(struct connection *destination, struct creation_spec *spec,
												struct error *err);

#endif
