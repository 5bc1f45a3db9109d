/*
 * sluice.unfinished: statements that build the indexes and constraints of created tables once the rows are
 * copied. They are stored in the transaction that creates the table and removed in the one that executes
 * them, which is up to copy/after_copy.
 *
 * A step without a statement marks a target that the program created and into which no copy has been
 * completed.
 */
#ifndef SLUICE_UNFINISHED_H
#define SLUICE_UNFINISHED_H

#include "buffer.h"
#include "dialect/dialect.h"
#include "tables/catalog.h"

/* Columns of the table: OID of the target, number of the step, statement. */
extern const char unfinished_columns[];

/* Number of the step without a statement, lower than all others. */
#define UNFINISHED_COPY (-1)

/*
 * Writes statements that store what is left to do for a table that is created in the same transaction.
 */
void unfinished_put(struct buffer *sql, const struct dialect *dialect, const struct table *table);
/* Writes a statement for the transaction that completes the copy into a target. */
void unfinished_put_copied(struct buffer *sql, uint32_t target_oid);

#endif
