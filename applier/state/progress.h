/*
 * The state of a task in the destination: schema sluice, tables progress and
 * tables.  The row of sluice.progress is written in every batch's own
 * transaction; it is what makes applying exactly-once.
 */
#ifndef SLUICE_PROGRESS_H
#define SLUICE_PROGRESS_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* A row of sluice.progress. */
struct progress {
	bool exists;
	char slot[64];
	uint64_t applied_lsn;	/* end of the last applied transaction; 0: the slot was not made yet */
	uint64_t slot_lsn;		/* the slot's consistent point when it was made */
	char source_system[32]; /* IDENTIFY_SYSTEM's systemid */
	int64_t source_timeline;
	char source_database[256];
	int64_t epoch; /* counts daemons; only the latest may write */
};

/*
 * Takes the session's advisory lock of the task, waiting a bounded time for a
 * predecessor's session to end.  An ERROR_DATA when another daemon keeps it.
 */
MUST_CHECK bool progress_lock(struct connection *destination, struct loop *loop, const char *task,
							  struct error *err);

/* Passes the lock from one session of ours to another, between which nobody else can take it. */
MUST_CHECK bool progress_pass_lock(struct connection *from, struct connection *to, struct loop *loop,
								   const char *task, struct error *err);

/* Makes schema and tables where they are missing. */
MUST_CHECK bool progress_install(struct connection *destination, const struct dialect *dialect,
								 struct error *err);
/* Writes the statements for what progress_install() would make; nothing where all is there. */
MUST_CHECK bool progress_put_install(struct connection *destination, const struct dialect *dialect,
									 struct buffer *sql, struct error *err);
/* Whether the tables are there; reading works without them (exists = false). */
MUST_CHECK bool progress_read(struct connection *destination, const char *task, struct progress *progress,
							  struct error *err);
/* Inserts the row of a new task, or updates slot, LSNs and source of an existing one. */
MUST_CHECK bool progress_write(struct connection *destination, const char *task,
							   const struct progress *progress, struct error *err);
/* Raises the epoch, so that no earlier daemon can write any more, and writes down the source's timeline. */
MUST_CHECK bool progress_take_over(struct connection *destination, const char *task,
								   struct progress *progress, struct error *err);

/*
 * The statement that ends a batch: $1 LSN, $2 commit time (timestamptz text; NULL where the position
 * moved without a transaction: then the source is known to be as of now), $3 task, $4 epoch.
 * It must touch one row; none: another daemon has taken over.
 */
const char *progress_advance_sql(void);

/* phase as in `status --json`; error may be NULL. */
MUST_CHECK bool progress_set_phase(struct connection *destination, const char *task, const char *phase,
								   const char *last_error, struct error *err);

/* Fills state, snapshot_lsn, rows_copied, error of each table that has a row
 * (missing rows leave TABLE_WAITING); an ERROR_DATA when a row's source OID is
 * not the table's any more (dropped and made anew), or another table's (renamed).
 * Rows without any table are passed over: forget.h. */
MUST_CHECK bool progress_read_tables(struct connection *destination, const char *task,
									 struct catalog *catalog, struct error *err);
/* Inserts or updates the table's row: an INSERT … WHERE NOT EXISTS and an UPDATE (no ON CONFLICT on Greenplum 6). */
MUST_CHECK bool progress_write_table(struct connection *destination, const char *task,
									 const struct table *table, struct error *err);
/*
 * The copy of a table, in SQL.  Rows of it and what says so are always written in one transaction.
 *
 * As a whole: claim, rows, copied: one transaction.
 *
 * In parts, several transactions: claim, opened; then for each part part_claim, rows; then part_claim
 * (last), copied.  While rebuild is not NULL, the target holds rows of parts, all of the snapshot that
 * stands in the row, and nothing else: whoever begins the copy anew empties it first.  No two snapshots
 * have the same LSN, so a daemon that was left behind cannot add a part to those of its successor.
 */

