/*
 * Which targets need ANALYZE or VACUUM, and when: decisions alone, no session.
 *
 * Greenplum vacuums and analyzes no table by itself, and its planner goes by the counts of the last ANALYZE and not, as
 * PostgreSQL's does, by a table's present size.  So this program counts, per target, the changes since the target's
 * size was last queried, and the rows updated or deleted since its last VACUUM ("dead rows"; an append-optimized table
 * hides them instead).
 *
 *	written as much as it held ──► LOOK ──► has outgrown the planner's count ──► ANALYZE
 *	dead rows beyond its limit ───────────────────────────────────────────────► VACUUM ──► LOOK
 *
 * Both take a lock that conflicts there with every UPDATE and DELETE: a target is due once no batch has touched it for
 * a moment; one that is never quiet, once it has waited long enough or has a quarter more dead rows than its limit.  After a cancellation it is left alone for a
 * while that doubles each time.
 */
#ifndef SLUICE_UPKEEP_PLAN_H
#define SLUICE_UPKEEP_PLAN_H

#include "base/arena.h"
#include "base/keymap.h"
#include "merge/batch.h"

struct upkeep_limits {
	int64_t rows;			/* a planner that is wrong about fewer costs little */
	int64_t dead_rows;		/* fewer are not worth a VACUUM, … */
	int64_t dead_share;		/* … nor is a smaller share of the table, in percent, … */
	int64_t hidden_rows;	/* … though of an append-optimized table no more than so many are left */
	int64_t quiet_ms;		/* without a batch that touches the target */
	int64_t analyze_ms;		/* a target that is never quiet is analyzed after so long, … */
	int64_t vacuum_ms;		/* … and vacuumed */
	int64_t pause_ms;		/* after a cancellation; doubled for each in a row */
	unsigned cancellations; /* in a row, before a person is told */
};

extern const struct upkeep_limits upkeep_limits;

enum upkeep_action { UPKEEP_NOTHING, UPKEEP_ANALYZE, UPKEEP_VACUUM };

struct upkeep_target {
	const struct table *table; /* the first that feeds it */
	int64_t written;		   /* changes since its size was queried */
	int64_t look_at;		   /* at this number of them it is queried again; 0: it never was */
	bool looking;
	bool looked;
	int64_t rows; /* the planner's count */
	bool outgrown;
	int64_t dead_rows;
	int64_t stored_rows;  /* of them, so many stand in sluice.tables, … */
	int64_t storing_rows; /* … or are being written there */
	bool storing;
	bool note_stored;
	int64_t changed_ms; /* when a batch last touched it */
	int64_t due_ms;		/* since when it waits for a quiet moment; 0: it does not */
	int64_t not_before_ms;
	int64_t vacuuming_rows; /* dead rows when the VACUUM under way began */
	unsigned cancelled;		/* in a row */
	char *note;				/* why it is not vacuumed, for a person; NULL: it is */
};

struct upkeep_plan {
	const struct upkeep_limits *limits;
	bool vacuums;		   /* apply.vacuum */
	struct keymap numbers; /* of targets, by pg_class.oid at the destination */
	struct arena keys;
	struct upkeep_target *
		*targets; /* by number; each stays where it is, since an action under way refers to it */
	unsigned count;
	unsigned capacity;
};

void upkeep_plan_init(struct upkeep_plan *plan, const struct upkeep_limits *limits, bool vacuums);
void upkeep_plan_fini(struct upkeep_plan *plan);

/* What sluice.tables says of a table, at the start. */
void upkeep_plan_load(struct upkeep_plan *plan, const struct table *table);
/* A batch was applied. */
void upkeep_plan_note_batch(struct upkeep_plan *plan, const struct batch *batch, int64_t now_ms);
/* NULL: nothing is known of it. */
struct upkeep_target *upkeep_plan_find(const struct upkeep_plan *plan, uint32_t oid);

/* Whether the size of one is to be queried.  `now_or_never`: nothing more will be applied, so only where that may lead to
 * something. */
bool upkeep_plan_wants_look(const struct upkeep_plan *plan, bool now_or_never);
/* Appends the query about targets whose size is to be queried, some of them; false: there are none. */
bool upkeep_plan_put_look(struct upkeep_plan *plan, struct buffer *sql);
/* Its answer, a row for each target that is there: OID, the planner's row count, whether it has outgrown that. */
void upkeep_plan_take_look(struct upkeep_plan *plan, uint32_t oid, int64_t rows, bool outgrown);
/* The query is over.  What a query that failed asked about is asked again. */
void upkeep_plan_end_look(struct upkeep_plan *plan, bool failed);

/*
 * The action that is due now, for which target.  `now_or_never`: no moment will be as quiet.  `busy` says that a batch is at
 * work on the target: it is passed over unless it has waited too long.
 */
typedef bool (*upkeep_busy)(void *arg, const struct upkeep_target *target);
enum upkeep_action upkeep_plan_next(struct upkeep_plan *plan, int64_t now_ms, bool now_or_never,
									upkeep_busy busy, void *arg, struct upkeep_target **target);
/* Appends its statement. */
void upkeep_plan_put(enum upkeep_action action, struct upkeep_target *target, struct buffer *sql);
void upkeep_plan_done(struct upkeep_plan *plan, enum upkeep_action action, struct upkeep_target *target);
/* `reason` is NULL where it was cancelled, or got no lock. */
void upkeep_plan_failed(struct upkeep_plan *plan, enum upkeep_action action, struct upkeep_target *target,
						const char *reason, int64_t now_ms);

/* Whether sluice.tables does not say what is known of the target. */
bool upkeep_target_is_unstored(const struct upkeep_target *target);

#endif
