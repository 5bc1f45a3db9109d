/* The stream as the session runs it: what has to be done before, and the callbacks while it runs. */
#include <assert.h>

#include "base/log.h"
#include "lsn.h"
#include "schema/schema_watch.h"
#include "servers/failover.h"
#include "servers/server_session.h"
#include "servers/source_vanished.h"
#include "servers/target.h"
#include "session_parts.h"
#include "state/state_tables.h"
#include "state/state_targets.h"
#include "stream/refused.h"

/* ---- while it runs */

static void
on_applied(void *arg, uint64_t lsn)
{
	struct session *s = arg;

	s->applied_lsn = lsn;
	s->has_worked = true;
	if (s->doubts_data && s->destination)
		connection_set_greenplum(s->destination, s->dialect->has_segments);
	s->doubts_data = false;
	session_show_position(s);
}

/* A session that was lost while idle: the next statement on it fails with the reason. */
static bool
find_lost(const struct session *s, struct error *err)
{
	struct connection *const all[] = {s->destination, s->control, s->source};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (connection_is_lost(all[i]) && !connection_execute(all[i], "SELECT 1", NULL, 0, NULL, err))
			return true;
	return false;
}

static bool
on_turn(void *arg, bool copying, struct error *err)
{
	struct session *s = arg;

	if (find_lost(s, err) || (!copying && !session_find_new_tables(s, err)))
		return false;
	steering_turn(&s->steering, copying ? STEERING_COPYING_IN_BACKGROUND : STEERING_STREAMING);
	if (s->state == SESSION_PAUSED && !s->steering.requests.pause) {
		log_info("resumed");
		session_enter(s, SESSION_STREAMING, NULL);
	}
	return true;
}

static void
on_paused(void *arg, uint64_t lsn)
{
	struct session *s = arg;

	if (s->state != SESSION_PAUSED) {
		log_info("paused");
		session_enter(s, SESSION_PAUSED, NULL);
	}
	steering_paused(&s->steering, lsn);
}

/* ---- before it runs */

/* During an initial copy another session may have moved the slot. That would be a gap without an error, since the
 * server starts streaming where the slot is. */
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
				  "slot \"%s\" was moved or recreated by others: it is at %s, the destination at %s, and the"
				  " changes in between are lost",
				  name, lsn_format(slot.confirmed_flush_lsn, confirmed),
				  lsn_format(s->progress.applied_lsn, applied));
	return error_hint(err, "\"sluice drop\" makes a fresh start possible, with new copies.");
}

/* Marks the tables that an earlier attempt found to need their values as text. */
static void
choose_text(struct session *s)
{
	for (unsigned i = 0; i < s->catalog.count; i++)
		if (table_memory_has(&s->memories.as_text, s->catalog.tables[i].source.oid))
			s->catalog.tables[i].as_text = true;
}

/* ---- targets that others removed */

/* For a table that was copied in this attempt, sluice.tables has the target: read it from there. */
static bool
is_lost(struct session *s, const struct table *table)
{
	const struct target_table *target = &table->target;
	struct error err = {0};
	bool emptied;

	if (!table_follows(table))
		return false;
	if (!target->exists || (table->target_oid != 0 && table->target_oid != target->oid))
		return true;
	return target->file != 0 && target->file != table->target_file &&
		   state_target_was_emptied(s->source, s->control, table, &emptied, &err) && emptied;
}

/* If others have dropped, replaced or emptied a target, that may be why the stream failed, and the next start deals
 * with it. */
static void
restart_if_lost(struct session *s, struct error *err)
{
	struct error unknown = {0};

	if (err->class != ERROR_DATA || !target_read_catalog(s->control, s->dialect, &s->catalog, &unknown))
		return;
	for (unsigned i = 0; i < s->catalog.count; i++) {
		const struct table *table = &s->catalog.tables[i];

		if (!is_lost(s, table))
			continue;
		err->class = ERROR_RESTART;
		error_context(err, "the target %s.%s is not what it was: starting over", table->target_schema,
					  table->target_name);
		return;
	}
}

