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

/* Up to this many rows are deleted or updated with arrays instead of a staging table, … */
#define MERGE_FEW_KEYS 500
/* … if the arrays have at most this many bytes. */
#define MERGE_FEW_BYTES ((size_t) 256 * 1024)

/* The staging tables of a shape that a session has, and which of them have been filled in the open transaction. */
struct staging {
	bool keys_made;
	bool rows_made;
	bool counts_made;
	bool keys_used;
	bool rows_used;
	bool counts_used;
	/* for stagings.c: */
	int64_t used_in; /* the last transaction that used one; 0: there are none */
	int64_t made_s;	 /* when the first one was made */
};

/* To be called after each commit, when ON COMMIT DELETE ROWS has emptied the tables. */
void staging_committed(struct staging *staging);

/* MERGE_TRUNCATE: a statement for several tables at once, see batch_order.h. */
enum merge_step_kind { MERGE_STATEMENT, MERGE_PREPARED, MERGE_COPY, MERGE_TRUNCATE };

/* The meaning of a step that affects another number of rows than it must, or of a row in the result of a query that
 * must have none. */
enum merge_finding {
	MERGE_ROWS_ABSENT,	  /* rows to update or delete do not exist */
	MERGE_ROWS_NOT_TAKEN, /* rows were not inserted */
	MERGE_ROWS_PARTIAL,	  /* rows to be inserted lack values that are available nowhere */
	MERGE_ROW_NAMED,	  /* a query for the row that the target lacks: the result has its key */
};

#define ENTRY_NONE UINT32_MAX

/* How many rows a group of steps must affect together. */
struct merge_count {
	int64_t least;
	int64_t most;
	int64_t met;
	const struct merge_step *last; /* the last step of the group: after it the number is checked */
};

struct merge_step {
	struct merge_step *next;
	enum merge_step_kind kind;
	const struct table *table;	  /* NULL: the step is for several tables */
	const struct net_change *net; /* likewise */
	const char *sql;
	const char *name; /* MERGE_PREPARED */
	struct param *params;
	unsigned param_count;
	struct copy_walk walk; /* MERGE_COPY */
	uint32_t entry;		   /* MERGE_PREPARED for one row: the entry of the net change; otherwise ENTRY_NONE */
	struct merge_count *count; /* NULL: any number of rows */
	enum merge_finding finding;
	/* Each row that this step affects changes by `awaits` how many the steps of that count must affect at least;
	 * NULL: none. */
	struct merge_count *awaited;
	int awaits;
};

/* The phases in which steps are executed, each over all tables of a batch. */
enum merge_phase {
	MERGE_FETCH,  /* stages rows, and fetches values that only the target has; changes nothing */
	MERGE_DELETE, /* deletes rows */
	MERGE_UPDATE, /* updates rows in place */
	MERGE_INSERT, /* inserts rows */
	MERGE_PHASES,
};

struct merge_steps {
	struct merge_step *first;
	struct merge_step *last;
};

struct merge_plan {
	struct merge_steps phases[MERGE_PHASES];
};

/* How a batch's statements are made. MERGE_NAMING is for a batch that was refused: rows are sent by COPY, whose
 * errors name the column of a refused value, and the keys of rows that the target lacks are queried before anything is
 * changed. */
enum merge_manner { MERGE_FAST, MERGE_NAMING };

/* The plan lives in `arena`, that of the batch, and so does the net change that its copies walk. Ignores
 * net->truncated. */
MUST_CHECK bool merge_plan_build(struct merge_plan *plan, const struct net_change *net,
								 const struct dialect *dialect, enum merge_manner manner,
								 struct staging *staging, struct arena *arena, struct error *err);

#endif
