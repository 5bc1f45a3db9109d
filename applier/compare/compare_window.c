#include "compare_window.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "frame.h"

#define MEMORY_CHUNK ((size_t) 256 << 10)

void
compare_window_init(struct compare_window *window, const struct catalog *catalog, const bool *wanted,
					uint64_t from_lsn, uint64_t until_lsn, size_t limit_bytes)
{
	*window = (struct compare_window){
		.catalog = catalog,
		.wanted = wanted,
		.from_lsn = from_lsn,
		.until_lsn = until_lsn,
		.limit_bytes = limit_bytes,
		.shapes = memory_alloc_zero(catalog->count, sizeof *window->shapes),
		.nets = memory_alloc_zero(catalog->count, sizeof *window->nets),
		.problems = memory_alloc_zero(catalog->count, sizeof *window->problems),
	};
	if (!change_decoder_init(&window->decoder))
		memory_exhausted(sizeof window->decoder);
	memory_buffer_init_limited(&window->parts.unpacked, FRAME_BODY_MAX);
	memory_buffer_init_limited(&window->parts.joined, FRAME_BODY_MAX);
	arena_init(&window->memory, MEMORY_CHUNK);
}

void
compare_window_fini(struct compare_window *window)
{
	if (!window->catalog)
		return;
	for (unsigned i = 0; i < window->catalog->count; i++) {
		if (!window->shapes[i].relation)
			continue;
		net_change_fini(&window->nets[i]);
		shape_fini(&window->shapes[i]);
	}
	free(window->shapes);
	free(window->nets);
	free(window->problems);
	free(window->tables);
	frame_parts_fini(&window->parts);
	arena_fini(&window->memory);
	change_decoder_fini(&window->decoder);
	*window = (struct compare_window){0};
}

const char *
compare_window_problem(const struct compare_window *window, const struct table *table)
{
	return window->problems[table - window->catalog->tables];
}

const struct net_change *
compare_window_net(const struct compare_window *window, const struct table *table)
{
	size_t index = (size_t) (table - window->catalog->tables);

	return window->shapes[index].relation ? &window->nets[index] : NULL;
}

/* ---- relations and their tables */

static const struct table *
table_of(const struct compare_window *window, const struct change_relation *relation)
{
	return relation->number < window->table_capacity ? window->tables[relation->number] : NULL;
}

/* The plugin sends a relation description before the first change of the relation. */
static void
learn_relation(struct compare_window *window, const struct change_relation *relation)
{
	const struct table *table;

	if (relation->number >= window->table_capacity) {
		uint32_t capacity = (relation->number + 1) * 2;
		const struct table **grown = memory_resize(window->tables, capacity, sizeof(*grown));

		memset(grown + window->table_capacity, 0, (capacity - window->table_capacity) * sizeof(*grown));
		window->tables = grown;
		window->table_capacity = capacity;
	}
	table = catalog_find_oid(window->catalog, relation->oid);
	if (table && window->wanted[table - window->catalog->tables])
		window->tables[relation->number] = table;
}

static bool
same_columns(const struct change_relation *a, const struct change_relation *b)
{
	if (a->column_count != b->column_count)
		return false;
	for (unsigned i = 0; i < a->column_count; i++)
		if (a->columns[i].attnum != b->columns[i].attnum)
			return false;
	return true;
}

static void
set_problem(struct compare_window *window, const struct table *table, const char *problem)
{
	char **place = &window->problems[table - window->catalog->tables];

	if (!*place)
		*place = arena_strdup(&window->memory, problem);
}

/* The table's net change; NULL: it has a problem.  The partitions of a table may have different replica identities, but
 * not different columns. */
static struct net_change *
net_of(struct compare_window *window, const struct table *table, const struct change_relation *relation)
{
	size_t index = (size_t) (table - window->catalog->tables);
	struct shape *shape = &window->shapes[index];
	struct error err;

	if (window->problems[index])
		return NULL;
	if (shape->relation) {
		if (same_columns(shape->relation, relation))
			return &window->nets[index];
		set_problem(window, table, "it was altered meanwhile");
		return NULL;
	}
	if (!shape_init(shape, (unsigned) index + 1, relation, table, false, &err)) {
		shape_fini(shape);
		*shape = (struct shape){0};
		set_problem(window, table, err.message);
		return NULL;
	}
	net_change_init(&window->nets[index], shape, &window->memory);
	return &window->nets[index];
}

/* ---- messages */

static unsigned
operation_of(enum change_kind kind)
{
	return kind == CHANGE_INSERT   ? OPERATION_INSERT
		   : kind == CHANGE_UPDATE ? OPERATION_UPDATE
								   : OPERATION_DELETE;
}

static void
take_row(struct compare_window *window, const struct change *change)
{
	const struct table *table = table_of(window, change->relation);
	struct net_change *net;
	struct error problem;

	if (window->skipping || !table || !(table->operations & operation_of(change->kind)))
		return;
	net = net_of(window, table, change->relation);
	if (net && !net_change_add(net, change, &problem))
		set_problem(window, table, problem.message);
	else if (arena_bytes(&window->memory) > window->limit_bytes)
		set_problem(window, table, "too much of it was changed meanwhile");
}

/* A snapshot from before a TRUNCATE shows the table empty. */
static void
take_truncate(struct compare_window *window, const struct change *change)
{
	const struct change_relation *relation;
	struct bytes leaf;
	size_t at = 0;

	while (!window->skipping && change_next_truncated(&window->decoder, change, &at, &relation, &leaf)) {
		const struct table *table = table_of(window, relation);

		if (table)
			set_problem(window, table, "it was truncated meanwhile");
	}
}

static void
take_change(struct compare_window *window, const struct change *change)
{
	switch (change->kind) {
	case CHANGE_RELATION:
		learn_relation(window, change->relation);
		return;
	case CHANGE_BEGIN:
		window->skipping = change->commit_lsn < window->from_lsn ||
						   (window->until_lsn && change->commit_lsn >= window->until_lsn);
		return;
	case CHANGE_INSERT:
	case CHANGE_UPDATE:
	case CHANGE_DELETE:
		take_row(window, change);
		return;
	case CHANGE_TRUNCATE:
		take_truncate(window, change);
		return;
	default:
		return;
	}
}

bool
compare_window_frame(struct compare_window *window, struct bytes bytes, struct error *err)
{
	struct frame frame;
	struct bytes body;
	struct reader r;

	reader_init(&r, bytes.data, bytes.len);
	if (change_frame_read(&r, &frame) != FRAME_READ)
		return error_set(err, ERROR_BUG, "the source's log came in damaged");
	if (!frame_parts_take(&window->parts, &frame, &body))
		return error_set(err, ERROR_BUG, "a frame of the source's log cannot be read: %s",
						 window->parts.problem);
	reader_init(&r, body.data, body.len);
	while (reader_left(&r) > 0) {
		struct change change;

		if (!change_decode(&window->decoder, &r, &change))
			return error_set(err, ERROR_BUG, "the source's log cannot be decoded: %s",
							 window->decoder.problem);
		take_change(window, &change);
	}
	frame_parts_done(&window->parts, &frame);
	return true;
}
