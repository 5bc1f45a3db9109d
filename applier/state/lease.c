#include "lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sql.h"
#include "state_install.h"
#include "state_layout.h"
#include "task_lock.h"

#define WRITERS_WAIT_MS 10000
#define WRITERS_POLL_MS 100

/* ---- the row */

static void
take_text(char *out, size_t out_bytes, const struct result *res, unsigned column)
{
	snprintf(out, out_bytes, "%s", result_is_null(res, 0, column) ? "" : result_text(res, 0, column));
}

static void
take_lease(const struct result *res, struct lease *lease)
{
	lease->exists = true;
	lease->epoch = result_int(res, 0, 0);
	take_text(lease->until, sizeof lease->until, res, 1);
	take_text(lease->host, sizeof lease->host, res, 2);
	lease->pid = result_is_null(res, 0, 3) ? 0 : result_int(res, 0, 3);
	take_text(lease->since, sizeof lease->since, res, 4);
	if (!result_is_null(res, 0, 5))
		lease->renewed_s = strtod(result_text(res, 0, 5), NULL);
	lease->since_us = result_is_null(res, 0, 6) ? 0 : result_int(res, 0, 6);
}

/* A schema of an earlier layout has no leases. */
static bool
read_row(struct connection *destination, const char *task, int layout, struct lease *lease, struct error *err)
{
	static const char *const columns[] = {"lease_until", "holder_host", "holder_pid", "holder_since"};
	struct param param = param_text(task);
	struct buffer sql;
	struct result *res;
	bool ok;

	sql_init(&sql);
	buffer_printf(&sql,
				  "SELECT epoch, lease_until, holder_host, holder_pid, date_trunc('second', holder_since),"
				  " extract(epoch FROM clock_timestamp() - lease_until + interval '%d milliseconds'),"
				  " (extract(epoch FROM holder_since) * 1000000)::bigint"
				  " FROM (SELECT epoch",
				  LEASE_LOST_MS);
	for (unsigned i = 0; i < sizeof columns / sizeof *columns; i++) {
		buffer_printf(&sql, ", ");
		state_layout_put_column(&sql, layout, "progress", columns[i]);
	}
	buffer_printf(&sql, " FROM sluice.progress WHERE task = $1) p");
	ok = connection_execute(destination, sql_text(&sql), &param, 1, &res, err);
	buffer_fini(&sql);
	if (!ok)
		return false;
	if (result_rows(res) > 0)
		take_lease(res, lease);
	result_free(res);
	return true;
}

bool
lease_read(struct connection *destination, const char *task, struct lease *lease, struct error *err)
{
	struct state_installed installed;

	*lease = (struct lease){.renewed_s = -1};
	if (!state_install_read(destination, &installed, err))
		return false;
	return !installed.progress || read_row(destination, task, installed.layout, lease, err);
}

void
lease_describe(const struct lease *lease, char *out, size_t out_bytes)
{
	int len = snprintf(out, out_bytes, "host %s, process %" PRId64, lease->host[0] ? lease->host : "unknown",
					   lease->pid);

	if (lease->since[0] && len > 0 && (size_t) len < out_bytes)
		snprintf(out + len, out_bytes - (size_t) len, ", since %s", lease->since);
}

bool
lease_replaced(struct error *err, const char *task, const struct lease *now, int64_t own_epoch)
{
	char holder[512];

	lease_describe(now, holder, sizeof holder);
	error_set(err, ERROR_REPLACED,
			  "another daemon of task %s has taken over (%s): sluice.progress is at epoch %" PRId64
			  ", this one left it at %" PRId64,
			  task, holder, now->epoch, own_epoch);
	return error_hint(err, "Run one daemon for a task, or the others with --standby.");
}

bool
lease_dropped(struct error *err, const char *task)
{
	error_set(err, ERROR_DATA,
			  "the row of task \"%s\" in sluice.progress is gone: others have dropped the task", task);
	return error_hint(err, "The next start begins with a new slot and new copies.");
}

