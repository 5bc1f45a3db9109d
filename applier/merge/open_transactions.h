/*
 * Transactions that the source streams while they are still open: their changes
 * are kept in spill files until the commit, or until an abort discards them or
 * a part of them.
 *
 * A change belongs to the transaction or to one of its subtransactions. Which
 * one is stored between the changes, as the format's subtransaction messages.
 * Changes of aborted subtransactions are skipped when the transaction is read.
 */
#ifndef SLUICE_OPEN_TRANSACTIONS_H
#define SLUICE_OPEN_TRANSACTIONS_H

#include "change.h"
#include "spill.h"

struct open_transaction {
	struct open_transaction *next;
	uint32_t xid;
	uint32_t writing; /* the subtransaction that owns the changes being added */
	uint32_t reading; /* the one that owns the changes being read */
	struct spill *spill;
	uint32_t *aborted; /* aborted subtransactions, sorted */
	unsigned aborted_count;
	unsigned aborted_capacity;
};

struct open_transactions {
	struct open_transaction *first;
	const char *directory;
};

/* The transaction with that xid, created if it is new. */
struct open_transaction *open_transactions_find(struct open_transactions *all, uint32_t xid);
/* Removes it from the set; the caller destroys it. NULL: there is none. */
struct open_transaction *open_transactions_take(struct open_transactions *all, uint32_t xid);
void open_transactions_clear(struct open_transactions *all);
size_t open_transactions_memory(const struct open_transactions *all);
/* Bytes in the files of all transactions, before compression. */
uint64_t open_transactions_spilled(const struct open_transactions *all);

/* To be called at the end of a block of `txn`: if all transactions together use more than `limit` bytes of memory,
 * its changes are moved to its file. */
MUST_CHECK bool open_transactions_rest(const struct open_transactions *all, struct open_transaction *txn,
									   size_t limit, struct error *err);

/* The changes that are added from now on belong to that (sub)transaction. */
MUST_CHECK bool open_transaction_own(struct open_transaction *txn, uint32_t xid, struct error *err);
/* Adds one message, as it is in the frame. */
MUST_CHECK bool open_transaction_add(struct open_transaction *txn, struct bytes message, struct error *err);
void open_transaction_abort_sub(struct open_transaction *txn, uint32_t xid);

/* Whether the changes being read belong to an aborted subtransaction; the reader calls open_transaction_owner() for
 * each subtransaction message. */
void open_transaction_owner(struct open_transaction *txn, uint32_t xid);
bool open_transaction_skips(const struct open_transaction *txn);

void open_transaction_destroy(struct open_transaction *txn);

#endif
