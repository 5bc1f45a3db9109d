/*
 * How one table is compared: which column with which, by what key, in how many buckets.
 */
#ifndef SLUICE_COMPARE_PLAN_H
#define SLUICE_COMPARE_PLAN_H

#include "tables/catalog.h"

struct compare_pair {
	const struct source_column *source;
	const struct target_column *target; /* NULL: only the table filter needs the column */
};

struct compare_plan {
	const struct table *table;
	struct compare_pair *pairs;	 /* the source columns with a target column, then those without */
	unsigned pair_count;		 /* pairs that are compared */
	unsigned carried_count;		 /* columns of images: all, if there is a table filter */
	unsigned key[TABLE_MAX_KEY]; /* the match key: positions in `pairs` */
	unsigned key_count;			 /* 0: rows are matched as a whole */
	unsigned bucket_digits;		 /* 16 ^ this many buckets */
	bool convert;				 /* to UTF-8 before MD5, since the servers' encodings differ */
	bool target_tree;			 /* the destination has pg_partition_tree(), and the target is partitioned */
	bool round_floats;			 /* values may contain floats, whose text depends on the server's version */
};

/* The definitions of the table and its target must have been read.  End with compare_plan_fini(). */
void compare_plan_init(struct compare_plan *plan, const struct table *table, bool same_encoding,
					   int destination_version);
void compare_plan_fini(struct compare_plan *plan);

static inline unsigned
compare_plan_buckets(const struct compare_plan *plan)
{
	return 1u << 4 * plan->bucket_digits;
}

#endif