/* ---- the holder */

static void
read_host(char out[256])
{
	if (gethostname(out, 256) != 0)
		strcpy(out, "unknown");
	out[255] = '\0';
}

bool
lease_claim(struct connection *destination, const char *task, bool again, struct progress *progress,
			struct error *err)
{
	char host[256], sql[640], read[24];
	const struct param params[] = {param_text(task), param_text(host), param_text(read)};
	struct lease now;
	struct result *res;
	bool found, ok = true;

	read_host(host);
	snprintf(read, sizeof read, "%" PRId64, progress->epoch);
	snprintf(sql, sizeof sql,
			 "UPDATE sluice.progress SET epoch = epoch + 1, holder_host = $2, holder_pid = %ld,"
			 " holder_since = %s, lease_until = clock_timestamp() + interval '%d milliseconds',"
			 " updated_at = now() WHERE task = $1 AND epoch = $3 RETURNING " PROGRESS_COLUMNS,
			 (long) getpid(), again ? "coalesce(holder_since, now())" : "now()", LEASE_LOST_MS);
	if (!connection_execute(destination, sql, params, 3, &res, err))
		return error_context(err, "claiming the task in sluice.progress");
	found = result_rows(res) == 1;
	if (found)
		ok = progress_take(res, progress, err);
	result_free(res);
	if (found)
		return ok;
	if (!lease_read(destination, task, &now, err))
		return false;
	return now.exists ? lease_replaced(err, task, &now, progress->epoch) : lease_dropped(err, task);
}

#define STRING_OF(number) #number
#define TEXT_OF(number) STRING_OF(number)

const char *
lease_renew_sql(void)
{
	return "UPDATE sluice.progress SET lease_until = clock_timestamp() + interval '" TEXT_OF(
		LEASE_LOST_MS) " milliseconds' WHERE task = $1 AND epoch = $2";
}

bool
lease_release(struct connection *destination, const char *task, int64_t epoch, struct error *err)
{
	char number[24];
	const struct param params[] = {param_text(task), param_text(number)};

	snprintf(number, sizeof number, "%" PRId64, epoch);
	return connection_execute(destination,
							  "UPDATE sluice.progress SET lease_until = NULL WHERE task = $1 AND epoch = $2",
							  params, 2, NULL, err);
}

/* ---- the writers */

void
lease_put_join(struct buffer *sql, const char *task)
{
	buffer_printf(sql, "SELECT pg_catalog.pg_advisory_lock_shared(%d, %d)", TASK_LOCK_WRITERS,
				  task_lock_key(task));
}

bool
lease_join(struct connection *destination, const char *task, struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	lease_put_join(&sql, task);
	return connection_execute_buffer(destination, &sql, NULL, err);
}

bool
lease_join_as(struct connection *destination, const char *task, int64_t epoch, struct error *err)
{
	struct lease now;

	if (!lease_join(destination, task, err) || !lease_read(destination, task, &now, err))
		return false;
	return now.epoch == epoch || lease_replaced(err, task, &now, epoch);
}

static void
put_writers(struct buffer *sql, const char *task, const int *own, unsigned own_count)
{
	buffer_printf(sql,
				  " FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2"
				  " AND granted AND classid = %u AND objid = %u"
				  " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
				  " AND pid <> pg_backend_pid()",
				  (unsigned) TASK_LOCK_WRITERS, (unsigned) task_lock_key(task));
	for (unsigned i = 0; i < own_count; i++)
		buffer_printf(sql, " AND pid <> %d", own[i]);
	buffer_printf(sql, ") w");
}

