/*
 * `sluice compare`: reads both sides as of one position of the source's log
 * while replication goes on, and finds the rows that differ.
 *
 * How both sides get to one position: the source's snapshot belongs to a temporary slot, whose position L is known
 * exactly.  When the destination has reached L, its snapshots are taken; sluice.progress in them has their position P.
 * The changes that committed between L and P are read from the temporary slot and applied to the source's rows in
 * memory: the result is the source as of P.  Nothing is stopped, and no row is left out.
 *
 * Where no daemon runs, or it is paused, P comes before L instead, and a copy of the task's slot shows which tables have
 * changed since P; those cannot be compared.
 *
 * A table that is truncated or altered meanwhile is compared in another round, at a later position.
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
	const char *canonical; /* the source's, in the form in which both are compared */
	bool differs;
	bool key;
};

/* A row that differs. */
struct compare_finding {
	struct compare_difference difference;
	struct compare_value *values; /* one for each pair of the plan */
};

/* Zero is "not compared": an unset result is never taken for equal. */
enum compare_result { COMPARE_NOT_DONE, COMPARE_EQUAL, COMPARE_DIFFERENT };

struct compare_table {
	const struct table *table;
	struct compare_plan plan;
	bool planned;
	enum compare_result result;
	char *reason; /* why it was not compared */
	char *lacks;  /* names, at the target, of the selected columns that it lacks; NULL: none */
	bool changed; /* while it was compared: another round may succeed */
	uint64_t lsn; /* the position */
	int64_t source_rows;
	int64_t target_rows;
	int64_t counts[3];				  /* of differing rows by enum compare_kind */
	bool more;						  /* there may be more differing rows: counting stopped early */
	struct compare_finding *findings; /* the first differing rows */
	unsigned finding_count;
	unsigned finding_capacity;

	struct compare_bucket *source_buckets;
	struct compare_bucket *target_buckets;
};

struct compare_report {
	bool followed; /* a daemon runs and applies changes */
	struct compare_table *tables;
	unsigned count;
	struct catalog *catalogs; /* one for each round; `tables` refer to them */
	unsigned round_count;
	struct arena memory;
};

/* `names`: tables or patterns as in the configuration; none: all tables.  At most `limit` findings are kept for each. */
MUST_CHECK bool compare_run(struct loop *loop, const struct config *config, const struct string_list *names,
							unsigned limit, struct compare_report *report, struct error *err);
void compare_report_free(struct compare_report *report);

/* For one table, after compare_scan_run() has filled its buckets: applies the net change (NULL: none) to the source's
 * buckets, and finds the rows of those that differ.  `append`: the target may have had rows before the task. */
MUST_CHECK bool compare_judge(struct compare_table *it, const struct compare_ends *ends,
							  const struct net_change *net, bool append, unsigned limit, struct arena *memory,
							  struct error *err);

#endif
