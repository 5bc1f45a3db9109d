#include "fold.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "frame.h"
#include "lsn.h"
#include "merge/open_transactions.h"
#include "schema/schema_follow.h"
#include "schema/schema_watch.h"
#include "servers/source.h"
#include "servers/target.h"
#include "state/state_tables.h"
#include "tables/descriptions.h"
#include "tables/table_definition.h"

/* So many replaced descriptions are waited for, since a look at them waits for the destination. */
#define REPLACED_KEPT 100

/* How often it is looked whether a commit has become visible, at intervals of 10 ms. */
#define VISIBILITY_POLLS 500

struct fold {
	struct fold_setup setup;
	struct table **by_oid; /* of the catalog */
	struct change_decoder decoder;
	struct descriptions descriptions;
	struct buffer unpacked; /* a frame's body, where it came compressed */
	struct shape **shapes;	/* by the relation's number */
	bool *ignored;			/* likewise: relations that belong to no table of ours */
	uint32_t shape_capacity;
	unsigned shape_count; /* ever made */

	/* the transaction being folded */
	bool in_transaction;
	bool skipping; /* it was applied before */
	bool touched;  /* some of it is in a batch */
	uint32_t xid;
	uint64_t commit_lsn;
	int64_t commit_time;
	struct bytes message; /* the one being folded, as it came */
	bool replaying;		  /* what had to wait for the copy of its table */

	/* transactions that are still open at the source */
	struct open_transactions open;
	struct open_transaction *streamed; /* the one whose block is being received */
};

static void index_tables(struct fold *f);

struct fold *
fold_create(const struct fold_setup *setup)
{
	struct fold *f = calloc(1, sizeof *f);

	if (!f || !change_decoder_init(&f->decoder))
		arena_out_of_memory(sizeof *f);
	f->setup = *setup;
	descriptions_init(&f->descriptions);
	index_tables(f);
	buffer_init(&f->unpacked, FRAME_BODY_MAX, NULL, NULL);
	f->open.directory = setup->config->apply.spill_directory;
	return f;
}

/* ---- what outlives a session */

bool
table_memory_has(const struct table_memory *memory, uint32_t oid)
{
	for (unsigned i = 0; i < memory->count; i++)
		if (memory->oids[i] == oid)
			return true;
	return false;
}

static void
remember(struct table_memory *memory, uint32_t oid)
{
	memory->oids = realloc(memory->oids, (memory->count + 1) * sizeof *memory->oids);
	if (!memory->oids)
		arena_out_of_memory((memory->count + 1) * sizeof *memory->oids);
	memory->oids[memory->count++] = oid;
}

size_t
fold_memory(const struct fold *f)
{
	return open_transactions_memory(&f->open);
}

/* ---- tables */

static int
compare_oids(const void *a, const void *b)
{
	const struct table *const *x = a, *const *y = b;

	return ((*x)->source.oid > (*y)->source.oid) - ((*x)->source.oid < (*y)->source.oid);
}

static void
index_tables(struct fold *f)
{
	struct catalog *catalog = f->setup.catalog;

	f->by_oid = catalog_alloc(catalog->count, sizeof *f->by_oid);
	for (unsigned i = 0; i < catalog->count; i++)
		f->by_oid[i] = &catalog->tables[i];
	qsort(f->by_oid, catalog->count, sizeof *f->by_oid, compare_oids);
}

static struct table *
table_by_oid(const struct fold *f, uint32_t oid)
{
	struct table wanted = {.source.oid = oid};
	struct table *key = &wanted, **found;

	found = bsearch(&key, f->by_oid, f->setup.catalog->count, sizeof *f->by_oid, compare_oids);
	return found ? *found : NULL;
}

/* ---- shapes */

/* What a pump of the loop ended with; the failure itself is told to the pipeline's owner. */
static bool
interrupted(struct error *err)
{
	error_set(err, ERROR_STOPPED, "stopped before the transaction was applied");
	return false;
}

static void *
grow_zeroed(void *array, size_t from, size_t to, size_t bytes)
{
	char *grown = realloc(array, to * bytes);

	if (!grown)
		arena_out_of_memory(to * bytes);
	memset(grown + from * bytes, 0, (to - from) * bytes);
	return grown;
}

