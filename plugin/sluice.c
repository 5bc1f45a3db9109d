/*
 * The output plugin's callbacks: what the server calls, in the order of a
 * transaction.  BEGIN is written with the first change that is selected, so
 * that a transaction without one costs the client nothing.
 *
 * Where the client asks for streaming, changes of a transaction in progress
 * come in blocks, through the same callbacks.  A block's start, too, is
 * written with its first change.  The server may end a block by an error, when it finds
 * that the transaction was rolled back meanwhile: what the interrupted callback has
 * written is removed at the block's stop.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "common/change.h"

#include "compat.h"
#include "definitions.h"
#include "encoding.h"
#include "filter.h"
#include "history.h"
#include "plugin.h"
#include "settings.h"

/* All that the server looks up in this library. */
#pragma GCC visibility push(default)
PG_MODULE_MAGIC;
/* NOLINTNEXTLINE(readability-redundant-declaration): headers before PostgreSQL 16 lack it. */
extern void _PG_output_plugin_init(OutputPluginCallbacks *cb);
#pragma GCC visibility pop

/* After this many changes that are not sent, the plugin reports progress, so that the connection does not time out. */
#define PASSED_OVER_MAX 100

/* ---- start */

static void
on_startup(LogicalDecodingContext *ctx, OutputPluginOptions *output, bool is_init)
{
	struct plugin *plugin = MemoryContextAllocZero(ctx->context, sizeof *plugin);
	MemoryContext before = CurrentMemoryContext;
	bool transaction = !IsTransactionState();

	(void) is_init;
	/* Reading catalogs needs a transaction; a starting walsender has none. */
	if (transaction)
		StartTransactionCommand();
	encoding_init();
	options_parse(&plugin->options, ctx->output_plugin_options, ctx->context);
	if (TransactionIdIsValid(plugin->options.seen_xid))
		history_check(plugin->options.seen_xid, plugin->options.seen_commit);
	writer_init(&plugin->writer, ctx, &plugin->options, ctx->context);
	relation_cache_init(&plugin->cache, &plugin->options, ctx->context);
	plugin->change_context = AllocSetContextCreate(ctx->context, "sluice change", ALLOCSET_DEFAULT_SIZES);
	output->output_type = plugin->options.text ? OUTPUT_PLUGIN_TEXTUAL_OUTPUT : OUTPUT_PLUGIN_BINARY_OUTPUT;
	output->receive_rewrites = plugin->options.definitions;
#if COMPAT_STREAMING
	ctx->streaming &= plugin->options.streaming;
#endif
	ctx->output_plugin_private = plugin;
	if (transaction)
		CommitTransactionCommand();
	MemoryContextSwitchTo(before);
}

/* ---- transactions */

/* The pinned settings end with the server's transaction, so they are pinned again in each. */
static void
begin(struct plugin *plugin, bool in_block)
{
	plugin->in_block = in_block;
	plugin->begun = false;
	plugin->text_pinned = false;
	plugin->rewritten = InvalidOid;
	relation_cache_forget_changed(&plugin->cache);
}

static void
on_begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	struct plugin *plugin = ctx->output_plugin_private;

	(void) txn;
	begin(plugin, false);
}

static void
put_block_start(struct plugin *plugin, struct buffer *b, ReorderBufferTXN *txn)
{
	change_put_stream_start(b, txn->xid);
	plugin->owner = txn->xid;
	compat_set_known(txn);
}

static void
put_beginning(struct plugin *plugin, struct buffer *b, ReorderBufferTXN *txn)
{
	settings_pin_encoding();
	if (plugin->in_block)
		put_block_start(plugin, b, txn);
	else
		change_put_begin(b, &plugin->writer.base, txn->xid, txn->final_lsn, compat_commit_time(txn));
	plugin->begun = true;
}

struct buffer *
plugin_begin_change(struct plugin *plugin, ReorderBufferTXN *txn, TransactionId owner)
{
	struct buffer *b = writer_begin(&plugin->writer);

	if (!plugin->begun)
		put_beginning(plugin, b, txn);
	if (plugin->in_block && plugin->owner != owner) {
		change_put_subtransaction(b, owner);
		plugin->owner = owner;
	}
	writer_mark(&plugin->writer);
	return b;
}

