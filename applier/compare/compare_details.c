#include "compare_details.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"

struct details {
	struct compare_table *it;
	const struct compare_ends *ends;
	const struct compare_images *images;
	struct arena *memory;
	struct error *err;
};

/* ---- values of one row */

static bool
is_key(const struct compare_plan *plan, unsigned pair)
{
	for (unsigned i = 0; i < plan->key_count; i++)
		if (plan->key[i] == pair)
			return true;
	return false;
}

static void
make_values(struct details *details, struct compare_finding *finding)
{
	const struct compare_plan *plan = &details->it->plan;

	finding->values = arena_alloc_zero(details->memory, plan->pair_count * sizeof *finding->values);
	for (unsigned i = 0; i < plan->pair_count; i++) {
		finding->values[i].column = plan->pairs[i].source->name;
		finding->values[i].key = is_key(plan, i);
	}
}

static const char *
keep_text(struct details *details, const struct result *res, unsigned row, unsigned column)
{
	return result_is_null(res, row, column) ? NULL
											: arena_strdup(details->memory, result_text(res, row, column));
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void
set_values(struct details *details, struct compare_finding *finding, const struct result *res, unsigned row,
		   bool target)
{
	for (unsigned i = 0; i < details->it->plan.pair_count; i++) {
		struct compare_value *value = &finding->values[i];
		const char *canonical = keep_text(details, res, row, 3 + 2 * i);
		const char *text = keep_text(details, res, row, 4 + 2 * i);

		if (target) {
			value->target = text;
			value->differs =
				finding->difference.kind == COMPARE_CHANGED && !same_text(value->canonical, canonical);
		} else {
			value->source = text;
			value->canonical = canonical;
		}
	}
}

/* ---- matching rows with findings */

/* How to recognize a finding's row on one side. */
struct wanted {
	const char *key;
	const char *digest;
	struct compare_finding *finding;
};

static int
by_key_and_digest(const void *a, const void *b)
{
	const struct wanted *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	return order ? order : strcmp(x->digest, y->digest);
}

static struct wanted *
sort_wanted(const struct compare_table *it, bool target, size_t *count)
{
	struct wanted *wanted = memory_alloc_zero(it->finding_count, sizeof *wanted);

	*count = 0;
	for (unsigned i = 0; i < it->finding_count; i++) {
		const struct compare_difference *difference = &it->findings[i].difference;
		const char *digest = target ? difference->target_digest : difference->source_digest;

		if (digest)
			wanted[(*count)++] = (struct wanted){difference->key, digest, &it->findings[i]};
	}
	qsort(wanted, *count, sizeof *wanted, by_key_and_digest);
	return wanted;
}

static void
take_details(struct details *details, const struct result *res, bool target)
{
	size_t count;
	struct wanted *wanted = sort_wanted(details->it, target, &count);

	for (unsigned row = 0; row < result_rows(res); row++) {
		struct wanted here = {result_text(res, row, 1), result_text(res, row, 2), NULL};
		const struct wanted *found = bsearch(&here, wanted, count, sizeof here, by_key_and_digest);

		if (found)
			set_values(details, found->finding, res, row, target);
	}
	free(wanted);
}

/* ---- reading the rows */

/* Keys, or digests where there is no key, of the findings whose row is in a side's table. */
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
fetch_details(struct details *details, bool target)
{
	struct compare_table *it = details->it;
	struct buffer sql, array;
	struct result *res;
	bool ok = true;

	memory_buffer_init(&sql);
	memory_buffer_init(&array);
	put_wanted(it, &array, target);
	if (array.len) {
		struct param param = param_text((const char *) array.data);

		compare_put_details(&sql, &it->plan, target ? COMPARE_TARGET : COMPARE_SOURCE);
		ok = connection_execute(target ? details->ends->target : details->ends->source,
								(const char *) sql.data, &param, 1, &res, details->err);
		if (ok) {
			take_details(details, res, target);
			result_free(res);
		}
	}
	buffer_fini(&sql);
	buffer_fini(&array);
	return ok;
}

/* The same for rows that are newer than the source's snapshot: they come from the log. */
static bool
fetch_image_details(struct details *details)
{
	struct compare_table *it = details->it;
	uint32_t *which = memory_alloc_zero(it->finding_count, sizeof *which);
	uint32_t count = 0;
	struct buffer sql;
	struct result *res;
	bool ok = true;

	for (unsigned i = 0; i < it->finding_count; i++)
		if (it->findings[i].difference.image != COMPARE_NO_IMAGE)
			which[count++] = it->findings[i].difference.image;
	memory_buffer_init(&sql);
	if (count > 0) {
		compare_put_details(&sql, &it->plan, COMPARE_IMAGES);
		ok = compare_images_query(details->images, which, count, details->ends->source,
								  (const char *) sql.data, &res, details->err);
		if (ok) {
			take_details(details, res, false);
			result_free(res);
		}
	}
	buffer_fini(&sql);
	free(which);
	return ok;
}

bool
compare_details_read(struct compare_table *it, const struct compare_ends *ends,
					 const struct compare_images *images, struct arena *memory, struct error *err)
{
	struct details details = {it, ends, images, memory, err};

	for (unsigned i = 0; i < it->finding_count; i++)
		make_values(&details, &it->findings[i]);
	/* The source's values first: set_values() compares the target's with them. */
	return fetch_details(&details, false) && fetch_image_details(&details) && fetch_details(&details, true);
}