static struct shape **
shape_place(struct fold *f, uint32_t relation_number)
{
	if (relation_number >= f->shape_capacity) {
		uint32_t capacity = (relation_number + 1) * 2;

		f->shapes = grow_zeroed(f->shapes, f->shape_capacity, capacity, sizeof(*f->shapes));
		f->ignored = grow_zeroed(f->ignored, f->shape_capacity, capacity, sizeof *f->ignored);
		f->shape_capacity = capacity;
	}
	return &f->shapes[relation_number];
}

static void
free_shape(struct shape **place)
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
			free_shape(&f->shapes[i]);
}

/* Another live shape of the same table. */
static struct shape *
find_sibling(const struct fold *f, const struct shape *shape)
{
	for (uint32_t i = 0; i < f->shape_capacity; i++)
		if (f->shapes[i] && f->shapes[i] != shape && f->shapes[i]->table == shape->table)
			return f->shapes[i];
	return NULL;
}

/*
 * Applies all that was folded.  Before the first change of a transaction that
 * makes everything earlier durable, so that nothing older is in the way of who
 * mends the target.
 */
static bool
drain(struct fold *f)
{
	bool drained;

	if (f->replaying)
		return pipeline_drain(f->setup.pipeline);
	pipeline_set_inside(f->setup.pipeline, f->touched);
	drained = pipeline_drain(f->setup.pipeline);
	pipeline_set_inside(f->setup.pipeline, true);
	return drained;
}

/* Commits reach the stream before others see what they changed. */
static bool
await_visibility(struct fold *f, struct table *table, struct error *err)
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
	return error_set(err, ERROR_RETRY,
					 "what changed in %s.%s is not visible at the source yet: starting over",
					 table->source.schema, table->source.name);
}

/* A table whose definition changed: what came under the old one is applied
 * first, then the target follows in the same transaction as what comes now. */
static bool
follow_definition(struct fold *f, struct table *table, const struct change_relation *relation,
				  struct error *err)
{
	struct schema_follow follow = {
		.config = f->setup.config,
		.dialect = f->setup.dialect,
		.source = f->setup.source,
		.destination = pipeline_destination(f->setup.pipeline),
		.notes = &f->setup.memories->notes,
	};

	if (f->replaying)
		return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_COPIED_ANEW,
								"its definition was changed while it was copied", err);
	if (!drain(f))
		return interrupted(err);
	forget_shapes(f, table);
	if (!await_visibility(f, table, err) || !pipeline_open_transaction(f->setup.pipeline, err))
		return false;
	f->touched = true;
	return schema_follow(&follow, table, relation, err);
}

/* Values come in the form that was asked for when the stream began. */
static bool
check_form(struct fold *f, const struct table *table, const struct change_relation *relation,
		   struct error *err)
{
	if (!table->as_text || (relation->flags & RELATION_TEXT))
		return true;
	if (!table_memory_has(&f->setup.memories->as_text, relation->oid))
		remember(&f->setup.memories->as_text, relation->oid);
	return error_set(err, ERROR_RETRY, "%s.%s has come to need its values as text: starting over",
					 relation->schema, relation->name);
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

static bool
shape_of(struct fold *f, const struct change_relation *relation, const struct shape **shape,
		 struct error *err)
{
	struct shape **place = shape_place(f, relation->number);
	struct shape *earlier;
	struct table *table;

