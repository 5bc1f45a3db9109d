/*
 * `sluice compare`: reads both sides as of one position of the source's log
 * while everything goes on, and finds the rows that differ.
 *
 * How one position comes about.  The source's snapshot belongs to a temporary slot, whose position
 * L is known exactly.  As soon as the destination has come to L its snapshots
 * are taken; they say themselves at which position P they are.  What committed between L
 * and P is read from the temporary slot and laid over the source's rows: that
 * is the source as of P.  Nothing needs to stand still, and no row is left out.
 *
 * Where no daemon runs, or it is paused, L is behind P instead, and a copy of
 * the task's slot tells which tables have changed since P; those cannot be compared.
 *
 * A table that is truncated or altered meanwhile is left to another round, at another position.
 */
#ifndef SLUICE_COMPARE_H
#define SLUICE_COMPARE_H

#include "compare_point.h"
#include "compare_rows.h"
#include "compare_sql.h"
#include "tables/catalog.h"

struct compare_value {
	const char *column; /* at the source */
	const char *source; /* NULL: NULL */
	const char *target;
	const char *canonical; /* the source's in the form that is held against the target's */
	bool differs;
	bool key;
};

/* A row that differs. */
struct compare_finding {
	struct compare_difference difference;
	struct compare_value *values; /* one for each pair of the plan; of the side that has the row */
};

/* A table that was not compared is not equal, so that is the first value. */
enum compare_result { COMPARE_NOT_DONE, COMPARE_EQUAL, COMPARE_DIFFERENT };

struct compare_table {
	const struct table *table;
	struct compare_plan plan;
	bool planned;
	enum compare_result result;
	char *reason; /* why it was not done */
	char *lacks;  /* selected columns that the target does not have, by their names there; NULL: none */
	bool changed; /* while it was compared: another round may succeed */
	uint64_t lsn; /* the position */
	int64_t source_rows;
	int64_t target_rows;
	int64_t counts[3];				  /* of differing rows by enum compare_kind */
	bool more;						  /* there are more than those; not all were counted */
	struct compare_finding *findings; /* the first of them */
	unsigned finding_count;
	unsigned finding_capacity;

	struct compare_bucket *source_buckets;
	struct compare_bucket *target_buckets;
};

struct compare_report {
	bool followed; /* a daemon runs, and moves the destination on */
	struct compare_table *tables;
	unsigned count;
	struct catalog *catalogs; /* of each round: the tables refer to them */
	unsigned round_count;
	struct arena memory;
};

/* `names` as a user writes tables into the configuration; none: all.  `limit` findings a table are kept. */
MUST_CHECK bool compare_run(struct loop *loop, const struct config *config, const struct string_list *names,
							unsigned limit, struct compare_report *report, struct error *err);
void compare_report_free(struct compare_report *report);

/* The second half, for one table whose buckets both sides have filled: lays the net change (NULL: none) over
 * the source's, and looks for the rows where they differ. `append`: the target may have held rows before the task. */
MUST_CHECK bool compare_judge(struct compare_table *it, const struct compare_ends *ends,
							  const struct net_change *net, bool append, unsigned limit, struct arena *memory,
							  struct error *err);

#endif
