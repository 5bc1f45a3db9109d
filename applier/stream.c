#include "stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "apply.h"
#include "log.h"
#include "lsn.h"
#include "open_transactions.h"
#include "replication.h"
#include "sql.h"
#include "target.h"

#define OPTION_LIMIT ((size_t) 256 << 20)
/* How long a stop waits for the batch in hand. */
#define STOP_MS 30000
/* Frames of a transaction whose end has not come are held back up to this much. */
#define LARGE_TRANSACTION_BYTES ((size_t) 4 << 20)
/* How much is folded before the loop gets a turn. */
#define FOLD_BYTES_PER_TURN ((size_t) 2 << 20)
#define REPORT_MS 10000

/* A frame as it came, on its way to be folded. */
struct frame_copy {
	struct frame_copy *next;
	size_t len;
	bool open; /* its last transaction goes on in the next frame */
	uint8_t data[];
};

struct stream {
	const struct stream_setup *setup;
	struct replication *replication;
	struct apply *apply;
	struct change_decoder decoder;
	struct loop_timer *kick; /* another turn is wanted */
	struct loop_timer *heartbeat;

	/* received and not yet folded */
	struct frame_copy *first_frame;
	struct frame_copy *last_frame;
	size_t frame_bytes;
	unsigned closed_frames; /* of the queued ones, those that end outside a transaction */
	bool in_large;			/* the transaction being folded has not ended in the queue */

	/* transactions that are still open at the source */
	struct open_transactions open;
	struct open_transaction *streamed; /* the one whose block is being received */

	/* the transaction being folded */
	bool in_transaction;
	bool skipping; /* it was applied before */
	uint64_t commit_lsn;
	int64_t commit_time;

	/* batches */
	struct batch *filling;
	struct batch *first_sealed;
	struct batch *last_sealed;
	size_t sealed_bytes; /* of the sealed ones and the one being applied */
	struct batch *spare;

	/* shapes, by the relation's number */
	struct shape **shapes;
	uint32_t shape_capacity;
	unsigned shape_count;

	uint64_t applied_lsn;	/* durable at the destination */
	uint64_t keepalive_lsn; /* the source has sent everything up to here */
	bool heartbeat_due;
	bool stopping;
	int64_t stop_deadline_ms;
	bool failed;
	struct error err;

	int64_t transactions; /* since the last report */
	int64_t changes;
	int64_t reported_ms;
};

static void
fail(struct stream *s, const struct error *err)
{
	if (s->failed)
		return;
	s->failed = true;
	s->err = *err;
}

static size_t
held_bytes(const struct stream *s)
{
	return s->frame_bytes + s->sealed_bytes + open_transactions_memory(&s->open) +
		   (s->filling ? batch_bytes(s->filling) : 0);
}

/* ---- callbacks: they take note and nothing else */

static size_t
large_transaction_bytes(const struct stream *s)
{
	size_t share = (size_t) s->setup->config->apply.memory_bytes / 8;

	return share < LARGE_TRANSACTION_BYTES ? share : LARGE_TRANSACTION_BYTES;
}

static void
want_turn(struct stream *s)
{
	loop_timer_arm(s->kick, 0);
}

static bool
on_data(void *arg, struct bytes payload)
{
	struct stream *s = arg;
	struct frame_copy *frame = malloc(sizeof *frame + payload.len);

	if (!frame)
		arena_out_of_memory(payload.len);
	frame->next = NULL;
	frame->len = payload.len;
	frame->open = payload.len > 1 && (payload.data[1] & FRAME_OPEN);
	memcpy(frame->data, payload.data, payload.len);
	if (s->last_frame)
		s->last_frame->next = frame;
	else
		s->first_frame = frame;
	s->last_frame = frame;
	s->frame_bytes += payload.len;
	s->closed_frames += !frame->open;
	want_turn(s);
	return s->frame_bytes < 2 * large_transaction_bytes(s);
}

