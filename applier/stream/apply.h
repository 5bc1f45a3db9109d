/*
 * Applies batches to the destination, one at a time, each in one transaction
 * together with the task's new position; the rounds of a large transaction
 * share one.  After a failure the whole session starts over from the position
 * in sluice.progress; only a refused batch may be applied a second time here,
 * to name the row or to leave out the table that is then held.
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
 * A target has refused a change, or lacks a row.  True: the callback has put the table, and all others that share its
 * target, into batch->holds; the batch is applied again without them.
 */
typedef bool (*apply_refused)(void *arg, struct batch *batch, const struct table *table,
							  const struct error *err);

/* The caller keeps the connection and the dialect. */
struct apply *apply_create(struct connection *destination, const struct dialect *dialect, const char *task,
						   int64_t epoch, apply_done done, apply_refused refused, void *arg);
/* Frees the current batch, too; then the connection must not be used any more. */
void apply_destroy(struct apply *apply);

/* Starts the batch, which must not change until `done` is called. */
void apply_start(struct apply *apply, struct batch *batch);
bool apply_is_idle(const struct apply *apply);
/* After a failure: the table whose target refused a change in a later round of a large transaction, which cannot be
 * repeated without the earlier rounds; NULL: another failure. */
const struct table *apply_refused_in_round(const struct apply *apply);
/* Opens the destination's transaction for statements of the caller; the next batch continues in it. */
MUST_CHECK bool apply_open_transaction(struct apply *apply, struct error *err);
/* Whether the destination's transaction is open between two rounds. */
bool apply_in_transaction(const struct apply *apply);
/* Whether the batch, or another statement on the connection, may be waiting for a lock on the target that another
 * session holds. */
bool apply_is_busy_with(const struct apply *apply, uint32_t target_oid);
/* Whether the open transaction ends without another batch: only then may the caller wait for its locks. */
bool apply_ends_by_itself(const struct apply *apply);

#endif
