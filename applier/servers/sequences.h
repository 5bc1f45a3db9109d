/*
 * The positions of sequences, transferred from the source to the destination on
 * request, for a cut-over.  They are not part of the stream.
 */
#ifndef SLUICE_SEQUENCES_H
#define SLUICE_SEQUENCES_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Sets every sequence that a column of a replicated table owns or uses in its default to the source's
 * position, one line on standard output for each.  At the destination it is the one that the
 * target's column owns, else the one of the source's name; where there is none, `create` makes it and the
 * column's default.
 */
MUST_CHECK bool sequences_bring(struct connection *source, struct connection *destination,
								const struct catalog *catalog, bool create, struct error *err);

#endif
