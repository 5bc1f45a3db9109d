#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "compare.h"
#include "compare_details.h"
#include "compare_images.h"
#include "compare_scan.h"

/* How many rows of one side are fetched in one pass over the table. */
#define ROWS_AT_ONCE 100000
/* After this many fetched rows counting ends as soon as `limit` differences are found. */
#define ROWS_IN_ALL 300000
#define ROWS_A_FETCH "10000"

struct judge {
	struct compare_table *it;
	const struct compare_ends *ends;
	struct compare_images images;
	struct compare_rows over; /* changes from the log, ordered by bucket */
	uint32_t over_next;		  /* the first of `over` whose bucket was not compared yet */
	bool append;			  /* the target may have had rows before the task */
	unsigned limit;
	bool enough; /* ROWS_IN_ALL is reached: `limit` findings suffice */
	struct arena *memory;
	struct error *err;
};

/* ---- single rows of the buckets that differ */

static bool
bucket_differs(const struct compare_table *it, unsigned bucket)
{
	const struct compare_bucket *source = &it->source_buckets[bucket], *target = &it->target_buckets[bucket];

	return source->rows != target->rows || source->sum != target->sum;
}

/* Whether the configuration allows such a difference: operations may be left out, and others may feed the target. */
static bool
is_allowed(const struct judge *judge, enum compare_kind kind)
{
	const struct table *table = judge->it->table;
	bool rows_stay = !(table->operations & OPERATION_DELETE) || !(table->operations & OPERATION_TRUNCATE);

	switch (kind) {
	case COMPARE_MISSING:
		return !(table->operations & OPERATION_INSERT);
	case COMPARE_CHANGED: /* also a row that was deleted and inserted again, if neither is replicated */
		return !(table->operations & OPERATION_UPDATE) ||
			   (rows_stay && !(table->operations & OPERATION_INSERT));
	case COMPARE_EXTRA:
		break;
	}
	return judge->append || table->shared_with || rows_stay;
}

static void
grow_findings(struct judge *judge)
{
	struct compare_table *it = judge->it;
	unsigned capacity = it->finding_capacity ? it->finding_capacity * 2 : 16;
	struct compare_finding *grown = arena_alloc_zero(judge->memory, capacity * sizeof *grown);

	if (it->finding_count > 0)
		memcpy(grown, it->findings, it->finding_count * sizeof *grown);
	it->findings = grown;
	it->finding_capacity = capacity;
}

static void
keep_finding(struct judge *judge, const struct compare_difference *difference)
{
	struct compare_table *it = judge->it;
	struct compare_finding *finding;

	if (it->finding_count == it->finding_capacity)
		grow_findings(judge);
	finding = &it->findings[it->finding_count++];
	finding->difference = *difference;
	finding->difference.key = arena_strdup(judge->memory, difference->key);
	if (difference->source_digest)
		finding->difference.source_digest = arena_strdup(judge->memory, difference->source_digest);
	if (difference->target_digest)
		finding->difference.target_digest = arena_strdup(judge->memory, difference->target_digest);
}

static bool
take(void *arg, const struct compare_difference *difference)
{
	struct judge *judge = arg;
	struct compare_table *it = judge->it;

	if (is_allowed(judge, difference->kind))
		return true;
	it->counts[difference->kind] += difference->times;
	it->result = COMPARE_DIFFERENT;
	if (it->finding_count < judge->limit)
		keep_finding(judge, difference);
	return true;
}

/* ---- rows of one side, bucket by bucket */

struct row_stream {
	struct connection *conn;
	bool target;
	struct result *rows;
	unsigned at;
};

static bool
open_stream(struct row_stream *stream, const struct compare_plan *plan, const char *buckets,
			struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	buffer_printf(&sql, "DECLARE sluice_rows NO SCROLL CURSOR FOR ");
	compare_put_buckets(&sql, plan, stream->target ? COMPARE_TARGET : COMPARE_SOURCE, buckets);
	ok = connection_execute(stream->conn, (const char *) sql.data, NULL, 0, NULL, err);
	buffer_fini(&sql);
	return ok;
}

