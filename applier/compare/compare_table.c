#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "compare.h"
#include "compare_images.h"
#include "compare_scan.h"

/* Rows of one side that are fetched and compared at once, … */
#define ROWS_AT_ONCE 100000
/* … and in all, for the count of those that differ. */
#define ROWS_IN_ALL 300000

struct judge {
	struct compare_table *it;
	struct connection *source;
	struct connection *target;
	struct compare_images images;
	struct compare_rows over; /* to be laid over the source's rows */
	bool append;			  /* targets may have held rows before */
	unsigned limit;
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

/* What the task does not bring about may differ, and rows may be in the target that it has not fed. */
static bool
is_allowed(const struct judge *judge, enum compare_kind kind)
{
	const struct table *table = judge->it->table;

	switch (kind) {
	case COMPARE_MISSING:
		return !(table->operations & OPERATION_INSERT);
	case COMPARE_CHANGED:
		return !(table->operations & OPERATION_UPDATE);
	case COMPARE_EXTRA:
		break;
	}
	return judge->append || table->shared_with || !(table->operations & OPERATION_DELETE) ||
		   !(table->operations & OPERATION_TRUNCATE);
}

static void
keep_finding(struct judge *judge, const struct compare_difference *difference)
{
	struct compare_table *it = judge->it;
	struct compare_finding *finding = &it->findings[it->finding_count++];

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

static bool
fetch_rows(struct judge *judge, struct compare_rows *rows, bool target, const char *buckets)
{
	struct connection *conn = target ? judge->target : judge->source;
	struct param param = param_text(buckets);
	struct buffer sql;
	struct result *res;
	bool ok;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	compare_put_buckets(&sql, &judge->it->plan, target ? COMPARE_TARGET : COMPARE_SOURCE);
	ok = connection_execute(conn, (const char *) sql.data, &param, 1, &res, judge->err);
	buffer_fini(&sql);
	if (!ok)
		return false;
	for (unsigned i = 0; i < result_rows(res); i++)
		compare_rows_add(rows, &(struct compare_row){
								   .bucket = (unsigned) result_int(res, i, 1),
								   .key = result_text(res, i, 2),
								   .digest = result_text(res, i, 3),
								   .target = target,
								   .weight = 1,
								   .image = COMPARE_NO_IMAGE,
							   });
	result_free(res);
	return true;
}

/* Compares the rows of some buckets, which `chosen` has. */
static bool
judge_buckets(struct judge *judge, const char *array, const bool *chosen)
{
	struct compare_rows rows;
	bool ok;

	compare_rows_init(&rows);
	ok = fetch_rows(judge, &rows, false, array) && fetch_rows(judge, &rows, true, array);
	for (uint32_t i = 0; ok && i < judge->over.count; i++)
		if (chosen[judge->over.rows[i].bucket])
			compare_rows_add(&rows, &judge->over.rows[i]);
	if (ok)
		compare_rows_judge(&rows, judge->it->plan.key_count > 0, take, judge);
	compare_rows_fini(&rows);
	return ok;
}

static int64_t
rows_of_bucket(const struct compare_table *it, unsigned bucket)
{
	int64_t source = it->source_buckets[bucket].rows, target = it->target_buckets[bucket].rows;

	return source > target ? source : target;
}

/* Chooses differing buckets from `*next` on, as an array constant; returns their rows. */
static int64_t
choose_buckets(const struct compare_table *it, unsigned *next, bool *chosen, struct buffer *array)
{
	int64_t rows = 0;

	memset(chosen, 0, compare_plan_buckets(&it->plan) * sizeof *chosen);
	buffer_reset(array);
	for (; *next < compare_plan_buckets(&it->plan); ++*next) {
		if (!bucket_differs(it, *next))
			continue;
		if (rows > 0 && rows + rows_of_bucket(it, *next) > ROWS_AT_ONCE)
			break;
		rows += rows_of_bucket(it, *next);
		chosen[*next] = true;
		buffer_printf(array, "%s%u", array->len ? "," : "{", *next);
	}
	if (array->len)
		buffer_put(array, "}", 2);
	return rows;
}

static bool
find_differences(struct judge *judge)
{
	struct compare_table *it = judge->it;
	bool *chosen = catalog_alloc(compare_plan_buckets(&it->plan), sizeof *chosen);
	struct buffer array;
	int64_t rows = 0;
	unsigned next = 0;
	bool ok = true;

	buffer_init(&array, SIZE_MAX / 2, NULL, NULL);
	while (ok) {
		rows += choose_buckets(it, &next, chosen, &array);
		if (array.len == 0)
			break;
		if (rows > ROWS_IN_ALL && it->finding_count >= judge->limit) {
			it->more = true;
			break;
		}
		ok = judge_buckets(judge, (const char *) array.data, chosen);
	}
	buffer_fini(&array);
	free(chosen);
	return ok;
}

/* ---- what the differing rows hold */

static bool
matches_finding(const struct compare_table *it, const struct compare_finding *finding,
				const struct result *res, unsigned row, bool target)
{
	const char *digest = target ? finding->difference.target_digest : finding->difference.source_digest;

	if (!digest || strcmp(digest, result_text(res, row, 2)) != 0)
		return false;
	return it->plan.key_count == 0 || strcmp(finding->difference.key, result_text(res, row, 1)) == 0;
}

static bool
is_key(const struct compare_plan *plan, unsigned pair)
{
	for (unsigned i = 0; i < plan->key_count; i++)
		if (plan->key[i] == pair)
			return true;
	return false;
}

static void
make_values(struct judge *judge, struct compare_finding *finding)
{
	const struct compare_plan *plan = &judge->it->plan;

	finding->values = arena_alloc_zero(judge->memory, plan->pair_count * sizeof *finding->values);
	for (unsigned i = 0; i < plan->pair_count; i++) {
		finding->values[i].column = plan->pairs[i].source->name;
		finding->values[i].key = is_key(plan, i);
	}
}

/* The canonical values of the source's side wait in `canonical` for those of the target's. */
static void
set_values(struct judge *judge, struct compare_finding *finding, const char **canonical,
		   const struct result *res, unsigned row, bool target)
{
	for (unsigned i = 0; i < judge->it->plan.pair_count; i++) {
		unsigned column = 3 + 2 * i;
		const char *value = result_is_null(res, row, column)
								? NULL
								: arena_strdup(judge->memory, result_text(res, row, column));
		const char *text = result_is_null(res, row, column + 1)
							   ? NULL
							   : arena_strdup(judge->memory, result_text(res, row, column + 1));
		struct compare_value *shown = &finding->values[i];

		if (!target) {
			canonical[i] = value;
			shown->source = text;
			continue;
		}
		shown->target = text;
		if (finding->difference.kind == COMPARE_CHANGED)
			shown->differs =
				(value == NULL) != (canonical[i] == NULL) || (value && strcmp(value, canonical[i]) != 0);
	}
}

static void
take_details(struct judge *judge, const char ***canonical, const struct result *res, bool target)
{
	struct compare_table *it = judge->it;

	for (unsigned i = 0; i < it->finding_count; i++)
		for (unsigned row = 0; row < result_rows(res); row++)
			if (matches_finding(it, &it->findings[i], res, row, target)) {
				set_values(judge, &it->findings[i], canonical[i], res, row, target);
				break;
			}
}

/* Keys, or digests where there is no key, of the findings that a side's table has. */
static void
put_wanted(const struct compare_table *it, struct buffer *array, bool target)
{
	for (unsigned i = 0; i < it->finding_count; i++) {
		const struct compare_difference *difference = &it->findings[i].difference;
		const char *digest = target ? difference->target_digest : difference->source_digest;

		if (digest && (target || difference->image == COMPARE_NO_IMAGE))
			sql_array_element(array, it->plan.key_count ? difference->key : digest);
	}
	if (array->len)
		sql_array_end(array);
}

static bool
fetch_details(struct judge *judge, const char ***canonical, bool target)
{
	struct compare_table *it = judge->it;
	struct buffer sql, array;
	struct result *res;
	bool ok = true;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	buffer_init(&array, SIZE_MAX / 2, NULL, NULL);
	put_wanted(it, &array, target);
	if (array.len) {
		struct param param = param_text((const char *) array.data);

		compare_put_details(&sql, &it->plan, target ? COMPARE_TARGET : COMPARE_SOURCE);
		ok = connection_execute(target ? judge->target : judge->source, (const char *) sql.data, &param, 1,
								&res, judge->err);
		if (ok) {
			take_details(judge, canonical, res, target);
			result_free(res);
		}
	}
	buffer_fini(&sql);
	buffer_fini(&array);
	return ok;
}

/* The same for rows that are not in the source's snapshot. */
static bool
fetch_image_details(struct judge *judge, const char ***canonical)
{
	struct compare_table *it = judge->it;
	uint32_t *which = catalog_alloc(it->finding_count, sizeof *which);
	uint32_t count = 0;
	struct buffer sql;
	struct result *res;
	bool ok = true;

	for (unsigned i = 0; i < it->finding_count; i++)
		if (it->findings[i].difference.image != COMPARE_NO_IMAGE)
			which[count++] = it->findings[i].difference.image;
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	if (count > 0) {
		compare_put_details(&sql, &it->plan, COMPARE_IMAGES);
		ok = compare_images_query(&judge->images, which, count, judge->source, (const char *) sql.data, &res,
								  judge->err);
		if (ok) {
			take_details(judge, canonical, res, false);
			result_free(res);
		}
	}
	buffer_fini(&sql);
	free(which);
	return ok;
}

static bool
look_into_findings(struct judge *judge)
{
	struct compare_table *it = judge->it;
	const char ***canonical = catalog_alloc(it->finding_count, sizeof *canonical);
	bool ok;

	for (unsigned i = 0; i < it->finding_count; i++) {
		make_values(judge, &it->findings[i]);
		canonical[i] = arena_alloc_zero(judge->memory, it->plan.pair_count * sizeof(**canonical));
	}
	ok = fetch_details(judge, canonical, false) && fetch_image_details(judge, canonical) &&
		 fetch_details(judge, canonical, true);
	free(canonical);
	return ok;
}

/* ---- */

static bool
set_floats(struct judge *judge)
{
	struct buffer sql;
	bool ok;

	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	compare_put_settings(&sql, &judge->it->plan);
	ok = connection_execute(judge->source, (const char *) sql.data, NULL, 0, NULL, judge->err) &&
		 connection_execute(judge->target, (const char *) sql.data, NULL, 0, NULL, judge->err);
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

static bool
judge_locked(struct judge *judge, const struct net_change *net)
{
	struct compare_table *it = judge->it;

	if (!set_floats(judge))
		return false;
	if (net) {
		if (!compare_images_make(&judge->images, &it->plan, net, judge->source, &judge->over, judge->memory,
								 judge->err))
			return false;
		compare_lay_over(it->source_buckets, &judge->over);
	}
	return find_differences(judge) && (it->finding_count == 0 || look_into_findings(judge));
}

static bool
judge_table(struct judge *judge, const struct compare_ends *ends, const struct net_change *net)
{
	struct compare_table *it = judge->it;
	bool same;

	if (!net && !any_bucket_differs(it))
		return true;
	if (!compare_scan_enter(ends, &it->plan, &same, judge->err))
		return false;
	if (same && !judge_locked(judge, net))
		return false;
	it->changed = !same;
	return compare_scan_leave(ends, judge->err);
}

bool
compare_judge(struct compare_table *it, const struct compare_ends *ends, const struct net_change *net,
			  bool append, unsigned limit, struct arena *memory, struct error *err)
{
	struct judge judge = {.it = it,
						  .source = ends->source,
						  .target = ends->target,
						  .append = append,
						  .limit = limit,
						  .memory = memory,
						  .err = err};
	bool ok;

	it->findings = arena_alloc_zero(memory, limit * sizeof *it->findings);
	compare_rows_init(&judge.over);
	ok = judge_table(&judge, ends, net);
	compare_rows_fini(&judge.over);
	if (!ok)
		return error_context(err, "comparing %s.%s", it->table->source.schema, it->table->source.name);
	count_rows(it);
	return true;
}
