/*
 * The rows of sluice.tables: the state of each table of a task, and its stored definition.
 */
#ifndef SLUICE_STATE_TABLES_H
#define SLUICE_STATE_TABLES_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Finds the rows of the catalog's tables by OID and takes over their contents: state, row, snapshot_lsn,
 * rows_copied, error, defined. Writes nothing.
 *
 * If a table is gone, and another one with its name and target has no row or only waits for its first
 * copy, then that one takes over the row (`predecessor`), since the rows in the target are ours. Rows that
 * belong to no table are skipped: see forget.h.
 *
 * A table whose first copy would go into the target of a renamed table is removed from the catalog
 * (`blocked`) until the stream has renamed that target.
 */
MUST_CHECK bool state_tables_read(struct connection *destination, const char *task, struct catalog *catalog,
								  struct error *err);
/* Stores which rows were taken over, see `predecessor`. */
MUST_CHECK bool state_tables_settle(struct connection *destination, const char *task,
									const struct catalog *catalog, struct error *err);
/*
 * Inserts or updates the table's row, as INSERT … WHERE NOT EXISTS and UPDATE, since Greenplum 6 has no ON
 * CONFLICT.
 */
MUST_CHECK bool state_tables_write(struct connection *destination, const char *task,
								   const struct table *table, struct error *err);
/*
 * The copy of a table, in SQL. Copied rows and the state that describes them are always written in one
 * transaction.
 *
 * As a whole, one transaction: claim, rows, copied.
 *
 * In parts, several transactions: claim, opened; then for each part: part_claim, rows; at the end
 * part_claim (last), copied. In the state copying_parts the target holds only rows of parts, all from the
 * snapshot whose LSN is stored in the row; beginning the copy again therefore empties the target first. No
 * two snapshots have the same LSN, so a daemon that was replaced cannot add a part to its successor's
 * copy.
 */

/*
 * Statements that begin a copy: they wait for the end of any other copy of the table and return one row
 * (rebuild; whether the target may be truncated), or no row if another copy was committed.
 */
void state_tables_put_claim(struct buffer *sql, const char *task, const struct table *table);
/*
 * Statement that opens a copy in parts; `rebuild` are the statements that end the copy (NULL: none). It
 * must affect one row.
 */
void state_tables_put_opened(struct buffer *sql, const char *task, const struct table *table,
							 const char *rebuild);
/*
 * Statements that begin the transaction of a part, or the last one after all parts were committed. They
 * return 1, or 0 if another copy has replaced this one.
 */
void state_tables_put_part_claim(struct buffer *sql, const char *task, const struct table *table, bool last);
/*
 * Statement that ends a table's copy, in the copy's own transaction.  It must affect one row.  If it affects none, another
 * copy was committed meanwhile, such as one of a lost session whose COMMIT was still under way.
 */
void state_tables_put_copied(struct buffer *sql, const char *task, const struct table *table);

/*
 * Statement that stores a table's new definition and names, in the transaction that alters the target.
 */
void state_tables_put_definition(struct buffer *sql, const char *task, const struct table *table);

/*
 * Statement that stores state, error and definition of a table whose target was dropped, replaced or
 * emptied.
 */
void state_tables_put_again(struct buffer *sql, const char *task, const struct table *table);
/* Statement that stores only state and error. */
void state_tables_put_state(struct buffer *sql, const char *task, const struct table *table);
/*
 * The same for a table that is held because its target refused a change; also stores the row's key (NULL:
 * unknown) and the LSN (0: unknown). Must affect one row.
 */
void state_tables_put_refused(struct buffer *sql, const char *task, const struct table *table,
							  const char *key, uint64_t lsn);
/*
 * To be called when the changes that were set aside during background copies are durable: moves the tables
 * in state `replaying` to `streaming`. ERROR_RETRY if the epoch is no longer ours, or their number is not
 * `count`.
 */
MUST_CHECK bool state_tables_settle_copies(struct connection *destination, const char *task, int64_t epoch,
										   unsigned count, struct error *err);
/*
 * Marks the table to be copied again; the copy will first clear the rows in the target. ERROR_DATA if it
 * already waits for a copy.
 */
MUST_CHECK bool state_tables_want_copy(struct connection *destination, const char *task,
									   const struct table *table, struct error *err);
/* Stores that a table's background copy has failed; the table has been moved to held_for_resync. */
MUST_CHECK bool state_tables_hold_copy(struct connection *destination, const char *task,
									   const struct table *table, const char *reason, struct error *err);
/* ERROR_DATA if a table is held, or waits and has a reason; the message names the table. */
MUST_CHECK bool state_tables_none_held(struct connection *destination, const char *task, struct error *err);
/* For a start: discards copies that an earlier attempt left unfinished; their tables wait again. */
MUST_CHECK bool state_tables_discard_copies(struct connection *destination, const char *task,
											struct error *err);

/*
 * Statement that stores the number of rows copied so far, only for `status`. It never overwrites what the
 * copy's own transaction has written.
 */
void state_tables_put_rows_copied(struct buffer *sql, const char *task, const struct table *table,
								  int64_t rows);

/*
 * Like state_tables_write(), in few statements, for all tables of the catalog without a row or whose row
 * waits for the first copy.
 */
MUST_CHECK bool state_tables_add(struct connection *destination, const char *task,
								 const struct catalog *catalog, struct error *err);

/* Removes the rows of all tables of the task, for a fresh start. */
MUST_CHECK bool state_tables_remove(struct connection *destination, const char *task, struct error *err);

#endif