/* ---- running it */

static bool
stream_to(struct session *s, uint64_t until, bool copies_in_background, struct error *err)
{
	bool source_failed = false;
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
		.copies_in_background = copies_in_background,
		.at_commit = &s->at_commit,
		.source_failed = &source_failed,
		.saw_unknown_table = s->until.kind == UNTIL_STOPPED ? &s->saw_unknown_table : NULL,
		.triggers_fire = !s->opened.triggers_off,
		.finishes = until != 0 && until == s->until_lsn,
		.until = until,
		.requests = &s->steering.requests,
		.turn = on_turn,
		.paused = on_paused,
		.applied = on_applied,
		.arg = s,
		.monitor = s->monitor,
	};
	bool ok;

	/* Only the process that holds the lock and has stored its epoch streams. */
	assert(s->lock_holder == s->destination && s->known && !s->replication);
	if (!server_session_match_bytes(s->destination, s->source, err) || !check_slot_again(s, err) ||
		!session_open_replication(s, err) || !failover_mark_slot(s->replication, s->config, err))
		return false;
	choose_text(s);
	setup.source = s->replication;
	ok = stream_run(&setup, err);
	/* The callbacks refer to the stream, which has ended. */
	connection_close(s->replication);
	s->replication = NULL;
	session_release_destination(s);
	/* By now no batch that was under way has locked the table's state any more. */
	if (source_failed)
		refused_hold_unsent(s->config, &s->catalog, s->control, err);
	if (!ok)
		restart_if_lost(s, err);
	return ok;
}

/* ---- catching up */

/* Tables whose copy is older than the applied position have caught up with the others. */
static bool
promote_tables(struct session *s, uint64_t applied_lsn, struct error *err)
{
	for (unsigned i = 0; i < s->catalog.count; i++) {
		struct table *table = &s->catalog.tables[i];

		if (table->state != TABLE_CATCHING_UP || table->snapshot_lsn > applied_lsn)
			continue;
		table_move(table, TABLE_STREAMING);
		if (!state_tables_write(s->control, s->config->task, table, err))
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

/* The earlier stream may have been ahead of the position that it stored, so tables start with the definitions stored
 * at the destination. Tables that wait for a copy are copied in the background if possible. */
static bool
read_again(struct session *s, struct error *err)
{
	catalog_free(&s->catalog);
	/* The epoch that is read here must still be this daemon's, since batches are to be written under it. */
	if (!progress_read(s->control, s->config->task, &s->progress, err) || !session_check_claim(s, err) ||
		!session_read_state(s, err)) {
		source_restart_if_vanished(err);
		return false;
	}
	if (!session_compare_indexes(s, err) ||
		!schema_watch_reconcile(s->control, s->dialect, s->config, &s->catalog, err))
		return false;
	return s->copies_in_background || session_count_waiting(s) == 0 ||
		   error_set(err, ERROR_RESTART, "%u table%s to be copied again", session_count_waiting(s),
					 plural(session_count_waiting(s)));
}

bool
session_catch_up(struct session *s, struct error *err)
{
	uint64_t level = highest_snapshot(s);

	session_enter(s, SESSION_STREAMING, NULL);
	if (level == 0)
		return true;
	if (level > s->progress.applied_lsn) {
		if (!stream_to(s, level, false, err))
			return false;
		if (session_is_leaving(s))
			return true;
		if (!session_open_destination(s, err))
			return false;
	}
	return read_again(s, err) && promote_tables(s, s->progress.applied_lsn, err);
}

bool
session_stream(struct session *s, struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	/* After a restart a pause continues; it is reported once nothing is being applied. */
	session_enter(s, SESSION_STREAMING, NULL);
	log_write_about(LOG_INFO, &(struct log_about){.lsn = s->progress.applied_lsn}, "streaming from %s",
					lsn_format(s->progress.applied_lsn, lsn));
	s->announced = true;
	return stream_to(s, s->until_lsn, s->copies_in_background, err);
}