void
plugin_put_description(struct plugin *plugin, struct buffer *b, struct description *description)
{
	if (!description->sent) {
		description->relation.number = ++plugin->cache.last_number;
		change_put_relation(b, &description->relation);
		writer_mark(&plugin->writer);
		description->sent = true;
	}
	if ((description->relation.flags & RELATION_TEXT) && !plugin->text_pinned) {
		settings_pin_text();
		plugin->text_pinned = true;
	}
}

static void
on_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
	struct plugin *plugin = ctx->output_plugin_private;

	(void) commit_lsn;
	definitions_put(plugin, txn);
	plugin->passed_over = 0;
	compat_update_progress(ctx, !plugin->begun);
	if (!plugin->begun)
		return;
	change_put_commit(writer_begin(&plugin->writer), &plugin->writer.base, txn->end_lsn);
	writer_flush(&plugin->writer);
	plugin->begun = false;
}

/* ---- transactions in progress */

#if COMPAT_STREAMING

static void
on_stream_start(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	(void) txn;
	begin(ctx->output_plugin_private, true);
}

static void
on_stream_stop(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	struct plugin *plugin = ctx->output_plugin_private;

	(void) txn;
	MemoryContextReset(plugin->change_context);
	writer_take_back(&plugin->writer);
	definitions_put_block(plugin, txn);
	plugin->in_block = false;
	if (!plugin->begun)
		return;
	change_put_stream_stop(writer_begin(&plugin->writer));
	writer_flush(&plugin->writer);
	plugin->begun = false;
}

static void
on_stream_abort(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr abort_lsn)
{
	struct plugin *plugin = ctx->output_plugin_private;
	ReorderBufferTXN *top = txn->toptxn ? txn->toptxn : txn;

	(void) abort_lsn;
	if (!compat_is_known(top))
		return;
	change_put_stream_abort(writer_begin(&plugin->writer), top->xid, txn->xid);
	writer_flush(&plugin->writer);
}

static void
on_stream_commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
	struct plugin *plugin = ctx->output_plugin_private;

	plugin->passed_over = 0;
	compat_update_progress(ctx, !compat_is_known(txn));
	if (!compat_is_known(txn))
		return;
	change_put_stream_commit(writer_begin(&plugin->writer), &plugin->writer.base, txn->xid, commit_lsn,
							 txn->end_lsn, compat_commit_time(txn));
	writer_flush(&plugin->writer);
}

#endif

/* Called for each change that is not sent. */
static void
pass_over(struct plugin *plugin)
{
	if (!COMPAT_PLUGIN_KEEPS_ALIVE || ++plugin->passed_over < PASSED_OVER_MAX)
		return;
	plugin->passed_over = 0;
	compat_update_progress(plugin->writer.ctx, false);
}

/* ---- rows */

/* What the change contains of the old row. */
static enum change_old
old_kind(const struct relation_entry *entry, bool has_old, bool update)
{
	const struct change_relation *relation = &entry->description->relation;

	if (has_old)
		return relation->identity == REPLICA_IDENTITY_FULL ? CHANGE_OLD_FULL : CHANGE_OLD_KEY;
	return update && relation->key_count > 0 ? CHANGE_OLD_SAME : CHANGE_OLD_NONE;
}

static void
put_old(struct plugin *plugin, struct buffer *b, const struct relation_entry *entry, enum change_old kind)
{
	if (kind == CHANGE_OLD_KEY || kind == CHANGE_OLD_FULL)
		row_put(b, entry, &plugin->old, kind == CHANGE_OLD_KEY);
}

/* Fills plugin->old and plugin->new. */
static void
take_apart(struct plugin *plugin, HeapTuple old, HeapTuple new, TupleDesc desc)
{
	if (old)
		row_deform(&plugin->old, old, desc);
	if (new)
		row_deform(&plugin->new, new, desc);
	if (old && new)
		row_fill(&plugin->new, &plugin->old, desc);
}

/* `update`: an update is sent as a delete; without an old row the key has not changed, and is taken from the new row. */
static void
put_delete(struct plugin *plugin, struct buffer *b, const struct relation_entry *entry, bool has_old,
		   bool update)
{
	uint32_t number = entry->description->relation.number;
	enum change_old kind = old_kind(entry, has_old, update);

	if (kind == CHANGE_OLD_SAME) {
		change_put_delete(b, number, CHANGE_OLD_KEY);
		row_put(b, entry, &plugin->new, true);
		return;
	}
	change_put_delete(b, number, kind);
	put_old(plugin, b, entry, kind);
}

