#include "task_lock.h"

#include <stdio.h>

#include "base/sql.h"

#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 200
#define PASS_POLL_MS 10

#define LOCK_CLASS TASK_LOCK_DAEMON
#define LOCK_CLASS_COPY TASK_LOCK_COPIES

int32_t
task_lock_key(const char *task)
{
	uint32_t hash = 2166136261u;

	for (const char *c = task; *c; c++)
		hash = (hash ^ (uint8_t) *c) * 16777619u;
	return (int32_t) hash;
}

static bool
try_lock(struct connection *destination, const char *task, bool *locked, struct error *err)
{
	char sql[96];
	struct result *res;

	snprintf(sql, sizeof sql, "SELECT pg_try_advisory_lock(%d, %d)", LOCK_CLASS, task_lock_key(task));
	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	*locked = result_bool(res, 0, 0);
	result_free(res);
	return true;
}

/* Returns one row or none: pid and start time of the session that holds the lock. */
static bool
read_holder(struct connection *destination, const char *task, struct result **res, struct error *err)
{
	char sql[640];

	snprintf(sql, sizeof sql,
			 "SELECT l.pid, date_trunc('second', a.backend_start)"
			 " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
			 " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
			 " AND l.classid = %u AND l.objid = %u"
			 " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
			 " LIMIT 1",
			 (unsigned) LOCK_CLASS, (unsigned) task_lock_key(task));
	return connection_execute(destination, sql, NULL, 0, res, err);
}

bool
task_lock_holder(struct connection *destination, const char *task, int64_t *pid, struct error *err)
{
	struct result *res;

	if (!read_holder(destination, task, &res, err))
		return false;
	*pid = result_rows(res) ? result_int(res, 0, 0) : 0;
	result_free(res);
	return true;
}

bool
task_lock_other_holder(struct connection *destination, const char *task, int64_t *pid, struct error *err)
{
	char sql[400];
	struct result *res;

	snprintf(sql, sizeof sql,
			 "SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2"
			 " AND classid = %u AND objid <> %u"
			 " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
			 (unsigned) LOCK_CLASS, (unsigned) task_lock_key(task));
	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	*pid = result_is_null(res, 0, 0) ? 0 : result_int(res, 0, 0);
	result_free(res);
	return true;
}

bool
task_lock_end(struct connection *destination, const char *task, const int pids[2], struct error *err)
{
	char sql[400];

	snprintf(sql, sizeof sql,
			 "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
			 " AND classid = %u AND objid = %u AND pid IN (%d, %d)"
			 " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
			 (unsigned) LOCK_CLASS, (unsigned) task_lock_key(task), pids[0], pids[1]);
	return connection_execute(destination, sql, NULL, 0, NULL, err);
}

static bool
fail_locked(struct connection *destination, const char *task, struct error *err)
{
	struct result *res;

	if (!read_holder(destination, task, &res, err))
		return false;
	if (result_rows(res))
		error_set(err, ERROR_REPLACED,
				  "another sluice daemon runs task \"%s\": process %s of the destination, since %s", task,
				  result_text(res, 0, 0), result_text(res, 0, 1));
	else
		error_set(err, ERROR_REPLACED, "another sluice daemon runs task \"%s\"", task);
	result_free(res);
	return error_hint(
		err, "Stop the other one first, or let this one wait with --standby, or give it another task.");
}

bool
task_lock_take(struct connection *destination, struct loop *loop, const char *task, enum task_lock_wait wait,
			   struct error *err)
{
	int wait_ms = wait == TASK_LOCK_AT_ONCE ? 0 : LOCK_WAIT_MS;
	bool locked = false;

	/* The session of a daemon that was killed a moment ago will end soon. */
	for (int waited_ms = 0; waited_ms <= wait_ms; waited_ms += LOCK_POLL_MS) {
		if (!try_lock(destination, task, &locked, err))
			return false;
		if (locked)
			return true;
		if (wait_ms > 0 && !loop_sleep(loop, LOCK_POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped while waiting for another daemon to end");
	}
	return fail_locked(destination, task, err);
}

struct passing {
	struct loop *loop;
	bool over;
	bool failed;
	struct error err;
};

static void
on_passed(void *arg, const struct result *res, const struct error *err)
{
	struct passing *p = arg;

	(void) res;
	p->over = true;
	p->failed = err != NULL;
	if (err)
		p->err = *err;
}

static bool
is_passed(void *arg)
{
	struct passing *p = arg;

	return p->over || loop_stop_requested(p->loop);
}

/* Releases the lock, but only once the process `to` of the server queues for it. */
static bool
release_to(struct connection *from, int to, const char *task, bool *released, struct error *err)
{
	char sql[400];
	struct result *res;

	snprintf(sql, sizeof sql,
			 "SELECT pg_advisory_unlock(%d, %d) FROM (SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"
			 " AND NOT granted AND objsubid = 2 AND classid = %u AND objid = %u AND pid = %d LIMIT 1) w",
			 LOCK_CLASS, task_lock_key(task), (unsigned) LOCK_CLASS, (unsigned) task_lock_key(task), to);
	if (!connection_execute(from, sql, NULL, 0, &res, err))
		return false;
	*released = result_rows(res) > 0;
	result_free(res);
	return true;
}

static bool
release_when_queued(struct connection *from, struct connection *to, struct passing *p, const char *task,
					struct error *err)
{
	bool released = false;
	char sql[96];

	while (!p->over) {
		if (!release_to(from, connection_backend_pid(to), task, &released, err))
			return false;
		if (released)
			return true;
		if (!loop_sleep(p->loop, PASS_POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped while the task's lock was passed on");
	}
	/* `to` is lost. */
	snprintf(sql, sizeof sql, "SELECT pg_advisory_unlock(%d, %d)", LOCK_CLASS, task_lock_key(task));
	return connection_execute(from, sql, NULL, 0, NULL, err);
}

/*
 * `to` queues for the lock and gets it when `from` releases it; other daemons only try to take it and
 * never queue.
 */
bool
task_lock_pass(struct connection *from, struct connection *to, struct loop *loop, const char *task,
			   struct error *err)
{
	struct passing p = {.loop = loop};
	char sql[96];

	snprintf(sql, sizeof sql, "SELECT pg_advisory_lock(%d, %d)", LOCK_CLASS, task_lock_key(task));
	connection_query(to, sql, NULL, 0, on_passed, &p);
	if (!release_when_queued(from, to, &p, task, err)) {
		connection_abandon(to);
		return false;
	}
	loop_run_until(loop, is_passed, &p);
	if (p.failed)
		*err = p.err;
	if (p.over)
		return !p.failed;
	connection_abandon(to);
	return error_set(err, ERROR_STOPPED, "stopped while the task's lock was passed on");
}

void
task_lock_put_copy(struct buffer *sql, const char *task, uint32_t source_oid, const char *mode)
{
	buffer_printf(sql, "SELECT pg_advisory_xact_lock%s(%d, %d);", mode, LOCK_CLASS_COPY,
				  (int32_t) ((uint32_t) task_lock_key(task) ^ source_oid));
}