static void
on_keepalive(void *arg, uint64_t wal_end)
{
	struct stream *s = arg;

	s->keepalive_lsn = wal_end;
	want_turn(s);
}

static void
on_ended(void *arg, const struct error *err)
{
	fail(arg, err);
}

static void
on_kick(void *arg)
{
	(void) arg;
}

static void
on_heartbeat(void *arg)
{
	struct stream *s = arg;

	s->heartbeat_due = true;
	replication_ask(s->replication);
	loop_timer_arm(s->heartbeat, s->setup->config->wal.heartbeat_ms);
}

static void
on_applied(void *arg, struct batch *batch, const struct error *err)
{
	struct stream *s = arg;

	s->sealed_bytes -= batch_bytes(batch) < s->sealed_bytes ? batch_bytes(batch) : s->sealed_bytes;
	if (err) {
		fail(s, err);
	} else if (batch->final) {
		s->applied_lsn = batch->end_lsn;
		replication_confirm(s->replication, s->applied_lsn);
		if (s->setup->applied)
			s->setup->applied(s->setup->arg, s->applied_lsn);
	}
	s->transactions += batch->transactions;
	s->changes += batch->changes;
	batch_reset(batch);
	if (s->spare)
		batch_destroy(batch);
	else
		s->spare = batch;
	want_turn(s);
}

/* ---- batches */

static struct batch *
filling(struct stream *s)
{
	if (s->filling)
		return s->filling;
	s->filling = s->spare ? s->spare : batch_create();
	s->spare = NULL;
	s->filling->started_ms = loop_now_ms(s->setup->loop);
	return s->filling;
}

static void
seal(struct stream *s, bool final)
{
	struct batch *batch = s->filling;

	batch->final = final;
	batch->next = NULL;
	s->filling = NULL;
	s->sealed_bytes += batch_bytes(batch);
	if (s->last_sealed)
		s->last_sealed->next = batch;
	else
		s->first_sealed = batch;
	s->last_sealed = batch;
}

/* Whether the batch could end here. */
static bool
at_boundary(const struct stream *s)
{
	return !s->in_transaction;
}

/* A batch that is full or old enough is closed; what follows goes into the next one. */
static void
seal_if_due(struct stream *s)
{
	const struct config *config = s->setup->config;
	bool full, old;

	if (!s->filling || batch_is_empty(s->filling))
		return;
	full = batch_bytes(s->filling) >= (size_t) config->apply.max_bytes;
	old = loop_now_ms(s->setup->loop) - s->filling->started_ms >= config->apply.max_delay_ms;
	if (at_boundary(s) && (full || old))
		seal(s, true);
	else if (full)
		seal(s, false);
}

/* The next batch to be applied; an idle destination takes the one being filled. */
static struct batch *
take_sealed(struct stream *s)
{
	struct batch *batch;

	if (!s->first_sealed && s->filling && at_boundary(s) && !batch_is_empty(s->filling))
		seal(s, true);
	batch = s->first_sealed;
	if (!batch)
		return NULL;
	s->first_sealed = batch->next;
	if (!s->first_sealed)
		s->last_sealed = NULL;
	return batch;
}

static bool
nothing_in_flight(const struct stream *s)
{
	return apply_is_idle(s->apply) && !apply_in_transaction(s->apply) && !s->first_sealed &&
		   !s->first_frame && !s->in_transaction && (!s->filling || batch_is_empty(s->filling));
}

/* With nothing in flight the position follows the source's keepalives, at
 * heartbeats, or at once when the end of the run depends on it. */
static bool
wants_position(const struct stream *s)
{
	bool last = s->setup->until && s->applied_lsn < s->setup->until && s->keepalive_lsn >= s->setup->until;

	return nothing_in_flight(s) && s->keepalive_lsn > s->applied_lsn && (s->heartbeat_due || last);
}