static void
put_row_change(struct plugin *plugin, struct buffer *b, const struct relation_entry *entry, unsigned outcome,
			   bool has_old, bool has_new)
{
	uint32_t number = entry->description->relation.number;
	enum change_old kind;

	if (outcome == OPERATION_DELETE) {
		put_delete(plugin, b, entry, has_old, has_new);
		return;
	}
	if (outcome == OPERATION_INSERT) {
		change_put_insert(b, number);
	} else {
		kind = old_kind(entry, has_old, true);
		change_put_update(b, number, kind);
		put_old(plugin, b, entry, kind);
	}
	row_put(b, entry, &plugin->new, false);
}

static enum operation
operation_of(const ReorderBufferChange *change)
{
	switch (change->action) {
	case REORDER_BUFFER_CHANGE_INSERT:
		return OPERATION_INSERT;
	case REORDER_BUFFER_CHANGE_UPDATE:
		return OPERATION_UPDATE;
	case REORDER_BUFFER_CHANGE_DELETE:
		return OPERATION_DELETE;
	default:
		return 0;
	}
}

/* The operation that the client gets; 0: none. */
static unsigned
outcome_of(const struct plugin *plugin, const struct relation_entry *entry, enum operation operation,
		   bool has_old, bool has_new)
{
	unsigned outcome = operation;

	if (entry->filter)
		outcome = filter_outcome(entry->filter, operation, has_old ? &plugin->old : NULL,
								 entry->description->relation.identity == REPLICA_IDENTITY_FULL,
								 has_new ? &plugin->new : NULL);
	return outcome & plugin->options.operations;
}

static void
send_row_change(struct plugin *plugin, ReorderBufferTXN *txn, Relation relation, ReorderBufferChange *change)
{
	struct relation_entry *entry = relation_cache_find(&plugin->cache, relation);
	HeapTuple old = compat_tuple(change->data.tp.oldtuple);
	HeapTuple new = compat_tuple(change->data.tp.newtuple);
	unsigned outcome = 0;
	struct buffer *b;

	definitions_put_missed(plugin, txn, relation, entry, change->txn->xid);
	if (entry->description) {
		take_apart(plugin, old, new, RelationGetDescr(relation));
		outcome = outcome_of(plugin, entry, operation_of(change), old, new);
	}
	if (entry->filter && outcome != operation_of(change))
		definitions_put_filtered(plugin, txn, entry->description, change->txn->xid);
	if (!outcome) {
		pass_over(plugin);
		return;
	}
	b = plugin_begin_change(plugin, txn, change->txn->xid);
	plugin_put_description(plugin, b, entry->description);
	put_row_change(plugin, b, entry, outcome, old, new);
	writer_end(&plugin->writer, entry->description->relation.schema, entry->description->relation.name);
}

static void
take_row(struct plugin *plugin, ReorderBufferTXN *txn, Relation relation, ReorderBufferChange *change)
{
	if (!OidIsValid(relation->rd_rel->relrewrite))
		send_row_change(plugin, txn, relation, change);
	else if (RelationGetRelid(relation) == plugin->rewritten)
		pass_over(plugin);
	else
		definitions_put_rewritten(plugin, txn, relation, change);
}

static void
on_change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation relation, ReorderBufferChange *change)
{
	struct plugin *plugin = ctx->output_plugin_private;
	MemoryContext before;

	CHECK_FOR_INTERRUPTS(); /* not all servers do */
	/* A condition may turn one operation into another, and a rewrite is sent whatever the operations are. */
	if (!plugin->options.conditions && !(plugin->options.operations & operation_of(change)) &&
		!OidIsValid(relation->rd_rel->relrewrite)) {
		pass_over(plugin);
		return;
	}
	before = MemoryContextSwitchTo(plugin->change_context);
	take_row(plugin, txn, relation, change);
	MemoryContextSwitchTo(before);
	MemoryContextReset(plugin->change_context);
}

/* ---- truncate */

/* An entry of the TRUNCATE that is sent: a whole table, or one of its leaves. */
struct truncated {
	struct description *description;
	const char *leaf;
};

static int
compare_oids(const void *a, const void *b)
{
	Oid x = *(const Oid *) a, y = *(const Oid *) b;

	return (x > y) - (x < y);
}

static Oid *
sorted_oids(int count, Relation *relations)
{
	Oid *oids = palloc(count * sizeof *oids);

	for (int i = 0; i < count; i++)
		oids[i] = RelationGetRelid(relations[i]);
	qsort(oids, count, sizeof *oids, compare_oids);
	return oids;
}

