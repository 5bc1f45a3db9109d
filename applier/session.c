#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "after_copy.h"
#include "failover.h"
#include "forget.h"
#include "initial_copy.h"
#include "late_copy.h"
#include "log.h"
#include "lsn.h"
#include "newcomers.h"
#include "precheck.h"
#include "progress.h"
#include "schema_watch.h"
#include "source.h"
#include "source_definition.h"
#include "sql.h"
#include "steering.h"
#include "stream.h"
#include "target.h"

#define FIRST_PAUSE_MS 500
#define LONGEST_PAUSE_MS 30000
/* A session that lived for so long was no part of the trouble before it. */
#define HEALTHY_MS 60000
/* A new table that the stream has mentioned is looked for again after this. */
#define STRANGER_MS 1000

struct session {
	struct loop *loop;
	const struct config *config;
	struct until until;
	uint64_t until_lsn; /* 0: until stopped, or not known yet */
	bool applied_some;	/* since the last lost connection */
	bool announced;		/* the first attempt has come as far as the stream */
	/* the servers' processes of the attempt before; 0: none */
	int former_destination;
	int former_replication;
	struct connection *predecessor; /* keeps the lock for the next stream; NULL: there is none */
	int64_t connected_ms;			/* when the attempt had reached both servers; 0: not yet */

	struct fold_memories memories;
	struct steering steering;
	bool paused; /* written down as the phase */
	struct newcomers newcomers;
	bool strangers;		/* the stream has mentioned tables that the catalog lacks */
	int64_t looked_ms;	/* for new tables */
	bool copies_beside; /* the attempt's tables that wait for a copy get it while the others stream */

	/* one attempt's */
	struct selection selection; /* `config` is its own once the destination was reached */
	struct connection *source;
	struct connection *destination; /* batches, and the task's lock */
	struct connection *control;		/* everything else at the destination */
	struct connection *replication;
	const struct dialect *dialect;
	bool triggers_off;
	struct catalog catalog;
	struct progress progress;
	struct source_identity identity;
	bool known; /* sluice.progress has our row: state can be written */
};

/* ---- connections */

static struct connection *
open_source(struct session *s, enum connection_kind kind, struct error *err)
{
	return connection_open(s->loop, "source", s->config->source.conninfo, kind, "sluice", err);
}

static bool
open_destination(struct session *s, struct connection **conn, struct error *err)
{
	*conn = connection_open(s->loop, "destination", s->config->destination.conninfo, CONNECTION_SQL, "sluice",
							err);
	return *conn &&
		   target_open_session(*conn, s->config->destination.dialect, &s->dialect, &s->triggers_off, err);
}

static bool
terminate(struct connection *conn, int pid, struct error *err)
{
	char sql[64];

	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", pid);
	return connection_execute(conn, sql, NULL, 0, NULL, err);
}

/*
 * Sessions of ours may live on at their servers when the network between went
 * away, with the task's lock and the slot, until the servers find out.
 */
static bool
end_former_destination(struct session *s, struct error *err)
{
	int64_t holder;

	if (!s->former_destination)
		return true;
	if (!progress_lock_holder(s->control, s->config->task, &holder, err))
		return false;
	return holder != s->former_destination || terminate(s->control, (int) holder, err);
}

static bool
end_former_replication(struct session *s, struct error *err)
{
	struct source_slot slot;

	if (!s->former_replication)
		return true;
	if (!source_read_slot(s->source, s->config->source.slot, &slot, err))
		return false;
	return !slot.active || slot.active_pid != s->former_replication ||
		   terminate(s->source, s->former_replication, err);
}

static bool
open_replication(struct session *s, struct error *err)
{
	s->replication = open_source(s, CONNECTION_REPLICATION, err);
	if (s->replication)
		s->former_replication = connection_backend_pid(s->replication);
	return s->replication != NULL;
}

static void
forget_predecessor(struct session *s)
{
	connection_close(s->predecessor);
	s->predecessor = NULL;
}

static bool
take_lock_over(struct session *s, struct error *err)
{
	if (progress_pass_lock(s->predecessor, s->destination, s->loop, s->config->task, err))
		return true;
	forget_predecessor(s);
	return false;
}

