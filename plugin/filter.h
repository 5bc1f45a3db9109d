/*
 * Conditions on rows: an SQL expression over the columns of one table.  The
 * client has exactly the rows for which it is true.
 *
 * An expression is parsed and evaluated with the catalogs as they were at the
 * change; so it may use only immutable built-in functions and operators, like
 * the row filters of publications.
 */
#ifndef SLUICE_FILTER_H
#define SLUICE_FILTER_H

#include "postgres.h"

#include "access/tupdesc.h"

#include "options.h"
#include "row.h"

struct filter;

/*
 * Makes the filter of a described table for the rows of `changed`, one of its leaves or the table itself; ereports
 * with the table's name if the condition cannot be used.  The filter lives in `context` and does not refer to `sources`.
 */
struct filter *filter_create(const char *condition, const struct change_relation *described,
							 const struct column_source *sources, TupleDesc changed, MemoryContext context);

/*
 * Returns the operation that the client needs for a change, an enum operation, or 0 for none.  With `full` the old row
 * has all columns, otherwise those of the key; it may be NULL.
 *
 * If the old row does not show whether it matched, an update stays an update when the new row matches, and becomes a
 * delete when it does not; the client may lack the row in both cases.
 */
unsigned filter_outcome(struct filter *filter, enum operation operation, const struct row *old, bool full,
						const struct row *new);

#endif