/* Fetches more rows if needed; `over`: there are none left. */
static bool
fill_stream(struct row_stream *stream, bool *over, struct error *err)
{
	*over = false;
	if (stream->rows && stream->at < result_rows(stream->rows))
		return true;
	if (stream->rows)
		result_free(stream->rows);
	stream->rows = NULL;
	stream->at = 0;
	if (!connection_execute(stream->conn, "FETCH " ROWS_A_FETCH " FROM sluice_rows", NULL, 0, &stream->rows,
							err))
		return false;
	*over = result_rows(stream->rows) == 0;
	return true;
}

static bool
take_bucket(struct row_stream *stream, unsigned bucket, struct compare_rows *rows, struct error *err)
{
	for (;; stream->at++) {
		bool over;

		if (!fill_stream(stream, &over, err))
			return false;
		if (over || result_int(stream->rows, stream->at, 1) != bucket)
			return true;
		compare_rows_add(rows, &(struct compare_row){
								   .bucket = bucket,
								   .key = result_text(stream->rows, stream->at, 2),
								   .digest = result_text(stream->rows, stream->at, 3),
								   .target = stream->target,
								   .weight = 1,
								   .image = COMPARE_NO_IMAGE,
							   });
	}
}

static bool
close_stream(struct row_stream *stream, bool ok, struct error *err)
{
	if (stream->rows)
		result_free(stream->rows);
	return ok && connection_execute(stream->conn, "CLOSE sluice_rows", NULL, 0, NULL, err);
}

/* ---- the buckets that differ */

static int64_t
rows_of_bucket(const struct compare_table *it, unsigned bucket)
{
	int64_t source = it->source_buckets[bucket].rows, target = it->target_buckets[bucket].rows;

	return source > target ? source : target;
}

/* Writes differing buckets from `from` on as an array constant, and returns the next one to choose from. */
static unsigned
choose_buckets(const struct compare_table *it, unsigned from, int64_t limit, struct buffer *array,
			   int64_t *rows)
{
	int64_t chosen = 0;
	unsigned next = from;

	buffer_reset(array);
	for (; next < compare_plan_buckets(&it->plan); next++) {
		if (!bucket_differs(it, next))
			continue;
		if (chosen > 0 && chosen + rows_of_bucket(it, next) > limit)
			break;
		chosen += rows_of_bucket(it, next);
		buffer_printf(array, "%s%u", array->len ? "," : "{", next);
	}
	if (array->len)
		buffer_put(array, "}", 2);
	*rows += chosen;
	return next;
}

/* The streams and `over` are all ordered by bucket. */
static bool
judge_bucket(struct judge *judge, struct row_stream streams[2], unsigned bucket)
{
	const struct compare_rows *over = &judge->over;
	struct compare_rows rows;
	bool ok;

	compare_rows_init(&rows);
	ok = take_bucket(&streams[0], bucket, &rows, judge->err) &&
		 take_bucket(&streams[1], bucket, &rows, judge->err);
	while (judge->over_next < over->count && over->rows[judge->over_next].bucket < bucket)
		judge->over_next++;
	for (; judge->over_next < over->count && over->rows[judge->over_next].bucket == bucket;
		 judge->over_next++)
		compare_rows_add(&rows, &over->rows[judge->over_next]);
	if (ok)
		compare_rows_judge(&rows, judge->it->plan.key_count > 0, take, judge);
	compare_rows_fini(&rows);
	return ok;
}

/* Compares the rows of the buckets in `array`: all differing ones between `from` and `to`. */
static bool
judge_buckets(struct judge *judge, const char *array, unsigned from, unsigned to)
{
	const struct compare_table *it = judge->it;
	struct row_stream streams[2] = {{judge->ends->source, false, NULL, 0},
									{judge->ends->target, true, NULL, 0}};
	bool ok = open_stream(&streams[0], &it->plan, array, judge->err) &&
			  open_stream(&streams[1], &it->plan, array, judge->err);

	for (unsigned bucket = from; ok && bucket < to; bucket++) {
		if (!bucket_differs(it, bucket))
			continue;
		if (judge->enough && it->finding_count >= judge->limit) {
			judge->it->more = true;
			break;
		}
		ok = judge_bucket(judge, streams, bucket);
	}
	ok = close_stream(&streams[0], ok, judge->err);
	return close_stream(&streams[1], ok, judge->err);
}

