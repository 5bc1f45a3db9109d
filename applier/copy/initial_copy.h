/*
 * The initial copy: every table that waits for it, at one snapshot of the
 * source, by several pipes side by side, each with its own pair of
 * connections.
 *
 *	COPY … TO STDOUT ──► pipe (bounded) ──► COPY … FROM STDIN
 *
 * A table's rows and its state in sluice.tables are written in one
 * transaction, so a copied table stays copied whatever happens, and one that
 * was interrupted has left nothing behind.
 *
 * A table that is much larger than the rest is copied in parts, by all pipes, a
 * transaction each (state_tables.h); one that was interrupted is emptied before it
 * is copied again.  Tables that this program has just made get their keys when
 * the rows are there.
 */
#ifndef SLUICE_INITIAL_COPY_H
#define SLUICE_INITIAL_COPY_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

struct copy_progress {
	const struct table *table;
	int64_t rows;	  /* that have come so far */
	int64_t ms;		  /* since it was begun */
	const char *step; /* what is done instead of copying rows, for a person; NULL: nothing */
};

struct initial_copy_setup {
	struct loop *loop;
	const struct config *config;
	struct catalog *catalog;
	struct connection *control; /* to the destination */
	const char *snapshot;		/* exported by a connection that stays as it is meanwhile */
	uint64_t snapshot_lsn;		/* changes of transactions that committed from here on follow */
	uint64_t applied_lsn;		/* where the stream will start */
	/* Told at every tick how far each table is; before and after them NULL. */
	void (*progress)(void *arg, const struct copy_progress *progress);
	void *arg;
	bool background; /* the tables' changes wait in a backlog meanwhile: see background_copy.h */
};

/*
 * Copies the tables in state waiting or copying, in callbacks.  initial_copy_end()
 * returns the result, also before the copy is over, and frees it.  ERROR_STOPPED: a
 * stop was requested before all were copied.  ERROR_RESTART: some tables changed after the
 * snapshot and need a new one; the rest are copied (a background copy leaves such tables waiting
 * instead).  `refused` becomes the table whose copy has failed for a reason that trying again
 * does not fix, NULL where there is none; it may be NULL itself.  `setup` and what it points to must
 * live until then.  Begin and end pump the loop for a short while.
 */
struct copy;

struct copy *initial_copy_begin(const struct initial_copy_setup *setup, struct error *err);
bool initial_copy_is_over(struct copy *copy);
MUST_CHECK bool initial_copy_end(struct copy *copy, struct table **refused, struct error *err);

#endif
