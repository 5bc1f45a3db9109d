#include "base/memory.h"
#include "base/sql.h"
#include "fold_parts.h"

#include <stdlib.h>
#include <string.h>

#include "schema/schema_decision.h"
#include "schema/schema_follow.h"
#include "servers/source_vanished.h"
#include "tables/stored_definition.h"
#include "upkeep/index_cleanup.h"

/* How often to check whether a commit has become visible, at intervals of 10 ms. */
#define VISIBILITY_POLLS 500

bool
table_memory_has(const struct table_memory *memory, uint32_t oid)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (memory->oids[i] == oid)
			return true;
	return false;
}

void
table_memory_add(struct table_memory *memory, uint32_t oid)
{
	memory->oids = memory_resize(memory->oids, memory->count + 1, sizeof *memory->oids);
	memory->oids[memory->count++] = oid;
}

static int
compare_oids(const void *a, const void *b)
{
	const struct table *const *x = a, *const *y = b;

	return ((*x)->source.oid > (*y)->source.oid) - ((*x)->source.oid < (*y)->source.oid);
}

void
fold_index_tables(struct fold *f)
{
	struct catalog *catalog = f->setup.catalog;

	f->by_oid = memory_alloc_zero(catalog->count, sizeof *f->by_oid);
	for (unsigned i = 0; i < catalog->count; i++)
		f->by_oid[i] = &catalog->tables[i];
	qsort(f->by_oid, catalog->count, sizeof *f->by_oid, compare_oids);
}

struct table *
fold_table(const struct fold *f, uint32_t oid)
{
	struct table wanted = {.source.oid = oid};
	struct table *key = &wanted, **found;

	found = bsearch(&key, f->by_oid, f->setup.catalog->count, sizeof *f->by_oid, compare_oids);
	return found ? *found : NULL;
}

static void *
grow_zeroed(void *array, size_t from, size_t to, size_t bytes)
{
	char *grown = memory_resize(array, to, bytes);

	memset(grown + from * bytes, 0, (to - from) * bytes);
	return grown;
}

struct shape **
fold_shape_place(struct fold *f, uint32_t relation_number)
{
	if (relation_number >= f->shape_capacity) {
		uint32_t capacity = (relation_number + 1) * 2;

		f->shapes = grow_zeroed(f->shapes, f->shape_capacity, capacity, sizeof(*f->shapes));
		f->ignored = grow_zeroed(f->ignored, f->shape_capacity, capacity, sizeof *f->ignored);
		f->shape_capacity = capacity;
	}
	return &f->shapes[relation_number];
}

void
fold_free_shape(struct shape **place)
{
	if (!*place)
		return;
	shape_fini(*place);
	free(*place);
	*place = NULL;
}

static void
forget_shapes(struct fold *f, const struct table *table)
{
	for (uint32_t i = 0; i < f->shape_capacity; i++)
		if (f->shapes[i] && f->shapes[i]->table == table)
			fold_free_shape(&f->shapes[i]);
}

/* Another shape of the same table; NULL: none. */
static struct shape *
find_sibling(const struct fold *f, const struct shape *shape)
{
	for (uint32_t i = 0; i < f->shape_capacity; i++)
		if (f->shapes[i] && f->shapes[i] != shape && f->shapes[i]->table == shape->table)
			return f->shapes[i];
	return NULL;
}

/*
 * Applies all that was folded.  Before the first change of a transaction is folded
 * this commits all earlier ones, so that an operator repairing the target finds
 * no older work pending.
 */
bool
fold_drain(struct fold *f)
{
	bool drained;

	if (f->replaying)
		return pipeline_drain(f->setup.pipeline);
	pipeline_set_inside(f->setup.pipeline, f->touched);
	drained = pipeline_drain(f->setup.pipeline);
	pipeline_set_inside(f->setup.pipeline, true);
	return drained;
}

/* A commit is sent to the stream before its changes are visible to other sessions. */
bool
fold_await_visibility(struct fold *f, struct table *table, struct error *err)
{
	bool exists, visible = false;

	for (int i = 0; i < VISIBILITY_POLLS; i++) {
		if (!source_find_table(f->setup.source, table->source.oid, f->xid, &exists, &visible, err))
			return false;
		if (visible)
			return true;
		if (!connection_execute(f->setup.source, "SELECT pg_sleep(0.01)", NULL, 0, NULL, err))
			return false;
	}
	return error_set(err, ERROR_RESTART,
					 "what changed in %s.%s is not visible at the source yet: starting over",
					 table->source.schema, table->source.name);
}

static void
on_followed(void *arg, const struct table *table, const char *what)
{
	const struct fold *f = arg;
	struct arena memory;

	arena_init(&memory, 1024);
	monitor_definition(f->setup.monitor, sql_table_name(&memory, table->source.schema, table->source.name),
					   what);
	arena_fini(&memory);
}

