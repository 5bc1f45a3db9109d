/*
 * What the initial copy asks the servers for one table.  Each statement ends
 * with a NUL byte.
 */
#ifndef SLUICE_COPY_STATEMENTS_H
#define SLUICE_COPY_STATEMENTS_H

#include "buffer.h"
#include "catalog.h"

/*
 * To the source, in the transaction that holds the snapshot: locks the table
 * and returns whether it still is what the snapshot shows; undefined_table when
 * it is gone, and then the savepoint "look" is to be rolled back to.
 *
 * One that was rewritten (ALTER TYPE), truncated or made anew since would look
 * empty to the snapshot, without an error.
 */
void copy_put_look(struct buffer *sql, const struct table *table);
/* To the source: COPY … TO STDOUT, in the form that the destination takes. */
void copy_put_out(struct buffer *sql, const struct table *table);
/* To the destination: COPY … FROM STDIN. */
void copy_put_in(struct buffer *sql, const struct table *table);

#endif
