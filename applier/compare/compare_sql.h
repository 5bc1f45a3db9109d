/*
 * The statements of `compare` for one table, on both servers.  Each ends with a
 * NUL byte.
 *
 * A row is reduced to two texts that are equal on both sides exactly when the rows are: k, its key, and d, the MD5 of
 * all compared columns.  Both are made from canonical values: converted to the target's type, and in a form that does
 * not depend on the server's version, for example the bytes of a float instead of its digits.
 *
 * Rows are counted and their digests added up in buckets, which are the leading
 * bits of the MD5 of k (of d itself where there is no key).  That takes one scan
 * for any type of key, and no sort order, which could differ between servers.
 */
#ifndef SLUICE_COMPARE_SQL_H
#define SLUICE_COMPARE_SQL_H

#include "buffer.h"
#include "compare_plan.h"
#include "compare_value.h"

/*
 * In a transaction with a snapshot: sets the savepoint "before_lock", locks the table against changes of its definition, and
 * returns whether it is unchanged since the catalog was read and the snapshot was taken.  A table that was truncated or
 * rewritten since would look empty to the snapshot, without an error.  Rolling back to the savepoint ends the lock.
 */
void compare_put_unchanged_check(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);
/* Session settings for the plan's table; execute them before the statements below. */
void compare_put_settings(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);
/* Returns bucket, count, sum of 64 bits of each digest as a signed number. */
void compare_put_sums(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);
/* Returns 0, bucket, k, d of the rows in some buckets, such as "{1,7}", ordered by bucket. */
void compare_put_buckets(struct buffer *sql, const struct compare_plan *plan, enum compare_from from,
						 const char *buckets);
/* At the source: returns 0, bucket, k, d of the rows with the keys $1::text[], $2::text[] …, one array for each key
 * column. */
void compare_put_keys(struct buffer *sql, const struct compare_plan *plan);
/* At the source, with the same parameters: returns the number of the key, from 1 on, then each carried column of its row
 * as text. */
void compare_put_values(struct buffer *sql, const struct compare_plan *plan);
/* Returns number (from 1 on), bucket, k, d of each image that passes the table filter. */
void compare_put_images(struct buffer *sql, const struct compare_plan *plan);
/*
 * Returns number (images: from 1 on, otherwise 0), k, d, and for each pair its canonical value and its text, for the rows
 * with the keys $1::text[] (without a key: with those digests), or for all images.
 */
void compare_put_details(struct buffer *sql, const struct compare_plan *plan, enum compare_from from);

#endif
