/*
 * The statements that copy one table, for both servers.  Each ends with a NUL
 * byte.
 */
#ifndef SLUICE_COPY_STATEMENTS_H
#define SLUICE_COPY_STATEMENTS_H

#include "buffer.h"
#include "copy_parts.h"
#include "tables/catalog.h"

/*
 * To the source, in the transaction that holds the snapshot: sets the savepoint "before_lock", locks the table, and returns
 * whether it is unchanged since the snapshot; fails with undefined_table when it is gone.  Rolling back to the savepoint
 * releases the lock; releasing the savepoint keeps it.
 *
 * A table that was rewritten (ALTER TYPE), truncated or recreated since would look
 * empty to the snapshot, without an error.
 */
void copy_put_unchanged_check(struct buffer *sql, const struct table *table);
/* To the source, likewise: one row for the table, or for each of its leaves: schema, name, bytes, blocks (-1: it cannot
 * be divided by blocks).  `ranges`: this server reads a range of blocks without reading the rest. */
void copy_put_leaves(struct buffer *sql, const struct table *table, bool ranges);
/* To the source: COPY … TO STDOUT, in the form that the destination takes; of a part, or NULL for all. */
void copy_put_out(struct buffer *sql, const struct table *table, const struct copy_part *part);
/* To the source, in its transaction: makes every scan of a table return its rows in the same order. */
extern const char copy_same_order[];
/* To the source: returns the table (quoted) and the ctid of row number `row`, from 1 on, of copy_put_out(). */
void copy_put_row_place(struct buffer *sql, const struct table *table, const struct copy_part *part,
						int64_t row);
/* To the destination: COPY … FROM STDIN. */
void copy_put_in(struct buffer *sql, const struct table *table);
/* To the destination: one row for each index of the target: the statement that drops it, those that create it again. */
void copy_put_indexes(struct buffer *sql, const struct table *table);

#endif
