#include "compare_images.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"

/* The most rows or keys in one statement. */
#define ROWS_AT_ONCE 1000

/* ---- rows from the log */

/* The position of a source column in the relation description; -1: it is not there. */
static int
position_of(const struct change_relation *relation, const struct source_column *column)
{
	for (unsigned i = 0; i < relation->column_count; i++)
		if (relation->columns[i].attnum == column->attnum)
			return (int) i;
	return -1;
}

static const char *
copy_text(struct arena *memory, const void *data, size_t len)
{
	char *text = arena_alloc_unaligned(memory, len + 1);

	if (len > 0)
		memcpy(text, data, len);
	text[len] = '\0';
	return text;
}

static void
set_missing(struct compare_images *images, struct compare_image *image, unsigned pair)
{
	if (!image->missing)
		image->missing = arena_alloc_zero(images->memory, images->plan->carried_count * sizeof(bool));
	image->missing[pair] = true;
}

static void
add_image(struct compare_images *images, const struct net_change *net, const struct net_row *row, int weight,
		  struct value *values)
{
	const struct change_relation *relation = net->shape->relation;
	const struct compare_plan *plan = images->plan;
	struct compare_image *image = &images->images[images->count++];
	struct reader r;

	*image = (struct compare_image){.origin = row->origin, .weight = weight};
	image->values = arena_alloc_zero(images->memory, plan->carried_count * sizeof(*image->values));
	reader_init(&r, row->row.data, row->row.len);
	/* The row was decoded once before, so it is well-formed. */
	if (!change_decode_row(relation, false, &r, values))
		abort();
	for (unsigned i = 0; i < plan->carried_count; i++) {
		int at = position_of(relation, plan->pairs[i].source);

		if (at < 0 || values[at].kind == VALUE_UNCHANGED)
			set_missing(images, image, i);
		else if (values[at].kind == VALUE_PRESENT)
			image->values[i] = copy_text(images->memory, values[at].data, values[at].len);
	}
}

static void
collect(struct compare_images *images, const struct net_change *net)
{
	uint32_t count = net_change_count(net);
	struct value *values = memory_alloc_zero(net->shape->relation->column_count, sizeof *values);

	images->images = arena_alloc_zero(images->memory, count * sizeof *images->images);
	for (uint32_t i = 0; i < count; i++) {
		const struct net_row *row = &net->rows[i];
		int weight = net->shape->match == MATCH_ROW ? (int) row->count : 1;

		if (row->row.data && weight != 0)
			add_image(images, net, row, weight, values);
	}
	free(values);
}

/* ---- arrays for statements */

static void
put_element(struct buffer *array, const char *value)
{
	if (value) {
		sql_array_element(array, value);
		return;
	}
	buffer_printf(array, array->len ? ",NULL" : "{NULL");
}

struct arrays {
	struct buffer *buffers;
	struct param *params;
	unsigned count;
};

static void
arrays_init(struct arrays *arrays, unsigned count)
{
	arrays->count = count;
	arrays->buffers = memory_alloc_zero(count, sizeof *arrays->buffers);
	arrays->params = memory_alloc_zero(count, sizeof *arrays->params);
	for (unsigned i = 0; i < count; i++)
		memory_buffer_init(&arrays->buffers[i]);
}

static bool
arrays_execute(struct arrays *arrays, struct connection *conn, const char *sql, struct result **res,
			   struct error *err)
{
	for (unsigned i = 0; i < arrays->count; i++) {
		sql_array_end(&arrays->buffers[i]);
		arrays->params[i] = param_text((const char *) arrays->buffers[i].data);
	}
	return connection_execute(conn, sql, arrays->params, arrays->count, res, err);
}

static void
arrays_fini(struct arrays *arrays)
{
	for (unsigned i = 0; i < arrays->count; i++)
		buffer_fini(&arrays->buffers[i]);
	free(arrays->buffers);
	free(arrays->params);
}

bool
compare_images_query(const struct compare_images *images, const uint32_t *which, uint32_t count,
					 struct connection *source, const char *sql, struct result **res, struct error *err)
{
	struct arrays arrays;
	bool ok;

	arrays_init(&arrays, images->plan->carried_count);
	for (uint32_t i = 0; i < count; i++)
		for (unsigned pair = 0; pair < images->plan->carried_count; pair++)
			put_element(&arrays.buffers[pair], images->images[which[i]].values[pair]);
	ok = arrays_execute(&arrays, source, sql, res, err);
	arrays_fini(&arrays);
	return ok;
}

/* ---- keys */

/* Appends the entry's key to the arrays, in the order of the plan; the key has its values in the order of the shape. */
static void
put_key(const struct compare_plan *plan, const struct net_change *net, uint32_t entry, struct arrays *arrays,
		struct arena *scratch)
{
	const struct keymap_key *key = keymap_key(&net->map, entry);
	const struct shape *shape = net->shape;
	struct reader r;

	reader_init(&r, key->ptr, key->len);
	for (unsigned i = 0; i < shape->key_count; i++) {
		int attnum = shape->relation->columns[shape->fed[shape->key[i]].source].attnum;
		uint32_t len = reader_get_u32(&r);
		const char *value = copy_text(scratch, reader_get(&r, len), len);

		for (unsigned j = 0; j < plan->key_count; j++)
			if (plan->pairs[plan->key[j]].source->attnum == attnum)
				put_element(&arrays->buffers[j], value);
	}
}

