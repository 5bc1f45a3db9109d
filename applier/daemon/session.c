#include "session_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sqlstate.h"
#include "lsn.h"
#include "servers/segments.h"

#define FIRST_PAUSE_MS 500
#define LONGEST_PAUSE_MS 30000
/* An attempt that lived this long ends the series of failures before it. */
#define HEALTHY_MS 60000
/* After this many planned restarts without anything applied in between, the next one counts as a failure. */
#define RESTARTS_MAX 10
/* How often the same batch may meet an error of a Greenplum whose segments all answer, although it may be a lost one's. */
#define AMBIGUOUS_ERRORS_MAX 5

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
		error_hint(err, "Fix the cause and start again; nothing is lost.");
	return false;
}

/* Since when attempts have failed, and how many. */
struct trouble {
	int64_t since_ms;
	int failures;
	int restarts; /* planned restarts at the same position */
	uint64_t restarted_lsn;
	int ambiguous_errors; /* sqlstate_is_ambiguous(), at the same position */
	uint64_t ambiguous_lsn;
};

static void
count_failure(struct trouble *trouble, struct session *s, const struct error *err)
{
	int64_t now = loop_now_ms(s->loop);
	bool worked = s->has_worked || (s->connected_ms && now - s->connected_ms >= HEALTHY_MS);

	if (trouble->failures == 0 || worked) {
		trouble->since_ms = now;
		trouble->failures = 0;
	} else if (s->connected_ms && !sqlstate_is_server_trouble(err->sqlstate)) {
		/* A server that can be reached needs no growing pauses, unless it lacks resources. */
		trouble->failures = 1;
	}
	trouble->failures++;
	s->has_worked = false;
}

/* A planned restart is no failure, unless it repeats too often without progress. */
static bool
is_planned(struct trouble *trouble, const struct session *s, const struct error *err)
{
	if (err->class != ERROR_RESTART)
		return false;
	if (trouble->restarted_lsn != s->applied_lsn)
		trouble->restarts = 0;
	trouble->restarted_lsn = s->applied_lsn;
	return ++trouble->restarts <= RESTARTS_MAX;
}

/* False also where the destination cannot be asked. */
static bool
task_has_worked(struct session *s)
{
	struct error ignored;

	return s->control && connection_is_idle(s->control) &&
		   progress_read(s->control, s->config->task, &s->progress, &ignored) && session_has_worked(s);
}

/* A login that is refused before the first one succeeded has to be fixed by a person. Later, passwords or
 * pg_hba.conf may be being changed at both ends, so the login is tried again. */
static void
judge_refusal(struct session *s, struct error *err)
{
	if (err->class == ERROR_REFUSED && s->ever_connected)
		err->class = ERROR_RETRY;
	else if (err->class == ERROR_REFUSED)
		err->class = task_has_worked(s) ? ERROR_DATA : ERROR_PRECONDITION;
}

/*
 * Greenplum has the same SQLSTATE for a segment that was lost and for data that it cannot take.  Once the same batch has met it often
 * enough while all segments answer, the last attempt takes it for one about the data, so that the row is named or the table held.
 */
static void
judge_ambiguous_error(struct trouble *trouble, struct session *s, struct error *err)
{
	if ((err->class != ERROR_RETRY && !(err->class == ERROR_DATA && s->doubts_data)) ||
		!sqlstate_is_ambiguous(err->sqlstate) || !s->dialect || !s->dialect->has_segments)
		return;
	if (trouble->ambiguous_lsn != s->applied_lsn)
		trouble->ambiguous_errors = 0;
	trouble->ambiguous_lsn = s->applied_lsn;
	trouble->ambiguous_errors++;
	s->doubts_data = trouble->ambiguous_errors >= AMBIGUOUS_ERRORS_MAX - 1 && s->control &&
					 segments_answer(s->control, s->dialect);
	if (!s->doubts_data)
		err->class = ERROR_RETRY;
	else if (trouble->ambiguous_errors >= AMBIGUOUS_ERRORS_MAX) {
		err->class = ERROR_DATA;
		error_context(err, "%d times the same batch, while all segments answer", trouble->ambiguous_errors);
	}
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
	const struct session *s = rest->session;

	steering_turn(&rest->session->steering, STEERING_CONNECTING);
	/* The task's lock is lost with the control session: the next attempt takes it again at once. */
	return rest->over || loop_stop_requested(s->loop) || (s->control && connection_is_lost(s->control));
}

/* False: a stop was requested meanwhile. */
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
goes_on_after_success(const struct session *s)
{
	return s->steering.requests.leave && !loop_stop_requested(s->loop);
}

/* A request to leave ends with the attempt, whatever the reason for its end. */
static void
begin_attempt(struct session *s)
{
	steering_take_config(&s->steering);
	s->config = s->steering.config;
	monitor_reconfigure(s->monitor, s->config);
	s->connected_ms = 0;
	s->unreachable = false;
	session_enter(s, SESSION_CONNECTING, NULL);
}

