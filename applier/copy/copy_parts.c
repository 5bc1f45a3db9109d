#include "copy_parts.h"

#include <stdlib.h>

#include "base/memory.h"

/* Larger parts gain nothing. */
#define PART_MOST_BYTES ((int64_t) 1 << 30)
#define PARTS_PER_JOB 8

int64_t
copy_part_bytes(int64_t total_bytes, unsigned jobs, int64_t least_bytes)
{
	int64_t bytes = total_bytes / ((int64_t) jobs * PARTS_PER_JOB);

	if (bytes > PART_MOST_BYTES)
		bytes = PART_MOST_BYTES;
	return bytes > least_bytes ? bytes : least_bytes;
}

/* Only a table that is larger than one job's fair share can keep the other jobs waiting at the end. */
bool
copy_is_divisible(int64_t bytes, int64_t total_bytes, unsigned jobs, int64_t part_bytes)
{
	return jobs > 1 && bytes > part_bytes && bytes > total_bytes / jobs;
}

/* Blocks in each part of a leaf; 0: it is not divided. */
static uint32_t
blocks_in_part(const struct copy_leaf *leaf, int64_t part_bytes)
{
	int64_t count = (leaf->bytes + part_bytes - 1) / part_bytes;

	if (count < 2 || leaf->blocks < 2)
		return 0;
	return (uint32_t) (count < leaf->blocks ? (leaf->blocks + count - 1) / count : 1);
}

static unsigned
count_parts(const struct copy_leaf *leaf, int64_t part_bytes)
{
	uint32_t step = blocks_in_part(leaf, part_bytes);

	return step ? (unsigned) ((leaf->blocks + step - 1) / step) : 1;
}

static void
divide(struct copy_parts *parts, const struct copy_leaf *leaf, int64_t part_bytes)
{
	uint32_t step = blocks_in_part(leaf, part_bytes);
	unsigned count = count_parts(leaf, part_bytes);

	for (unsigned i = 0; i < count; i++)
		parts->parts[parts->count++] = (struct copy_part){
			.leaf = leaf,
			.first = i * step,
			.end = i + 1 < count ? (i + 1) * step : 0,
		};
}

void
copy_parts_init(struct copy_parts *parts, const struct copy_leaf *leaves, unsigned leaf_count,
				int64_t part_bytes)
{
	unsigned count = 0;

	for (unsigned i = 0; i < leaf_count; i++)
		count += count_parts(&leaves[i], part_bytes);
	*parts = (struct copy_parts){.parts = memory_alloc_zero(count, sizeof *parts->parts)};
	for (unsigned i = 0; i < leaf_count; i++)
		divide(parts, &leaves[i], part_bytes);
}

void
copy_parts_fini(struct copy_parts *parts)
{
	free(parts->parts);
	*parts = (struct copy_parts){0};
}
