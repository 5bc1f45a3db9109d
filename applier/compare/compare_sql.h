/*
 * What `compare` asks the two servers for one table.  Each statement ends with
 * a NUL byte.
 *
 * A row is reduced to two texts that are the same on both sides exactly when the rows are: k, its
 * key, and d, the MD5 of all compared columns.  Both are made of canonical
 * values: those of the target's type in a form that does not depend on the server's
 * version, such as the bytes of a float instead of its digits.
 *
 * Rows are counted and their digests summed up in buckets, by leading bits of
 * the MD5 of k (of d where there is no key): that takes one scan, whatever the
 * key's type, and no order that two servers might see differently.
 */
#ifndef SLUICE_COMPARE_SQL_H
#define SLUICE_COMPARE_SQL_H

#include "buffer.h"
#include "compare_plan.h"
#include "compare_value.h"

/*
 * In a transaction with a snapshot: locks the table against changes of its definition, and says whether it still is what
 * the catalog has and the snapshot shows.  One that was truncated or rewritten since would look empty
 * to the snapshot, without an error.  Everything goes back to the savepoint "look" when the table is done with.
 */
void compare_put_unchanged_check(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);
/* Session settings for the plan's table, to be run before the others. */
void compare_put_settings(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);
/* bucket, count, sum of 64 bits of each digest as a signed number. */
void compare_put_sums(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);
/* 0, bucket, k, d of the rows in some buckets, "{1,7}", in the order of these. */
void compare_put_buckets(struct buffer *sql, const struct compare_plan *plan, enum compare_from from,
						 const char *buckets);
/* At the source: 0, bucket, k, d of the rows with the keys $1::text[], $2::text[] …, one array for each key column. */
void compare_put_keys(struct buffer *sql, const struct compare_plan *plan);
/* At the source: number from 1 on, then every carried column's value as text, of the rows with these keys, which are in order. */
void compare_put_values(struct buffer *sql, const struct compare_plan *plan);
/* Number from 1 on, bucket, k, d of each image; those that the row filter leaves out are missing. */
void compare_put_images(struct buffer *sql, const struct compare_plan *plan);
/*
 * Number (images: from 1 on, otherwise 0), k, d, and for every pair its canonical value and its text:
 * of the rows with the keys $1::text[] (with the digests, where there is no key), or of all images.
 */
void compare_put_details(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);

#endif
