/*
 * The initial copy: copies every table that waits for it, at one snapshot of
 * the source, by several jobs in parallel, each with its own pair of
 * connections.
 *
 *	COPY … TO STDOUT ──► pipe (bounded) ──► COPY … FROM STDIN
 *
 * A table's rows and its state in sluice.tables are written in one
 * transaction, so a copied table stays copied whatever happens, and an
 * interrupted copy leaves nothing behind.
 *
 * A table that is much larger than the rest is copied in parts, by all jobs, a
 * transaction each (state_tables.h); if that is interrupted, the target is
 * emptied before it is copied again.  Targets that the program created get
 * their keys after the rows.
 */
#ifndef SLUICE_INITIAL_COPY_H
#define SLUICE_INITIAL_COPY_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

struct copy_progress {
	const struct table *table;
	int64_t rows;	  /* so far */
	int64_t ms;		  /* since the table's copy began */
	const char *step; /* what is done instead of copying rows, in words; NULL: rows are copied */
};

struct initial_copy_setup {
	struct loop *loop;
	const struct config *config;
	struct catalog *catalog;
	struct connection *control; /* to the destination */
	const char *snapshot;		/* exported by a connection whose transaction stays open during the copy */
	uint64_t snapshot_lsn;		/* the stream brings what commits from here on */
	uint64_t applied_lsn;		/* where the stream will start */
	int64_t epoch;				/* of the daemon's claim; see state/lease.h */
	/* Called at every tick for each table that is being copied; with NULL before the first and after the last. */
	void (*progress)(void *arg, const struct copy_progress *progress);
	void *arg;
	bool background; /* meanwhile a backlog keeps the tables' changes: see background_copy.h */
};

/*
 * Copies the tables in state waiting or copying, in callbacks.  initial_copy_end() may be called before the copy is
 * over; it frees `copy` and returns the result:
 * - ERROR_STOPPED: a stop was requested before all were copied;
 * - ERROR_RESTART: some tables changed after the snapshot and need a new one; the rest are copied (a background copy
 *   leaves such tables waiting instead);
 * - `refused`, unless NULL, becomes the table whose data made the copy fail, so that trying again does not help; NULL
 *   where there is none.
 * `setup` and what it points to must live until then.  Begin and end pump the loop for a short while.
 */
struct copy;

struct copy *initial_copy_begin(const struct initial_copy_setup *setup, struct error *err);
bool initial_copy_is_over(struct copy *copy);
MUST_CHECK bool initial_copy_end(struct copy *copy, struct table **refused, struct error *err);

/* Whether a copy that begins again may clear the target: not where rows of other tables or earlier ones are in it. */
bool initial_copy_may_clear(const struct config *config, const struct table *table);
/*
 * Holds a refused table until "table resync"; the reason is `err`.  Always returns false: the error becomes an
 * ERROR_RESTART, since the next attempt goes on with the others, or that of the destination.
 */
bool initial_copy_hold(const struct initial_copy_setup *setup, struct table *refused, struct error *err);

#endif
