#include "session_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "servers/server_session.h"
#include "state/lease.h"
#include "state/state_install.h"
#include "state/task_lock.h"

/* How often an attempt tells a leftover session to end. */
#define END_TIMES 5
#define END_PAUSE_MS 100

/* ---- connections */

#define SQLSTATE_NO_SEGMENT "58M01"

/* A server that answers the login with a reason works; Greenplum does not where a segment is lost. */
void
session_note_unreachable(struct session *s, const struct error *err)
{
	s->unreachable |=
		err->class == ERROR_RETRY && (!err->sqlstate[0] || strcmp(err->sqlstate, SQLSTATE_NO_SEGMENT) == 0);
}

static bool
open_destination(struct session *s, struct connection **conn, struct error *err)
{
	struct destination_session opened;

	if (!server_session_destination(s->loop, s->config, "sluice", &opened, err)) {
		session_note_unreachable(s, err);
		return false;
	}
	*conn = opened.conn;
	monitor_connected(s->monitor, METRIC_DESTINATION);
	s->dialect = opened.dialect;
	s->opened = opened;
	return true;
}

/* When the network fails, sessions of an earlier attempt may live on at their servers, with the task's lock and the
 * slot, until the servers notice. */
static bool
end_former_destination(struct session *s, int *holder, struct error *err)
{
	int64_t pid;

	*holder = 0;
	if (s->lock_pids[0] == 0)
		return true;
	if (!task_lock_holder(s->control, s->config->task, &pid, err))
		return false;
	if (pid == s->lock_pids[0] || pid == s->lock_pids[1])
		*holder = (int) pid;
	return task_lock_end(s->control, s->config->task, s->lock_pids, err);
}

/* The slot is in use by a walsender of an earlier attempt. A walsender that is told to end first reports that to its
 * client; if nothing takes the message, only a second request ends it. It is remembered from one attempt to the next,
 * since an attempt has a session of its own. */
static bool
end_former_replication(struct session *s, struct error *err)
{
	/* A standby has taken the task over: whoever reads the task's slot is the daemon that had it. */
	bool any = s->standby && s->progress.exists && strcmp(s->progress.slot, s->config->source.slot) == 0;
	struct source_slot slot;

	for (unsigned i = 0; i < END_TIMES && (s->former_replication || s->slot_holder || any); i++) {
		if (!source_read_slot(s->source, s->config->source.slot, &slot, err))
			return false;
		if (!slot.active ||
			(slot.active_pid != s->former_replication && slot.active_pid != s->slot_holder && !any))
			return true;
		s->slot_holder = (int) slot.active_pid;
		if (!server_session_terminate(s->source, s->slot_holder, err))
			return false;
		if (!loop_sleep(s->loop, END_PAUSE_MS))
			return error_set(err, ERROR_STOPPED, "stopped while waiting for a session of ours to end");
	}
	return true;
}

bool
session_open_replication(struct session *s, struct error *err)
{
	s->replication = server_session_replication(s->loop, s->config, "sluice", err);
	if (!s->replication)
		return false;
	s->former_replication = connection_backend_pid(s->replication);
	monitor_connected(s->monitor, METRIC_SOURCE);
	return true;
}

static void
set_lock_holder(struct session *s, struct connection *conn)
{
	s->lock_holder = conn;
	s->lock_pids[0] = connection_backend_pid(conn);
	s->lock_pids[1] = 0;
}

/* If `former`, a leftover session of this process that was told to end, holds the lock, there is no other daemon. */
static bool
judge_lock_failure(struct session *s, int former, struct error *err)
{
	struct error failed;
	int64_t holder;

	if (err->class != ERROR_REPLACED || former == 0 ||
		!task_lock_holder(s->control, s->config->task, &holder, &failed) || holder != former)
		return false;
	return error_set(
		err, ERROR_RETRY,
		"process %d of the destination, which was this daemon's, has been told to end and goes on"
		" with the task's lock",
		former);
}

/* Ends the leftover session if it still lives; `conn` then waits for the lock. */
static bool
take_lock(struct session *s, struct connection *conn, struct error *err)
{
	enum task_lock_wait wait = s->standby ? TASK_LOCK_AT_ONCE : TASK_LOCK_FOR_PREDECESSOR;
	int former;

	if (!end_former_destination(s, &former, err))
		return false;
	/* The session may have the lock even if the answer is lost. */
	s->lock_pids[0] = connection_backend_pid(conn);
	s->lock_pids[1] = former;
	if (!task_lock_take(conn, s->loop, s->config->task, wait, err))
		return judge_lock_failure(s, former, err);
	set_lock_holder(s, conn);
	return true;
}

static bool
pass_lock(struct session *s, struct connection *to, struct error *err)
{
	struct connection *from = s->lock_holder;

	/* If this fails, either session may have the lock. */
	s->lock_holder = NULL;
	s->lock_pids[1] = connection_backend_pid(to);
	if (!task_lock_pass(from, to, s->loop, s->config->task, err))
		return false;
	set_lock_holder(s, to);
	return true;
}

