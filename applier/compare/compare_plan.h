/*
 * How one table is compared: which column with which, by what key, in how many buckets.
 */
#ifndef SLUICE_COMPARE_PLAN_H
#define SLUICE_COMPARE_PLAN_H

#include "tables/catalog.h"

struct compare_pair {
	const struct source_column *source;
	const struct target_column *target; /* NULL: only the row filter needs it */
};

/* How one table is compared. */
struct compare_plan {
	const struct table *table;
	struct compare_pair
		*pairs;				/* every source column that has a counterpart; behind them those that have none */
	unsigned pair_count;	/* those that are compared */
	unsigned carried_count; /* those of images: all, where there is a row filter */
	unsigned key[TABLE_MAX_KEY]; /* positions in `pairs`; the match key */
	unsigned key_count;			 /* 0: the whole row */
	unsigned bucket_digits;		 /* 16 ^ this many buckets */
	bool convert;				 /* digests are made of UTF-8: the servers' encodings differ */
	bool target_tree;			 /* the destination can tell which partitions the target has now */
	bool round_floats;			 /* composites may hold floats, whose digits depend on the version */
};

/* The tables and the plan's servers must have been described; compare_plan_fini() is due. */
void compare_plan_init(struct compare_plan *plan, const struct table *table, bool same_encoding,
					   int destination_version);
void compare_plan_fini(struct compare_plan *plan);

static inline unsigned
compare_plan_buckets(const struct compare_plan *plan)
{
	return 1u << 4 * plan->bucket_digits;
}

#endif
