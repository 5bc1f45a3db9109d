/*
 * The batches between fold and destination: one is being filled, closed ones
 * wait, one is being applied.
 *
 *	fold ──► filling ──► sealed ──► applying ──► durable
 *
 * An idle destination takes the batch being filled as soon as it stands at the
 * end of a transaction, so batches grow with the load by themselves.
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
	uint64_t applied_lsn; /* the position so far */
	void *arg;
	/* A batch is done; with `lsn` not 0 everything up to there is durable. */
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
/* Closes it: what follows goes into another one. */
void pipeline_close(struct pipeline *pipeline);
/* Says whether the batch being filled stands inside a transaction. */
void pipeline_set_inside(struct pipeline *pipeline, bool inside);

/* Closes the batch when it is full or old; starts applying when the
 * destination is idle.  To be called after every change of state. */
void pipeline_push(struct pipeline *pipeline);
/* Applies nothing more but the current batch. */
void pipeline_stop(struct pipeline *pipeline);

/* Pump the loop.  False: the destination failed or a stop was requested. */
MUST_CHECK bool pipeline_wait_for_room(struct pipeline *pipeline);
/* Until all is applied, though it may end inside a transaction. */
MUST_CHECK bool pipeline_drain(struct pipeline *pipeline);

/* After pipeline_drain(), inside a transaction of the source: opens that of the destination, so that what the
 * caller does over its connection is part of it. */
MUST_CHECK bool pipeline_open_transaction(struct pipeline *pipeline, struct error *err);
struct connection *pipeline_destination(const struct pipeline *pipeline);

/* Whether another full batch fits into the memory limit, in addition to what is held. */
bool pipeline_has_room(const struct pipeline *pipeline);
/* Memory held by batches, and elsewhere as far as it was told. */
size_t pipeline_memory(const struct pipeline *pipeline);
/* So much of the time was spent folding into the batch being filled. */
void pipeline_note_folding(struct pipeline *pipeline, int64_t us);
/* What others hold of the memory limit, for pipeline_has_room(). */
void pipeline_set_held_elsewhere(struct pipeline *pipeline, size_t bytes);
/* Nothing waits and nothing is being applied. */
bool pipeline_is_empty(const struct pipeline *pipeline);
/* Whether the destination's transaction ends without further action of the caller.  Check this before waiting for
 * another session there, which may wait for the locks of this one. */
bool pipeline_ends_by_itself(const struct pipeline *pipeline);
/* See apply.h. */
bool pipeline_is_busy_with(const struct pipeline *pipeline, uint32_t target_oid);
/* The destination is not working on a batch. */
bool pipeline_is_idle(const struct pipeline *pipeline);

/* A mark that stands for all that was folded so far; and whether what it stands for is durable. */
uint64_t pipeline_mark(const struct pipeline *pipeline);
bool pipeline_is_durable(const struct pipeline *pipeline, uint64_t mark);

#endif