/* Runs a statement of compare_sql.h over the keys of some entries. */
static bool
query_keys(const struct compare_plan *plan, const struct net_change *net, const uint32_t *entries,
		   uint32_t count, struct connection *source, const char *sql, struct result **res, struct error *err)
{
	struct arrays arrays;
	struct arena scratch;
	bool ok;

	arena_init(&scratch, 64 << 10);
	arrays_init(&arrays, plan->key_count);
	for (uint32_t i = 0; i < count; i++)
		put_key(plan, net, entries[i], &arrays, &scratch);
	ok = arrays_execute(&arrays, source, sql, res, err);
	arrays_fini(&arrays);
	arena_fini(&scratch);
	return ok;
}

/* ---- values that the log does not have */

static void
complete(const struct compare_images *images, struct compare_image *image, const struct result *res,
		 unsigned row)
{
	for (unsigned pair = 0; pair < images->plan->carried_count; pair++) {
		if (!image->missing[pair])
			continue;
		image->values[pair] = result_is_null(res, row, pair + 1)
								  ? NULL
								  : arena_strdup(images->memory, result_text(res, row, pair + 1));
	}
	image->missing = NULL;
}

/* Completes images[which[0 … count - 1]] from the source's snapshot. */
static bool
complete_some(struct compare_images *images, const struct net_change *net, const uint32_t *which,
			  uint32_t count, struct connection *source, const char *sql, struct error *err)
{
	uint32_t origins[ROWS_AT_ONCE];
	struct result *res;

	for (uint32_t i = 0; i < count; i++)
		origins[i] = images->images[which[i]].origin;
	if (!query_keys(images->plan, net, origins, count, source, sql, &res, err))
		return false;
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct compare_image *image = &images->images[which[result_int(res, row, 0) - 1]];

		if (image->missing)
			complete(images, image, res, row);
	}
	result_free(res);
	return true;
}

static bool
complete_all(struct compare_images *images, const struct net_change *net, struct connection *source,
			 struct error *err)
{
	uint32_t which[ROWS_AT_ONCE], count = 0;
	struct buffer sql;
	bool ok = true;

	memory_buffer_init(&sql);
	if (images->plan->key_count)
		compare_put_values(&sql, images->plan);
	for (uint32_t i = 0; ok && i < images->count; i++) {
		if (images->images[i].missing && images->images[i].origin != ORIGIN_NONE)
			which[count++] = i;
		if (count > 0 && (count == ROWS_AT_ONCE || i + 1 == images->count)) {
			ok = complete_some(images, net, which, count, source, (const char *) sql.data, err);
			count = 0;
		}
	}
	buffer_fini(&sql);
	return ok;
}

/* ---- rows to apply to the source's */

static bool
add_former_rows(const struct compare_plan *plan, const struct net_change *net, struct connection *source,
				struct compare_rows *rows, struct error *err)
{
	uint32_t entries[ROWS_AT_ONCE], total = net_change_count(net);
	struct buffer sql;
	bool ok = true;

	memory_buffer_init(&sql);
	compare_put_keys(&sql, plan);
	for (uint32_t first = 0; ok && first < total; first += ROWS_AT_ONCE) {
		uint32_t count = total - first < ROWS_AT_ONCE ? total - first : ROWS_AT_ONCE;
		struct result *res;

		for (uint32_t i = 0; i < count; i++)
			entries[i] = first + i;
		ok = query_keys(plan, net, entries, count, source, (const char *) sql.data, &res, err);
		for (unsigned row = 0; ok && row < result_rows(res); row++)
			compare_rows_add(rows, &(struct compare_row){
									   .bucket = (unsigned) result_int(res, row, 1),
									   .key = result_text(res, row, 2),
									   .digest = result_text(res, row, 3),
									   .weight = -1,
									   .image = COMPARE_NO_IMAGE,
								   });
		if (ok)
			result_free(res);
	}
	buffer_fini(&sql);
	return ok;
}

static bool
add_images(const struct compare_images *images, struct connection *source, struct compare_rows *rows,
		   struct error *err)
{
	uint32_t which[ROWS_AT_ONCE];
	struct buffer sql;
	bool ok = true;

	memory_buffer_init(&sql);
	compare_put_images(&sql, images->plan);
	for (uint32_t first = 0; ok && first < images->count; first += ROWS_AT_ONCE) {
		uint32_t left = images->count - first, count = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
		struct result *res;

		for (uint32_t i = 0; i < count; i++)
			which[i] = first + i;
		ok = compare_images_query(images, which, count, source, (const char *) sql.data, &res, err);
		for (unsigned row = 0; ok && row < result_rows(res); row++) {
			uint32_t image = first + (uint32_t) result_int(res, row, 0) - 1;

			compare_rows_add(rows, &(struct compare_row){
									   .bucket = (unsigned) result_int(res, row, 1),
									   .key = result_text(res, row, 2),
									   .digest = result_text(res, row, 3),
									   .weight = images->images[image].weight,
									   .image = image,
								   });
		}
		if (ok)
			result_free(res);
	}
	buffer_fini(&sql);
	return ok;
}

bool
compare_images_make(struct compare_images *images, const struct compare_plan *plan,
					const struct net_change *net, struct connection *source, struct compare_rows *rows,
					struct arena *memory, struct error *err)
{
	bool keyed = net->shape->match == MATCH_KEY;

	*images = (struct compare_images){.plan = plan, .memory = memory};
	if (keyed && plan->key_count != net->shape->key_count)
		return error_set(err, ERROR_RETRY, "%s.%s changed its key meanwhile", plan->table->source.schema,
						 plan->table->source.name);
	collect(images, net);
	if (keyed && (!complete_all(images, net, source, err) || !add_former_rows(plan, net, source, rows, err)))
		return false;
	return add_images(images, source, rows, err);
}