/* Applies the changes under the old definition; the target is then altered in the transaction of those that follow. */
static bool
begin_following(struct fold *f, struct table *table, struct schema_follow *follow, struct error *err)
{
	*follow = (struct schema_follow){
		.config = f->setup.config,
		.dialect = f->setup.dialect,
		.catalog = f->setup.catalog,
		.source = f->setup.source,
		.destination = pipeline_destination(f->setup.pipeline),
		.notes = &f->setup.memories->notes,
		.followed = on_followed,
		.arg = f,
	};
	if (!fold_drain(f))
		return fold_interrupted(err);
	forget_shapes(f, table);
	if (!fold_await_visibility(f, table, err))
		return false;
	if (!pipeline_open_transaction(f->setup.pipeline, err))
		return false;
	f->touched = true;
	return index_cleanup_drop_inside(f->setup.source, follow->destination, f->setup.config, table, err);
}

bool
fold_follow_definition(struct fold *f, struct table *table, const struct change_relation *relation,
					   struct error *err)
{
	struct schema_follow follow;

	if (f->replaying)
		return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_COPIED_AGAIN,
								"its definition was changed while it was copied", err);
	return begin_following(f, table, &follow, err) && schema_follow(&follow, table, relation, err);
}

bool
fold_follow_name(struct fold *f, struct table *table, const char *schema, const char *name, struct error *err)
{
	struct schema_follow follow;

	return begin_following(f, table, &follow, err) && schema_follow_name(&follow, table, schema, name, err);
}

/* The plugin goes by the names that tables have at the time, and a renamed table has another one where the stream begins. */
static void
remember_text_name(struct buffer *names, const struct change_relation *relation)
{
	if (names->len == 0)
		memory_buffer_init(names);
	else
		buffer_put_u8(names, ',');
	sql_qualified(names, relation->schema, relation->name);
}

/* The plugin sends binary or text as requested when the stream began: another form needs a new attempt. */
static bool
check_form(struct fold *f, const struct table *table, const struct change_relation *relation,
		   struct error *err)
{
	if (!table->as_text || (relation->flags & RELATION_TEXT))
		return true;
	if (!table_memory_has(&f->setup.memories->as_text, relation->oid))
		table_memory_add(&f->setup.memories->as_text, relation->oid);
	remember_text_name(&f->setup.memories->text_names, relation);
	return error_set(err, ERROR_RESTART, "%s.%s now needs its values as text: starting over",
					 relation->schema, relation->name);
}

/* `past`: the reason if the table has by now what it lacked. */
static bool
hold_for_key(struct fold *f, const struct table *table, const char *past, struct error *err)
{
	char reason[ERROR_MESSAGE_MAX];

	return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_HELD,
							schema_decision_lost_key(table, NULL, reason) ? reason : past, err);
}

/* A table that has lost its replica identity is held before the first update or delete comes. */
static bool
check_identity(struct fold *f, const struct table *table, const struct change_relation *relation,
			   struct error *err)
{
	bool needed = table->operations & (OPERATION_UPDATE | OPERATION_DELETE);
	bool lacks = relation->identity != 'f' && (relation->identity == 'n' || relation->key_count == 0);

	if (relation->column_count > 0 && (table->source.partitioned || !needed || !lacks))
		return true;
	return hold_for_key(f, table, "it had no replica identity for a while", err);
}

/* A table without a key, whose target has columns of its own, is held before an update would lose their values. */
static bool
check_key(struct fold *f, const struct shape *shape, struct error *err)
{
	if (shape->match != MATCH_ROW || shape->unfed_count == 0 ||
		!(shape->table->operations & OPERATION_UPDATE))
		return true;
	return hold_for_key(f, shape->table,
						"it had no key for a while, and an update would have lost the values of columns that"
						" only its target has",
						err);
}

static bool
init_shape(struct fold *f, struct shape *shape, const struct change_relation *relation, struct table *table,
		   struct error *err)
{
	struct error why;

	if (shape_init(shape, ++f->shape_count, relation, table, f->setup.triggers_fire, err))
		return true;
	why = *err;
	if (err->class == ERROR_DATA)
		schema_notes_add(&f->setup.memories->notes, table, SCHEMA_HELD, why.message, err);
	return false;
}

bool
fold_shape_of(struct fold *f, const struct change_relation *relation, const struct shape **shape,
			  struct error *err)
{
	struct shape **place = fold_shape_place(f, relation->number);
	struct shape *earlier;
	struct table *table;

	if (*place) {
		*shape = *place;
		return true;
	}
	table = fold_table(f, relation->oid);
	if (!stored_definition_matches(&table->source, relation) &&
		!fold_follow_definition(f, table, relation, err))
		return false;
	if (!table->source.partitioned)
		table->source.identity = relation->identity;
	if (!check_identity(f, table, relation, err))
		return false;
	if (!check_form(f, table, relation, err))
		return false;
	*place = memory_alloc_zero(1, sizeof **place);
	if (!init_shape(f, *place, relation, table, err) || !check_key(f, *place, err)) {
		fold_free_shape(place);
		return false;
	}
	earlier = find_sibling(f, *place);
	if (earlier)
		earlier->has_siblings = (*place)->has_siblings = true;
	*shape = *place;
	return true;
}