	if (*place) {
		*shape = *place;
		return true;
	}
	table = table_by_oid(f, relation->oid);
	if (!table_definition_matches(&table->source, relation) && !follow_definition(f, table, relation, err))
		return false;
	if (!table->source.partitioned)
		table->source.identity = relation->identity;
	if (!check_form(f, table, relation, err))
		return false;
	*place = calloc(1, sizeof **place);
	if (!*place)
		arena_out_of_memory(sizeof **place);
	if (!init_shape(f, *place, relation, table, err)) {
		free_shape(place);
		return false;
	}
	earlier = find_sibling(f, *place);
	if (earlier)
		earlier->has_siblings = (*place)->has_siblings = true;
	*shape = *place;
	return true;
}

/* ---- folding */

static enum operation
operation_of(enum change_kind kind)
{
	switch (kind) {
	case CHANGE_INSERT:
		return OPERATION_INSERT;
	case CHANGE_UPDATE:
		return OPERATION_UPDATE;
	case CHANGE_DELETE:
		return OPERATION_DELETE;
	default:
		return OPERATION_TRUNCATE;
	}
}

/* ---- whose changes these are */

/* The table of a relation, NULL when it is not (or not any more) one of ours. */
static const struct table *
known_table(const struct fold *f, const struct change_relation *relation)
{
	if (relation->number < f->shape_capacity && f->shapes[relation->number])
		return f->shapes[relation->number]->table;
	return table_by_oid(f, relation->oid);
}

static bool
start_over(const struct change_relation *relation, const char *what, struct error *err)
{
	return error_set(err, ERROR_RETRY, "%s.%s %s: starting over with it", relation->schema, relation->name,
					 what);
}

static void
ignore(struct fold *f, const struct change_relation *relation)
{
	log_warning("%s.%s appears in the stream and is gone from the source, or not selected any more: ignored",
				relation->schema, relation->name);
	(void) shape_place(f, relation->number);
	f->ignored[relation->number] = true;
}

/*
 * A relation that the catalog, which is younger than the stream, does not know:
 * a new table, or one that is gone again.
 * Returns true when its change is to be left out.
 */
static bool
leave_out_stranger(struct fold *f, const struct change_relation *relation, struct error *err)
{
	bool exists, visible;

	if (relation->number < f->shape_capacity && f->ignored[relation->number])
		return true;
	/* Its copy will hold this change, too. */
	if (f->setup.strangers) {
		*f->setup.strangers = true;
		(void) shape_place(f, relation->number);
		f->ignored[relation->number] = true;
		return true;
	}
	if (!source_find_table(f->setup.source, relation->oid, f->xid, &exists, &visible, err))
		return false;
	if (!visible)
		return start_over(relation, "is not visible at the source yet", err);
	if (exists && !table_memory_has(&f->setup.memories->strangers, relation->oid)) {
		remember(&f->setup.memories->strangers, relation->oid);
		return start_over(relation, "is new among the tables", err);
	}
	ignore(f, relation);
	return true;
}

/* Whether the transaction's changes of the table are not in its copy, and it is not held. */
static bool
follows(const struct fold *f, const struct table *table)
{
	return f->commit_lsn >= table->snapshot_lsn && table_follows(table);
}

/* Its table is being copied: the change waits for that. */
static bool
set_aside(struct fold *f, const struct table *table, enum change_kind kind, struct error *err)
{
	struct backlog_entry entry = {
		.commit_lsn = f->commit_lsn,
		.commit_time = f->commit_time,
		.xid = f->xid,
		.message = f->message,
	};

	return !(table->operations & operation_of(kind)) || backlog_add(f->setup.backlog, &entry, err);
}

/* Whether the change is for its table at all: the copy may hold it already,
 * an operation may be left out, the table may be gone. */
static bool
concerns_table(struct fold *f, const struct change_relation *relation, enum change_kind kind, bool *concerns,
			   struct error *err)
{
	const struct table *table = known_table(f, relation);

	*concerns = false;
	if (table && table->late && !f->replaying)
		return set_aside(f, table, kind, err);
	/* A TRUNCATE that waited for one table may be of others, too. */
	if (table && f->replaying && !table->late)
		return true;
	/* It will be copied once more. */
	if (table && table->late && table->altered_lsn > table->snapshot_lsn)
		return true;
	*concerns = table && follows(f, table) && (table->operations & operation_of(kind));
	return table || leave_out_stranger(f, relation, err);
}

/* The batch for a change of that shape.  Two shapes of one table do not share
 * a batch, in which the order between their changes would be lost. */
static bool
batch_for(struct fold *f, const struct shape *shape, struct batch **batch, struct error *err)
{
	struct pipeline *pipeline = f->setup.pipeline;

	if ((shape->has_siblings || shape->table->shared_with) &&
		batch_has_other_shape(pipeline_filling(pipeline), shape)) {
		pipeline_close(pipeline);
		if (!pipeline_wait_for_room(pipeline))
			return interrupted(err);
	}
	*batch = pipeline_filling(pipeline);
	f->touched = true;
	return true;
}

static bool
fold_row(struct fold *f, const struct change *change, struct error *err)
{
	const struct shape *shape;
	struct batch *batch;
	bool concerns;

	if (!concerns_table(f, change->relation, change->kind, &concerns, err))
		return false;
	if (!concerns)
		return true;
	if (!shape_of(f, change->relation, &shape, err))
		return false;
	if (!batch_for(f, shape, &batch, err))
		return false;
	return batch_add(batch, shape, change, err);
}

/* Which of the rows were the leaf's nobody tells. */
static bool
leaf_truncated(struct fold *f, const struct change_relation *relation, struct bytes leaf, struct error *err)
{
	char reason[300];

	snprintf(reason, sizeof reason, "its partition %.*s was truncated by itself", (int) leaf.len,
			 (const char *) leaf.data);
	return schema_notes_add(&f->setup.memories->notes, table_by_oid(f, relation->oid), SCHEMA_COPIED_ANEW,
							reason, err);
}

static bool
fold_truncate(struct fold *f, const struct change *change, struct error *err)
{
	const struct change_relation *relation;
	struct bytes leaf;
	size_t at = 0;

	while (change_next_truncated(&f->decoder, change, &at, &relation, &leaf)) {
		const struct shape *shape;
		struct batch *batch;
		bool concerns;

		if (!concerns_table(f, relation, CHANGE_TRUNCATE, &concerns, err))
			return false;
		if (!concerns)
			continue;
		if (leaf.len > 0)
			return leaf_truncated(f, relation, leaf, err);
		if (!shape_of(f, relation, &shape, err))
			return false;
		if (!batch_for(f, shape, &batch, err))
			return false;
		batch_truncate(batch, shape, change->flags & TRUNCATE_RESTART);
		batch->changes++;
	}
	return true;
}

/* ---- definitions that changed */

static bool
tells_definitions(const struct change *change)
{
	static const char prefix[] = CHANGE_DEFINITIONS;

	return (change->flags & MESSAGE_TRANSACTIONAL) && change->prefix.len == sizeof prefix - 1 &&
		   memcmp(change->prefix.data, prefix, sizeof prefix - 1) == 0;
}

static bool
is_gone(struct fold *f, struct table *table, struct error *err)
{
	return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_GONE, "it was dropped at the source",
							err);
}

