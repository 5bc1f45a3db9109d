#include "base/memory.h"
#include "session_parts.h"

#include <stdio.h>

#include "base/log.h"
#include "copy/after_copy.h"
#include "copy/initial_copy.h"
#include "lsn.h"
#include "servers/retention.h"
#include "servers/slot_snapshot.h"
#include "state/progress.h"
#include "state/state_tables.h"
#include "stream/background_copy.h"

static bool
is_fresh(const struct session *s)
{
	return !s->progress.exists || s->progress.applied_lsn == 0;
}

/* ---- slots and snapshots */

/* Requests are answered, also those that cannot be carried out now. */
static void
on_turn(void *arg)
{
	struct session *s = arg;

	steering_turn(&s->steering, STEERING_COPYING);
}

/* The replication connection then holds the snapshot; the session closes it. */
static bool
take_snapshot(struct session *s, const char *slot, struct slot_snapshot *snapshot, struct error *err)
{
	bool taken;

	monitor_waiting(s->monitor, "transactions that are open at the source, for a snapshot", 0);
	taken = slot_snapshot_take(snapshot, s->loop, s->config, slot, "copy", s->source, on_turn, s, err);

	monitor_waiting(s->monitor, NULL, 0);
	s->replication = snapshot->replication;
	if (s->replication)
		s->former_replication = connection_backend_pid(s->replication);
	return taken;
}

/* A start that ended before the slot's position was stored may have left a slot, which was never used. */
static bool
drop_unused_slot(struct session *s, struct error *err)
{
	struct source_slot slot;

	if (!source_read_slot(s->source, s->config->source.slot, &slot, err))
		return false;
	return !slot.exists || source_drop_slot(s->source, s->config->source.slot, err);
}

static void
take_identity(struct session *s)
{
	struct progress *p = &s->progress;

	snprintf(p->slot, sizeof p->slot, "%s", s->config->source.slot);
	snprintf(p->source_system, sizeof p->source_system, "%s", s->identity.system);
	snprintf(p->source_database, sizeof p->source_database, "%s", s->identity.database);
	p->source_timeline = s->identity.timeline;
}

/* A task that had a row was claimed with it, at the attempt's begin. */
static bool
claim_new(struct session *s, struct error *err)
{
	return s->progress.exists || session_claim(s, err);
}

/* The row is written first, without a position: a row without one says that the slot, if it exists, was never used. */
static bool
begin_task(struct session *s, struct slot_snapshot *snapshot, struct error *err)
{
	if (s->progress.exists && !drop_unused_slot(s, err))
		return false;
	take_identity(s);
	if (!state_tables_remove(s->control, s->config->task, err) ||
		!progress_write(s->control, s->config->task, &s->progress, err) || !claim_new(s, err) ||
		!take_snapshot(s, s->config->source.slot, snapshot, err))
		return false;
	s->progress.slot_lsn = snapshot->lsn;
	s->progress.applied_lsn = s->progress.slot_lsn;
	return progress_write(s->control, s->config->task, &s->progress, err);
}

/* ---- the initial copy */

/* Waiting tables are removed from the catalog, and their rows are written again. */
static bool
write_tables(struct session *s, struct error *err)
{
	return state_tables_add(s->control, s->config->task, &s->catalog, err) &&
		   new_tables_settle_again(&s->new_tables, s->control, s->config->task, err);
}

unsigned
session_count_waiting(const struct session *s)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->catalog.count; i++)
		count += table_waits(&s->catalog.tables[i]);
	return count;
}

struct copy_run {
	struct session *session;
	struct copy *copy;
};

/* Samples the slot for the monitor: a copy may take hours, while the slot retains WAL. */
static void
sample_slot(struct session *s)
{
	int64_t now = loop_now_ms(s->loop);
	struct oldest_transaction oldest;
	struct source_slot slot;
	struct error err;

	if (!s->monitor || (s->sampled_ms && now - s->sampled_ms < s->config->wal.heartbeat_ms))
		return;
	s->sampled_ms = now;
	if (source_read_slot(s->source, s->config->source.slot, &slot, &err) &&
		retention_read_oldest(s->source, &oldest, &err))
		monitor_slot(s->monitor, &slot, &oldest);
	else
		log_debug("the slot could not be read: %s", err.message);
}

/* Answers requests during the copy, also those that cannot be carried out now. */
static bool
copy_is_over(void *arg)
{
	struct copy_run *run = arg;

	steering_turn(&run->session->steering, STEERING_COPYING);
	sample_slot(run->session);
	return initial_copy_is_over(run->copy) || connection_is_lost(run->session->control);
}

