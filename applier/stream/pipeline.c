#include "pipeline.h"

#include <stdlib.h>

#include "apply.h"
#include "base/memory.h"

#define ROUNDS_OF_A_FULL_BATCH 8

struct pipeline {
	struct pipeline_setup setup;
	struct apply *apply;
	struct batch *filling;
	struct batch *first_sealed;
	struct batch *last_sealed;
	struct batch *spare;
	size_t sealed_bytes; /* of the sealed batches and the one being applied */
	size_t held_elsewhere;
	uint64_t end_lsn;	 /* of the last batch that was sealed at the end of a transaction */
	int64_t commit_time; /* likewise */
	uint64_t sealed;	 /* batches so far; likewise below */
	uint64_t done;
	uint64_t durable; /* of those that are done */
	bool inside;	  /* the last transaction in `filling` has not ended */
	bool stopped;
	bool failed;
};

static void
recycle(struct pipeline *p, struct batch *batch)
{
	batch_reset(batch);
	if (p->spare)
		batch_destroy(batch);
	else
		p->spare = batch;
}

static void
on_applied(void *arg, struct batch *batch, const struct error *err)
{
	struct pipeline *p = arg;

	p->sealed_bytes -= batch->sealed_bytes;
	if (err) {
		p->failed = true;
		p->setup.failed(p->setup.arg, err);
	} else {
		p->done++;
		if (batch->final)
			p->durable = p->done;
		p->setup.applied(p->setup.arg, batch->final ? batch->end_lsn : 0, batch);
	}
	recycle(p, batch);
}

static bool
on_refused(void *arg, struct batch *batch, const struct table *table, const struct error *err)
{
	struct pipeline *p = arg;

	return p->setup.refused(p->setup.arg, batch, table, err);
}

const struct table *
pipeline_refused_in_round(const struct pipeline *p)
{
	return apply_refused_in_round(p->apply);
}

struct pipeline *
pipeline_create(const struct pipeline_setup *setup)
{
	struct pipeline *p = memory_alloc_zero(1, sizeof *p);

	p->setup = *setup;
	p->end_lsn = setup->applied_lsn;
	p->apply = apply_create(setup->destination, setup->dialect, setup->config->task, setup->epoch, on_applied,
							on_refused, p);
	return p;
}

void
pipeline_destroy(struct pipeline *p)
{
	apply_destroy(p->apply);
	while (p->first_sealed) {
		struct batch *next = p->first_sealed->next;

		batch_destroy(p->first_sealed);
		p->first_sealed = next;
	}
	batch_destroy(p->filling);
	batch_destroy(p->spare);
	free(p);
}

struct batch *
pipeline_filling(struct pipeline *p)
{
	if (p->filling)
		return p->filling;
	p->filling = p->spare ? p->spare : batch_create();
	p->spare = NULL;
	p->filling->started_ms = loop_now_ms(p->setup.loop);
	return p->filling;
}

void
pipeline_set_inside(struct pipeline *p, bool inside)
{
	p->inside = inside;
}

void
pipeline_set_held_elsewhere(struct pipeline *p, size_t bytes)
{
	p->held_elsewhere = bytes;
}

static bool
has_content(const struct pipeline *p)
{
	return p->filling && !batch_is_empty(p->filling);
}

/* A batch that has only changes from a backlog leaves the position unchanged. */
static void
set_position(struct pipeline *p, struct batch *batch)
{
	if (batch->end_lsn >= p->end_lsn) {
		p->end_lsn = batch->end_lsn;
		p->commit_time = batch->commit_time;
	} else {
		batch->end_lsn = p->end_lsn;
		batch->commit_time = p->commit_time;
	}
}

/* Seals the batch being filled: it has whole transactions, or is a round of a large one. */
static void
seal(struct pipeline *p)
{
	struct batch *batch = p->filling;

	batch->final = !p->inside;
	if (batch->final)
		set_position(p, batch);
	p->sealed++;
	batch->spent_us[BATCH_RECEIVE] = (loop_now_ms(p->setup.loop) - batch->started_ms) * 1000;
	batch->next = NULL;
	batch->sealed_bytes = batch_bytes(batch);
	p->sealed_bytes += batch->sealed_bytes;
	p->filling = NULL;
	if (p->last_sealed)
		p->last_sealed->next = batch;
	else
		p->first_sealed = batch;
	p->last_sealed = batch;
}