/* Its copy may be of either definition, what waits for it is of both. */
static void
note_altered(const struct fold *f, struct table *table, const struct change_relation *relation)
{
	if (!relation || !table_definition_matches(&table->source, relation))
		table->altered_lsn = f->commit_lsn;
}

/* One table that the plugin tells of; `follows` where it is to be looked at. */
static bool
take_definition(struct fold *f, uint32_t oid, uint32_t number, bool gone, struct table **looked,
				struct error *err)
{
	const struct change_relation *relation = number ? change_relation_of(&f->decoder, number) : NULL;
	struct table *table = table_by_oid(f, relation ? relation->oid : oid);

	*looked = NULL;
	if (!table)
		return !relation || leave_out_stranger(f, relation, err);
	if (table->late)
		note_altered(f, table, relation);
	if (!follows(f, table) || table->late)
		return true;
	if (gone)
		return is_gone(f, table, err);
	if (relation && !table_definition_matches(&table->source, relation) &&
		!follow_definition(f, table, relation, err))
		return false;
	*looked = table;
	return true;
}

/* Written down in the source's transaction, since the tables' rows may be locked by it. */
static bool
write_definitions(struct fold *f, struct table **tables, unsigned count, struct error *err)
{
	struct buffer sql;
	bool ok;

	if (!drain(f))
		return interrupted(err);
	if (!pipeline_open_transaction(f->setup.pipeline, err))
		return false;
	f->touched = true;
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	for (unsigned i = 0; i < count; i++)
		if (follows(f, tables[i]))
			state_tables_put_definition(&sql, f->setup.config->task, tables[i], &tables[i]->source);
	buffer_put_u8(&sql, '\0');
	ok = connection_execute(pipeline_destination(f->setup.pipeline), (const char *) sql.data, NULL, 0, NULL,
							err);
	buffer_fini(&sql);
	return ok || error_context(err, "writing sluice.tables");
}

static bool
look(struct fold *f, struct table **tables, unsigned count, struct error *err)
{
	bool moved;

	if (count == 0)
		return true;
	if (!await_visibility(f, tables[0], err) ||
		!schema_watch(f->setup.source, tables, count, &f->setup.memories->notes, &moved, err))
		return false;
	return !moved || write_definitions(f, tables, count, err);
}

/* "OID=number OID=0 OID=?", see change.h. */
static bool
fold_definitions(struct fold *f, struct bytes content, struct error *err)
{
	struct table **tables = catalog_alloc(content.len / 2 + f->setup.catalog->count + 1, sizeof *tables);
	char *text = catalog_alloc(content.len + 1, 1), *at = text;
	unsigned count = 0;
	bool ok = true;

	memcpy(text, content.data, content.len);
	if (*at == '*')
		for (at++; count < f->setup.catalog->count; count++) {
			tables[count] = &f->setup.catalog->tables[count];
			if (tables[count]->late)
				note_altered(f, tables[count], NULL);
		}
	while (ok && *at) {
		uint32_t oid = (uint32_t) strtoul(at, &at, 10);
		bool gone = at[0] == '=' && at[1] == '0';
		uint32_t number = *at == '=' ? (uint32_t) strtoul(at + 1, NULL, 10) : 0;

		ok = take_definition(f, oid, number, gone, &tables[count], err);
		count += ok && tables[count];
		at += strcspn(at, " ");
		at += *at == ' ';
	}
	ok = ok && look(f, tables, count, err);
	free(tables);
	free(text);
	return ok;
}