/* Begin a table's copy: wait for the end of any other copy of it, and return one row (rebuild, whether it may be
 * truncated), or none when another copy was committed. */
void progress_put_table_claim(struct buffer *sql, const char *task, const struct table *table);
/* Opens a copy in parts; `rebuild` are the statements that end it ("" for none).  Must touch one row. */
void progress_put_table_opened(struct buffer *sql, const char *task, const struct table *table,
							   const char *rebuild);
/* Begin the transaction of a part, or the last one, which follows when all parts are committed; return 1, or 0 when the
 * copy is not this one any more. */
void progress_put_part_claim(struct buffer *sql, const char *task, const struct table *table, bool last);
/* The statement that ends a table's copy, in the copy's own transaction.  It must touch one row; none: another
 * copy of the table has committed meanwhile, such as that of a lost session whose COMMIT was still on its way. */
void progress_put_table_copied(struct buffer *sql, const char *task, const struct table *table);

/* A statement that writes a table's new definition and names, in the transaction that brings the target in line;
 * the row goes by the names before. */
void progress_put_definition(struct buffer *sql, const char *task, const struct table *table,
							 const struct source_table *before);

/* A statement that writes state and error alone. */
void progress_put_state(struct buffer *sql, const char *task, const struct table *table);
/* Copies beside the stream (late_copy.h) stand as catching_up with rebuild not NULL until what came meanwhile is durable,
 * too: then this makes them `streaming`, where the epoch still is ours and there are `count` of them.  An ERROR_RETRY
 * otherwise. */
MUST_CHECK bool progress_settle_late(struct connection *destination, const char *task, int64_t epoch,
									 unsigned count, struct error *err);
/* The table is to be copied anew: its rows in the target will be cleared first.  An ERROR_DATA when it waits for a copy
 * already. */
MUST_CHECK bool progress_want_copy(struct connection *destination, const char *task,
								   const struct table *table, struct error *err);
/* At a start: such copies as an earlier attempt has left are void, and their tables wait again. */
MUST_CHECK bool progress_forget_late(struct connection *destination, const char *task, struct error *err);

/* A statement for `status` alone: the rows copied so far, while the copy runs; it never undoes what the copy's own
 * transaction has written. */
void progress_put_rows_copied(struct buffer *sql, const char *task, const struct table *table, int64_t rows);

/* The same for all tables of the catalog that have no row yet or one that waits for a copy, in few statements. */
MUST_CHECK bool progress_add_tables(struct connection *destination, const char *task,
									const struct catalog *catalog, struct error *err);

/* schema.table, quoted as in SQL where needed: what a user may write into the configuration. */
char *progress_table_name(struct arena *memory, const char *schema, const char *name);

/* One row of sluice.tables as status shows it. */
struct progress_table {
	char *source; /* progress_table_name() */
	char *target;
	char *state;
	int64_t rows_copied;
	char *error; /* NULL: none */
};

/* What the destination tells a person about a task, with or without a source. */
struct progress_report {
	struct progress progress;
	char *phase;		/* as stored by the last daemon */
	char *last_error;	/* NULL: none */
	double age_s;		/* how long ago the source was as the destination is; negative: not known */
	int64_t daemon_pid; /* the session that holds the task's lock; 0: no daemon runs */
	struct progress_table *tables;
	unsigned table_count;
	struct arena memory;
};

MUST_CHECK bool progress_read_report(struct connection *destination, const char *task,
									 struct progress_report *report, struct error *err);
void progress_report_free(struct progress_report *report);

/* The server's process that holds the task's lock; 0: nobody. */
MUST_CHECK bool progress_lock_holder(struct connection *destination, const char *task, int64_t *pid,
									 struct error *err);

/* Forgets the task's tables, as at a fresh start. */
MUST_CHECK bool progress_remove_tables(struct connection *destination, const char *task, struct error *err);

/* Removes the task's rows; targets whose copy was interrupted get the indexes that were to come after it. */
MUST_CHECK bool progress_remove(struct connection *destination, const char *task, struct error *err);

#endif
