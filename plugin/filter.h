/*
 * Conditions on rows: an SQL expression over the columns of one table, which
 * says of each row whether the client has it, and so what a change means to it.
 *
 * An expression is parsed and evaluated while the catalogs are seen as they
 * were at the change; it therefore holds immutable built-in functions and
 * operators alone, as the row filters of publications do.
 */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include "postgres.h"

#include "access/tupdesc.h"

#include "options.h"
#include "row.h"

struct filter;

/*
 * The filter of a described table for the rows of `changed`, one of its leaves or itself; an ereport
 * that names the table when the condition cannot be used.  It lives in `context`, and does not refer to `sources`.
 */
struct filter *filter_create(const char *condition, const struct change_relation *described,
							 const struct column_source *sources, TupleDesc changed, MemoryContext context);

/*
 * What a change means to a client that has just the rows for which the condition is true, an enum operation or 0:
 * nothing.  An old row of `full` is known as a whole, otherwise by its key; NULL: there is none.
 *
 * Where an update's old row does not tell whether the client has it, the update stays one if the new row is to
 * be there, and becomes a delete otherwise: the client may lack the row in both cases.
 */
unsigned filter_outcome(struct filter *filter, enum operation operation, const struct row *old, bool full,
						const struct row *new);

#endif
