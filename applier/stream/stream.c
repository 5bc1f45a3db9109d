#include "stream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "background_copy.h"
#include "base/log.h"
#include "base/memory.h"
#include "frame_queue.h"
#include "io/replication.h"
#include "io/throttle.h"
#include "lsn.h"
#include "merge/spill.h"
#include "pipeline.h"
#include "refused.h"
#include "schema/schema_watch.h"
#include "servers/retention.h"
#include "servers/source.h"
#include "servers/source_plugin.h"
#include "stream_options.h"
#include "upkeep/index_cleanup.h"
#include "upkeep/upkeep.h"

/* How long a stop waits for the current batch. */
#define STOP_MS 30000
/* Frames are held back until their transaction ends, but only up to this much. */
#define LARGE_TRANSACTION_BYTES ((size_t) 4 << 20)
/* How much is folded at most before the loop gets a turn. */
#define FOLD_BYTES_PER_TURN ((size_t) 2 << 20)
/* The same in time: a changed definition is a few bytes, but asks the servers, while background copies wait. */
#define FOLD_US_PER_TURN 200000
/* How much of descriptions piles up before another session with the source begins. */
#define KEPT_BYTES_MAX ((size_t) 8 << 20)
#define WARN_AGAIN_MS 60000
#define REPORT_MS 10000

struct stream {
	const struct stream_setup *setup;
	struct replication *replication;
	struct pipeline *pipeline;
	struct fold *fold;
	struct upkeep *upkeep;
	struct background_copy *background; /* NULL: no table waits for its copy */
	bool backlog_first;					/* in this turn the backlog is folded before the stream */
	struct loop_timer *kick;			/* makes the loop take another turn */
	struct loop_timer *heartbeat;
	struct throttle *throttle; /* limits what is received */

	struct frame_queue frames; /* received and not yet folded */
	bool in_large;			   /* the frame folded last ended inside a transaction */

	uint64_t begun_lsn;		/* where the stream began */
	uint64_t applied_lsn;	/* durable at the destination */
	uint64_t keepalive_lsn; /* the source has sent everything up to here */
	bool heartbeat_due;
	bool slot_read_due; /* to learn what WAL the slot retains */
	bool streams_open;	/* the source sends transactions in progress, too */
	bool stopping;
	int64_t stop_deadline_ms;
	bool failed;
	struct error err;

	int64_t transactions; /* since the last report */
	int64_t changes;
	int64_t reported_ms;
	int64_t warned_ms;
};

static void
fail(struct stream *s, const struct error *err)
{
	if (s->failed)
		return;
	s->failed = true;
	s->err = *err;
}

/* ---- callbacks: they only note what happened */

static size_t
large_transaction_bytes(const struct stream *s)
{
	size_t share = (size_t) s->setup->config->apply.memory_bytes / 8;

	return share < LARGE_TRANSACTION_BYTES ? share : LARGE_TRANSACTION_BYTES;
}

static void
want_turn(struct stream *s)
{
	loop_timer_arm(s->kick, 0);
}

/* Resumes reading if there is room and the rate limit allows it. */
static void
receive_more(void *arg)
{
	struct stream *s = arg;

	if (s->frames.bytes < large_transaction_bytes(s) && !throttle_is_closed(s->throttle))
		replication_resume(s->replication);
}

static bool
on_data(void *arg, struct bytes payload)
{
	struct stream *s = arg;

	frame_queue_add(&s->frames, payload);
	monitor_received(s->setup->monitor, 0, payload.len);
	want_turn(s);
	return throttle_took(s->throttle, payload.len) && s->frames.bytes < 2 * large_transaction_bytes(s);
}

static void
on_keepalive(void *arg, uint64_t wal_end)
{
	struct stream *s = arg;

	s->keepalive_lsn = wal_end;
	monitor_received(s->setup->monitor, wal_end, 0);
	want_turn(s);
}

/*
 * Some servers cannot decode a transaction in progress although they can once it has ended: PostgreSQL 18 loses the table
 * that a subtransaction altered and rolled back ("could not map filenumber").
 */
static void
on_ended(void *arg, const struct error *err)
{
	struct stream *s = arg;
	struct error retry = *err;

	if (source_plugin_trouble(err))
		error_set(&retry, ERROR_DATA, "plugin: source: %s (%s)", source_plugin_trouble(err), err->message);
	if (s->streams_open && strcmp(err->sqlstate, "XX000") == 0) {
		*s->setup->at_commit = true;
		retry.class = ERROR_RETRY;
		(void) error_hint(&retry, "Large transactions are received at their commit from here on.");
	}
	*s->setup->source_failed |= !s->failed;
	fail(s, &retry);
}