static void
apply_more(struct stream *s)
{
	struct batch *batch;

	if (!apply_is_idle(s->apply) || s->stopping || s->failed)
		return;
	if (wants_position(s)) {
		filling(s)->end_lsn = s->keepalive_lsn;
		s->heartbeat_due = false;
	}
	batch = take_sealed(s);
	if (batch)
		apply_start(s->apply, batch);
}

static bool
drained(void *arg)
{
	struct stream *s = arg;

	if (!s->failed)
		apply_more(s);
	return s->failed || (apply_is_idle(s->apply) && !s->first_sealed);
}

/* Applies all that has been folded, though it may end inside a transaction. */
static bool
drain(struct stream *s)
{
	if (s->filling && !batch_is_empty(s->filling))
		seal(s, at_boundary(s));
	loop_run_until(s->setup->loop, drained, s);
	return !s->failed;
}

/* ---- shapes */

static struct shape **
shape_place(struct stream *s, uint32_t relation_number)
{
	if (relation_number >= s->shape_capacity) {
		uint32_t capacity = (relation_number + 1) * 2;
		struct shape **grown = realloc(s->shapes, capacity * sizeof(*grown));

		if (!grown)
			arena_out_of_memory(capacity * sizeof(*grown));
		memset(grown + s->shape_capacity, 0, (capacity - s->shape_capacity) * sizeof(*grown));
		s->shapes = grown;
		s->shape_capacity = capacity;
	}
	return &s->shapes[relation_number];
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

/* Forgets earlier shapes of the table; true: there was one. */
static bool
forget_shapes(struct stream *s, const struct table *table)
{
	bool any = false;

	for (uint32_t i = 0; i < s->shape_capacity; i++) {
		if (!s->shapes[i] || s->shapes[i]->table != table)
			continue;
		free_shape(&s->shapes[i]);
		any = true;
	}
	return any;
}

static bool
knows_table(const struct stream *s, const struct table *table)
{
	for (uint32_t i = 0; i < s->shape_capacity; i++)
		if (s->shapes[i] && s->shapes[i]->table == table)
			return true;
	return false;
}

/* A new version of a table that was seen before: what came under the old one
 * is applied first, then the target is looked at anew. */
static bool
renew_table(struct stream *s, struct table *table, struct error *err)
{
	if (!drain(s)) {
		*err = s->err;
		return false;
	}
	forget_shapes(s, table);
	log_info("%s.%s has changed its definition", table->source.schema, table->source.name);
	return target_read_table(s->setup->control, s->setup->dialect, table, err);
}

static struct table *
table_of(const struct stream *s, const struct change_relation *relation, struct error *err)
{
	struct table *table = catalog_find(s->setup->catalog, relation->schema, relation->name);

	if (table && table->source.oid == relation->oid)
		return table;
	error_set(err, ERROR_RETRY, "%s.%s is new among the tables: starting over with it", relation->schema,
			  relation->name);
	return NULL;
}

static bool
shape_of(struct stream *s, const struct change_relation *relation, const struct shape **shape,
		 struct error *err)
{
	struct shape **place = shape_place(s, relation->number);
	struct table *table;

	if (*place) {
		*shape = *place;
		return true;
	}
	table = table_of(s, relation, err);
	if (!table || (knows_table(s, table) && !renew_table(s, table, err)))
		return false;
	*place = calloc(1, sizeof **place);
	if (!*place)
		arena_out_of_memory(sizeof **place);
	if (!shape_init(*place, ++s->shape_count, relation, table, s->setup->triggers_fire, err)) {
		free_shape(place);
		return false;
	}
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

/* The table of a relation, NULL when it is not (or not any more) one of ours. */
static const struct table *
known_table(const struct stream *s, const struct change_relation *relation)
{
	const struct table *table;

	if (relation->number < s->shape_capacity && s->shapes[relation->number])
		return s->shapes[relation->number]->table;
	table = catalog_find(s->setup->catalog, relation->schema, relation->name);
	return table && table->source.oid == relation->oid ? table : NULL;
}

/* Whether the change is for its table at all: the copy may hold it already,
 * and an operation may be left out. */
static bool
concerns_table(const struct stream *s, const struct change_relation *relation, enum change_kind kind)
{
	const struct table *table = known_table(s, relation);

	return !table || (s->commit_lsn >= table->snapshot_lsn && (table->operations & operation_of(kind)));
}

static bool
fold_row(struct stream *s, const struct change *change, struct error *err)
{
	const struct shape *shape;

	if (!concerns_table(s, change->relation, change->kind))
		return true;
	if (!shape_of(s, change->relation, &shape, err))
		return false;
	filling(s)->changes++;
	return net_change_add(batch_net(s->filling, shape), change, err);
}

static bool
leaf_error(const struct change_relation *relation, struct bytes leaf, struct error *err)
{
	error_set(err, ERROR_DATA,
			  "%.*s, a partition of %s.%s, was truncated by itself, which cannot be followed", (int) leaf.len,
			  (const char *) leaf.data, relation->schema, relation->name);
	return error_hint(err, "Copy the table anew, or leave truncate out of its operations.");
}

static bool
fold_truncate(struct stream *s, const struct change *change, struct error *err)
{
	const struct change_relation *relation;
	struct bytes leaf;
	size_t at = 0;

	while (change_next_truncated(&s->decoder, change, &at, &relation, &leaf)) {
		const struct shape *shape;

		if (!concerns_table(s, relation, CHANGE_TRUNCATE))
			continue;
		if (leaf.len > 0)
			return leaf_error(relation, leaf, err);
		if (!shape_of(s, relation, &shape, err))
			return false;
		batch_truncate(filling(s), shape, change->flags & TRUNCATE_RESTART);
		s->filling->changes++;
	}
	return true;
}

static void
begin(struct stream *s, const struct change *change)
{
	s->in_transaction = true;
	s->commit_lsn = change->commit_lsn;
	s->commit_time = change->commit_time;
	/* A transaction is behind what was applied exactly when its commit record begins before that. */
	s->skipping = change->commit_lsn < s->applied_lsn;
}

static void
commit(struct stream *s, const struct change *change)
{
	s->in_transaction = false;
	if (s->skipping)
		return;
	filling(s)->end_lsn = change->end_lsn;
	s->filling->commit_time = s->commit_time;
	s->filling->transactions++;
}

static bool
fold_change(struct stream *s, const struct change *change, struct error *err)
{
	switch (change->kind) {
	case CHANGE_INSERT:
	case CHANGE_UPDATE:
	case CHANGE_DELETE:
		return fold_row(s, change, err);
	case CHANGE_TRUNCATE:
		return fold_truncate(s, change, err);
	default:
		return true;
	}
}

/* ---- transactions that came before their commit */

static bool
has_room(void *arg)
{
	struct stream *s = arg;
	size_t limit = (size_t) s->setup->config->apply.memory_bytes;

	apply_more(s);
	return s->failed || loop_stop_requested(s->setup->loop) ||
		   held_bytes(s) + (size_t) s->setup->config->apply.max_bytes <= limit ||
		   (apply_is_idle(s->apply) && !s->first_sealed);
}

static bool
wait_for_room(struct stream *s, struct error *err)
{
	seal_if_due(s);
	loop_run_until(s->setup->loop, has_room, s);
	if (s->failed) {
		*err = s->err;
		return false;
	}
	return !loop_stop_requested(s->setup->loop) ||
		   error_set(err, ERROR_STOPPED, "stopped in a large transaction");
}

static bool
replay_chunk(struct stream *s, struct open_transaction *txn, struct bytes chunk, struct error *err)
{
	struct reader r;

	reader_init(&r, chunk.data, chunk.len);
	while (reader_left(&r) > 0) {
		struct change change;

		if (!change_decode(&s->decoder, &r, &change))
			return error_set(err, ERROR_BUG, "a spilled message is malformed: %s", s->decoder.problem);
		if (change.kind == CHANGE_SUBTRANSACTION)
			open_transaction_owner(txn, change.xid);
		else if (!open_transaction_skips(txn) && !fold_change(s, &change, err))
			return false;
	}
	return true;
}

static bool
replay(struct stream *s, struct open_transaction *txn, struct error *err)
{
	for (;;) {
		struct bytes chunk;

		if (!spill_read(txn->spill, &chunk, err))
			return false;
		if (chunk.len == 0)
			return true;
		if (!replay_chunk(s, txn, chunk, err) || !wait_for_room(s, err))
			return false;
	}
}

static bool
commit_streamed(struct stream *s, const struct change *change, struct error *err)
{
	struct open_transaction *txn = open_transactions_take(&s->open, change->xid);
	bool ok;

	begin(s, change);
	ok = !txn || s->skipping || replay(s, txn, err);
	open_transaction_destroy(txn);
	if (ok)
		commit(s, change);
	return ok;
}

static void
abort_streamed(struct stream *s, const struct change *change)
{
	if (change->xid == change->subxid)
		open_transaction_destroy(open_transactions_take(&s->open, change->xid));
	else
		open_transaction_abort_sub(open_transactions_find(&s->open, change->xid), change->subxid);
}

static bool
start_block(struct stream *s, uint32_t xid, struct error *err)
{
	s->streamed = open_transactions_find(&s->open, xid);
	return open_transaction_own(s->streamed, xid, err);
}

/* ---- messages */

/* A row change, or what else stands in a transaction. */
static bool
take_change(struct stream *s, const struct change *change, struct bytes raw, struct error *err)
{
	if (s->streamed)
		return open_transaction_add(s->streamed, raw, err);
	return s->skipping || fold_change(s, change, err);
}

/* `raw` is the message as it stands in the frame. */
static bool
fold(struct stream *s, const struct change *change, struct bytes raw, struct error *err)
{
	switch (change->kind) {
	case CHANGE_STARTUP:
	case CHANGE_RELATION:
	case CHANGE_MESSAGE:
		return true;
	case CHANGE_BEGIN:
		begin(s, change);
		return true;
	case CHANGE_COMMIT:
		commit(s, change);
		return true;
	case CHANGE_INSERT:
	case CHANGE_UPDATE:
	case CHANGE_DELETE:
	case CHANGE_TRUNCATE:
		return take_change(s, change, raw, err);
	case CHANGE_STREAM_START:
		return start_block(s, change->xid, err);
	case CHANGE_SUBTRANSACTION:
		return !s->streamed || open_transaction_own(s->streamed, change->xid, err);
	case CHANGE_STREAM_STOP:
		s->streamed = NULL;
		return true;
	case CHANGE_STREAM_COMMIT:
		return commit_streamed(s, change, err);
	case CHANGE_STREAM_ABORT:
		abort_streamed(s, change);
		return true;
	}
	return true;
}

static bool
in_frame(struct stream *s, struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	if (s->in_transaction && err->class == ERROR_DATA)
		error_context(err, "in the transaction that committed at %s", lsn_format(s->commit_lsn, lsn));
	return false;
}

static bool
fold_frame(struct stream *s, const struct frame_copy *copy, struct error *err)
{
	struct reader r;
	struct frame frame;

	reader_init(&r, copy->data, copy->len);
	if (change_frame_read(&r, &frame) != FRAME_READ || (frame.flags & FRAME_LZ4))
		return error_set(err, ERROR_BUG, "the plugin sent a malformed frame of %zu bytes", copy->len);
	reader_init(&r, frame.body.data, frame.body.len);
	while (reader_left(&r) > 0) {
		struct change change;
		size_t start = r.pos;

		if (!change_decode(&s->decoder, &r, &change))
			return error_set(err, ERROR_BUG, "the plugin sent a malformed message: %s", s->decoder.problem);
		if (!fold(s, &change, (struct bytes){r.data + start, r.pos - start}, err))
			return in_frame(s, err);
	}
	return true;
}

static struct frame_copy *
take_frame(struct stream *s)
{
	struct frame_copy *frame = s->first_frame;

	s->first_frame = frame->next;
	if (!s->first_frame)
		s->last_frame = NULL;
	s->frame_bytes -= frame->len;
	s->closed_frames -= !frame->open;
	return frame;
}

/*
 * A transaction is folded once its end is here, so that a batch need not wait
 * for a slow one; a large one is begun before that, and goes on in rounds.
 */
static bool
may_fold(struct stream *s)
{
	size_t limit = (size_t) s->setup->config->apply.memory_bytes;

	if (!s->first_frame || s->failed || s->stopping)
		return false;
	if (held_bytes(s) + (size_t) s->setup->config->apply.max_bytes > limit && !apply_is_idle(s->apply))
		return false;
	return s->closed_frames > 0 || s->in_large || s->frame_bytes >= large_transaction_bytes(s);
}

static void
fold_more(struct stream *s)
{
	size_t folded = 0;
	struct error err;

	while (may_fold(s) && folded < FOLD_BYTES_PER_TURN) {
		struct frame_copy *frame = take_frame(s);

		folded += frame->len;
		s->in_large = frame->open;
		if (!fold_frame(s, frame, &err))
			fail(s, &err);
		free(frame);
		seal_if_due(s);
		apply_more(s);
	}
	if (may_fold(s))
		want_turn(s);
	if (s->frame_bytes < large_transaction_bytes(s))
		replication_resume(s->replication);
}

/* ---- the turn of the loop */

static void
report(struct stream *s)
{
	int64_t now = loop_now_ms(s->setup->loop);
	char lsn[LSN_TEXT_BYTES];

	if (now - s->reported_ms < REPORT_MS)
		return;
	if (s->transactions > 0)
		log_info("applied %" PRId64 " transactions with %" PRId64 " changes in %.0f s, up to %s",
				 s->transactions, s->changes, (double) (now - s->reported_ms) / 1000,
				 lsn_format(s->applied_lsn, lsn));
	s->transactions = s->changes = 0;
	s->reported_ms = now;
}

/* Waits for the batch in hand, not for ever, and not for a transaction that goes on. */
static bool
stopped(struct stream *s)
{
	int64_t now = loop_now_ms(s->setup->loop);

	if (!s->stopping) {
		s->stopping = true;
		s->stop_deadline_ms = now + STOP_MS;
		loop_timer_arm(s->heartbeat, STOP_MS + 1);
	}
	return apply_is_idle(s->apply) || now >= s->stop_deadline_ms;
}

static bool
turn(void *arg)
{
	struct stream *s = arg;

	if (s->failed)
		return true;
	if (s->setup->until && s->applied_lsn >= s->setup->until)
		return true;
	if (loop_stop_requested(s->setup->loop))
		return stopped(s);
	fold_more(s);
	seal_if_due(s);
	apply_more(s);
	report(s);
	return s->failed;
}

/* ---- beginning and ending */

static void
put_patterns(struct buffer *out, const struct string_list *list)
{
	for (unsigned i = 0; i < list->count; i++)
		buffer_printf(out, i ? ",%s" : "%s", list->items[i]);
	buffer_put_u8(out, '\0');
}

static void
put_operations(struct buffer *out, const struct stream_setup *setup)
{
	static const char *const names[] = {"insert", "update", "delete", "truncate"};
	unsigned operations = setup->config->operations;
	bool first = true;

	for (unsigned i = 0; i < setup->catalog->count; i++)
		operations |= setup->catalog->tables[i].operations;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (!(operations & (1u << i)))
			continue;
		buffer_printf(out, first ? "%s" : ",%s", names[i]);
		first = false;
	}
	buffer_put_u8(out, '\0');
}

/* The tables whose targets cannot take the binary form. */
static void
put_text_tables(struct buffer *out, const struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		if (!catalog->tables[i].as_text)
			continue;
		if (out->len > 0)
			buffer_put_u8(out, ',');
		sql_qualified(out, catalog->tables[i].source.schema, catalog->tables[i].source.name);
	}
	buffer_put_u8(out, '\0');
}

