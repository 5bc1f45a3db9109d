/*
 * The arithmetic of `compare`: sums of digests by bucket, and lists of single
 * rows of both sides, from which the differing ones are found.
 *
 * The source is read as of one position, the destination as of a later one.
 * The changes in between, from the source's log, are added to what was read
 * from the source: the old version of a row with weight -1, the new one with +1.
 */
#ifndef SLUICE_COMPARE_ROWS_H
#define SLUICE_COMPARE_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"

#define COMPARE_NO_IMAGE UINT32_MAX

struct compare_bucket {
	int64_t rows;
	uint64_t sum; /* of 64 bits of the digests, modulo 2^64 */
};

struct compare_row {
	unsigned bucket;
	const char *key;	/* canonical; "": no key */
	const char *digest; /* 32 hexadecimal digits */
	bool target;
	int weight;
	uint32_t image; /* the row's image, if it comes from the log, or COMPARE_NO_IMAGE */
};

/* Owns copies of the keys and digests. */
struct compare_rows {
	struct compare_row *rows;
	uint32_t count;
	uint32_t capacity;
	struct arena memory;
};

enum compare_kind {
	COMPARE_MISSING, /* the destination lacks the row */
	COMPARE_EXTRA,	 /* the destination alone has it */
	COMPARE_CHANGED, /* both have it, with different values */
};

struct compare_difference {
	enum compare_kind kind;
	const char *key;
	const char *source_digest; /* NULL: none */
	const char *target_digest;
	uint32_t image; /* of the source's row, or COMPARE_NO_IMAGE */
	int64_t times;	/* without a key: how many equal rows; otherwise 1 */
};

/* Parses a numeric such as "123456" or "-5", modulo 2^64. */
uint64_t compare_parse_sum(const char *text);
/* The number that a digest adds to its bucket's sum. */
uint64_t compare_digest_value(const char *digest);

void compare_rows_init(struct compare_rows *rows);
void compare_rows_fini(struct compare_rows *rows);
void compare_rows_add(struct compare_rows *rows, const struct compare_row *row);

/* Sorts the rows by bucket. */
void compare_rows_by_bucket(struct compare_rows *rows);

/* Adds the rows to the sums of their buckets. */
void compare_lay_over(struct compare_bucket *buckets, const struct compare_rows *rows);

/* Takes one difference; false: stop. */
typedef bool (*compare_taker)(void *arg, const struct compare_difference *difference);

/*
 * Finds the differences between the rows of both sides; sorts them by key.
 * Without a key a changed row counts as one missing and one extra row.
 */
void compare_rows_judge(struct compare_rows *rows, bool keyed, compare_taker take, void *arg);

#endif