/* The session that holds the task's lock, and with it the right to apply. */
static bool
open_locked_destination(struct session *s, struct error *err)
{
	if (!open_destination(s, &s->destination, err))
		return false;
	if (s->predecessor && !take_lock_over(s, err))
		return false;
	if (!s->predecessor &&
		(!end_former_destination(s, err) || !progress_lock(s->destination, s->loop, s->config->task, err)))
		return false;
	forget_predecessor(s);
	s->former_destination = connection_backend_pid(s->destination);
	return true;
}

static bool
open_all(struct session *s, struct error *err)
{
	s->source = open_source(s, CONNECTION_SQL, err);
	if (!s->source || !connection_execute(s->source, source_session_settings, NULL, 0, NULL, err))
		return false;
	if (!open_destination(s, &s->control, err) || !open_locked_destination(s, err) ||
		!end_former_replication(s, err))
		return false;
	steering_open(&s->steering, s->config);
	s->connected_ms = loop_now_ms(s->loop);
	return true;
}

static void
close_all(struct session *s)
{
	connection_close(s->replication);
	connection_close(s->destination);
	connection_close(s->source);
	connection_close(s->control);
	s->replication = s->destination = s->source = s->control = NULL;
	catalog_free(&s->catalog);
	s->config = s->steering.config;
	selection_fini(&s->selection);
	s->known = false;
}

/* ---- what both servers say */

static bool
read_state(struct session *s, struct error *err)
{
	if (!source_identify(s->source, &s->identity, err) ||
		!progress_read(s->control, s->config->task, &s->progress, err) ||
		!failover_follow(s->loop, s->config, s->source, &s->progress, err))
		return false;
	s->known = s->progress.exists;
	return source_read_catalog(s->source, s->config, &s->catalog, err) &&
		   (!s->progress.exists || progress_read_tables(s->control, s->config->task, &s->catalog, err)) &&
		   schema_settle(s->source, s->control, s->config, &s->catalog, &s->memories.notes, err) &&
		   target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
		   (!s->config->schema.create || definition_read(s->source, s->control, s->config, &s->catalog, err));
}

static void
log_item(enum log_level level, const struct check_item *item)
{
	log_write(level, "%s: %s%s%s", item->name, item->subject, item->subject[0] ? ": " : "", item->message);
}

static bool
precheck(struct session *s, bool streaming, struct error *err)
{
	struct precheck precheck = {.from_outside = streaming};
	bool ok =
		precheck_run(&precheck, s->config, s->source, s->control, s->dialect, &s->catalog, &s->progress, err);

	if (!ok)
		return false;
	for (unsigned i = 0; i < precheck.count; i++) {
		const struct check_item *item = &precheck.items[i];

		if (item->outcome == CHECK_FAILED && !streaming)
			log_item(LOG_ERROR, item);
		else if (item->outcome == CHECK_WARNING && !s->announced && !streaming)
			log_item(LOG_WARNING, item);
	}
	if (precheck.failures > 0)
		ok = precheck_error(&precheck, err);
	precheck_free(&precheck);
	return ok;
}

/* As read_state() does, and nothing is written down. */
static bool
read_trial(struct session *s, struct error *err)
{
	return source_identify(s->source, &s->identity, err) &&
		   progress_read(s->control, s->config->task, &s->progress, err) &&
		   source_read_catalog(s->source, s->config, &s->catalog, err) &&
		   progress_read_tables(s->control, s->config->task, &s->catalog, err) &&
		   schema_settle(s->source, NULL, s->config, &s->catalog, NULL, err) &&
		   target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
		   (!s->config->schema.create || definition_read(s->source, s->control, s->config, &s->catalog, err));
}

/* While the stream runs: whether the next attempt would come as far with another configuration. */
static bool
try_config(void *arg, const struct config *config, struct error *err)
{
	const struct session *s = arg;
	struct session trial = {
		.loop = s->loop,
		.source = s->source,
		.control = s->control,
		.dialect = s->dialect,
	};
	bool ok;

	selection_init(&trial.selection, config);
	newcomers_leave_out(&s->newcomers, &trial.selection);
	trial.config = &trial.selection.config;
	ok = selection_read(&trial.selection, s->control, err) && read_trial(&trial, err) &&
		 precheck(&trial, true, err);
	catalog_free(&trial.catalog);
	selection_fini(&trial.selection);
	return ok;
}

static bool
try_present_config(void *arg, struct error *err)
{
	const struct session *s = arg;

	return try_config(arg, s->steering.config, err);
}

