/*
 * What the files of apply share: apply.c makes requests and says what comes after which, apply_merge.c has what is
 * asked for a batch, apply_failure.c what becomes of one that fails.
 */
#ifndef SLUICE_APPLY_PARTS_H
#define SLUICE_APPLY_PARTS_H

#include "apply.h"
#include "apply_phase.h"
#include "merge/batch_order.h"

/* Pending: asked of the destination, and not answered yet.  Lives in the batch's arena. */
struct apply_request {
	struct apply *apply;
	enum apply_phase phase;
	struct merge_step *step; /* merging; NULL: something else was asked */
};

struct apply {
	struct connection *conn;
	const struct dialect *dialect;
	char *task;
	char epoch[24];
	apply_done done;
	apply_refused refused;
	void *arg;
	const struct table **held; /* since it was created; what is queued of them is left out */
	unsigned held_count;
	const struct table *refused_in_round;
	enum apply_phase phase;
	bool in_transaction;
	bool began_here;		  /* with the current batch */
	enum merge_manner manner; /* of the current batch */
	struct batch *batch;
	struct batch_order order;
	unsigned in_flight;
	struct stagings stagings;
	int64_t commits;
	int64_t answered_us; /* when the answer before came, or the batch was begun */
};

/* ---- requests (apply.c) */

/* The one place that changes apply->phase: checks the move, and logs it. */
void apply_enter(struct apply *apply, enum apply_phase phase);
/* What is about to be asked, for its answer, which goes to apply_on_answer(). */
struct apply_request *apply_add_request(struct apply *apply);
void apply_on_answer(void *arg, const struct result *res, const struct error *err);
void apply_query(struct apply *apply, const char *sql);
/* Asks as far as it does not depend on answers, and ends what is answered. */
void apply_go_on(struct apply *apply);

/* ---- what is asked (apply_merge.c) */

void apply_begin_merging(struct apply *apply);
/* Asks for the next step; false when there is none that could be asked for. */
bool apply_ask_step(struct apply *apply);
void apply_drop_stagings(struct apply *apply);
void apply_write_position(struct apply *apply);

/* ---- what failed (apply_failure.c) */

/* Gives the batch back with the error. */
void apply_fail(struct apply *apply, const struct apply_request *request, const struct error *cause);
/* A request has failed, or its answer is not the one that was expected (`unexpected`, while others go on behind it): the
 * batch is done again, or fails. */
void apply_take_failure(const struct apply_request *request, const struct error *err, bool unexpected);
/* Whether the request was asked before the batch came to be done again: its answer is taken, and has no say. */
bool apply_take_void(const struct apply_request *request, const struct error *err);
void apply_remember_held(struct apply *apply, const struct table *table);
/* Leaves out of the batch what was queued before a table was held. */
void apply_leave_out_held(const struct apply *apply, const struct batch *batch);
void apply_write_holds(struct apply *apply);

#endif
