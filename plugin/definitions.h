/*
 * Definitions messages: which relations a transaction has changed, so that the
 * client hears of it where no row of them follows.
 */
#ifndef SLUICE_DEFINITIONS_H
#define SLUICE_DEFINITIONS_H

#include "plugin.h"

/* At the commit: the relations that changed, as the transaction has left them. */
void definitions_tell(struct plugin *plugin, ReorderBufferTXN *txn);
/* At the end of a block of a transaction in progress: only their OIDs. */
void definitions_tell_block(struct plugin *plugin, ReorderBufferTXN *txn);
/* `transient`: a table in which ALTER TABLE rewrites another one, which is told of. */
void definitions_tell_rewritten(struct plugin *plugin, ReorderBufferTXN *txn, Relation transient,
								const ReorderBufferChange *change);

#endif
