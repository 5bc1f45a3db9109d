/*
 * sluice.unfinished: the statements that build the indexes and constraints of
 * created tables when the rows are there, from the transaction that makes the
 * table until the one that carries them out.  copy/after_copy does that.
 *
 * A step without a statement says that the program has made the target, and
 * that no copy into it has ended yet.
 */
#ifndef SLUICE_UNFINISHED_H
#define SLUICE_UNFINISHED_H

#include "buffer.h"
#include "dialect/dialect.h"
#include "tables/catalog.h"

/* The target's OID, an order, and a statement. */
extern const char unfinished_columns[];

/* The number of that step, before all others. */
#define UNFINISHED_COPY (-1)

/* Statements that write down what is left to do for a table made in the same transaction. */
void unfinished_put(struct buffer *sql, const struct dialect *dialect, const struct table *table);
/* A statement for the transaction that ends the copy into a target. */
void unfinished_put_copied(struct buffer *sql, uint32_t target_oid);

#endif
