/*
 * Transactions that the source streams while they are still open: their
 * changes wait in spill files until the commit, or until an abort takes them
 * or a part of them back.
 *
 * A change belongs to the transaction or to one of its subtransactions; which
 * one is kept in line with the changes, as the format's subtransaction
 * messages.  An aborted subtransaction's changes are left out when the rest is
 * read.
 */
#ifndef SLUICE_OPEN_TRANSACTIONS_H
#define SLUICE_OPEN_TRANSACTIONS_H

#include "change.h"
#include "spill.h"

struct open_transaction {
	struct open_transaction *next;
	uint32_t xid;
	uint32_t writing; /* the subtransaction that owns what comes now */
	uint32_t reading; /* the same, of what is read now */
	struct spill *spill;
	uint32_t *aborted; /* subtransactions, sorted */
	unsigned aborted_count;
	unsigned aborted_capacity;
};

struct open_transactions {
	struct open_transaction *first;
	const char *directory;
};

/* The transaction of that xid, made when it is new. */
struct open_transaction *open_transactions_find(struct open_transactions *all, uint32_t xid);
/* Takes it out of the set; the caller destroys it.  NULL when there is none. */
struct open_transaction *open_transactions_take(struct open_transactions *all, uint32_t xid);
void open_transactions_clear(struct open_transactions *all);
size_t open_transactions_memory(const struct open_transactions *all);
/* What is in their files, before compression. */
uint64_t open_transactions_spilled(const struct open_transactions *all);

/* A block of it has ended: where all of them together hold more than `limit`
 * bytes of memory, its part goes to its file. */
MUST_CHECK bool open_transactions_rest(const struct open_transactions *all, struct open_transaction *txn,
									   size_t limit, struct error *err);

/* What comes from now on belongs to that (sub)transaction. */
MUST_CHECK bool open_transaction_own(struct open_transaction *txn, uint32_t xid, struct error *err);
/* One message, as it stands in the frame. */
MUST_CHECK bool open_transaction_add(struct open_transaction *txn, struct bytes message, struct error *err);
void open_transaction_abort_sub(struct open_transaction *txn, uint32_t xid);

/* Whether the changes being read belong to an aborted subtransaction; follows
 * the subtransaction messages that the reader meets (open_transaction_owner()). */
void open_transaction_owner(struct open_transaction *txn, uint32_t xid);
bool open_transaction_skips(const struct open_transaction *txn);

void open_transaction_destroy(struct open_transaction *txn);

#endif
