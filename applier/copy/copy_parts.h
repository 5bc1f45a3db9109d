/*
 * Divides a large table for a copy by several jobs: by the leaves of a
 * partitioned table and by ranges of blocks.
 *
 *	WHERE ctid < '(a,0)' │ ctid >= '(a,0)' AND ctid < '(b,0)' │ … │ ctid >= '(z,0)'
 *
 * The last range has no end, so that the number of blocks need not be exact.
 * All ranges must be read at one snapshot: between two, an update moves a row.
 */
#ifndef SLUICE_COPY_PARTS_H
#define SLUICE_COPY_PARTS_H

#include "tables/catalog.h"

/* An ordinary table: the one to be copied, or a leaf of it. */
struct copy_leaf {
	char *schema;
	char *name;
	int64_t bytes;	/* with TOAST */
	int64_t blocks; /* of the table without TOAST; negative: cannot be divided */
};

struct copy_part {
	const struct copy_leaf *leaf;
	uint32_t first; /* block */
	uint32_t end;	/* the block after the last; 0: up to the end of the table */
};

struct copy_parts {
	struct copy_part *parts;
	unsigned count;
};

/* How large a part should be so that all jobs end at about the same time. */
int64_t copy_part_bytes(int64_t total_bytes, unsigned jobs, int64_t least_bytes);

/* Whether a table of this size is worth dividing if `jobs` jobs copy `total_bytes` altogether. */
bool copy_is_divisible(int64_t bytes, int64_t total_bytes, unsigned jobs, int64_t part_bytes);

/* Divides; the leaves must outlive the parts. */
void copy_parts_init(struct copy_parts *parts, const struct copy_leaf *leaves, unsigned leaf_count,
					 int64_t part_bytes);
void copy_parts_fini(struct copy_parts *parts);

#endif