static void
begin(struct fold *f, const struct change *change)
{
	f->in_transaction = true;
	f->touched = false;
	f->xid = change->xid;
	f->commit_lsn = change->commit_lsn;
	f->commit_time = change->commit_time;
	/* A transaction is behind what was applied exactly when its commit record begins before that. */
	f->skipping = change->commit_lsn < f->setup.applied_lsn;
	pipeline_set_inside(f->setup.pipeline, !f->skipping);
}

static void
commit(struct fold *f, const struct change *change)
{
	struct batch *batch;

	f->in_transaction = false;
	pipeline_set_inside(f->setup.pipeline, false);
	if (f->skipping)
		return;
	batch = pipeline_filling(f->setup.pipeline);
	batch->end_lsn = change->end_lsn;
	batch->commit_time = f->commit_time;
	batch->transactions++;
}

static bool
fold_change(struct fold *f, const struct change *change, struct error *err)
{
	switch (change->kind) {
	case CHANGE_INSERT:
	case CHANGE_UPDATE:
	case CHANGE_DELETE:
		return fold_row(f, change, err);
	case CHANGE_TRUNCATE:
		return fold_truncate(f, change, err);
	case CHANGE_MESSAGE:
		return fold_definitions(f, change->content, err);
	default:
		return true;
	}
}

/* ---- transactions that came before their commit */

static bool
replay_chunk(struct fold *f, struct open_transaction *txn, struct bytes chunk, struct error *err)
{
	struct reader r;

	reader_init(&r, chunk.data, chunk.len);
	while (reader_left(&r) > 0) {
		struct change change;
		size_t start = r.pos;

		if (!change_decode(&f->decoder, &r, &change))
			return error_set(err, ERROR_BUG, "a spilled message is malformed: %s", f->decoder.problem);
		f->message = (struct bytes){r.data + start, r.pos - start};
		if (change.kind == CHANGE_SUBTRANSACTION)
			open_transaction_owner(txn, change.xid);
		else if (!open_transaction_skips(txn) && !fold_change(f, &change, err))
			return false;
	}
	return true;
}

static bool
replay(struct fold *f, struct open_transaction *txn, struct error *err)
{
	for (;;) {
		struct bytes chunk;

		if (!spill_read(txn->spill, &chunk, err))
			return false;
		if (chunk.len == 0)
			return true;
		if (!replay_chunk(f, txn, chunk, err))
			return false;
		if (!pipeline_wait_for_room(f->setup.pipeline))
			return interrupted(err);
	}
}

static bool
commit_streamed(struct fold *f, const struct change *change, struct error *err)
{
	struct open_transaction *txn = open_transactions_take(&f->open, change->xid);
	bool ok;

	begin(f, change);
	ok = !txn || f->skipping || replay(f, txn, err);
	open_transaction_destroy(txn);
	if (ok)
		commit(f, change);
	return ok;
}

static void
abort_streamed(struct fold *f, const struct change *change)
{
	if (change->xid == change->subxid)
		open_transaction_destroy(open_transactions_take(&f->open, change->xid));
	else
		open_transaction_abort_sub(open_transactions_find(&f->open, change->xid), change->subxid);
}

static bool
start_block(struct fold *f, uint32_t xid, struct error *err)
{
	f->streamed = open_transactions_find(&f->open, xid);
	return open_transaction_own(f->streamed, xid, err);
}

/* What is open must leave most of the memory to batches. */
static bool
stop_block(struct fold *f, struct error *err)
{
	struct open_transaction *txn = f->streamed;

	f->streamed = NULL;
	return !txn ||
		   open_transactions_rest(&f->open, txn, (size_t) f->setup.config->apply.memory_bytes / 8, err);
}

/* ---- messages */

/* A row change, or what else stands in a transaction. */
static bool
take_change(struct fold *f, const struct change *change, struct bytes raw, struct error *err)
{
	if (f->streamed)
		return open_transaction_add(f->streamed, raw, err);
	f->message = raw;
	return f->skipping || fold_change(f, change, err);
}

