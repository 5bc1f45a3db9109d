#include "compare_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define MEMORY_CHUNK ((size_t) 64 << 10)
#define DIGEST_HALF 16

uint64_t
compare_parse_sum(const char *text)
{
	bool negative = *text == '-';
	uint64_t sum = 0;

	for (text += negative; *text >= '0' && *text <= '9'; text++)
		sum = sum * 10 + (uint64_t) (*text - '0');
	return negative ? 0 - sum : sum;
}

uint64_t
compare_digest_value(const char *digest)
{
	return strlen(digest) < DIGEST_HALF ? 0 : strtoull(digest + DIGEST_HALF, NULL, 16);
}

/* ---- lists of rows */

void
compare_rows_init(struct compare_rows *rows)
{
	*rows = (struct compare_rows){0};
	arena_init(&rows->memory, MEMORY_CHUNK);
}

void
compare_rows_fini(struct compare_rows *rows)
{
	free(rows->rows);
	arena_fini(&rows->memory);
	*rows = (struct compare_rows){0};
}

void
compare_rows_add(struct compare_rows *rows, const struct compare_row *row)
{
	if (rows->count == rows->capacity) {
		uint32_t capacity = rows->capacity ? rows->capacity * 2 : 256;

		rows->rows = memory_resize(rows->rows, capacity, sizeof *rows->rows);
		rows->capacity = capacity;
	}
	rows->rows[rows->count] = *row;
	rows->rows[rows->count].key = arena_strdup(&rows->memory, row->key);
	rows->rows[rows->count].digest = arena_strdup(&rows->memory, row->digest);
	rows->count++;
}

static int
by_bucket(const void *a, const void *b)
{
	const struct compare_row *x = a, *y = b;

	return (x->bucket > y->bucket) - (x->bucket < y->bucket);
}

void
compare_rows_by_bucket(struct compare_rows *rows)
{
	if (rows->count > 1)
		qsort(rows->rows, rows->count, sizeof *rows->rows, by_bucket);
}

void
compare_lay_over(struct compare_bucket *buckets, const struct compare_rows *rows)
{
	for (uint32_t i = 0; i < rows->count; i++) {
		const struct compare_row *row = &rows->rows[i];
		struct compare_bucket *bucket = &buckets[row->bucket];

		bucket->rows += row->weight;
		bucket->sum += (uint64_t) (int64_t) row->weight * compare_digest_value(row->digest);
	}
}

/* ---- differences */

static int
by_key_and_digest(const void *a, const void *b)
{
	const struct compare_row *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : strcmp(x->digest, y->digest);
}

/* Equal rows that one side has more of than the other. */
struct surplus {
	const struct compare_row *row;
	uint32_t image;
	int64_t rows; /* how many more the source has; negative: the target */
};

/* The surplus of the equal rows from `*next` on. */
static struct surplus
surplus_of(const struct compare_rows *rows, uint32_t *next)
{
	const struct compare_row *first = &rows->rows[*next];
	struct surplus surplus = {.row = first, .image = COMPARE_NO_IMAGE};

	for (; *next < rows->count && by_key_and_digest(first, &rows->rows[*next]) == 0; ++*next) {
		const struct compare_row *row = &rows->rows[*next];

		surplus.rows += row->target ? -row->weight : row->weight;
		if (row->image != COMPARE_NO_IMAGE)
			surplus.image = row->image;
	}
	return surplus;
}

static bool
take_one(const struct surplus *surplus, compare_taker take, void *arg)
{
	bool missing = surplus->rows > 0;
	struct compare_difference difference = {
		.kind = missing ? COMPARE_MISSING : COMPARE_EXTRA,
		.key = surplus->row->key,
		.source_digest = missing ? surplus->row->digest : NULL,
		.target_digest = missing ? NULL : surplus->row->digest,
		.image = missing ? surplus->image : COMPARE_NO_IMAGE,
		.times = missing ? surplus->rows : -surplus->rows,
	};

	return surplus->rows == 0 || take(arg, &difference);
}

/* A row of each side with the same key: it has changed. */
static bool
take_both(const struct surplus *source, const struct surplus *target, compare_taker take, void *arg)
{
	struct compare_difference difference = {
		.kind = COMPARE_CHANGED,
		.key = source->row->key,
		.source_digest = source->row->digest,
		.target_digest = target->row->digest,
		.image = source->image,
		.times = 1,
	};

	return take(arg, &difference);
}

/* Judges the rows with one key: a missing row is paired with an extra one.  There are rarely more than two. */
static bool
judge_key(const struct compare_rows *rows, uint32_t *next, compare_taker take, void *arg)
{
	const char *key = rows->rows[*next].key;
	struct surplus waiting = {0}; /* for one of the other side */

	while (*next < rows->count && strcmp(rows->rows[*next].key, key) == 0) {
		struct surplus surplus = surplus_of(rows, next);

		while (surplus.rows != 0 && waiting.rows != 0 && (surplus.rows > 0) != (waiting.rows > 0)) {
			bool forth = surplus.rows > 0;

			if (!take_both(forth ? &surplus : &waiting, forth ? &waiting : &surplus, take, arg))
				return false;
			surplus.rows += forth ? -1 : 1;
			waiting.rows += forth ? 1 : -1;
		}
		if (surplus.rows == 0)
			continue;
		if (waiting.rows != 0 && !take_one(&waiting, take, arg))
			return false;
		waiting = surplus;
	}
	return waiting.rows == 0 || take_one(&waiting, take, arg);
}

void
compare_rows_judge(struct compare_rows *rows, bool keyed, compare_taker take, void *arg)
{
	uint32_t next = 0;

	if (rows->count > 1)
		qsort(rows->rows, rows->count, sizeof *rows->rows, by_key_and_digest);
	while (next < rows->count) {
		struct surplus surplus;

		if (keyed) {
			if (!judge_key(rows, &next, take, arg))
				return;
			continue;
		}
		surplus = surplus_of(rows, &next);
		if (!take_one(&surplus, take, arg))
			return;
	}
}