bool
session_open_destination(struct session *s, struct error *err)
{
	assert(!s->destination && (!s->lock_holder || s->lock_holder == s->control));
	if (!open_destination(s, &s->destination, err) || !lease_join(s->destination, s->config->task, err))
		return false;
	if (s->doubts_data)
		connection_set_greenplum(s->destination, false);
	if (s->lock_holder ? !pass_lock(s, s->destination, err) : !take_lock(s, s->destination, err))
		return false;
	return true;
}

static bool
end_transaction(struct connection *conn, struct error *err)
{
	return !connection_in_transaction(conn) || connection_execute(conn, "ROLLBACK", NULL, 0, NULL, err);
}

/* A running batch continues at the server until its session is ended there. */
static bool
keep_lock(struct session *s, struct error *err)
{
	struct connection *batches = s->destination;

	if (connection_is_idle(batches) && end_transaction(batches, err) && pass_lock(s, s->control, err))
		return true;
	connection_close(batches);
	s->destination = s->lock_holder = NULL;
	return take_lock(s, s->control, err);
}

void
session_release_destination(struct session *s)
{
	struct error err;

	if (s->lock_holder && s->lock_holder == s->destination) {
		if (loop_stop_requested(s->loop) || !s->control)
			s->lock_holder = NULL;
		else if (!keep_lock(s, &err))
			log_debug("the task's lock could not be kept: %s", err.message);
	}
	connection_close(s->destination);
	s->destination = NULL;
}

static void
drop_control(struct session *s)
{
	if (s->lock_holder == s->control)
		s->lock_holder = NULL;
	connection_close(s->control);
	s->control = NULL;
	s->control_joined = false;
}

/* The control session is kept from one attempt to the next, unless it is lost. */
static bool
open_control(struct session *s, struct error *err)
{
	if (s->control && connection_is_lost(s->control))
		drop_control(s);
	return (s->control || open_destination(s, &s->control, err)) && state_check_rights(s->control, err);
}

/* "PostgreSQL 15.4"; before version 10 the number had three parts. */
static void
put_version(const struct connection *conn, char *out, size_t out_bytes)
{
	int version = connection_server_version(conn);

	if (version >= 100000)
		snprintf(out, out_bytes, "PostgreSQL %d.%d", version / 10000, version % 10000);
	else
		snprintf(out, out_bytes, "PostgreSQL %d.%d.%d", version / 10000, version / 100 % 100, version % 100);
}

static void
tell_versions(const struct session *s)
{
	char source[64], destination[64], dialect[128];

	put_version(s->source, source, sizeof source);
	put_version(s->control, destination, sizeof destination);
	snprintf(dialect, sizeof dialect, "%s (%s)", s->dialect->name, destination);
	monitor_versions(s->monitor, source, s->dialect->has_segments ? dialect : destination);
}

/* Before it writes anything; a standby's does not yet. */
static bool
join_control(struct session *s, struct error *err)
{
	s->control_joined = s->control_joined || lease_join(s->control, s->config->task, err);
	return s->control_joined;
}

/* The task's lock, and the claim. */
static bool
take_task(struct session *s, struct error *err)
{
	bool taken;

	do {
		if (!session_check_claim(s, err) || (s->standby && !s->lock_holder && !session_stand_by(s, err)) ||
			!join_control(s, err))
			return false;
		taken = session_open_destination(s, err);
		if (!taken) {
			connection_close(s->destination);
			s->destination = NULL;
		}
		/* Another standby was faster. */
	} while (!taken && s->standby && err->class == ERROR_REPLACED);
	return taken && state_upgrade(s->control, s->dialect, s->config->task, err) && session_claim(s, err);
}

bool
session_open_all(struct session *s, struct error *err)
{
	monitor_waiting(s->monitor, "the destination", 0);
	if (!open_control(s, err) || !take_task(s, err)) {
		/* The control session of an earlier attempt may still have backends of a segment that takes no new ones. */
		s->unreachable |= strcmp(err->sqlstate, SQLSTATE_NO_SEGMENT) == 0;
		return false;
	}
	steering_open(&s->steering, s->config);
	monitor_waiting(s->monitor, "the source", 0);
	s->source = server_session_source(s->loop, s->config, "sluice", err);
	if (!s->source || !end_former_replication(s, err))
		return false;
	monitor_connected(s->monitor, METRIC_SOURCE);
	monitor_waiting(s->monitor, NULL, 0);
	tell_versions(s);
	s->connected_ms = loop_now_ms(s->loop);
	s->ever_connected = true;
	return true;
}

/* What the attempt has requested on the control session, or begun there, ends with the attempt. */
static void
settle_control(struct session *s)
{
	struct error err;

	if (s->control && (!connection_is_idle(s->control) || !end_transaction(s->control, &err)))
		drop_control(s);
}

void
session_close_attempt(struct session *s)
{
	connection_close(s->replication);
	connection_close(s->source);
	s->replication = s->source = NULL;
	settle_control(s);
	session_release_destination(s);
	catalog_free(&s->catalog);
	s->config = s->steering.config;
	selection_fini(&s->selection);
}

void
session_close_unreachable(struct session *s)
{
	if (!s->unreachable)
		return;
	lease_keeper_end(s->lease_keeper);
	drop_control(s);
}

void
session_close_all(struct session *s)
{
	session_close_attempt(s);
	session_release_claim(s);
	lease_keeper_end(s->lease_keeper);
	drop_control(s);
}
