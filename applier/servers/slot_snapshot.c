#include "slot_snapshot.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sql.h"
#include "lsn.h"
#include "server_session.h"

static bool
open_connection(struct slot_snapshot *snapshot, struct loop *loop, const struct config *config,
				const char *slot, const char *purpose, struct error *err)
{
	char application[64];

	*snapshot = (struct slot_snapshot){0};
	snprintf(application, sizeof application, slot ? "sluice" : "sluice %s", purpose);
	snapshot->replication = server_session_replication(loop, config, application, err);
	if (!snapshot->replication)
		return false;
	if (slot)
		snprintf(snapshot->slot, sizeof snapshot->slot, "%s", slot);
	else
		snprintf(snapshot->slot, sizeof snapshot->slot, "sluice_%s_%d_%d", purpose, (int) getpid(),
				 connection_backend_pid(snapshot->replication));
	return true;
}

/* The syntax of PostgreSQL 13 for EXPORT_SNAPSHOT is still accepted by later versions. */
static void
put_create(struct buffer *sql, const char *slot, bool temporary, bool failover)
{
	buffer_printf(sql, "CREATE_REPLICATION_SLOT ");
	sql_identifier(sql, slot);
	if (temporary)
		buffer_printf(sql, " TEMPORARY");
	buffer_printf(sql, " LOGICAL sluice %s", failover ? "(SNAPSHOT 'export', FAILOVER)" : "EXPORT_SNAPSHOT");
}

static bool
read_answer(struct slot_snapshot *snapshot, const struct result *res, struct error *err)
{
	if (!lsn_parse(result_text(res, 0, 1), &snapshot->lsn))
		return error_set(err, ERROR_BUG, "the new slot %s has no LSN", snapshot->slot);
	snprintf(snapshot->name, sizeof snapshot->name, "%s", result_text(res, 0, 2));
	return true;
}

bool
slot_snapshot_take(struct slot_snapshot *snapshot, struct loop *loop, const struct config *config,
				   const char *slot, const char *purpose, struct connection *source, loop_callback turn,
				   void *turn_arg, struct error *err)
{
	struct error ignored;
	struct buffer sql;
	struct result *res;
	bool ok;

	if (!open_connection(snapshot, loop, config, slot, purpose, err))
		return false;
	log_info("making slot %s; this waits for transactions that are open at the source", snapshot->slot);
	sql_init(&sql);
	put_create(&sql, snapshot->slot, !slot, slot && config->source.failover);
	ok = connection_execute_long(snapshot->replication, sql_text(&sql), turn, turn_arg, &res, err);
	buffer_fini(&sql);
	if (!ok) {
		if (err->class == ERROR_STOPPED &&
			!server_session_terminate(source, connection_backend_pid(snapshot->replication), &ignored))
			log_warning(
				"slot %s may still be made once the transactions that are open at the source have ended",
				snapshot->slot);
		return error_context(err, "making slot %s", snapshot->slot);
	}
	ok = read_answer(snapshot, res, err);
	result_free(res);
	return ok;
}

static void
on_made(void *arg, const struct result *res, const struct error *err)
{
	struct slot_snapshot *snapshot = arg;
	struct error own;

	if (err || !read_answer(snapshot, res, &own)) {
		if (err)
			own = *err;
		error_context(&own, "making slot %s", snapshot->slot);
		err = &own;
	}
	snapshot->done(snapshot->arg, err);
}

bool
slot_snapshot_begin(struct slot_snapshot *snapshot, struct loop *loop, const struct config *config,
					const char *purpose, slot_snapshot_done done, void *arg, struct error *err)
{
	struct buffer sql;

	if (!open_connection(snapshot, loop, config, NULL, purpose, err))
		return false;
	snapshot->done = done;
	snapshot->arg = arg;
	sql_init(&sql);
	put_create(&sql, snapshot->slot, true, false);
	connection_query(snapshot->replication, sql_text(&sql), NULL, 0, on_made, snapshot);
	buffer_fini(&sql);
	return true;
}

void
slot_snapshot_release(struct slot_snapshot *snapshot)
{
	connection_close(snapshot->replication);
	snapshot->replication = NULL;
}

bool
slot_snapshot_use(struct connection *source, const char *name, struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT ");
	sql_literal(&sql, name);
	if (connection_execute_buffer(source, &sql, NULL, err))
		return true;
	/* The snapshot ends with the session that exported it, for instance when the source restarts. */
	if (err->class == ERROR_DATA)
		err->class = ERROR_RETRY;
	return false;
}