static bool
change_tables(void *arg, enum table_action action, const struct string_list *names, struct error *err)
{
	struct session *s = arg;
	struct table_change change = {
		.source = s->source,
		.destination = s->control,
		.config = s->steering.config,
		.try = action == TABLE_ADD ? try_present_config : NULL,
		.arg = s,
	};

	return table_change(&change, action, names, err);
}

/* ---- new tables */

static bool
try_newcomers(void *arg, const struct config *config, struct error *err)
{
	return try_config(arg, config, err);
}

/* At heartbeats, and soon after the stream has mentioned a stranger. */
static void
look_for_newcomers(struct session *s)
{
	int64_t now = loop_now_ms(s->loop);
	struct newcomers_look look = {
		.source = s->source,
		.config = s->steering.config,
		.catalog = &s->catalog,
		.now_ms = now,
		.try = try_newcomers,
		.arg = s,
	};
	struct selection selection;
	struct error err;
	bool accepted;

	if (s->until.kind != UNTIL_STOPPED || (!s->strangers && now - s->looked_ms < s->config->wal.heartbeat_ms))
		return;
	/* Commits reach the stream before others see what they made. */
	s->looked_ms = s->strangers ? now - s->config->wal.heartbeat_ms + STRANGER_MS : now;
	s->strangers = false;
	selection_init(&selection, look.config);
	look.config = &selection.config;
	if (!selection_read(&selection, s->control, &err) ||
		!newcomers_look(&s->newcomers, &look, &accepted, &err))
		log_warning("looking for new tables: %s", err.message);
	else if (accepted)
		s->steering.start_over = true;
	selection_fini(&selection);
}

static bool
is_fresh(const struct session *s)
{
	return !s->progress.exists || s->progress.applied_lsn == 0;
}

/* ---- slots and snapshots */

/*
 * Makes a slot over the replication connection, which then holds the exported
 * snapshot for as long as nothing else is asked of it.  (The syntax is that of
 * PostgreSQL 13; later versions still take it.)
 */
static bool
create_slot(struct session *s, const char *slot, bool temporary, uint64_t *lsn, char *snapshot,
			size_t snapshot_bytes, struct error *err)
{
	struct buffer sql;
	struct result *res;
	struct error ignored;
	bool ok;

	if (!open_replication(s, err))
		return false;
	log_info("making slot %s; this waits for transactions that are open at the source", slot);
	buffer_init(&sql, SIZE_MAX / 2, NULL, NULL);
	buffer_printf(&sql, "CREATE_REPLICATION_SLOT ");
	sql_identifier(&sql, slot);
	buffer_printf(&sql, "%s LOGICAL sluice %s", temporary ? " TEMPORARY" : "",
				  s->config->source.failover && !temporary ? "(SNAPSHOT 'export', FAILOVER)"
														   : "EXPORT_SNAPSHOT");
	buffer_put_u8(&sql, '\0');
	ok = connection_execute(s->replication, (const char *) sql.data, NULL, 0, &res, err);
	buffer_fini(&sql);
	if (!ok) {
		/* Where it waits for others the server does not see that we leave. */
		if (err->class == ERROR_STOPPED && !terminate(s->source, s->former_replication, &ignored))
			log_debug("the slot may be made yet: %s", ignored.message);
		return error_context(err, "making slot %s", slot);
	}
	ok = lsn_parse(result_text(res, 0, 1), lsn) || error_set(err, ERROR_BUG, "the new slot has no LSN");
	snprintf(snapshot, snapshot_bytes, "%s", result_text(res, 0, 2));
	result_free(res);
	return ok;
}

/* A start that ended before the slot's position was written down has left an
 * unused slot behind, at most. */
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

/* The row goes first, without a position: whoever finds it so knows that the
 * slot, if there is one, was never used. */
static bool
begin_task(struct session *s, char *snapshot, size_t snapshot_bytes, struct error *err)
{
	if (s->progress.exists && !drop_unused_slot(s, err))
		return false;
	take_identity(s);
	if (!progress_remove_tables(s->control, s->config->task, err) ||
		!progress_write(s->control, s->config->task, &s->progress, err) ||
		!create_slot(s, s->config->source.slot, false, &s->progress.slot_lsn, snapshot, snapshot_bytes, err))
		return false;
	s->progress.applied_lsn = s->progress.slot_lsn;
	return progress_write(s->control, s->config->task, &s->progress, err);
}

/* ---- the initial copy */

