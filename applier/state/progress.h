/*
 * The row of a task in sluice.progress. Every batch updates it in its own transaction, which makes
 * applying exactly-once.
 */
#ifndef SLUICE_PROGRESS_H
#define SLUICE_PROGRESS_H

#include "io/connection.h"

/* A row of sluice.progress. */
struct progress {
	bool exists;
	char slot[64];
	uint64_t applied_lsn;	/* end of the last applied transaction; 0: the slot has not been made yet */
	uint64_t slot_lsn;		/* the slot's consistent point when it was made */
	char source_system[32]; /* IDENTIFY_SYSTEM's systemid */
	int64_t source_timeline;
	char source_database[256];
	int64_t epoch; /* counts claims of daemons (lease.h); only the latest may write */
	/* when the source committed that transaction, in microseconds since 1970; 0: unknown */
	int64_t applied_commit_us;
	/* The last transaction that was applied, used to check the source's history; 0: unknown. */
	uint32_t last_xid;
	uint64_t last_commit_lsn;
};

/* The columns of the row that progress_take() reads, in its order; the last two exist since layout 2. */
#define PROGRESS_COLUMNS                                                                                     \
	"slot, applied_lsn, slot_lsn, source_system, source_timeline, source_database, epoch, last_xid, "        \
	"last_commit_lsn"
/* Takes over the first row of a result. */
MUST_CHECK bool progress_take(const struct result *res, struct progress *progress, struct error *err);
/* Reads the row; exists = false if there is none, or no such table. */
MUST_CHECK bool progress_read(struct connection *destination, const char *task, struct progress *progress,
							  struct error *err);
/* Inserts the row of a new task, or updates slot, LSNs and source of an existing one. */
MUST_CHECK bool progress_write(struct connection *destination, const char *task,
							   const struct progress *progress, struct error *err);
/* Writes down the source's timeline, and reads applied_commit_us; an ERROR_REPLACED where the epoch is another one. */
MUST_CHECK bool progress_write_timeline(struct connection *destination, const char *task,
										struct progress *progress, struct error *err);

/*
 * The statement that ends a batch. It must affect one row; if it affects none, another daemon has taken
 * over. Parameters: $1 LSN; $2 commit time as timestamptz text, NULL if the position moved without a
 * transaction (then the destination is as of now); $3 task; $4 epoch; $5 the last transaction's xid and $6
 * the LSN of its commit record, both NULL if there was no transaction.
 */
const char *progress_advance_sql(void);

/* The phases are those of `status --json`; last_error may be NULL. */
MUST_CHECK bool progress_set_phase(struct connection *destination, const char *task, const char *phase,
								   const char *last_error, struct error *err);

/*
 * Removes the task's rows. First builds the indexes that targets still lack because their copy was
 * interrupted.
 */
MUST_CHECK bool progress_remove(struct connection *destination, const char *task, struct error *err);

#endif
