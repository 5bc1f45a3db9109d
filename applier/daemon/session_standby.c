/*
 * Whose task it is: `run --standby` waits for another daemon to end or to die, and every daemon claims the task
 * (state/lease.h) before it does anything with it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "merge/spill.h"
#include "servers/server_session.h"
#include "session_parts.h"
#include "state/lease.h"
#include "state/task_lock.h"

/* How often a standby reads the lease. */
#define POLL_MS 1000
/* A pause between two reads longer than this was the standby's own: it counts as so much. */
#define POLL_COUNTED_MS 2000
/* How often a standby tries whether it could take over: after it could, and after it could not. */
#define TRY_AGAIN_MS 600000
#define TRY_SOON_MS 60000
/* How long a query of that trial may take, and the error of one that takes longer. */
#define TRY_QUERY_MS 30000
#define SQLSTATE_TIMED_OUT "57014"

/* ---- the claim */

void
session_forget_claim(struct session *s)
{
	lease_keeper_end(s->lease_keeper);
	s->begun = s->claiming = s->known = false;
	s->epoch = 0;
	s->steering.requests.pause = false;
	s->lock_pids[0] = s->lock_pids[1] = 0;
	s->former_replication = 0;
}

void
session_note_row(struct session *s)
{
	s->begun = true;
	s->claiming = false;
	s->epoch = s->progress.epoch;
}

/* A task that was dropped under this process is not begun again, nor one that another daemon has gone on with. */
static bool
check_row(struct session *s, const struct lease *now, struct error *err)
{
	if (!s->begun)
		return true;
	if (!now->exists)
		return lease_dropped(err, s->config->task);
	return (now->epoch >= s->epoch && now->epoch <= s->epoch + s->claiming) ||
		   lease_replaced(err, s->config->task, now, s->epoch);
}

bool
session_check_claim(struct session *s, struct error *err)
{
	struct lease now;

	return lease_read(s->control, s->config->task, &now, err) && check_row(s, &now, err);
}

static bool
open_keeper(struct session *s, struct error *err)
{
	struct destination_session opened;

	/* That of the attempt before is closed first: it counts in the role's limit of connections. */
	lease_keeper_end(s->lease_keeper);
	if (!server_session_writer(s->loop, s->config, "sluice lease", WRITER_TAKES_LOCK, &opened, err)) {
		session_note_unreachable(s, err);
		return false;
	}
	lease_keeper_take(s->lease_keeper, opened.conn);
	return true;
}

static bool
end_other_writers(struct session *s, struct error *err)
{
	const int own[] = {connection_backend_pid(s->control), connection_backend_pid(s->destination),
					   lease_keeper_pid(s->lease_keeper)};

	return lease_end_writers(s->control, s->loop, s->config->task, own, sizeof own / sizeof *own, err);
}

static bool
tell_claim(struct session *s, struct error *err)
{
	struct lease own;

	if (!lease_read(s->control, s->config->task, &own, err))
		return false;
	monitor_holder(s->monitor, own.host, own.pid, own.since_us);
	return true;
}

bool
session_claim(struct session *s, struct error *err)
{
	bool again = s->begun;

	if (!progress_read(s->control, s->config->task, &s->progress, err) || !session_check_claim(s, err))
		return false;
	/* What an earlier task of that name has left behind. */
	if (!s->progress.exists)
		return end_other_writers(s, err);
	if (!open_keeper(s, err))
		return false;
	session_note_row(s);
	s->claiming = true;
	if (!lease_claim(s->control, s->config->task, again, &s->progress, err))
		return false;
	session_note_row(s);
	lease_keeper_begin(s->lease_keeper, s->epoch);
	return end_other_writers(s, err) && tell_claim(s, err);
}

/* In a callback: what waits for the destination is not to wait any more, and ends the attempt. */
void
session_lease_lost(void *arg)
{
	struct session *s = arg;
	struct error why;

	if (!lease_keeper_is_lost(s->lease_keeper, &why))
		return;
	if (s->control)
		connection_give_up(s->control, &why);
	if (s->destination)
		connection_give_up(s->destination, &why);
}

