#include "session_parts.h"

#include <stdlib.h>

#include "base/log.h"
#include "lsn.h"
#include "schema/schema_default.h"
#include "schema/schema_types.h"
#include "schema/schema_watch.h"
#include "servers/failover.h"
#include "servers/missing_columns.h"
#include "servers/source_definition.h"
#include "servers/target.h"
#include "state/forget.h"
#include "state/progress.h"
#include "state/state_install.h"
#include "state/state_tables.h"

#define FIRST_PAUSE_MS 500
#define LONGEST_PAUSE_MS 30000
/* A session that lived for so long was no part of the trouble before it. */
#define HEALTHY_MS 60000

/* ---- the stream */

static void
on_applied(void *arg, uint64_t lsn)
{
	struct session *s = arg;

	s->applied_lsn = lsn;
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
		session_look_for_newcomers(s);
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
		.at_commit = &s->at_commit,
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

	if (!match_encoding(s, err) || !check_slot_again(s, err) || !session_open_replication(s, err) ||
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

/*
 * The stream may have been ahead of what it wrote down: definitions are those that stand at the destination.
 * Tables that wait are copied beside the stream where that may be.
 */
static bool
read_again(struct session *s, struct error *err)
{
	catalog_free(&s->catalog);
	if (!session_read_state(s, err) || !schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err))
		return false;
	return s->copies_beside || session_count_waiting(s) == 0 ||
		   error_set(err, ERROR_RETRY, "%u tables need another copy", session_count_waiting(s));
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
		if (!session_open_locked_destination(s, err))
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
		   (!s->progress.exists || state_tables_forget_late(s->control, s->config->task, err));
}

/* Tables that the task does not have yet, and that are not fit, do not keep those that it has from going on. */
static bool
go_without_newcomers(struct session *s, struct error *err)
{
	if (!session_may_go_without(s) || err->class != ERROR_PRECONDITION ||
		!newcomers_refuse_new(&s->newcomers, &s->catalog))
		return false;
	catalog_free(&s->catalog);
	selection_fini(&s->selection);
	return session_select_tables(s, err) && session_read_state(s, err) &&
		   schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err) &&
		   session_precheck(s, false, err);
}

static bool
attempt(struct session *s, struct error *err)
{
	bool first = s->until.kind == UNTIL_CURRENT && s->until_lsn == 0;

	if (!session_open_all(s, err) || !session_select_tables(s, err) ||
		(first && !source_await_flush(s->source, err)) || !forget_late(s, err) || !session_read_state(s, err))
		return false;
	set_until(s);
	if (!schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err))
		return false;
	if (!schema_types_complete(&(struct schema_types){s->config, &s->catalog, s->source, s->control}, err))
		return false;
	if (!session_precheck(s, false, err) && !go_without_newcomers(s, err))
		return false;
	if (!state_install(s->control, s->dialect, s->config->task, err) ||
		(s->progress.exists && !forget_tables(s->source, s->control, s->config->task, &s->catalog, err)))
		return false;
	definition_warn(s->dialect, &s->catalog);
	if (s->config->schema.create && !target_create_missing(s->control, s->dialect, &s->catalog, err))
		return false;
	if (!missing_columns_add(s->control, s->dialect, s->config, &s->catalog, err))
		return false;
	if (!schema_default_settle(s->control, s->config, &s->catalog, err) || !session_copy_if_needed(s, err))
		return false;
	return progress_take_over(s->control, s->config->task, &s->progress, err) && follow(s, err) &&
		   (s->until.kind == UNTIL_STOPPED || loop_stop_requested(s->loop) ||
			state_tables_none_held(s->control, s->config->task, err));
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
	session_close_all(s);
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
		error_clause(err, sentence, sizeof sentence);
		log_warning("%s; trying again in %.1f s", sentence, (double) pause_ms / 1000);
		if (!rest_before_retry(s, pause_ms))
			return true;
	}
}

/* Nobody is to take a position for reached because the way there was interrupted. */
static bool
check_until(const struct session *s, struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	if (s->until.kind == UNTIL_STOPPED || !loop_stop_requested(s->loop))
		return true;
	if (s->until_lsn == 0)
		error_set(err, ERROR_STOPPED, "stopped before the position of --until was known");
	else if (s->applied_lsn < s->until_lsn && s->progress.applied_lsn < s->until_lsn)
		error_set(err, ERROR_STOPPED, "stopped before all up to %s was applied",
				  lsn_format(s->until_lsn, lsn));
	else
		return true;
	return error_hint(err, "Start it again; nothing is lost.");
}

bool
session_run(struct loop *loop, const struct config *config, const struct run_options *options,
			struct error *err)
{
	struct session s = {.loop = loop, .config = config, .until = options->until, .ignored = options->ignored};
	bool ok;

	s.steering = (struct steering){.loop = loop,
								   .config_path = options->config_path,
								   .config = config,
								   .try_config = session_try_config,
								   .change_tables = session_change_tables,
								   .arg = &s};
	if (options->until.kind == UNTIL_STOPPED)
		loop_stop_is_success(loop);
	ok = run_until_done(&s, err);
	session_forget_predecessor(&s);
	newcomers_fini(&s.newcomers);
	steering_close(&s.steering, ok ? NULL : err);
	free(s.memories.strangers.oids);
	free(s.memories.as_text.oids);
	schema_notes_clear(&s.memories.notes);
	return ok && check_until(&s, err);
}