static bool
end_once(struct connection *destination, const char *task, const int *own, unsigned own_count,
		 struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "SELECT pg_terminate_backend(pid)");
	put_writers(&sql, task, own, own_count);
	if (connection_execute_buffer(destination, &sql, NULL, err))
		return true;
	if (strcmp(err->sqlstate, "42501") == 0) {
		err->class = ERROR_RETRY;
		error_hint(err, "Let the daemons of all hosts log in to the destination as the same role.");
	}
	return error_context(err, "ending the sessions of the task's former holder");
}

static bool
find_writer(struct connection *destination, const char *task, const int *own, unsigned own_count,
			int64_t *pid, struct error *err)
{
	struct buffer sql;
	struct result *res;

	sql_init(&sql);
	buffer_printf(&sql, "SELECT coalesce(min(pid), 0)");
	put_writers(&sql, task, own, own_count);
	if (!connection_execute_buffer(destination, &sql, &res, err))
		return false;
	*pid = result_int(res, 0, 0);
	result_free(res);
	return true;
}

bool
lease_end_writers(struct connection *destination, struct loop *loop, const char *task, const int *own,
				  unsigned own_count, struct error *err)
{
	int64_t pid;

	if (!find_writer(destination, task, own, own_count, &pid, err))
		return false;
	for (int waited_ms = 0; pid != 0 && waited_ms <= WRITERS_WAIT_MS; waited_ms += WRITERS_POLL_MS) {
		/* A request may be used up by the attempt to tell a client that takes no words any more. */
		if (!end_once(destination, task, own, own_count, err) ||
			!find_writer(destination, task, own, own_count, &pid, err))
			return false;
		if (pid != 0 && !loop_sleep(loop, WRITERS_POLL_MS))
			return error_set(err, ERROR_STOPPED,
							 "stopped while waiting for another daemon's sessions to end");
	}
	return pid == 0 || error_set(err, ERROR_RETRY,
								 "process %" PRId64 " of the destination, which wrote for this task, has been"
								 " told to end and goes on",
								 pid);
}

/* ---- standbys */

#define STANDBY_NAME "sluice standby "

bool
lease_enter_standby(struct connection *destination, const char *task, struct error *err)
{
	char host[256], name[64], sql[96];
	struct param param = param_text(name);

	read_host(host);
	/* A name of 63 bytes is what the server keeps. */
	snprintf(name, sizeof name, STANDBY_NAME "%d@%.36s", (int) getpid(), host);
	snprintf(sql, sizeof sql, "SELECT pg_advisory_lock_shared(%d, %d)", TASK_LOCK_STANDBYS,
			 task_lock_key(task));
	return connection_execute(destination, "SELECT set_config('application_name', $1, false)", &param, 1,
							  NULL, err) &&
		   connection_execute(destination, sql, NULL, 0, NULL, err);
}

bool
lease_leave_standby(struct connection *destination, const char *task, struct error *err)
{
	char sql[160];

	snprintf(sql, sizeof sql,
			 "SELECT pg_advisory_unlock_shared(%d, %d); SELECT set_config('application_name', 'sluice', "
			 "false)",
			 TASK_LOCK_STANDBYS, task_lock_key(task));
	return connection_execute(destination, sql, NULL, 0, NULL, err);
}

bool
lease_read_standbys(struct connection *destination, const char *task, struct result **res, struct error *err)
{
	char sql[768];

	snprintf(sql, sizeof sql,
			 "SELECT split_part(n.name, '@', 2), split_part(n.name, '@', 1), n.since,"
			 " (extract(epoch FROM n.since) * 1000000)::bigint"
			 " FROM (SELECT replace(a.application_name, '" STANDBY_NAME "', '') AS name,"
			 " date_trunc('second', a.backend_start) AS since"
			 " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
			 " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
			 " AND l.classid = %u AND l.objid = %u"
			 " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
			 " ORDER BY a.backend_start) n",
			 (unsigned) TASK_LOCK_STANDBYS, (unsigned) task_lock_key(task));
	return connection_execute(destination, sql, NULL, 0, res, err);
}