static unsigned
count_waiting(const struct session *s)
{
	unsigned count = 0;

	for (unsigned i = 0; i < s->catalog.count; i++)
		count += s->catalog.tables[i].state == TABLE_WAITING || s->catalog.tables[i].state == TABLE_COPYING;
	return count;
}

static bool
copy_tables(struct session *s, const char *snapshot, uint64_t snapshot_lsn, struct error *err)
{
	struct initial_copy_setup setup = {
		.loop = s->loop,
		.config = s->config,
		.catalog = &s->catalog,
		.control = s->control,
		.snapshot = snapshot,
		.snapshot_lsn = snapshot_lsn,
		.applied_lsn = s->progress.applied_lsn,
	};

	return progress_add_tables(s->control, s->config->task, &s->catalog, err) &&
		   progress_set_phase(s->control, s->config->task, "copying", NULL, err) &&
		   initial_copy_run(&setup, err);
}

/* Without a copy the tables follow from here on. */
static bool
skip_copy(struct session *s, struct error *err)
{
	for (unsigned i = 0; i < s->catalog.count; i++) {
		struct table *table = &s->catalog.tables[i];

		if (table->state != TABLE_WAITING && table->state != TABLE_COPYING)
			continue;
		if (table->begun)
			return error_set(err, ERROR_DATA, "the copy of %s.%s was begun and is not finished",
							 table->source.schema, table->source.name) ||
				   error_hint(err,
							  "Let it finish with initial_copy.mode: full; or \"sluice drop\" and a target"
							  " that is made ready by hand.");
		table->state = TABLE_STREAMING;
		table->snapshot_lsn = s->progress.applied_lsn;
	}
	return progress_add_tables(s->control, s->config->task, &s->catalog, err);
}

/* Tables that a crash left uncopied, or that are new, get a snapshot of their own. */
static bool
copy_late_tables(struct session *s, struct error *err)
{
	char slot[64], snapshot[128];
	uint64_t lsn = 0;

	if (s->config->initial_copy.mode == COPY_MODE_NONE)
		return skip_copy(s, err);
	snprintf(slot, sizeof slot, "sluice_copy_%d_%d", (int) getpid(), connection_backend_pid(s->source));
	return create_slot(s, slot, true, &lsn, snapshot, sizeof snapshot, err) &&
		   copy_tables(s, snapshot, lsn, err);
}

/* A run that is to end at some position has to have copied all before; and the
 * first stream begins when the initial copy is complete, interrupted or not. */
static bool
may_copy_beside(const struct session *s)
{
	return s->until.kind == UNTIL_STOPPED && s->progress.applied_lsn > s->progress.slot_lsn &&
		   s->config->initial_copy.mode == COPY_MODE_FULL && late_copy_is_possible(s->config, &s->catalog);
}

static bool
copy_if_needed(struct session *s, struct error *err)
{
	char snapshot[128];
	bool ok = true;

	s->copies_beside = false;
	if (is_fresh(s)) {
		ok = begin_task(s, snapshot, sizeof snapshot, err);
		s->known = ok;
		if (ok && s->config->initial_copy.mode == COPY_MODE_NONE)
			ok = skip_copy(s, err);
		else if (ok)
			ok = copy_tables(s, snapshot, s->progress.applied_lsn, err);
	} else if (count_waiting(s) > 0 && may_copy_beside(s)) {
		s->copies_beside = true;
		ok = progress_add_tables(s->control, s->config->task, &s->catalog, err);
	} else if (count_waiting(s) > 0) {
		ok = copy_late_tables(s, err);
	}
	/* Its snapshot has served; the stream gets a connection of its own. */
	connection_close(s->replication);
	s->replication = NULL;
	return ok && after_copy_run(s->loop, s->control, s->dialect, &s->catalog, err);
}

/* ---- the stream */

static void
on_applied(void *arg, uint64_t lsn)
{
	struct session *s = arg;

	(void) lsn;
	s->applied_some = true;
}

/* Writes down for `status` whether the stream is paused. */
static void
show_pause(struct session *s, bool paused)
{
	struct error err;

	if (s->paused == paused)
		return;
	s->paused = paused;
	log_info(paused ? "paused" : "resumed");
	if (!progress_set_phase(s->control, s->config->task, paused ? "paused" : "streaming", NULL, &err))
		log_warning("the phase could not be written down: %s", err.message);
}