void
session_release_claim(struct session *s)
{
	struct error err;

	/* The lock has gone with the attempt; the epoch tells whether the row is still ours. */
	if (!s->begun || !s->control || connection_is_lost(s->control))
		return;
	if (!lease_release(s->control, s->config->task, s->epoch, &err))
		log_debug("the lease could not be given back: %s", err.message);
}

/* ---- trying it beforehand */

/* A query may wait for a lock of the very holder that is frozen: it fails, since the standby does not watch the lease meanwhile. */
static bool
limit_queries(struct connection *conn, long ms, struct error *err)
{
	char sql[64];

	snprintf(sql, sizeof sql, "SET statement_timeout = %ld", ms);
	return connection_execute(conn, sql, NULL, 0, NULL, err);
}

/* Tests set a limit of their own. */
static long
query_limit_ms(void)
{
	const char *text = getenv("SLUICE_TEST_TRIAL");

	return text && atol(text) > 0 ? atol(text) : TRY_QUERY_MS;
}

static bool
try_servers(struct session *s, const struct config *config, struct error *err)
{
	bool ignored;

	return limit_queries(s->source, query_limit_ms(), err) &&
		   limit_queries(s->control, query_limit_ms(), err) &&
		   spill_prepare(config->apply.spill_directory, err) &&
		   progress_read(s->control, config->task, &s->progress, err) &&
		   session_try_tables(s, config, &ignored, err);
}

/*
 * Whether the servers would take the logins that a takeover needs, and what the checks say.  What is about the task
 * itself is the holder's to cope with, and is a warning here.
 */
bool
session_try_ends(struct session *s, const struct config *config, struct error *err)
{
	struct connection *replication = server_session_replication(s->loop, config, "sluice standby", err);
	struct error late;
	bool ok;

	connection_close(replication);
	if (!replication)
		return false;
	s->source = server_session_source(s->loop, config, "sluice standby", err);
	if (!s->source)
		return false;
	ok = try_servers(s, config, err);
	connection_close(s->source);
	s->source = NULL;
	return (connection_is_lost(s->control) || limit_queries(s->control, 0, ok ? err : &late)) && ok;
}

/* ---- waiting */

struct watch {
	struct lease seen;
	int64_t lock_pid;  /* the session that has the task's lock; 0: none */
	int64_t read_ms;   /* when that was read */
	int64_t silent_ms; /* so long it was the same */
	int64_t tried_ms;  /* when it was last tried whether a takeover could work */
	int64_t try_in_ms;
	bool told; /* who the holder is */
};

static bool
is_same(const struct watch *watch, const struct lease *lease, int64_t lock_pid)
{
	return watch->lock_pid == lock_pid && watch->seen.epoch == lease->epoch &&
		   strcmp(watch->seen.until, lease->until) == 0;
}

/* Reads the lease, and counts how long it has not been renewed. */
static bool
read_lease(struct session *s, struct watch *watch, struct error *err)
{
	int64_t now, passed, lock_pid;
	struct lease lease;

	if (!task_lock_holder(s->control, s->config->task, &lock_pid, err) ||
		!lease_read(s->control, s->config->task, &lease, err))
		return false;
	now = loop_now_ms(s->loop);
	passed = now - watch->read_ms;
	if (!is_same(watch, &lease, lock_pid) || lease.until[0] == '\0')
		watch->silent_ms = 0;
	else
		watch->silent_ms += passed < POLL_COUNTED_MS ? passed : POLL_COUNTED_MS;
	watch->told &= watch->lock_pid == lock_pid && watch->seen.epoch == lease.epoch;
	watch->seen = lease;
	watch->lock_pid = lock_pid;
	watch->read_ms = now;
	return true;
}

static void
describe_holder(const struct watch *watch, char *out, size_t out_bytes)
{
	if (watch->seen.exists && watch->seen.until[0])
		lease_describe(&watch->seen, out, out_bytes);
	else
		snprintf(out, out_bytes, "process %lld of the destination", (long long) watch->lock_pid);
}

