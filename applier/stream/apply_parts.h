/*
 * Shared by the files of apply: apply.c runs the phases and takes the answers, apply_merge.c sends the requests of a
 * batch, apply_failure.c handles batches that fail.
 */
#ifndef SLUICE_APPLY_PARTS_H
#define SLUICE_APPLY_PARTS_H

#include "apply.h"
#include "apply_phase.h"
#include "merge/batch_order.h"

/* A pending request.  Lives in the batch's arena. */
struct apply_request {
	struct apply *apply;
	enum apply_phase phase;
	struct merge_step *step; /* NULL: not a step of the merge */
};

struct apply {
	struct connection *conn;
	const struct dialect *dialect;
	char *task;
	char epoch[24];
	apply_done done;
	apply_refused refused;
	void *arg;
	const struct table **held; /* so far; changes of these tables in later batches are left out */
	unsigned held_count;
	const struct table *refused_in_round;
	enum apply_phase phase;
	bool in_transaction;
	bool began_here;		  /* the current batch began the transaction */
	enum merge_manner manner; /* of the current batch */
	struct batch *batch;
	struct batch_order order;
	unsigned in_flight;
	struct stagings stagings;
	int64_t commits;
	int64_t answered_us; /* when the previous answer came, or the batch began */
};

/* ---- requests (apply.c) */

/* The only function that changes apply->phase: checks the transition, and logs it. */
void apply_enter(struct apply *apply, enum apply_phase phase);
/* Creates the argument of a request's callback, apply_on_answer(), and counts the request as pending. */
struct apply_request *apply_add_request(struct apply *apply);
void apply_on_answer(void *arg, const struct result *res, const struct error *err);
void apply_query(struct apply *apply, const char *sql);
/* Sends all requests that need not wait for answers, and ends the phases whose requests are answered. */
void apply_go_on(struct apply *apply);

/* ---- requests of a batch (apply_merge.c) */

void apply_begin_merging(struct apply *apply);
/* Sends the next step, or enters the next phase after the last one; false if the batch has failed. */
bool apply_ask_step(struct apply *apply);
void apply_drop_stagings(struct apply *apply);
void apply_write_position(struct apply *apply);

/* ---- failures (apply_failure.c) */

/* Ends the batch: its owner gets it back with the error. */
void apply_fail(struct apply *apply, const struct apply_request *request, const struct error *cause);
/* A request has failed, or (`unexpected`) was answered with another result than expected, so that those queued behind it
 * go on: applies the batch again, or ends it. */
void apply_take_failure(const struct apply_request *request, const struct error *err, bool unexpected);
/* While the transaction is rolled back: discards the answer to a request that was sent before; false: not such one. */
bool apply_take_void(const struct apply_request *request, const struct error *err);
void apply_remember_held(struct apply *apply, const struct table *table);
/* Leaves the changes of held tables out of a batch that was filled before they were held. */
void apply_leave_out_held(const struct apply *apply, const struct batch *batch);
void apply_write_holds(struct apply *apply);

#endif
