/*
 * The rows of sluice.tables: the state of each table of a task, and its stored definition.
 */
#ifndef SLUICE_STATE_TABLES_H
#define SLUICE_STATE_TABLES_H

#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Finds the rows of the catalog's tables, by OID, and fills what they say: state, row, snapshot_lsn, rows_copied, error,
 * defined.  A table without a row, or with one that waits for the first copy, that has the name and the target of one that
 * is gone takes that one's row over: the rows in the target are ours (`predecessor`).  Other rows are passed over: forget.h.  Nothing is written.
 *
 * A table to be copied for the first time whose target is still that of a table which was renamed is left out of the
 * catalog (`blocked`): the stream has yet to rename that target.
 */
MUST_CHECK bool state_tables_read(struct connection *destination, const char *task, struct catalog *catalog,
								  struct error *err);
/* Stores which rows were taken over. */
MUST_CHECK bool state_tables_settle(struct connection *destination, const char *task,
									const struct catalog *catalog, struct error *err);
/* Inserts or updates the table's row: an INSERT … WHERE NOT EXISTS and an UPDATE (no ON CONFLICT on Greenplum 6). */
MUST_CHECK bool state_tables_write(struct connection *destination, const char *task,
								   const struct table *table, struct error *err);
/*
 * The copy of a table, in SQL.  Rows of it and what says so are always written in one transaction.
 *
 * As a whole: claim, rows, copied: one transaction.
 *
 * In parts, several transactions: claim, opened; then for each part part_claim, rows; then part_claim
 * (last), copied.  In the state copying_parts the target holds rows of parts, all of the snapshot that
 * stands in the row, and nothing else: whoever begins the copy again empties it first.  No two snapshots
 * have the same LSN, so a daemon that was left behind cannot add a part to those of its successor.
 */

/* Begin a table's copy: wait for the end of any other copy of it, and return one row (rebuild, whether it may be
 * truncated), or none when another copy was committed. */
void state_tables_put_claim(struct buffer *sql, const char *task, const struct table *table);
/* Opens a copy in parts; `rebuild` are the statements that end it (NULL: none).  Must touch one row. */
void state_tables_put_opened(struct buffer *sql, const char *task, const struct table *table,
							 const char *rebuild);
/* Begin the transaction of a part, or the last one, which follows when all parts are committed; return 1, or 0 when the
 * copy is not this one any more. */
void state_tables_put_part_claim(struct buffer *sql, const char *task, const struct table *table, bool last);
/* The statement that ends a table's copy, in the copy's own transaction.  It must touch one row; none: another
 * copy of the table has committed meanwhile, such as that of a lost session whose COMMIT was still on its way. */
void state_tables_put_copied(struct buffer *sql, const char *task, const struct table *table);

/* A statement that writes a table's new definition and names, in the transaction that brings the target in line. */
void state_tables_put_definition(struct buffer *sql, const char *task, const struct table *table);

/* A statement for a table whose target is not what it was: state, error and definition. */
void state_tables_put_again(struct buffer *sql, const char *task, const struct table *table);
/* A statement that writes state and error alone. */
void state_tables_put_state(struct buffer *sql, const char *task, const struct table *table);
/* The same of a table that was held since its target refused a change, with the key of the row (NULL: not known) and the
 * LSN (0: likewise).  Must touch one row. */
void state_tables_put_refused(struct buffer *sql, const char *task, const struct table *table,
							  const char *key, uint64_t lsn);
/* What came while tables were copied in the background is durable: makes those that are `replaying` `streaming`, where
 * the epoch still is ours and there are `count` of them.  An ERROR_RETRY otherwise. */
MUST_CHECK bool state_tables_settle_copies(struct connection *destination, const char *task, int64_t epoch,
										   unsigned count, struct error *err);
/* The table is to be copied again: its rows in the target will be cleared first.  An ERROR_DATA when it waits for a copy
 * already. */
MUST_CHECK bool state_tables_want_copy(struct connection *destination, const char *task,
									   const struct table *table, struct error *err);
/* The copy of a table in the background has failed: it has moved to held_for_resync. */
MUST_CHECK bool state_tables_hold_copy(struct connection *destination, const char *task,
									   const struct table *table, const char *reason, struct error *err);
/* False when a table is held, or waits for a reason: an ERROR_DATA that names it. */
MUST_CHECK bool state_tables_none_held(struct connection *destination, const char *task, struct error *err);
/* At a start: copies that an earlier attempt has left unfinished are void, and their tables wait again. */
MUST_CHECK bool state_tables_discard_copies(struct connection *destination, const char *task,
											struct error *err);

/* A statement for `status` alone: the rows copied so far, while the copy runs; it never undoes what the copy's own
 * transaction has written. */
void state_tables_put_rows_copied(struct buffer *sql, const char *task, const struct table *table,
								  int64_t rows);

/* The same for all tables of the catalog that have no row yet or one that waits for a copy, in few statements. */
MUST_CHECK bool state_tables_add(struct connection *destination, const char *task,
								 const struct catalog *catalog, struct error *err);

/* Forgets the task's tables, as at a fresh start. */
MUST_CHECK bool state_tables_remove(struct connection *destination, const char *task, struct error *err);

#endif
