/*
 * Applies batches to the destination, one at a time, each in one transaction
 * together with the task's new position; the rounds of a large transaction
 * share one.  Nothing is tried twice here: after a failure the whole session
 * starts over from what sluice.progress says.
 */
#ifndef SLUICE_APPLY_H
#define SLUICE_APPLY_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "merge/batch.h"

struct apply;

/* `err` is NULL when the batch is done: durable if it was final. */
typedef void (*apply_done)(void *arg, struct batch *batch, const struct error *err);

/*
 * A target has refused a change, or lacks a row: true when the table, and all others that share its target, are
 * in batch->holds now, so that the batch is done again without them.
 */
typedef bool (*apply_refused)(void *arg, struct batch *batch, const struct table *table,
							  const struct error *err);

/* Neither the connection nor the dialect becomes its own. */
struct apply *apply_create(struct connection *destination, const struct dialect *dialect, const char *task,
						   int64_t epoch, apply_done done, apply_refused refused, void *arg);
/* Frees the current batch, too; then the connection must not be used any more. */
void apply_destroy(struct apply *apply);

/* The batch must stay as it is until `done` is called. */
void apply_start(struct apply *apply, struct batch *batch);
bool apply_is_idle(const struct apply *apply);
/* After a failure: the table whose target refused a change in a round of a transaction that was begun before, and
 * therefore cannot be done again here; NULL: it was something else. */
const struct table *apply_refused_in_round(const struct apply *apply);
/* Opens the destination's transaction for what the caller does in it by himself; the next batch goes on in it. */
MUST_CHECK bool apply_open_transaction(struct apply *apply, struct error *err);
/* Whether the destination's transaction is open between two rounds. */
bool apply_in_transaction(const struct apply *apply);
/* Whether a lock that another session has on the target may be what keeps the batch, or what else is done over the
 * connection, waiting. */
bool apply_is_busy_with(const struct apply *apply, uint32_t target_oid);
/* Whether what is open at the destination ends without another batch: then its locks may be waited for. */
bool apply_ends_by_itself(const struct apply *apply);

#endif
