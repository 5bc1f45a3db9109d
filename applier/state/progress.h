/*
 * The row of a task in sluice.progress.  It is written in every batch's own transaction; it is what makes
 * applying exactly-once.
 */
#ifndef SLUICE_PROGRESS_H
#define SLUICE_PROGRESS_H

#include "io/connection.h"

/* A row of sluice.progress. */
struct progress {
	bool exists;
	char slot[64];
	uint64_t applied_lsn;	/* end of the last applied transaction; 0: the slot was not made yet */
	uint64_t slot_lsn;		/* the slot's consistent point when it was made */
	char source_system[32]; /* IDENTIFY_SYSTEM's systemid */
	int64_t source_timeline;
	char source_database[256];
	int64_t epoch;			   /* counts daemons; only the latest may write */
	int64_t applied_commit_us; /* when the source committed that, since 1970; 0: not read */
	/* The last transaction that was applied, by which the source's history is recognised; 0: not known. */
	uint32_t last_xid;
	uint64_t last_commit_lsn;
};

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
 * moved without a transaction: then the source is known to be as of now), $3 task, $4 epoch, $5 the last
 * transaction and $6 the LSN of its commit record, or NULL where there was none.
 * It must touch one row; none: another daemon has taken over.
 */
const char *progress_advance_sql(void);

/* phase as in `status --json`; error may be NULL. */
MUST_CHECK bool progress_set_phase(struct connection *destination, const char *task, const char *phase,
								   const char *last_error, struct error *err);

/* Removes the task's rows; targets whose copy was interrupted get the indexes that were to come after it. */
MUST_CHECK bool progress_remove(struct connection *destination, const char *task, struct error *err);

#endif