static void
on_turn(void *arg, bool copying)
{
	struct session *s = arg;

	if (!copying)
		look_for_newcomers(s);
	steering_turn(&s->steering, copying ? STEERING_COPYING_BESIDE : STEERING_STREAMING);
	if (!s->steering.wishes.pause)
		show_pause(s, false);
}

static void
on_paused(void *arg, uint64_t lsn)
{
	struct session *s = arg;

	show_pause(s, true);
	steering_paused(&s->steering, lsn);
}

static bool
is_leaving(const struct session *s)
{
	return loop_stop_requested(s->loop) || s->steering.wishes.leave;
}

/* Tables whose copy is older than what has been applied since are level with the others. */
static bool
promote_tables(struct session *s, uint64_t applied_lsn, struct error *err)
{
	for (unsigned i = 0; i < s->catalog.count; i++) {
		struct table *table = &s->catalog.tables[i];

		if (table->state != TABLE_CATCHING_UP || table->snapshot_lsn > applied_lsn)
			continue;
		table->state = TABLE_STREAMING;
		if (!progress_write_table(s->control, s->config->task, table, err))
			return false;
	}
	return true;
}

static uint64_t
highest_snapshot(const struct session *s)
{
	uint64_t lsn = 0;

	for (unsigned i = 0; i < s->catalog.count; i++)
		if (s->catalog.tables[i].state == TABLE_CATCHING_UP && s->catalog.tables[i].snapshot_lsn > lsn)
			lsn = s->catalog.tables[i].snapshot_lsn;
	return lsn;
}

/* An initial copy takes its time, and what others do to the slot meanwhile
 * would be a gap without an error: the server starts where the slot stands. */
static bool
check_slot_again(struct session *s, struct error *err)
{
	const char *name = s->config->source.slot;
	char applied[LSN_TEXT_BYTES], confirmed[LSN_TEXT_BYTES];
	struct source_slot slot;

	if (!source_read_slot(s->source, name, &slot, err))
		return false;
	if (slot.exists && slot.confirmed_flush_lsn <= s->progress.applied_lsn)
		return true;
	if (!slot.exists)
		error_set(err, ERROR_DATA, "slot \"%s\" is gone: the changes after %s are lost", name,
				  lsn_format(s->progress.applied_lsn, applied));
	else
		error_set(err, ERROR_DATA,
				  "slot \"%s\" was moved or made anew by others: it is at %s, the destination at %s, and the"
				  " changes in between are lost",
				  name, lsn_format(slot.confirmed_flush_lsn, confirmed),
				  lsn_format(s->progress.applied_lsn, applied));
	return error_hint(err, "\"sluice drop\" makes a fresh start possible, with new copies.");
}

/* Tables of whose older changes an earlier session found that they need it. */
static void
choose_text(struct session *s)
{
	for (unsigned i = 0; i < s->catalog.count; i++)
		if (table_memory_has(&s->memories.as_text, s->catalog.tables[i].source.oid))
			s->catalog.tables[i].as_text = true;
}

/* The plugin sends strings as they are stored; the destination converts them. */
static bool
match_encoding(struct session *s, struct error *err)
{
	struct param param = param_text(s->identity.encoding);

	return connection_execute(s->destination, "SELECT set_config('client_encoding', $1, false)", &param, 1,
							  NULL, err) ||
		   error_context(err, "the source's encoding is %s", s->identity.encoding);
}

static bool
stream_to(struct session *s, uint64_t until, bool copies_beside, struct error *err)
{
	struct stream_setup setup = {
		.loop = s->loop,
		.config = s->config,
		.catalog = &s->catalog,
		.dialect = s->dialect,
		.destination = s->destination,
		.control = s->control,
		.source_sql = s->source,
		.memories = &s->memories,
		.progress = &s->progress,
		.copies_beside = copies_beside,
		.strangers = s->until.kind == UNTIL_STOPPED ? &s->strangers : NULL,
		.triggers_fire = !s->triggers_off,
		.until = until,
		.wishes = &s->steering.wishes,
		.turn = on_turn,
		.paused = on_paused,
		.applied = on_applied,
		.arg = s,
	};
	bool ok;

	if (!match_encoding(s, err) || !check_slot_again(s, err) || !open_replication(s, err) ||
		!failover_mark_slot(s->replication, s->config, err))
		return false;
	choose_text(s);
	setup.source = s->replication;
	ok = stream_run(&setup, err);
	/* Their callbacks refer to the stream, which is gone. */
	connection_close(s->replication);
	if (ok && connection_is_idle(s->destination))
		s->predecessor = s->destination;
	else
		connection_close(s->destination);
	s->replication = s->destination = NULL;
	return ok;
}

