/*
 * The statements of the initial copy for one table, at both servers.  Each ends
 * with a NUL byte.
 */
#ifndef SLUICE_COPY_STATEMENTS_H
#define SLUICE_COPY_STATEMENTS_H

#include "buffer.h"
#include "copy_parts.h"
#include "tables/catalog.h"

/*
 * To the source, in the transaction that holds the snapshot: makes the savepoint "look", locks the table behind it
 * and returns whether it is unchanged since the snapshot; undefined_table when it is gone.  The lock is released by
 * rolling back to the savepoint, and kept by releasing that.
 *
 * One that was rewritten (ALTER TYPE), truncated or recreated since would look
 * empty to the snapshot, without an error.
 */
void copy_put_unchanged_check(struct buffer *sql, const struct table *table);
/* To the source, likewise: what the table can be split by, one row each: schema, name, bytes, blocks (-1: not to be
 * split further), of the table itself or of each of its leaves.  `ranges`: this server reads a range of
 * blocks without reading the rest. */
void copy_put_leaves(struct buffer *sql, const struct table *table, bool ranges);
/* To the source: COPY … TO STDOUT, in the form that the destination takes; of a part, or NULL for all. */
void copy_put_out(struct buffer *sql, const struct table *table, const struct copy_part *part);
/* To the source, in its transaction: lets each read of a table give its rows in the same order. */
extern const char copy_same_order[];
/* To the source: where the row with that number (from 1 on) of copy_put_out() is: its table, quoted, and its ctid. */
void copy_put_row_place(struct buffer *sql, const struct table *table, const struct copy_part *part,
						int64_t row);
/* To the destination: COPY … FROM STDIN. */
void copy_put_in(struct buffer *sql, const struct table *table);
/* To the destination: the target's indexes, one row each: the statement that removes it, the ones that make it again. */
void copy_put_indexes(struct buffer *sql, const struct table *table);

#endif
