/*
 * The statements that bring a net change into its target, in order.
 *
 *	keys that go      DELETE one by one when they are very few, by arrays of
 *	                  keys when they are few, else by a staging table
 *	rows with values  staged; UPDATE in place, or their missing values are
 *	missing           fetched before the delete and they are inserted anew
 *	rows              INSERT one by one when they are very few, else COPY into
 *	                  the target
 *
 * No statement needs ON CONFLICT or MERGE.  Staging tables are temporary, made
 * once a session for each shape, and empty at the start of a transaction.
 */
#ifndef SLUICE_MERGE_PLAN_H
#define SLUICE_MERGE_PLAN_H

#include "copy_rows.h"
#include "dialect/dialect.h"
#include "io/connection.h"

/* Up to this many keys are deleted by arrays instead of a staging table. */
#define MERGE_FEW_KEYS 500

/* Which staging tables of a shape a session has, and which hold rows already
 * in the open transaction. */
struct staging {
	bool keys_made;
	bool rows_made;
	bool counts_made;
	bool keys_used;
	bool rows_used;
	bool counts_used;
	int64_t used_in; /* the last transaction that did, for stagings.c; 0: there are none */
};

/* To be called after each commit: ON COMMIT DELETE ROWS has emptied them. */
void staging_committed(struct staging *staging);

/* MERGE_TRUNCATE is a statement, too, for several tables at once: see batch_order.h. */
enum merge_step_kind { MERGE_STATEMENT, MERGE_PREPARED, MERGE_COPY, MERGE_TRUNCATE };

struct merge_step {
	struct merge_step *next;
	enum merge_step_kind kind;
	const struct table *table; /* NULL: it is for several */
	const char *sql;
	const char *name; /* MERGE_PREPARED */
	struct param *params;
	unsigned param_count;
	struct copy_walk walk; /* MERGE_COPY */
	int64_t expected_rows; /* -1: whatever comes */
	const char *mismatch;  /* what another number of rows means, and what to do */
	const char *remedy;	   /* NULL: the usual one */
};

/* What the steps of a phase do to the target; the phases go one after another over all tables of a batch. */
enum merge_phase {
	MERGE_LOOK,	  /* nothing: rows are staged, and what only the target knows is fetched */
	MERGE_DELETE, /* rows go */
	MERGE_UPDATE, /* rows change and stay where they are */
	MERGE_INSERT, /* rows come */
	MERGE_PHASES,
};

struct merge_steps {
	struct merge_step *first;
	struct merge_step *last;
};

struct merge_plan {
	struct merge_steps phases[MERGE_PHASES];
};

/* Everything of the plan lives in `arena`, which is the batch's, like the net
 * change that its copies walk.  Does not look at net->truncated. */
MUST_CHECK bool merge_plan_build(struct merge_plan *plan, const struct net_change *net,
								 const struct dialect *dialect, struct staging *staging, struct arena *arena,
								 struct error *err);

#endif