/* The stream may have been ahead of what it wrote down: definitions are those that stand at the destination. */
static bool
read_again(struct session *s, struct error *err)
{
	catalog_free(&s->catalog);
	if (!read_state(s, err) || !schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err))
		return false;
	return count_waiting(s) == 0 ||
		   error_set(err, ERROR_RETRY, "%u tables need another copy", count_waiting(s));
}

/* Copies that are ahead of the position: the stream first brings all tables level. */
static bool
catch_up(struct session *s, struct error *err)
{
	uint64_t level = highest_snapshot(s);

	if (level == 0)
		return true;
	if (level > s->progress.applied_lsn) {
		if (!stream_to(s, level, false, err))
			return false;
		if (is_leaving(s))
			return true;
		if (!open_locked_destination(s, err))
			return false;
	}
	return read_again(s, err) && promote_tables(s, s->progress.applied_lsn, err);
}

static bool
follow(struct session *s, struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	if (!progress_set_phase(s->control, s->config->task, "streaming", NULL, err) || !catch_up(s, err))
		return false;
	if (is_leaving(s))
		return true;
	s->paused = false;
	log_info("streaming from %s", lsn_format(s->progress.applied_lsn, lsn));
	s->announced = true;
	return stream_to(s, s->until_lsn, s->copies_beside, err);
}

/* ---- one attempt */

static void
set_until(struct session *s)
{
	if (s->until.kind == UNTIL_CURRENT && s->until_lsn == 0)
		s->until_lsn = s->identity.current_lsn;
	else if (s->until.kind == UNTIL_LSN)
		s->until_lsn = s->until.lsn;
}

/* What waited for the copies that were under way is gone with the attempt before. */
static bool
forget_late(struct session *s, struct error *err)
{
	return progress_read(s->control, s->config->task, &s->progress, err) &&
		   (!s->progress.exists || progress_forget_late(s->control, s->config->task, err));
}

/* The configuration is extended by what was added and removed by hand, and by what cannot be taken in yet. */
static bool
select_tables(struct session *s, struct error *err)
{
	selection_init(&s->selection, s->steering.config);
	newcomers_leave_out(&s->newcomers, &s->selection);
	s->config = &s->selection.config;
	return selection_read(&s->selection, s->control, err);
}

/* Tables that appeared since the last look, and are not fit, do not end a task that streams. */
static bool
go_without_newcomers(struct session *s, struct error *err)
{
	struct error why = *err;

	if (!s->announced || s->until.kind != UNTIL_STOPPED || why.class != ERROR_PRECONDITION ||
		!newcomers_refuse_new(&s->newcomers, &s->catalog))
		return false;
	catalog_free(&s->catalog);
	selection_fini(&s->selection);
	return select_tables(s, err) && read_state(s, err) &&
		   schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err) && precheck(s, false, err);
}

static bool
attempt(struct session *s, struct error *err)
{
	bool first = s->until.kind == UNTIL_CURRENT && s->until_lsn == 0;

	if (!open_all(s, err) || !select_tables(s, err) || (first && !source_await_flush(s->source, err)) ||
		!forget_late(s, err) || !read_state(s, err))
		return false;
	set_until(s);
	if (!schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err))
		return false;
	if (!precheck(s, false, err) && !go_without_newcomers(s, err))
		return false;
	if (!progress_install(s->control, s->dialect, err) ||
		(s->progress.exists && !forget_tables(s->source, s->control, s->config->task, &s->catalog, err)))
		return false;
	definition_warn(s->dialect, &s->catalog);
	if (s->config->schema.create && !target_create_missing(s->control, s->dialect, &s->catalog, err))
		return false;
	if (!copy_if_needed(s, err))
		return false;
	return progress_take_over(s->control, s->config->task, &s->progress, err) && follow(s, err) &&
		   (s->until.kind == UNTIL_STOPPED || loop_stop_requested(s->loop) ||
			schema_none_held(&s->catalog, err));
}

/* Writes down for `status` how the attempt ended, where that is possible. */
static void
record_outcome(struct session *s, const char *phase, const struct error *cause)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	struct error ignored;

	if (!s->control || !s->known)
		return;
	if (cause)
		error_sentence(cause, sentence, sizeof sentence);
	if (!progress_set_phase(s->control, s->config->task, phase, cause ? sentence : NULL, &ignored))
		log_debug("the outcome could not be written down: %s", ignored.message);
}