static void
start(struct stream *s)
{
	const struct stream_setup *setup = s->setup;
	struct replication_handler handler = {s, on_data, on_keepalive, on_ended};
	struct buffer tables, exclude, operations, text;
	const char *options[12];
	unsigned pairs = 0;

	buffer_init(&tables, OPTION_LIMIT, NULL, NULL);
	buffer_init(&exclude, OPTION_LIMIT, NULL, NULL);
	buffer_init(&operations, OPTION_LIMIT, NULL, NULL);
	buffer_init(&text, OPTION_LIMIT, NULL, NULL);
	put_patterns(&tables, &setup->config->tables.include);
	put_patterns(&exclude, &setup->config->tables.exclude);
	put_operations(&operations, setup);
	put_text_tables(&text, setup->catalog);
	options[2 * pairs] = "protocol";
	options[2 * pairs++ + 1] = "1";
	options[2 * pairs] = "tables";
	options[2 * pairs++ + 1] = (const char *) tables.data;
	options[2 * pairs] = "operations";
	options[2 * pairs++ + 1] = (const char *) operations.data;
	if (exclude.len > 1) {
		options[2 * pairs] = "exclude_tables";
		options[2 * pairs++ + 1] = (const char *) exclude.data;
	}
	if (text.len > 1) {
		options[2 * pairs] = "text_tables";
		options[2 * pairs++ + 1] = (const char *) text.data;
	}
	s->replication = replication_start(setup->loop, setup->source, setup->config->source.slot, s->applied_lsn,
									   options, pairs, &handler);
	buffer_fini(&tables);
	buffer_fini(&exclude);
	buffer_fini(&operations);
	buffer_fini(&text);
}