/*
 * Lets go of descriptions that newer ones have replaced, now and then between
 * two transactions: what is on its way refers to them, and so may what waits
 * for a commit.
 */
static bool
forget_replaced(struct fold *f, struct error *err)
{
	struct descriptions *d = &f->descriptions;

	if (d->replaced_count < REPLACED_KEPT || f->open.first)
		return true;
	f->touched = false;
	if (!drain(f))
		return interrupted(err);
	for (unsigned i = 0; i < d->replaced_count; i++) {
		if (d->replaced[i] < f->shape_capacity)
			free_shape(&f->shapes[d->replaced[i]]);
		change_decoder_forget(&f->decoder, d->replaced[i]);
	}
	d->replaced_count = 0;
	return true;
}

/* `raw` is the message as it stands in the frame. */
static bool
fold(struct fold *f, const struct change *change, struct bytes raw, struct error *err)
{
	switch (change->kind) {
	case CHANGE_STARTUP:
		return true;
	case CHANGE_RELATION:
		descriptions_add(&f->descriptions, change->relation);
		return true;
	case CHANGE_MESSAGE:
		return !tells_definitions(change) || take_change(f, change, raw, err);
	case CHANGE_BEGIN:
		if (!forget_replaced(f, err))
			return false;
		begin(f, change);
		return true;
	case CHANGE_COMMIT:
		commit(f, change);
		return true;
	case CHANGE_INSERT:
	case CHANGE_UPDATE:
	case CHANGE_DELETE:
	case CHANGE_TRUNCATE:
		return take_change(f, change, raw, err);
	case CHANGE_STREAM_START:
		return start_block(f, change->xid, err);
	case CHANGE_SUBTRANSACTION:
		return !f->streamed || open_transaction_own(f->streamed, change->xid, err);
	case CHANGE_STREAM_STOP:
		return stop_block(f, err);
	case CHANGE_STREAM_COMMIT:
		return commit_streamed(f, change, err);
	case CHANGE_STREAM_ABORT:
		abort_streamed(f, change);
		return true;
	}
	return true;
}

static bool
in_transaction_error(struct fold *f, struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	if (f->in_transaction && err->class == ERROR_DATA)
		error_context(err, "in the transaction that committed at %s", lsn_format(f->commit_lsn, lsn));
	return false;
}

bool
fold_frame(struct fold *f, struct bytes bytes, struct error *err)
{
	struct reader r;
	struct frame frame;
	struct bytes body;

	reader_init(&r, bytes.data, bytes.len);
	if (change_frame_read(&r, &frame) != FRAME_READ || !frame_body(&frame, &f->unpacked, &body))
		return error_set(err, ERROR_BUG, "the plugin sent a malformed frame of %zu bytes", bytes.len);
	reader_init(&r, body.data, body.len);
	while (reader_left(&r) > 0) {
		struct change change;
		size_t start = r.pos;

		if (!change_decode(&f->decoder, &r, &change))
			return error_set(err, ERROR_BUG, "the plugin sent a malformed message: %s", f->decoder.problem);
		if (!fold(f, &change, (struct bytes){r.data + start, r.pos - start}, err))
			return in_transaction_error(f, err);
	}
	return true;
}

/* ---- what had to wait for a copy */

bool
fold_is_between(const struct fold *f)
{
	return !f->in_transaction && !f->streamed;
}

bool
fold_late_change(struct fold *f, const struct backlog_entry *entry, struct error *err)
{
	struct change change;
	struct reader r;
	bool ok;

	f->replaying = f->in_transaction = true;
	f->xid = entry->xid;
	f->commit_lsn = entry->commit_lsn;
	f->commit_time = entry->commit_time;
	reader_init(&r, entry->message.data, entry->message.len);
	if (change_decode(&f->decoder, &r, &change))
		ok = fold_change(f, &change, err) || in_transaction_error(f, err);
	else
		ok = error_set(err, ERROR_BUG, "a message that was set aside is malformed: %s", f->decoder.problem);
	f->replaying = f->in_transaction = false;
	return ok;
}

void
fold_destroy(struct fold *f)
{
	open_transactions_clear(&f->open);
	for (uint32_t i = 0; i < f->shape_capacity; i++)
		free_shape(&f->shapes[i]);
	free(f->shapes);
	free(f->ignored);
	free(f->by_oid);
	buffer_fini(&f->unpacked);
	descriptions_fini(&f->descriptions);
	change_decoder_fini(&f->decoder);
	free(f);
}
