/*
 * What the output plugin keeps for one decoding session, and what the files of
 * the callbacks share.
 */
#ifndef SLUICE_PLUGIN_H
#define SLUICE_PLUGIN_H

#include "options.h"
#include "relation_cache.h"
#include "row.h"
#include "writer.h"

struct plugin {
	struct options options;
	struct writer writer;
	struct relation_cache cache;
	MemoryContext change_context; /* reset after each change */
	bool in_block;				  /* the changes are of a transaction in progress */
	bool begun;					  /* the transaction's BEGIN, or the block's start, is written */
	TransactionId owner;		  /* the (sub)transaction of the last change in the block */
	Oid rewritten;				  /* the transient table whose rows came last */
	bool text_pinned;			  /* settings_pin_text() was called in this transaction or block */
	unsigned passed_over;		  /* changes not sent since progress was last reported */
	struct row old;
	struct row new;
};

/* The buffer for a change of `owner`, the transaction or one of its subtransactions.  Writes BEGIN or the block's start
 * first where that is due. */
struct buffer *plugin_begin_change(struct plugin *plugin, ReorderBufferTXN *txn, TransactionId owner);

/* Sends the relation's description where the client does not have it yet. */
void plugin_put_description(struct plugin *plugin, struct buffer *b, struct description *description);

#endif