/*
 * Each pass reads the whole table, so there must be few: when the rows so far
 * have few differences that count, as in a target that others feed, too, the
 * next pass takes all remaining buckets.
 */
static bool
find_differences(struct judge *judge)
{
	struct compare_table *it = judge->it;
	struct buffer array;
	int64_t rows = 0;
	unsigned from = 0;
	bool ok = true;

	memory_buffer_init(&array);
	while (ok && !it->more) {
		unsigned to;

		judge->enough = rows >= ROWS_IN_ALL;
		to = choose_buckets(it, from, judge->enough ? INT64_MAX : ROWS_AT_ONCE, &array, &rows);
		if (array.len == 0)
			break;
		ok = judge_buckets(judge, (const char *) array.data, from, to);
		from = to;
	}
	buffer_fini(&array);
	return ok;
}

/* ---- one table */

static bool
set_floats(struct judge *judge, struct connection *conn, enum compare_from from)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	compare_put_settings(&sql, &judge->it->plan, from);
	ok = connection_execute(conn, (const char *) sql.data, NULL, 0, NULL, judge->err);
	buffer_fini(&sql);
	return ok;
}

static void
count_rows(struct compare_table *it)
{
	for (unsigned i = 0; i < compare_plan_buckets(&it->plan); i++) {
		it->source_rows += it->source_buckets[i].rows;
		it->target_rows += it->target_buckets[i].rows;
	}
}

static bool
any_bucket_differs(const struct compare_table *it)
{
	for (unsigned i = 0; i < compare_plan_buckets(&it->plan); i++)
		if (bucket_differs(it, i))
			return true;
	return false;
}

/* Findings are shown in the order of their keys. */
static int
by_key(const void *a, const void *b)
{
	const struct compare_finding *x = a, *y = b;

	return strcmp(x->difference.key, y->difference.key);
}

static bool
judge_locked(struct judge *judge, const struct net_change *net)
{
	struct compare_table *it = judge->it;

	if (!set_floats(judge, judge->ends->source, COMPARE_SOURCE) ||
		!set_floats(judge, judge->ends->target, COMPARE_TARGET))
		return false;
	if (net) {
		if (!compare_images_make(&judge->images, &it->plan, net, judge->ends->source, &judge->over,
								 judge->memory, judge->err))
			return false;
		compare_lay_over(it->source_buckets, &judge->over);
		compare_rows_by_bucket(&judge->over);
	}
	if (!find_differences(judge))
		return false;
	if (it->finding_count > 1)
		qsort(it->findings, it->finding_count, sizeof *it->findings, by_key);
	return (it->finding_count == 0 ||
			compare_details_read(it, judge->ends, &judge->images, judge->memory, judge->err));
}

static bool
judge_table(struct judge *judge, const struct net_change *net)
{
	struct compare_table *it = judge->it;
	bool same;

	if (!net && !any_bucket_differs(it))
		return true;
	if (!compare_scan_enter(judge->ends, &it->plan, &same, judge->err))
		return false;
	if (same && !judge_locked(judge, net))
		return false;
	it->changed = !same;
	return compare_scan_leave(judge->ends, judge->err);
}

bool
compare_judge(struct compare_table *it, const struct compare_ends *ends, const struct net_change *net,
			  bool append, unsigned limit, struct arena *memory, struct error *err)
{
	struct judge judge = {
		.it = it, .ends = ends, .append = append, .limit = limit, .memory = memory, .err = err};
	bool ok;

	compare_rows_init(&judge.over);
	ok = judge_table(&judge, net);
	compare_rows_fini(&judge.over);
	if (!ok)
		return error_context(err, "comparing %s.%s", it->table->source.schema, it->table->source.name);
	count_rows(it);
	return true;
}
