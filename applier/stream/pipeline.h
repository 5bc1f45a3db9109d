/*
 * The batches between fold and destination: one is being filled, sealed ones
 * wait, one is being applied.
 *
 *	fold ──► filling ──► sealed ──► applying ──► durable
 *
 * An idle destination takes the batch being filled as soon as its last
 * transaction has ended, so batches grow with the load by themselves.
 */
#ifndef SLUICE_PIPELINE_H
#define SLUICE_PIPELINE_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "merge/batch.h"

struct pipeline;

struct pipeline_setup {
	struct loop *loop;
	const struct config *config;
	const struct dialect *dialect;
	struct connection *destination;
	int64_t epoch;
	uint64_t applied_lsn; /* the position at the start */
	void *arg;
	/* A batch was applied; unless `lsn` is 0, everything up to there is durable. */
	void (*applied)(void *arg, uint64_t lsn, const struct batch *batch);
	/* A target refused a change; see apply.h. */
	bool (*refused)(void *arg, struct batch *batch, const struct table *table, const struct error *err);
	/* The destination failed; nothing will be applied any more. */
	void (*failed)(void *arg, const struct error *err);
};

struct pipeline *pipeline_create(const struct pipeline_setup *setup);
void pipeline_destroy(struct pipeline *pipeline);

/* After a failure; see apply.h. */
const struct table *pipeline_refused_in_round(const struct pipeline *pipeline);

/* The batch that takes the next change. */
struct batch *pipeline_filling(struct pipeline *pipeline);
/* Seals that batch: the next change goes into another one. */
void pipeline_close(struct pipeline *pipeline);
/* Sets whether the last transaction in the batch being filled has not ended. */
void pipeline_set_inside(struct pipeline *pipeline, bool inside);

/* Seals the batch when it is full or old; starts applying when the destination is idle.  Call it after every change of
 * state. */
void pipeline_push(struct pipeline *pipeline);
/* Starts no more batches; the one being applied goes on. */
void pipeline_stop(struct pipeline *pipeline);

/* Pumps the loop until a full batch fits into memory.  False: the destination failed or a stop was requested. */
MUST_CHECK bool pipeline_wait_for_room(struct pipeline *pipeline);
/* The same until all is applied, possibly up to the middle of a transaction, which then stays open. */
MUST_CHECK bool pipeline_drain(struct pipeline *pipeline);

/* After pipeline_drain(), inside a transaction of the source: opens the destination's transaction, so that the caller's
 * statements on that connection are part of it. */
MUST_CHECK bool pipeline_open_transaction(struct pipeline *pipeline, struct error *err);
struct connection *pipeline_destination(const struct pipeline *pipeline);

/* Whether another full batch fits into the memory limit, in addition to what is held. */
bool pipeline_has_room(const struct pipeline *pipeline);
/* Memory held by batches, and by others according to pipeline_set_held_elsewhere(). */
size_t pipeline_memory(const struct pipeline *pipeline);
/* Adds to the time that was spent folding into the batch being filled. */
void pipeline_note_folding(struct pipeline *pipeline, int64_t us);
/* Sets what others hold of the memory limit, for pipeline_has_room(). */
void pipeline_set_held_elsewhere(struct pipeline *pipeline, size_t bytes);
/* Nothing waits, nothing is being applied, and no transaction is open. */
bool pipeline_is_empty(const struct pipeline *pipeline);
/* Whether the destination's transaction ends without further action of the caller.  Check this before waiting for
 * another session there, which may wait for the locks of this one. */
bool pipeline_ends_by_itself(const struct pipeline *pipeline);
/* See apply.h. */
bool pipeline_is_busy_with(const struct pipeline *pipeline, uint32_t target_oid);
/* No batch is being applied. */
bool pipeline_is_idle(const struct pipeline *pipeline);

/* A mark for everything that was folded so far; and whether everything before a mark is durable. */
uint64_t pipeline_mark(const struct pipeline *pipeline);
bool pipeline_is_durable(const struct pipeline *pipeline, uint64_t mark);

#endif
