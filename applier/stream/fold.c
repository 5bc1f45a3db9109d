#include "base/memory.h"
#include "fold_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "frame.h"
#include "lsn.h"

/* Replaced relation descriptions are discarded when there are this many: each time the pipeline has to be drained. */
#define REPLACED_KEPT 100

struct fold *
fold_create(const struct fold_setup *setup)
{
	struct fold *f = memory_alloc_zero(1, sizeof *f);

	if (!change_decoder_init(&f->decoder))
		memory_exhausted(sizeof *f);
	f->setup = *setup;
	descriptions_init(&f->descriptions);
	fold_index_tables(f);
	memory_buffer_init_limited(&f->parts.unpacked, FRAME_BODY_MAX);
	memory_buffer_init_limited(&f->parts.joined, FRAME_BODY_MAX);
	f->open.directory = setup->config->apply.spill_directory;
	return f;
}

size_t
fold_memory(const struct fold *f)
{
	return open_transactions_memory(&f->open) + f->parts.joined.len;
}

uint64_t
fold_spilled(const struct fold *f)
{
	return open_transactions_spilled(&f->open);
}

size_t
fold_kept(const struct fold *f)
{
	return f->descriptions.kept_bytes;
}

int64_t
fold_commit_time(const struct fold *f)
{
	return f->commit_time;
}

/* ---- transactions */

static void
begin(struct fold *f, const struct change *change)
{
	f->in_transaction = true;
	f->touched = false;
	f->xid = change->xid;
	f->commit_lsn = change->commit_lsn;
	f->commit_time = change->commit_time;
	/* The transactions that were applied already are those whose commit record begins before the applied position. */
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
	batch->last_xid = f->xid;
	batch->last_commit_lsn = f->commit_lsn;
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
	case CHANGE_DEFINITIONS:
		return fold_definitions(f, change, err);
	default:
		return true;
	}
}

/* ---- transactions received before their commit */

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
			return fold_interrupted(err);
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

/* Open transactions may use an eighth of the memory; the rest is for batches. */
static bool
stop_block(struct fold *f, struct error *err)
{
	struct open_transaction *txn = f->streamed;

	f->streamed = NULL;
	return !txn ||
		   open_transactions_rest(&f->open, txn, (size_t) f->setup.config->apply.memory_bytes / 8, err);
}

/* ---- messages */

/* Takes a message that is part of a transaction: folds it, or keeps it until the commit. */
static bool
take_change(struct fold *f, const struct change *change, struct bytes raw, struct error *err)
{
	if (f->streamed)
		return open_transaction_add(f->streamed, raw, err);
	f->message = raw;
	return f->skipping || fold_change(f, change, err);
}

/*
 * Discards relation descriptions that newer ones have replaced, now and then
 * between two transactions.  Changes in batches, in open transactions and in the
 * backlog refer to them, so there must be none of those.
 */
static bool
forget_replaced(struct fold *f, struct error *err)
{
	struct descriptions *d = &f->descriptions;

	if (d->replaced_count < REPLACED_KEPT || f->open.first ||
		(f->setup.backlog && backlog_count(f->setup.backlog) > 0))
		return true;
	f->touched = false;
	if (!fold_drain(f))
		return fold_interrupted(err);
	for (unsigned i = 0; i < d->replaced_count; i++) {
		if (d->replaced[i] < f->shape_capacity)
			fold_free_shape(&f->shapes[d->replaced[i]]);
		change_decoder_forget(&f->decoder, d->replaced[i]);
	}
	d->replaced_count = 0;
	return true;
}

/* The plugin sends UTF-8, except from a database in SQL_ASCII. */
static bool
check_encoding(const struct change *startup, struct error *err)
{
	struct bytes encoding = startup->encoding;

	if ((encoding.len == 4 && memcmp(encoding.data, "UTF8", 4) == 0) ||
		(encoding.len == 9 && memcmp(encoding.data, "SQL_ASCII", 9) == 0))
		return true;
	error_set(err, ERROR_CONFIG, "the source's output plugin sends strings in %.*s, not in UTF8",
			  (int) encoding.len, (const char *) encoding.data);
	return error_hint(err, "Install the plugin of this release there.");
}

/* `raw` has the bytes of the message. */
static bool
fold(struct fold *f, const struct change *change, struct bytes raw, struct error *err)
{
	switch (change->kind) {
	case CHANGE_STARTUP:
		return check_encoding(change, err);
	case CHANGE_MESSAGE:
		return true;
	case CHANGE_RELATION:
		descriptions_add(&f->descriptions, change->relation);
		return true;
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
	case CHANGE_DEFINITIONS:
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

	if (!f->in_transaction || err->class != ERROR_DATA)
		return false;
	error_about_lsn(err, f->commit_lsn);
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
	if (change_frame_read(&r, &frame) != FRAME_READ)
		return error_set(err, ERROR_BUG, "the plugin sent a malformed frame of %zu bytes", bytes.len);
	if (!frame_parts_take(&f->parts, &frame, &body))
		return error_set(err, ERROR_BUG, "the plugin sent a frame of %zu bytes that cannot be read: %s",
						 bytes.len, f->parts.problem);
	monitor_unpacked(f->setup.monitor, frame.raw_len);
	reader_init(&r, body.data, body.len);
	while (reader_left(&r) > 0) {
		struct change change;
		size_t start = r.pos;

		if (!change_decode(&f->decoder, &r, &change))
			return error_set(err, ERROR_BUG, "the plugin sent a malformed message: %s", f->decoder.problem);
		if (!fold(f, &change, (struct bytes){r.data + start, r.pos - start}, err))
			return in_transaction_error(f, err);
	}
	frame_parts_done(&f->parts, &frame);
	return true;
}

/* ---- changes that waited for the copy of their table */

bool
fold_is_between(const struct fold *f)
{
	return !f->in_transaction && !f->streamed;
}

bool
fold_set_aside_change(struct fold *f, const struct backlog_entry *entry, struct error *err)
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
		fold_free_shape(&f->shapes[i]);
	free(f->shapes);
	free(f->ignored);
	free(f->by_oid);
	frame_parts_fini(&f->parts);
	descriptions_fini(&f->descriptions);
	change_decoder_fini(&f->decoder);
	free(f);
}
