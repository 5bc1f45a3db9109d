/*
 * Decides which targets need ANALYZE or VACUUM, and when; has no session.
 *
 * Greenplum vacuums and analyzes no table by itself, and its planner uses the
 * row counts of the last ANALYZE, not, as PostgreSQL's does, the present size
 * of a table. So this program counts, for each target, the changes since its
 * size was last queried, and the rows updated or deleted since its last VACUUM
 * ("dead rows"; an append-optimized table hides them instead).
 *
 *	changes >= rows at the last query ──► SIZE ──► grown beyond the planner's count ──► ANALYZE
 *	dead rows >= limit ───────────────────────────────────────────────────────────────► VACUUM ──► SIZE
 *
 * Both take a lock that conflicts on Greenplum with every UPDATE and DELETE. So
 * a target is due when no batch has touched it for a moment; a target that is
 * never quiet, when it has waited long enough or has a quarter more dead rows
 * than its limit. After a cancellation it is left alone for a while, which
 * doubles each time.
 */
#ifndef SLUICE_UPKEEP_PLAN_H
#define SLUICE_UPKEEP_PLAN_H

#include "base/arena.h"
#include "base/keymap.h"
#include "merge/batch.h"

struct upkeep_limits {
	int64_t rows;			/* below this many rows a wrong row count costs the planner little */
	int64_t dead_rows;		/* a VACUUM is due from this many on, … */
	int64_t dead_share;		/* … if they are also this share of the table, in percent, … */
	int64_t hidden_rows;	/* … or, for an append-optimized table, at the latest from this many on */
	int64_t quiet_ms;		/* quiet: no batch has touched the target for this long */
	int64_t analyze_ms;		/* a target that is never quiet is analyzed after this long, … */
	int64_t vacuum_ms;		/* … and vacuumed */
	int64_t pause_ms;		/* after a cancellation; doubled with each further one in a row */
	unsigned cancellations; /* in a row, before the target gets a note for `status` */
};

extern const struct upkeep_limits upkeep_limits;

enum upkeep_action { UPKEEP_NOTHING, UPKEEP_ANALYZE, UPKEEP_VACUUM };

struct upkeep_target {
	const struct table *table; /* the first table that feeds the target */
	int64_t written;		   /* changes since the target's size was queried */
	int64_t query_at; /* with this many changes the size is queried again; 0: it was not queried yet */
	bool size_pending;
	bool size_known;
	int64_t rows; /* the planner's count */
	bool outgrown;
	int64_t dead_rows;
	int64_t stored_rows;  /* how many of the dead rows sluice.tables has, … */
	int64_t storing_rows; /* … or is being given by the pending request */
	bool storing;
	bool note_stored;
	int64_t changed_ms; /* when a batch last touched the target */
	int64_t due_ms;		/* since when an action is due; 0: none is */
	int64_t not_before_ms;
	int64_t vacuuming_rows; /* dead rows when the action began */
	unsigned cancelled;		/* cancellations in a row */
	char *note;				/* why it is not vacuumed, in words; NULL: it is */
};

struct upkeep_plan {
	const struct upkeep_limits *limits;
	bool vacuums;		   /* apply.vacuum */
	struct keymap numbers; /* of targets, found by their pg_class.oid at the destination */
	struct arena keys;
	struct upkeep_target *
		*targets; /* by number; allocated one by one, since a running action refers to its target */
	unsigned count;
	unsigned capacity;
};

void upkeep_plan_init(struct upkeep_plan *plan, const struct upkeep_limits *limits, bool vacuums);
void upkeep_plan_fini(struct upkeep_plan *plan);

/* Takes over what sluice.tables says of a table, at the start. */
void upkeep_plan_load(struct upkeep_plan *plan, const struct table *table);
/* Counts the changes of a batch that was applied. */
void upkeep_plan_note_batch(struct upkeep_plan *plan, const struct batch *batch, int64_t now_ms);
/* NULL: no changes of the target are known. */
struct upkeep_target *upkeep_plan_find(const struct upkeep_plan *plan, uint32_t oid);

/* Whether the size of a target is to be queried. `now_or_never`: nothing more will be applied, so only where the
 * answer may lead to an action. */
bool upkeep_plan_wants_sizes(const struct upkeep_plan *plan, bool now_or_never);
/* Appends the query for the sizes of the next targets; false: there are none. */
bool upkeep_plan_put_sizes(struct upkeep_plan *plan, struct buffer *sql);
/* Takes a row of the answer; there is one for each target that exists. */
void upkeep_plan_take_size(struct upkeep_plan *plan, uint32_t oid, int64_t rows, bool outgrown);
/* Ends the query. If it failed, its targets are queried again. */
void upkeep_plan_end_sizes(struct upkeep_plan *plan, bool failed);

/* The action that is due now, and its target. `now_or_never`: do not wait for a quiet moment. `busy` says whether a
 * batch is working on the target: then it is passed over, unless it has waited too long. */
typedef bool (*upkeep_busy)(void *arg, const struct upkeep_target *target);
enum upkeep_action upkeep_plan_next(struct upkeep_plan *plan, int64_t now_ms, bool now_or_never,
									upkeep_busy busy, void *arg, struct upkeep_target **target);
/* Appends the statement of the action. */
void upkeep_plan_put(enum upkeep_action action, struct upkeep_target *target, struct buffer *sql);
void upkeep_plan_done(struct upkeep_plan *plan, enum upkeep_action action, struct upkeep_target *target);
/* `reason` NULL: the action was cancelled, or got no lock. */
void upkeep_plan_failed(struct upkeep_plan *plan, enum upkeep_action action, struct upkeep_target *target,
						const char *reason, int64_t now_ms);
/* The action ended for a reason that has nothing to do with the target: a lost session, a lost segment. */
void upkeep_plan_postpone(struct upkeep_plan *plan, struct upkeep_target *target, int64_t now_ms);

/* Whether sluice.tables lacks something that is known of the target. */
bool upkeep_target_is_unstored(const struct upkeep_target *target);

#endif