void
pipeline_close(struct pipeline *p)
{
	if (has_content(p))
		seal(p);
}

/* A full batch is sealed anywhere, an old one only at the end of a transaction. */
static bool
is_due(const struct pipeline *p)
{
	const struct config *config = p->setup.config;

	if (!has_content(p))
		return false;
	if (batch_bytes(p->filling) >= (size_t) config->apply.max_bytes)
		return true;
	return !p->inside && loop_now_ms(p->setup.loop) - p->filling->started_ms >= config->apply.max_delay_ms;
}

/* An idle destination takes whole transactions of any size, but a round of a large one only from a certain size on. */
static bool
is_worth_starting(const struct pipeline *p)
{
	size_t round = (size_t) p->setup.config->apply.max_bytes / ROUNDS_OF_A_FULL_BATCH;

	return has_content(p) && (!p->inside || batch_bytes(p->filling) >= round);
}

static struct batch *
take_sealed(struct pipeline *p)
{
	struct batch *batch = p->first_sealed;

	if (!batch)
		return NULL;
	p->first_sealed = batch->next;
	if (!p->first_sealed)
		p->last_sealed = NULL;
	return batch;
}

void
pipeline_push(struct pipeline *p)
{
	struct batch *batch;

	if (p->stopped || p->failed)
		return;
	if (is_due(p))
		seal(p);
	if (!apply_is_idle(p->apply))
		return;
	if (!p->first_sealed && is_worth_starting(p))
		seal(p);
	batch = take_sealed(p);
	if (batch)
		apply_start(p->apply, batch);
}

void
pipeline_stop(struct pipeline *p)
{
	p->stopped = true;
}

size_t
pipeline_memory(const struct pipeline *p)
{
	return p->held_elsewhere + p->sealed_bytes + (p->filling ? batch_bytes(p->filling) : 0);
}

void
pipeline_note_folding(struct pipeline *p, int64_t us)
{
	if (p->filling)
		p->filling->spent_us[BATCH_FOLD] += us;
}

bool
pipeline_has_room(const struct pipeline *p)
{
	const struct config *config = p->setup.config;

	/* If no batch is being applied or waits, no more memory will become free. */
	return pipeline_memory(p) + (size_t) config->apply.max_bytes <= (size_t) config->apply.memory_bytes ||
		   (apply_is_idle(p->apply) && !p->first_sealed);
}

static bool
is_over(const struct pipeline *p)
{
	return p->failed || p->stopped || loop_stop_requested(p->setup.loop);
}

static bool
has_room_now(void *arg)
{
	struct pipeline *p = arg;

	pipeline_push(p);
	return is_over(p) || pipeline_has_room(p);
}

bool
pipeline_wait_for_room(struct pipeline *p)
{
	loop_run_until(p->setup.loop, has_room_now, p);
	return !is_over(p);
}

static bool
is_drained(void *arg)
{
	struct pipeline *p = arg;

	pipeline_push(p);
	return is_over(p) || (apply_is_idle(p->apply) && !p->first_sealed && !has_content(p));
}

bool
pipeline_drain(struct pipeline *p)
{
	pipeline_close(p);
	loop_run_until(p->setup.loop, is_drained, p);
	return !is_over(p);
}

bool
pipeline_open_transaction(struct pipeline *p, struct error *err)
{
	return apply_open_transaction(p->apply, err);
}

struct connection *
pipeline_destination(const struct pipeline *p)
{
	return p->setup.destination;
}

bool
pipeline_is_busy_with(const struct pipeline *p, uint32_t target_oid)
{
	return apply_is_busy_with(p->apply, target_oid);
}

bool
pipeline_is_idle(const struct pipeline *p)
{
	return apply_is_idle(p->apply);
}

bool
pipeline_ends_by_itself(const struct pipeline *p)
{
	return apply_ends_by_itself(p->apply);
}

bool
pipeline_is_empty(const struct pipeline *p)
{
	return apply_is_idle(p->apply) && !apply_in_transaction(p->apply) && !p->first_sealed &&
		   !has_content(p) && !p->inside;
}

uint64_t
pipeline_mark(const struct pipeline *p)
{
	return p->sealed + has_content(p);
}

bool
pipeline_is_durable(const struct pipeline *p, uint64_t mark)
{
	return p->durable >= mark;
}