static void
on_kick(void *arg)
{
	(void) arg;
}

static void
on_heartbeat(void *arg)
{
	struct stream *s = arg;

	s->heartbeat_due = true;
	s->slot_read_due = true;
	index_follow_heartbeat(upkeep_indexes(s->upkeep), loop_now_ms(s->setup->loop));
	replication_ask(s->replication);
	loop_timer_arm(s->heartbeat, s->setup->config->wal.heartbeat_ms);
}

static void
on_applied(void *arg, uint64_t lsn, const struct batch *batch)
{
	struct stream *s = arg;

	if (lsn) {
		s->setup->memories->without_indexes.count = 0;
		s->applied_lsn = lsn;
		replication_confirm(s->replication, lsn);
		if (s->setup->applied)
			s->setup->applied(s->setup->arg, lsn);
	}
	s->transactions += batch->transactions;
	s->changes += batch->changes;
	upkeep_applied(s->upkeep, batch, lsn);
	monitor_batch(s->setup->monitor, batch, lsn);
	want_turn(s);
}

/* An index that may have refused the row is looked for first, between two attempts. */
static bool
asks_for_indexes(struct stream *s, const struct table *table, const struct error *err)
{
	return table->indexes_ours && index_cleanup_may_help(err) &&
		   error_is_about_table(err, table->source.schema, table->source.name) &&
		   !table_memory_has(&s->setup->memories->without_indexes, table->source.oid);
}

static bool
on_refused(void *arg, struct batch *batch, const struct table *table, const struct error *err)
{
	struct stream *s = arg;

	if (asks_for_indexes(s, table, err))
		return false;
	return refused_hold(s->setup->config, s->setup->catalog, batch, table, err);
}

static void
on_failed(void *arg, const struct error *err)
{
	fail(arg, err);
}

/* ---- the position without transactions */

static bool
nothing_in_flight(const struct stream *s)
{
	return !s->frames.first && pipeline_is_empty(s->pipeline);
}

/* With nothing in flight the position follows the source's keepalives: at each heartbeat, or at once when the run ends
 * there. */
static void
follow_keepalives(struct stream *s)
{
	bool last = s->setup->until && s->applied_lsn < s->setup->until && s->keepalive_lsn >= s->setup->until;

	if (!nothing_in_flight(s) || s->keepalive_lsn <= s->applied_lsn || !(s->heartbeat_due || last) ||
		s->setup->requests->pause)
		return;
	pipeline_filling(s->pipeline)->end_lsn = s->keepalive_lsn;
	s->heartbeat_due = false;
}

/* ---- folding */

static void
set_held_elsewhere(struct stream *s)
{
	size_t background = s->background ? backlog_memory(background_copy_backlog(s->background)) : 0;

	pipeline_set_held_elsewhere(s->pipeline, s->frames.bytes + fold_memory(s->fold) + background);
}

/*
 * A transaction is folded once its end was received, so that no batch waits for
 * a slow one; a large transaction is folded before that, in rounds.
 */
static bool
may_fold(struct stream *s)
{
	if (!s->frames.first || s->failed || loop_stop_requested(s->setup->loop))
		return false;
	if (s->setup->requests->pause && !s->in_large)
		return false;
	set_held_elsewhere(s);
	if (!pipeline_has_room(s->pipeline))
		return false;
	return s->frames.closed > 0 || s->in_large || s->frames.bytes >= large_transaction_bytes(s);
}

static void
fold_more(struct stream *s)
{
	int64_t began_us = batch_clock_us(), turn_began_us = began_us;
	size_t folded = 0;
	struct error err;

	while (may_fold(s) && folded < FOLD_BYTES_PER_TURN && began_us - turn_began_us < FOLD_US_PER_TURN) {
		struct queued_frame *frame = frame_queue_take(&s->frames);

		folded += frame->len;
		s->in_large = frame->open;
		/* After a stop the current batch is still waited for. */
		if (!fold_frame(s->fold, (struct bytes){frame->data, frame->len}, &err) && err.class != ERROR_STOPPED)
			fail(s, &err);
		free(frame);
		pipeline_note_folding(s->pipeline, batch_clock_us() - began_us);
		pipeline_push(s->pipeline);
		began_us = batch_clock_us();
	}
	monitor_received_commit(s->setup->monitor, fold_commit_time(s->fold));
	if (may_fold(s))
		want_turn(s);
	receive_more(s);
}