static void
tell_holder(struct session *s, struct watch *watch)
{
	const struct lease *lease = &watch->seen;
	char holder[512], waiting[600];

	if (watch->told)
		return;
	watch->told = true;
	monitor_holder(s->monitor, lease->host[0] ? lease->host : NULL, lease->pid, lease->since_us);
	describe_holder(watch, holder, sizeof holder);
	log_info("standby: the task is run by %s", holder);
	snprintf(waiting, sizeof waiting, "the end of the daemon that has the task: %s", holder);
	monitor_waiting(s->monitor, waiting, 0);
	if (s->service)
		service_status(s->service, "standby; the task is run by %s", holder);
}

/* The holder is frozen, or its host is, or the network between it and the destination is cut. */
static bool
end_holder(struct session *s, struct watch *watch, struct error *err)
{
	char holder[512];

	describe_holder(watch, holder, sizeof holder);
	log_warning("the lease of the task was not renewed for %lld s: ending the sessions of %s",
				(long long) watch->silent_ms / 1000, holder);
	watch->silent_ms = 0;
	return lease_end_writers(s->control, s->loop, s->config->task, NULL, 0, err);
}

/* The first time an error counts: a login that is refused is for a person to change.  Later the standby goes on. */
static bool
try_takeover(struct session *s, struct watch *watch, struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (watch->try_in_ms && loop_now_ms(s->loop) - watch->tried_ms < watch->try_in_ms)
		return true;
	watch->tried_ms = loop_now_ms(s->loop);
	watch->try_in_ms = TRY_AGAIN_MS;
	if (session_try_ends(s, s->steering.config, err)) {
		s->ever_connected = true;
		monitor_phase(s->monitor, "standby", NULL);
		return true;
	}
	if (err->class == ERROR_STOPPED || (!s->ever_connected && err->class != ERROR_PRECONDITION &&
										strcmp(err->sqlstate, SQLSTATE_TIMED_OUT) != 0))
		return false;
	watch->try_in_ms = TRY_SOON_MS;
	error_clause(err, sentence, sizeof sentence);
	log_warning("standby: taking over would fail: %s", sentence);
	monitor_phase(s->monitor, "standby", sentence);
	return !connection_is_lost(s->control);
}

static bool
watch_holder(struct session *s, struct watch *watch, struct error *err)
{
	while (read_lease(s, watch, err)) {
		s->has_worked = true;
		if (watch->lock_pid == 0)
			return true;
		tell_holder(s, watch);
		steering_turn(&s->steering, STEERING_STANDBY);
		if (session_is_leaving(s))
			return error_set(err, ERROR_STOPPED, "stopped while waiting for another daemon to end");
		if (watch->silent_ms >= LEASE_LOST_MS ? !end_holder(s, watch, err) : !try_takeover(s, watch, err))
			return false;
		if (!loop_sleep(s->loop, POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped while waiting for another daemon to end");
	}
	return false;
}

/* For everybody to see, as long as it lasts. */
static bool
watch_as_standby(struct session *s, struct watch *watch, struct error *err)
{
	struct error late;
	bool ok = lease_enter_standby(s->control, s->config->task, err) && watch_holder(s, watch, err);

	if (connection_is_lost(s->control))
		return false;
	return lease_leave_standby(s->control, s->config->task, ok ? err : &late) && ok;
}

bool
session_stand_by(struct session *s, struct error *err)
{
	struct watch watch = {.read_ms = loop_now_ms(s->loop)};

	if (!task_lock_holder(s->control, s->config->task, &watch.lock_pid, err))
		return false;
	/* A leftover session of this daemon's is ended by session_open_destination(). */
	if (watch.lock_pid == 0 || watch.lock_pid == s->lock_pids[0] || watch.lock_pid == s->lock_pids[1])
		return true;
	session_forget_claim(s);
	session_enter(s, SESSION_STANDBY, NULL);
	if (!steering_daemon_lives(s->config))
		steering_open(&s->steering, s->config);
	if (!watch_as_standby(s, &watch, err))
		return false;
	session_enter(s, SESSION_CONNECTING, NULL);
	log_info("the task is free: taking over");
	return true;
}
