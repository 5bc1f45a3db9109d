/*
 * A batch: consecutive whole source transactions, folded, on their way to the
 * destination; or one round of a transaction that is too large for one.
 *
 * A batch is filled, sealed, applied, and then reused: everything in it lives
 * in its arena.  A batch that is not final leaves the destination's
 * transaction open for the next one.
 */
#ifndef SLUICE_BATCH_H
#define SLUICE_BATCH_H

#include "net_change.h"

/* The parts of a batch's time. */
enum batch_step {
	BATCH_RECEIVE, /* until the batch is sealed */
	BATCH_FOLD,	   /* of that, the time spent folding */
	BATCH_STAGE,   /* rows sent by COPY */
	BATCH_MERGE,   /* everything else in the transaction */
	BATCH_COMMIT,
	BATCH_STEPS,
};

/* A table that is held from this batch on: its changes in the batch are left out, and the hold is written in the
 * batch's transaction. */
struct batch_hold {
	struct batch_hold *next;
	const struct table *table; /* its state and error are set already */
	const char *key;		   /* of the refused row; NULL: not known */
};

struct batch {
	struct batch *next; /* in the list that the batch is in */
	struct arena arena;
	struct net_change **nets; /* in the order in which their tables were first touched */
	unsigned net_count;
	unsigned net_capacity;
	struct net_change **by_shape; /* by shape number; NULL: no changes */
	unsigned by_shape_count;
	size_t nets_bytes;		  /* memory of the nets outside the arena, as last counted */
	bool final;				  /* ends at a commit */
	uint64_t end_lsn;		  /* of its last whole transaction; 0: none yet */
	int64_t commit_time;	  /* of the same, microseconds since 2000; 0: unknown */
	uint32_t last_xid;		  /* of the last transaction of the stream in it; 0: none */
	uint64_t last_commit_lsn; /* where its commit record begins */
	int64_t transactions;
	int64_t changes;
	struct batch_hold *holds; /* in the arena */
	size_t sealed_bytes;	  /* its size when it was sealed */
	int64_t started_ms;		  /* when its first change was folded */
	int64_t spent_us[BATCH_STEPS];
};

/* Microseconds of a monotonic clock. */
int64_t batch_clock_us(void);

struct batch *batch_create(void);
void batch_destroy(struct batch *batch);
/* Empties the batch for reuse; keeps some of its memory. */
void batch_reset(struct batch *batch);

/* The net change of the shape's table, created at its first use. */
struct net_change *batch_net(struct batch *batch, const struct shape *shape);

/* An insert, update or delete of the shape's relation; see net_change_add(). */
MUST_CHECK bool batch_add(struct batch *batch, const struct shape *shape, const struct change *change,
						  struct error *err);

/* Whether the batch has changes of the shape's table under another shape, and none under this one. */
bool batch_has_other_shape(const struct batch *batch, const struct shape *shape);

/* Records a TRUNCATE: earlier changes of the table are discarded, and the target is
 * truncated before the rest of the batch is applied. */
void batch_truncate(struct batch *batch, const struct shape *shape, bool restart_identity);

/* Holds the table from this batch on. `key` may be NULL or empty. */
void batch_hold(struct batch *batch, const struct table *table, const char *key);
/* Whether the table shares its target with a table that the batch holds, so that its changes are left out. */
bool batch_leaves_out(const struct batch *batch, const struct table *table);

bool batch_is_empty(const struct batch *batch);
size_t batch_bytes(const struct batch *batch);

#endif