static void
finish(struct stream *s)
{
	replication_destroy(s->replication);
	apply_destroy(s->apply);
	loop_timer_destroy(s->kick);
	loop_timer_destroy(s->heartbeat);
	while (s->first_frame)
		free(take_frame(s));
	while (s->first_sealed) {
		struct batch *next = s->first_sealed->next;

		batch_destroy(s->first_sealed);
		s->first_sealed = next;
	}
	batch_destroy(s->filling);
	batch_destroy(s->spare);
	open_transactions_clear(&s->open);
	for (uint32_t i = 0; i < s->shape_capacity; i++)
		free_shape(&s->shapes[i]);
	free(s->shapes);
	change_decoder_fini(&s->decoder);
}

bool
stream_run(const struct stream_setup *setup, struct error *err)
{
	struct stream s = {
		.setup = setup,
		.applied_lsn = setup->progress->applied_lsn,
		.open = {.directory = setup->config->apply.spill_directory},
	};

	if (!change_decoder_init(&s.decoder))
		arena_out_of_memory(CHANGE_MAX_COLUMNS * sizeof(struct value));
	s.reported_ms = loop_now_ms(setup->loop);
	s.kick = loop_timer_create(setup->loop, on_kick, &s);
	s.heartbeat = loop_timer_create(setup->loop, on_heartbeat, &s);
	s.apply = apply_create(setup->destination, setup->dialect, setup->config->task, setup->progress->epoch,
						   on_applied, &s);
	start(&s);
	loop_timer_arm(s.heartbeat, setup->config->wal.heartbeat_ms);
	if (setup->until)
		replication_ask(s.replication);
	loop_run_until(setup->loop, turn, &s);
	if (s.failed)
		*err = s.err;
	finish(&s);
	return !s.failed;
}