static bool
run_copy(struct session *s, const struct initial_copy_setup *setup, struct error *err)
{
	struct copy_run run = {.session = s, .copy = initial_copy_begin(setup, err)};
	struct table *refused;

	if (!run.copy)
		return false;
	monitor_tables(s->monitor, &s->catalog);
	loop_run_until(s->loop, copy_is_over, &run);
	if (initial_copy_end(run.copy, &refused, err))
		return true;
	if (refused && s->config->apply.refused == REFUSED_HOLD && initial_copy_may_clear(s->config, refused))
		return initial_copy_hold(setup, refused, err);
	/* Without the control session the lease is not known to hold. */
	return err->class != ERROR_STOPPED || loop_stop_requested(s->loop)
			   ? false
			   : connection_execute(s->control, "SELECT 1", NULL, 0, NULL, err);
}

static void
on_progress(void *arg, const struct copy_progress *progress)
{
	const struct session *s = arg;

	if (progress)
		monitor_copied(s->monitor, progress->table->source.oid, progress->rows, progress->ms, progress->step);
	else
		monitor_tables(s->monitor, &s->catalog);
}

static bool
copy_tables(struct session *s, const struct slot_snapshot *snapshot, struct error *err)
{
	struct initial_copy_setup setup = {
		.loop = s->loop,
		.config = s->config,
		.catalog = &s->catalog,
		.control = s->control,
		.progress = on_progress,
		.arg = s,
		.snapshot = snapshot->name,
		.snapshot_lsn = snapshot->lsn,
		.applied_lsn = s->progress.applied_lsn,
		.epoch = s->epoch,
	};

	if (!write_tables(s, err))
		return false;
	session_enter(s, SESSION_COPYING, NULL);
	return run_copy(s, &setup, err);
}

/* Without an initial copy the tables follow from here on. */
static bool
skip_copy(struct session *s, struct error *err)
{
	for (unsigned i = 0; i < s->catalog.count; i++) {
		struct table *table = &s->catalog.tables[i];

		if (!table_waits(table))
			continue;
		if (table_has_old_rows(table))
			return error_set(err, ERROR_DATA, "the copy of %s.%s was begun and is not finished",
							 table->source.schema, table->source.name) ||
				   error_hint(err,
							  "Let it finish with initial_copy.mode: full; or \"sluice drop\" and a target"
							  " that is made ready by hand.");
		table_move(table, TABLE_STREAMING);
		table->rows_may_be_absent = true;
		table->snapshot_lsn = s->progress.applied_lsn;
	}
	return write_tables(s, err);
}

/* Tables that a crash left uncopied, or that are new, get a snapshot of their own. */
static bool
copy_remaining_tables(struct session *s, struct error *err)
{
	struct slot_snapshot snapshot;

	if (s->config->initial_copy.mode == COPY_MODE_NONE)
		return skip_copy(s, err);
	return take_snapshot(s, NULL, &snapshot, err) && copy_tables(s, &snapshot, err);
}

/* Copies in the background are possible only after the initial copy is complete, and not in a run that ends at a
 * position, since it must have copied everything by then. */
static bool
may_copy_in_background(const struct session *s)
{
	return s->until.kind == UNTIL_STOPPED && s->progress.applied_lsn > s->progress.slot_lsn &&
		   s->config->initial_copy.mode == COPY_MODE_FULL &&
		   background_copy_is_possible(s->config, &s->catalog);
}

static bool
build_indexes(struct session *s, struct error *err)
{
	bool ok;

	monitor_waiting(s->monitor, "indexes that are built after the copy", 0);
	ok = after_copy_run(s->loop, s->control, s->dialect, s->config->task, &s->catalog, err);
	monitor_waiting(s->monitor, NULL, 0);
	return ok;
}

bool
session_copy_if_needed(struct session *s, struct error *err)
{
	struct slot_snapshot snapshot;
	bool ok = true;

	s->copies_in_background = false;
	if (is_fresh(s)) {
		ok = begin_task(s, &snapshot, err);
		s->known = ok;
		if (ok && s->config->initial_copy.mode == COPY_MODE_NONE)
			ok = skip_copy(s, err);
		else if (ok)
			ok = copy_tables(s, &snapshot, err);
	} else if (session_count_waiting(s) > 0 && may_copy_in_background(s)) {
		s->copies_in_background = true;
		ok = write_tables(s, err);
	} else if (session_count_waiting(s) > 0) {
		ok = copy_remaining_tables(s, err);
	}
	/* The snapshot is no longer needed; the stream gets a connection of its own. */
	connection_close(s->replication);
	s->replication = NULL;
	return ok && build_indexes(s, err);
}