static bool
attempt_and_record(struct session *s, struct error *err)
{
	bool ok = attempt(s, err);

	if (!ok && err->class == ERROR_STOPPED)
		ok = true;
	if (ok && !s->steering.wishes.leave)
		record_outcome(s, "stopped", NULL);
	else if (!ok && err->class != ERROR_RETRY)
		record_outcome(s, "failed", err);
	close_all(s);
	return ok;
}

/* ---- trying again */

static int64_t
pause_after(int failures)
{
	int64_t pause = FIRST_PAUSE_MS;

	while (--failures > 0 && pause < LONGEST_PAUSE_MS)
		pause *= 2;
	return pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
}

static bool
give_up(struct error *err, int64_t duration_ms)
{
	err->class = ERROR_DATA;
	error_context(err, "gave up after trying for %lld s", (long long) (duration_ms / 1000));
	if (!err->hint[0])
		error_hint(err, "Mend the cause and start again; nothing is lost.");
	return false;
}

/* How long nothing has worked, and how often it was tried. */
struct trouble {
	int64_t since_ms;
	int failures;
};

static void
count_failure(struct trouble *trouble, const struct session *s)
{
	int64_t now = loop_now_ms(s->loop);
	bool worked = s->applied_some || (s->connected_ms && now - s->connected_ms >= HEALTHY_MS);

	if (trouble->failures == 0 || worked)
		*trouble = (struct trouble){.since_ms = now};
	/* Servers that can be reached need no longer and longer pauses. */
	else if (s->connected_ms)
		trouble->failures = 1;
	trouble->failures++;
}

static int64_t
pause_before_retry(const struct trouble *trouble, const struct session *s)
{
	int64_t left = trouble->since_ms + s->config->retry_duration_ms - loop_now_ms(s->loop);
	int64_t pause = pause_after(trouble->failures);

	return pause < left ? pause : left;
}

struct rest {
	struct session *session;
	bool over;
};

static void
end_rest(void *arg)
{
	((struct rest *) arg)->over = true;
}

static bool
rested(void *arg)
{
	struct rest *rest = arg;

	steering_turn(&rest->session->steering, STEERING_CONNECTING);
	return rest->over || loop_stop_requested(rest->session->loop);
}

/* False when a stop was requested meanwhile. */
static bool
rest_before_retry(struct session *s, int64_t ms)
{
	struct rest rest = {.session = s};
	struct loop_timer *timer = loop_timer_create(s->loop, end_rest, &rest);

	loop_timer_arm(timer, ms);
	loop_run_until(s->loop, rested, &rest);
	loop_timer_destroy(timer);
	return !loop_stop_requested(s->loop);
}

static bool
run_until_done(struct session *s, struct error *err)
{
	struct trouble trouble = {0};

	for (;;) {
		char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
		int64_t pause_ms;

		s->applied_some = false;
		s->connected_ms = 0;
		if (attempt_and_record(s, err)) {
			if (!s->steering.wishes.leave || loop_stop_requested(s->loop))
				return true;
			steering_take_config(&s->steering);
			s->config = s->steering.config;
			continue;
		}
		if (err->class != ERROR_RETRY)
			return false;
		count_failure(&trouble, s);
		pause_ms = pause_before_retry(&trouble, s);
		if (pause_ms <= 0)
			return give_up(err, s->config->retry_duration_ms);
		error_sentence(err, sentence, sizeof sentence);
		log_warning("%s; trying again in %.1f s", sentence, (double) pause_ms / 1000);
		if (!rest_before_retry(s, pause_ms))
			return true;
	}
}

bool
session_run(struct loop *loop, const struct config *config, const char *config_path, struct until until,
			struct error *err)
{
	struct session s = {.loop = loop, .config = config, .until = until};
	bool ok;

	s.steering = (struct steering){.loop = loop,
								   .config_path = config_path,
								   .config = config,
								   .try_config = try_config,
								   .change_tables = change_tables,
								   .arg = &s};
	ok = run_until_done(&s, err);
	forget_predecessor(&s);
	newcomers_fini(&s.newcomers);
	steering_close(&s.steering, ok ? NULL : err);
	free(s.memories.strangers.oids);
	free(s.memories.as_text.oids);
	schema_notes_clear(&s.memories.notes);
	return ok;
}
