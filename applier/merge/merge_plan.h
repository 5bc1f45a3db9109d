/*
 * The statements that bring a net change into its target, in order.
 *
 *	keys that go      DELETE one by one when they are very few, by arrays of
 *	                  keys when they are few, else by a staging table
 *	rows that stay    UPDATE in place, likewise; staged rows whose guarded
 *	under their key   columns differ from the target's are deleted and inserted
 *	keys that moved   deleted and inserted; values that only the target has are
 *	                  fetched before that
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

/* Up to this many rows are deleted or updated by arrays instead of a staging table, … */
#define MERGE_FEW_KEYS 500
/* … as long as the arrays stay below it. */
#define MERGE_FEW_BYTES ((size_t) 256 * 1024)

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

/* What it means if a step affects another number of rows than it must, or if a query that must find nothing finds a row. */
enum merge_finding {
	MERGE_ROWS_ABSENT,	  /* rows to update or delete were not met */
	MERGE_ROWS_NOT_TAKEN, /* rows to insert were not taken */
	MERGE_ROWS_PARTIAL,	  /* rows to be inserted lack values that are nowhere */
	MERGE_ROW_NAMED,	  /* the question for a row that is absent: its answer is the key */
};

#define ENTRY_NONE UINT32_MAX

/* How many rows some steps must meet, all of them together. */
struct merge_count {
	int64_t least;
	int64_t most;
	int64_t met;
	const struct merge_step *last; /* behind it the number is known */
};

struct merge_step {
	struct merge_step *next;
	enum merge_step_kind kind;
	const struct table *table;	  /* NULL: it is for several */
	const struct net_change *net; /* likewise */
	const char *sql;
	const char *name; /* MERGE_PREPARED */
	struct param *params;
	unsigned param_count;
	struct copy_walk walk;	   /* MERGE_COPY */
	uint32_t entry;			   /* MERGE_PREPARED for one row: the net change's, otherwise ENTRY_NONE */
	struct merge_count *count; /* NULL: whatever comes */
	enum merge_finding finding;
	/* By how much each row that this step meets changes what those steps must meet at least; NULL: none. */
	struct merge_count *awaited;
	int awaits;
};

/* What the steps of a phase do to the target; the phases go one after another over all tables of a batch. */
enum merge_phase {
	MERGE_FETCH,  /* nothing is changed: rows are staged, and values that only the target has are fetched */
	MERGE_DELETE, /* rows are deleted */
	MERGE_UPDATE, /* rows are updated in place */
	MERGE_INSERT, /* rows are inserted */
	MERGE_PHASES,
};

struct merge_steps {
	struct merge_step *first;
	struct merge_step *last;
};

struct merge_plan {
	struct merge_steps phases[MERGE_PHASES];
};

/*
 * Which statements a batch uses.  MERGE_NAMING is for one that was refused: rows come by COPY, which names the
 * column of a refused value, and the keys of rows that the target lacks are queried before anything is changed.
 */
enum merge_manner { MERGE_FAST, MERGE_NAMING };

/* Everything of the plan lives in `arena`, which is the batch's, like the net
 * change that its copies walk.  Ignores net->truncated. */
MUST_CHECK bool merge_plan_build(struct merge_plan *plan, const struct net_change *net,
								 const struct dialect *dialect, enum merge_manner manner,
								 struct staging *staging, struct arena *arena, struct error *err);

#endif