/*
 * The server lists every relation that was truncated, partitioned tables and
 * their leaves alike.  Leaves are left out if their table is listed, and
 * partitioned tables in between always: their leaves are listed.
 */
static int
collect_truncated(struct plugin *plugin, int count, Relation *relations, struct truncated *out)
{
	const Oid *listed = sorted_oids(count, relations);
	int kept = 0;

	for (int i = 0; i < count; i++) {
		struct relation_entry *entry = relation_cache_find(&plugin->cache, relations[i]);
		bool whole = entry->target == entry->relid;

		CHECK_FOR_INTERRUPTS();
		if (!entry->description)
			continue;
		if (!whole &&
			(entry->partitioned || bsearch(&entry->target, listed, count, sizeof *listed, compare_oids)))
			continue;
		out[kept++] = (struct truncated){
			.description = entry->description,
			.leaf = whole ? "" : entry->leaf_name,
		};
	}
	return kept;
}

static void
send_truncate(struct plugin *plugin, ReorderBufferTXN *txn, int count, Relation *relations,
			  const ReorderBufferChange *change)
{
	struct truncated *truncated = palloc(count * sizeof *truncated);
	int kept;
	uint8_t flags = (change->data.truncate.cascade ? TRUNCATE_CASCADE : 0) |
					(change->data.truncate.restart_seqs ? TRUNCATE_RESTART : 0);
	struct buffer *b;

	for (int i = 0; i < count; i++)
		definitions_put_missed(plugin, txn, relations[i], relation_cache_find(&plugin->cache, relations[i]),
							   change->txn->xid);
	kept = collect_truncated(plugin, count, relations, truncated);
	if (kept == 0) {
		pass_over(plugin);
		return;
	}
	b = plugin_begin_change(plugin, txn, change->txn->xid);
	for (int i = 0; i < kept; i++)
		plugin_put_description(plugin, b, truncated[i].description);
	change_put_truncate(b, flags, (unsigned) kept);
	for (int i = 0; i < kept; i++)
		change_put_truncated(b, truncated[i].description->relation.number, truncated[i].leaf);
	writer_end(&plugin->writer, NULL, NULL);
}

static void
on_truncate(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, int count, Relation *relations,
			ReorderBufferChange *change)
{
	struct plugin *plugin = ctx->output_plugin_private;
	MemoryContext before;

	if (!(plugin->options.operations & OPERATION_TRUNCATE)) {
		pass_over(plugin);
		return;
	}
	before = MemoryContextSwitchTo(plugin->change_context);
	send_truncate(plugin, txn, count, relations, change);
	MemoryContextSwitchTo(before);
	MemoryContextReset(plugin->change_context);
}

/* ---- logical messages */

static void
on_message(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr lsn, bool transactional,
		   const char *prefix, Size bytes, const char *content)
{
	struct plugin *plugin = ctx->output_plugin_private;
	MemoryContext before;
	struct buffer *b;

	if (!plugin->options.messages) {
		pass_over(plugin);
		return;
	}
	before = MemoryContextSwitchTo(plugin->change_context);
	b = transactional ? plugin_begin_change(plugin, txn, compat_change_owner(txn))
					  : writer_begin(&plugin->writer);
	change_put_message(b, transactional ? MESSAGE_TRANSACTIONAL : 0, lsn, encoding_to_utf8(prefix), content,
					   bytes);
	/* Outside a transaction no COMMIT follows that would flush it. */
	if (transactional)
		writer_end(&plugin->writer, NULL, NULL);
	else
		writer_flush(&plugin->writer);
	MemoryContextSwitchTo(before);
	MemoryContextReset(plugin->change_context);
}

void
_PG_output_plugin_init(OutputPluginCallbacks *cb)
{
	cb->startup_cb = on_startup;
	cb->begin_cb = on_begin;
	cb->change_cb = on_change;
	cb->truncate_cb = on_truncate;
	cb->commit_cb = on_commit;
	cb->message_cb = on_message;
#if COMPAT_STREAMING
	cb->stream_start_cb = on_stream_start;
	cb->stream_stop_cb = on_stream_stop;
	cb->stream_abort_cb = on_stream_abort;
	cb->stream_commit_cb = on_stream_commit;
	cb->stream_change_cb = on_change;
	cb->stream_truncate_cb = on_truncate;
	cb->stream_message_cb = on_message;
#endif
}