/* Folds a part of the backlog in each turn, between two transactions. */
static void
fold_backlog(struct stream *s)
{
	struct error err;
	bool more = false;

	if (!s->background || s->failed || loop_stop_requested(s->setup->loop) || s->setup->requests->pause ||
		s->in_large || !fold_is_between(s->fold))
		return;
	set_held_elsewhere(s);
	if (!background_copy_fold(s->background, s->fold, s->pipeline, FOLD_BYTES_PER_TURN, &more, &err) &&
		err.class != ERROR_STOPPED)
		fail(s, &err);
	pipeline_push(s->pipeline);
	if (more)
		want_turn(s);
}

static void
go_on_copying(struct stream *s)
{
	struct error err;

	if (!s->background || s->failed ||
		(s->setup->requests->pause && !background_copy_has_begun(s->background)) ||
		!pipeline_ends_by_itself(s->pipeline))
		return;
	if (!background_copy_turn(s->background, s->pipeline, &err))
		fail(s, &err);
}

/* The stream and the backlog take turns in going first, so that neither uses up all memory. */
static void
fold_both(struct stream *s)
{
	s->backlog_first = !s->backlog_first;
	if (s->backlog_first)
		fold_backlog(s);
	fold_more(s);
	if (!s->backlog_first)
		fold_backlog(s);
}

/* ---- the turn of the loop */

static void
report(struct stream *s)
{
	int64_t now = loop_now_ms(s->setup->loop);
	char lsn[LSN_TEXT_BYTES];

	if (now - s->reported_ms < REPORT_MS)
		return;
	if (s->transactions > 0)
		log_write_about(LOG_INFO, &(struct log_about){.lsn = s->applied_lsn},
						"applied %" PRId64 " transactions with %" PRId64 " changes in %.0f s, up to %s",
						s->transactions, s->changes, (double) (now - s->reported_ms) / 1000,
						lsn_format(s->applied_lsn, lsn));
	s->transactions = s->changes = 0;
	s->reported_ms = now;
}

/* Waits for the current batch up to a deadline, but not for the other rounds of a large transaction. */
static bool
stopped(struct stream *s)
{
	int64_t now = loop_now_ms(s->setup->loop);

	if (!s->stopping) {
		s->stopping = true;
		pipeline_stop(s->pipeline);
		s->stop_deadline_ms = now + STOP_MS;
		loop_timer_arm(s->heartbeat, STOP_MS + 1);
	}
	return pipeline_is_idle(s->pipeline) || now >= s->stop_deadline_ms;
}

static bool
sample_comparisons(const struct stream_setup *setup, struct error *err)
{
	struct comparisons comparisons;
	struct arena memory;
	bool ok;

	arena_init(&memory, 4096);
	ok = comparisons_read(setup->control, setup->config->task, monitor_compared_until(setup->monitor),
						  &memory, &comparisons, err);
	if (ok)
		monitor_compared(setup->monitor, &comparisons);
	arena_fini(&memory);
	return ok;
}

static bool
sample_slot(struct stream *s, struct source_slot *slot, struct oldest_transaction *oldest, struct error *err)
{
	const struct stream_setup *setup = s->setup;

	if (!source_read_slot(setup->source_sql, setup->config->source.slot, slot, err) ||
		!retention_read_oldest(setup->source_sql, oldest, err))
		return false;
	set_held_elsewhere(s);
	monitor_slot(setup->monitor, slot, oldest);
	monitor_held(setup->monitor, pipeline_memory(s->pipeline), fold_spilled(s->fold));
	monitor_tables(setup->monitor, setup->catalog);
	return !setup->monitor || sample_comparisons(setup, err);
}

/* Checks held tables, and warns when the slot retains more WAL than wal.warn_bytes: the applier is slow, or a transaction
 * stays open at the source. */
static void
read_slot(struct stream *s)
{
	const struct config *config = s->setup->config;
	int64_t now = loop_now_ms(s->setup->loop);
	struct oldest_transaction oldest;
	struct source_slot slot;
	struct error err;
	char sentence[768];
	enum retention retention;

	if (!s->slot_read_due)
		return;
	s->slot_read_due = false;
	memory_give_back();
	if (!schema_watch_held(s->setup->source_sql, s->setup->control, s->setup->dialect, config,
						   s->setup->catalog, &err) ||
		!sample_slot(s, &slot, &oldest, &err)) {
		fail(s, &err);
		return;
	}
	/* A lost slot is reported by the next attempt. */
	retention = retention_judge(&slot, config->wal.warn_bytes);
	if (retention == RETENTION_MODEST || retention == RETENTION_LOST ||
		(s->warned_ms && now - s->warned_ms < WARN_AGAIN_MS))
		return;
	s->warned_ms = now;
	retention_describe(&slot, &oldest, sentence, sizeof sentence);
	log_warning("slot %s %s", config->source.slot, sentence);
}

