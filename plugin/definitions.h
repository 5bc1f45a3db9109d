/*
 * Definitions messages: which relations a transaction has changed, so that the
 * client hears of it where no row of them follows.
 */
#ifndef SLUICE_DEFINITIONS_H
#define SLUICE_DEFINITIONS_H

#include "plugin.h"

/* At the commit: sends the relations whose definition changed, with their descriptions. */
void definitions_put(struct plugin *plugin, ReorderBufferTXN *txn);
/* At the end of a block of a transaction in progress: sends only their OIDs. */
void definitions_put_block(struct plugin *plugin, ReorderBufferTXN *txn);
/* Says that ALTER TABLE has rewritten a table; `transient` is the table that it writes the new rows to. */
void definitions_put_rewritten(struct plugin *plugin, ReorderBufferTXN *txn, Relation transient,
							   const ReorderBufferChange *change);
/* Says which tables' rows have changed that are not selected under their present names; the entry is the relation's. */
void definitions_put_missed(struct plugin *plugin, ReorderBufferTXN *txn, Relation relation,
							struct relation_entry *entry, TransactionId xid);
/* Says under which name a filter has withheld a row of a table. */
void definitions_put_filtered(struct plugin *plugin, ReorderBufferTXN *txn, struct description *description,
							  TransactionId xid);

#endif
