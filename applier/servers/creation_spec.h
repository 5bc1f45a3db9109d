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

/* Takes one line for each type, default, CHECK and index that the tables to be made will do without. */
typedef void (*creation_spec_remark_taker)(void *arg, const char *subject, const char *text);
void creation_spec_remarks(const struct dialect *dialect, const struct catalog *catalog,
						   creation_spec_remark_taker take, void *arg);
/* The same as warnings in the log. */
void creation_spec_warn(const struct dialect *dialect, const struct catalog *catalog);

#endif