/*
 * Whether a description of a partitioned table is used again is known only to the plugin (descriptions.h): when much of them has piled up,
 * the stream begins again, unless nothing was applied, or copies would be lost with it.
 */
static void
renew_session(struct stream *s)
{
	size_t kept = fold_kept(s->fold);
	struct error err;

	if (kept < KEPT_BYTES_MAX || s->failed || s->setup->requests->pause || s->applied_lsn <= s->begun_lsn ||
		!fold_is_between(s->fold) || !pipeline_ends_by_itself(s->pipeline) ||
		(s->background && !background_copy_is_idle(s->background)))
		return;
	error_set(&err, ERROR_RESTART, "replaced descriptions of partitioned tables take %zu MB: starting over",
			  kept >> 20);
	fail(s, &err);
}

/* False: this is not the moment for it. */
static bool
follow_indexes(struct stream *s, bool alone)
{
	const struct stream_setup *setup = s->setup;
	struct error err;

	if (s->failed || setup->requests->pause || s->in_large || !fold_is_between(s->fold) ||
		!pipeline_ends_by_itself(s->pipeline))
		return false;
	if (index_follow_turn(upkeep_indexes(s->upkeep), setup->source_sql, setup->control, alone,
						  loop_now_ms(setup->loop), &err))
		return true;
	fail(s, &err);
	return false;
}

static bool
is_leaving(const struct stream *s)
{
	return s->stopping || loop_stop_requested(s->setup->loop) || s->setup->requests->leave;
}

static void
keep_pause(struct stream *s)
{
	bool pause = s->setup->requests->pause;
	bool still = upkeep_hold(s->upkeep, pause);

	if (pause && still && !s->in_large && pipeline_is_empty(s->pipeline))
		s->setup->paused(s->setup->arg, s->applied_lsn);
}

static bool
turn(void *arg)
{
	struct stream *s = arg;
	struct error err;

	if (s->failed)
		return true;
	if (s->setup->until && s->applied_lsn >= s->setup->until)
		return true;
	if (pipeline_ends_by_itself(s->pipeline) &&
		!s->setup->turn(s->setup->arg, s->background && !background_copy_is_idle(s->background), &err)) {
		fail(s, &err);
		return true;
	}
	if (is_leaving(s))
		return stopped(s);
	keep_pause(s);
	go_on_copying(s);
	fold_both(s);
	follow_keepalives(s);
	pipeline_push(s->pipeline);
	read_slot(s);
	renew_session(s);
	(void) follow_indexes(s, false);
	report(s);
	return s->failed;
}

/* ---- beginning and ending */

/* Large transactions are received while they are open if the source can send them (PostgreSQL 14) and the spill directory
 * can hold them; otherwise at their commit. */
static bool
can_spill(const struct stream_setup *setup)
{
	struct error err;

	if (*setup->at_commit || connection_server_version(setup->source) < 140000)
		return false;
	if (spill_prepare(setup->config->apply.spill_directory, &err))
		return true;
	log_warning("%s: large transactions are received at their commit, not while they are open", err.message);
	return false;
}

static void
start(struct stream *s)
{
	const struct stream_setup *setup = s->setup;
	struct replication_handler handler = {s, on_data, on_keepalive, on_ended};
	struct stream_options options;

	s->streams_open = can_spill(setup);
	stream_options_init(&options, setup->config, setup->catalog, &setup->memories->text_names,
						s->streams_open);
	s->replication = replication_start(setup->loop, setup->source, setup->config->source.slot, s->applied_lsn,
									   options.pairs, options.count, &handler);
	stream_options_fini(&options);
}

static void
create_background(struct stream *s)
{
	const struct stream_setup *setup = s->setup;
	struct background_copy_setup background = {
		.loop = setup->loop,
		.config = setup->config,
		.dialect = setup->dialect,
		.catalog = setup->catalog,
		.control = setup->control,
		.epoch = setup->progress->epoch,
		.monitor = setup->monitor,
	};

	if (setup->copies_in_background)
		s->background = background_copy_create(&background);
}

