#include "open_transactions.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/memory.h"

struct open_transaction *
open_transactions_find(struct open_transactions *all, uint32_t xid)
{
	struct open_transaction *txn;

	for (txn = all->first; txn; txn = txn->next)
		if (txn->xid == xid)
			return txn;
	txn = memory_alloc_zero(1, sizeof *txn);
	txn->xid = txn->writing = txn->reading = xid;
	txn->spill = spill_create(all->directory);
	txn->next = all->first;
	all->first = txn;
	return txn;
}

struct open_transaction *
open_transactions_take(struct open_transactions *all, uint32_t xid)
{
	for (struct open_transaction **at = &all->first; *at; at = &(*at)->next) {
		struct open_transaction *txn = *at;

		if (txn->xid != xid)
			continue;
		*at = txn->next;
		return txn;
	}
	return NULL;
}

void
open_transactions_clear(struct open_transactions *all)
{
	while (all->first) {
		struct open_transaction *next = all->first->next;

		open_transaction_destroy(all->first);
		all->first = next;
	}
}

size_t
open_transactions_memory(const struct open_transactions *all)
{
	size_t bytes = 0;

	for (const struct open_transaction *txn = all->first; txn; txn = txn->next)
		bytes += sizeof *txn + spill_memory(txn->spill) + txn->aborted_capacity * sizeof *txn->aborted;
	return bytes;
}

uint64_t
open_transactions_spilled(const struct open_transactions *all)
{
	uint64_t bytes = 0;

	for (const struct open_transaction *txn = all->first; txn; txn = txn->next)
		bytes += spill_written(txn->spill);
	return bytes;
}

bool
open_transactions_rest(const struct open_transactions *all, struct open_transaction *txn, size_t limit,
					   struct error *err)
{
	return open_transactions_memory(all) <= limit || spill_release(txn->spill, err);
}

bool
open_transaction_own(struct open_transaction *txn, uint32_t xid, struct error *err)
{
	uint8_t space[16];
	struct buffer b = {.data = space, .cap = sizeof space, .limit = sizeof space};

	if (txn->writing == xid)
		return true;
	txn->writing = xid;
	change_put_subtransaction(&b, xid);
	return spill_append(txn->spill, b.data, b.len, err);
}

bool
open_transaction_add(struct open_transaction *txn, struct bytes message, struct error *err)
{
	return spill_append(txn->spill, message.data, message.len, err);
}

/* The position of the first xid that is not smaller. */
static unsigned
place_of(const struct open_transaction *txn, uint32_t xid)
{
	unsigned low = 0, high = txn->aborted_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (txn->aborted[middle] < xid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_aborted(const struct open_transaction *txn, uint32_t xid)
{
	unsigned place = place_of(txn, xid);

	return place < txn->aborted_count && txn->aborted[place] == xid;
}

void
open_transaction_abort_sub(struct open_transaction *txn, uint32_t xid)
{
	unsigned place = place_of(txn, xid);

	if (is_aborted(txn, xid))
		return;
	if (txn->aborted_count == txn->aborted_capacity) {
		txn->aborted_capacity = txn->aborted_capacity ? txn->aborted_capacity * 2 : 16;
		txn->aborted = memory_resize(txn->aborted, txn->aborted_capacity, sizeof *txn->aborted);
	}
	memmove(txn->aborted + place + 1, txn->aborted + place,
			(txn->aborted_count - place) * sizeof *txn->aborted);
	txn->aborted[place] = xid;
	txn->aborted_count++;
}

void
open_transaction_owner(struct open_transaction *txn, uint32_t xid)
{
	txn->reading = xid;
}

bool
open_transaction_skips(const struct open_transaction *txn)
{
	return txn->aborted_count > 0 && is_aborted(txn, txn->reading);
}

void
open_transaction_destroy(struct open_transaction *txn)
{
	if (!txn)
		return;
	spill_destroy(txn->spill);
	free(txn->aborted);
	free(txn);
}
