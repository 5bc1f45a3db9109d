#include "session_parts.h"

#include <stdio.h>

#include "servers/target.h"
#include "state/state_install.h"
#include "state/task_lock.h"

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

bool
session_terminate(struct connection *conn, int pid, struct error *err)
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
	if (!task_lock_holder(s->control, s->config->task, &holder, err))
		return false;
	return holder != s->former_destination || session_terminate(s->control, (int) holder, err);
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
		   session_terminate(s->source, s->former_replication, err);
}

bool
session_open_replication(struct session *s, struct error *err)
{
	s->replication = open_source(s, CONNECTION_REPLICATION, err);
	if (s->replication)
		s->former_replication = connection_backend_pid(s->replication);
	return s->replication != NULL;
}

void
session_forget_predecessor(struct session *s)
{
	connection_close(s->predecessor);
	s->predecessor = NULL;
}

static bool
take_lock_over(struct session *s, struct error *err)
{
	if (task_lock_pass(s->predecessor, s->destination, s->loop, s->config->task, err))
		return true;
	session_forget_predecessor(s);
	return false;
}

/* The session that holds the task's lock, and with it the right to apply. */
bool
session_open_locked_destination(struct session *s, struct error *err)
{
	if (!open_destination(s, &s->destination, err))
		return false;
	if (s->predecessor && !take_lock_over(s, err))
		return false;
	if (!s->predecessor &&
		(!end_former_destination(s, err) || !task_lock_take(s->destination, s->loop, s->config->task, err)))
		return false;
	session_forget_predecessor(s);
	s->former_destination = connection_backend_pid(s->destination);
	return true;
}

bool
session_open_all(struct session *s, struct error *err)
{
	s->source = open_source(s, CONNECTION_SQL, err);
	if (!s->source || !connection_execute(s->source, source_session_settings, NULL, 0, NULL, err))
		return false;
	if (!open_destination(s, &s->control, err) || !state_check_rights(s->control, err) ||
		!session_open_locked_destination(s, err) || !end_former_replication(s, err) ||
		!state_upgrade(s->control, s->dialect, s->config->task, err))
		return false;
	steering_open(&s->steering, s->config);
	s->connected_ms = loop_now_ms(s->loop);
	return true;
}

void
session_close_all(struct session *s)
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