static bool
is_busy(void *arg, uint32_t target_oid)
{
	const struct stream *s = arg;

	return pipeline_is_busy_with(s->pipeline, target_oid);
}

static void
create_upkeep(struct stream *s)
{
	const struct stream_setup *setup = s->setup;
	struct upkeep_setup upkeep = {
		.loop = setup->loop,
		.config = setup->config,
		.dialect = setup->dialect,
		.catalog = setup->catalog,
		.destination = setup->destination,
		.control = setup->control,
		.metrics = monitor_metrics(setup->monitor),
		.applied_lsn = setup->progress->applied_lsn,
		.busy = is_busy,
		.arg = s,
	};

	s->upkeep = upkeep_create(&upkeep);
}

static void
create(struct stream *s)
{
	const struct stream_setup *setup = s->setup;
	struct pipeline_setup pipeline = {
		.loop = setup->loop,
		.config = setup->config,
		.dialect = setup->dialect,
		.destination = setup->destination,
		.epoch = setup->progress->epoch,
		.applied_lsn = setup->progress->applied_lsn,
		.arg = s,
		.applied = on_applied,
		.refused = on_refused,
		.failed = on_failed,
	};
	struct fold_setup fold = {
		.config = setup->config,
		.catalog = setup->catalog,
		.dialect = setup->dialect,
		.control = setup->control,
		.source = setup->source_sql,
		.memories = setup->memories,
		.saw_unknown_table = setup->saw_unknown_table,
		.triggers_fire = setup->triggers_fire,
		.monitor = setup->monitor,
		.applied_lsn = setup->progress->applied_lsn,
	};

	s->kick = loop_timer_create(setup->loop, on_kick, s);
	s->heartbeat = loop_timer_create(setup->loop, on_heartbeat, s);
	s->throttle = throttle_create(setup->loop, &setup->config->apply.rate_bytes, receive_more, s);
	s->pipeline = pipeline_create(&pipeline);
	fold.pipeline = s->pipeline;
	create_background(s);
	create_upkeep(s);
	fold.backlog = s->background ? background_copy_backlog(s->background) : NULL;
	s->fold = fold_create(&fold);
}

static void
destroy(struct stream *s)
{
	upkeep_destroy(s->upkeep, !s->failed || s->err.class == ERROR_RESTART);
	replication_destroy(s->replication);
	background_copy_destroy(s->background);
	pipeline_destroy(s->pipeline);
	fold_destroy(s->fold);
	throttle_destroy(s->throttle);
	loop_timer_destroy(s->kick);
	loop_timer_destroy(s->heartbeat);
	frame_queue_fini(&s->frames);
}

/* Nothing more is applied: what upkeep has to do is done now, and one index after another. */
static void
finish(struct stream *s)
{
	struct index_follow *indexes = upkeep_indexes(s->upkeep);
	bool looked;

	index_follow_heartbeat(indexes, loop_now_ms(s->setup->loop));
	do {
		looked = follow_indexes(s, true);
		upkeep_finish(s->upkeep);
	} while (looked && index_follow_is_due(indexes) && !loop_stop_requested(s->setup->loop));
}

bool
stream_run(const struct stream_setup *setup, struct error *err)
{
	struct stream s = {
		.setup = setup,
		.begun_lsn = setup->progress->applied_lsn,
		.applied_lsn = setup->progress->applied_lsn,
	};
	struct oldest_transaction oldest;
	const struct table *refused;
	struct source_slot slot;

	s.reported_ms = loop_now_ms(setup->loop);
	create(&s);
	index_follow_start(upkeep_indexes(s.upkeep));
	if (setup->monitor && !sample_slot(&s, &slot, &oldest, err)) {
		destroy(&s);
		return false;
	}
	start(&s);
	monitor_position(setup->monitor, setup->progress->applied_lsn, setup->progress->applied_commit_us);
	loop_timer_arm(s.heartbeat, setup->config->wal.heartbeat_ms);
	if (setup->until)
		replication_ask(s.replication);
	loop_run_until(setup->loop, turn, &s);
	refused = s.failed ? pipeline_refused_in_round(s.pipeline) : NULL;
	if (refused && !asks_for_indexes(&s, refused, &s.err))
		refused_hold_now(setup->config, setup->catalog, setup->control, refused, &s.err);
	if (s.failed)
		refused_check_rights(setup->config, &s.err);
	if (!s.failed && setup->finishes && s.applied_lsn >= setup->until)
		finish(&s);
	if (s.failed)
		*err = s.err;
	destroy(&s);
	return !s.failed;
}