/* Waits before the next attempt. False: there is none, because of `err`, or because of a stop (ERROR_NONE). */
static bool
goes_on_after_failure(struct session *s, struct trouble *trouble, struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	struct log_about about;
	int64_t pause_ms;

	judge_refusal(s, err);
	judge_ambiguous_error(trouble, s, err);
	about = log_about_error(err);
	if (is_planned(trouble, s, err)) {
		/* Nobody has to do anything. */
		err->hint[0] = '\0';
		error_clause(err, sentence, sizeof sentence);
		monitor_error(s->monitor, err, true);
		log_write_about(LOG_INFO, &about, "%s", sentence);
		return true;
	}
	error_clause(err, sentence, sizeof sentence);
	if (s->standby && err->class == ERROR_REPLACED) {
		monitor_error(s->monitor, err, true);
		log_warning("%s; waiting as its standby", sentence);
		session_forget_claim(s);
		return true;
	}
	monitor_error(s->monitor, err, err->class == ERROR_RETRY);
	if (err->class != ERROR_RETRY && err->class != ERROR_RESTART)
		return false;
	count_failure(trouble, s, err);
	pause_ms = pause_before_retry(trouble, s);
	if (pause_ms <= 0)
		return give_up(err, s->config->retry_duration_ms);
	log_write_about(LOG_WARNING, &about, "%s; trying again in %.1f s", sentence, (double) pause_ms / 1000);
	session_enter(s, SESSION_RETRYING, err);
	session_close_unreachable(s);
	monitor_waiting(s->monitor, "the next attempt", 0);
	if (rest_before_retry(s, pause_ms))
		return true;
	error_clear(err);
	return false;
}

/* The last line on standard error has the error for people; this is for those who read the log by its fields. */
static void
log_failure(const struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	struct log_about about = log_about_error(err);

	error_sentence(err, sentence, sizeof sentence);
	log_write_about(LOG_ERROR, &about, "%s", sentence);
}

static bool
run_until_done(struct session *s, struct error *err)
{
	struct trouble trouble = {0};
	bool ok, goes_on;

	do {
		begin_attempt(s);
		ok = session_attempt(s, err) || err->class == ERROR_STOPPED;
		session_close_attempt(s);
		goes_on = ok ? goes_on_after_success(s) : goes_on_after_failure(s, &trouble, err);
	} while (goes_on);
	ok = ok || err->class == ERROR_NONE;
	if (!ok && s->config->log_format == LOG_JSON)
		log_failure(err);
	session_enter(s, ok ? SESSION_STOPPED : SESSION_FAILED, ok ? NULL : err);
	return ok;
}

/* A run with a position to reach must not exit with 0 when it was interrupted. */
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

/* ---- reporting */

static const char *
find_stalled(void *arg, int64_t *for_ms)
{
	const struct session *s = arg;
	const struct connection *const all[] = {s->destination, s->control};
	const char *found = NULL;

	for (size_t i = 0; i < sizeof all / sizeof *all && !found; i++)
		found = all[i] ? connection_stalled(all[i], for_ms) : NULL;
	return found;
}

static void
put_status(void *arg, size_t most, struct buffer *out)
{
	const struct session *s = arg;

	monitor_put_line(s->monitor, most, out);
}

bool
session_run(struct loop *loop, const struct config *config, const struct run_options *options,
			struct error *err)
{
	struct session s = {.loop = loop,
						.config = config,
						.until = options->until,
						.ignored = options->ignored,
						.standby = options->standby};
	bool ok;

	s.lease_keeper = lease_keeper_create(loop, config->task, s.standby, session_lease_lost, &s);
	s.steering = (struct steering){.loop = loop,
								   .config_path = options->config_path,
								   .try_config = session_try_config,
								   .take_at_once = session_take_at_once,
								   .change_tables = session_change_tables,
								   .arg = &s};
	steering_init(&s.steering, config);
	s.config = s.steering.config;
	if (options->until.kind == UNTIL_STOPPED) {
		loop_stop_is_success(loop);
		loop_watch_hangup(loop);
		s.service = service_begin(loop);
		s.monitor = monitor_create(loop, s.config);
		monitor_ask_waiting(s.monitor, find_stalled, &s);
		s.steering.put_status = put_status;
	}
	ok = run_until_done(&s, err);
	service_end(s.service);
	monitor_destroy(s.monitor);
	session_close_all(&s);
	lease_keeper_destroy(s.lease_keeper);
	new_tables_fini(&s.new_tables);
	steering_close(&s.steering, ok ? NULL : err);
	free(s.memories.unknown_tables.oids);
	free(s.memories.as_text.oids);
	buffer_fini(&s.memories.text_names);
	free(s.memories.without_indexes.oids);
	schema_notes_clear(&s.memories.notes);
	return ok && check_until(&s, err);
}
