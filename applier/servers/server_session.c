#include "server_session.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "dialect/session_settings.h"
#include "state/lease.h"
#include "state/state_text.h"

/* ---- settings for both ends */

static bool
pin_settings(struct connection *conn, enum session_end end, struct error *err)
{
	struct buffer sql;

	if (!connection_execute(conn, SESSION_SETTINGS_FIRST, NULL, 0, NULL, err))
		return false;
	sql_init(&sql);
	session_settings_put(&sql, end, connection_server_version(conn));
	return connection_execute_buffer(conn, &sql, NULL, err);
}

/* ---- the source */

bool
server_session_match_bytes(struct connection *conn, const struct connection *source, struct error *err)
{
	if (strcmp(connection_server_encoding(source), "SQL_ASCII") != 0)
		return true;
	return connection_execute(conn,
							  "SELECT pg_catalog.set_config('client_encoding',"
							  " pg_catalog.current_setting('server_encoding'), false)",
							  NULL, 0, NULL, err) ||
		   error_context(err, "taking text of a source in SQL_ASCII as it is stored");
}

static struct connection *
open_source(struct loop *loop, const struct config *config, enum connection_kind kind,
			const char *application, struct error *err)
{
	struct connection *conn =
		connection_open(loop, "source", config->source.conninfo, kind, application, err);

	if (!conn || (pin_settings(conn, SESSION_SOURCE, err) && server_session_match_bytes(conn, conn, err)))
		return conn;
	error_context(err, "setting up the session at the source");
	connection_close(conn);
	return NULL;
}

struct connection *
server_session_source(struct loop *loop, const struct config *config, const char *application,
					  struct error *err)
{
	return open_source(loop, config, CONNECTION_SQL, application, err);
}

struct connection *
server_session_replication(struct loop *loop, const struct config *config, const char *application,
						   struct error *err)
{
	return open_source(loop, config, CONNECTION_REPLICATION, application, err);
}

/* ---- the destination */

/* Whether the server has refused and the session is still usable. */
static bool
is_refusal(const struct connection *conn, const struct error *err)
{
	return err->sqlstate[0] != '\0' && err->class != ERROR_RETRY && err->class != ERROR_STOPPED &&
		   !connection_is_lost(conn);
}

static bool
pin_one_by_one(struct connection *conn, struct buffer *refused, struct error *err)
{
	const char *name;

	for (unsigned i = 0; (name = session_settings_name(i)) != NULL; i++) {
		struct buffer sql;

		sql_init(&sql);
		if (!session_settings_put_single(&sql, i, SESSION_DESTINATION, connection_server_version(conn))) {
			buffer_fini(&sql);
			continue;
		}
		if (connection_execute_buffer(conn, &sql, NULL, err))
			continue;
		if (!is_refusal(conn, err) || !session_settings_is_optional(i)) {
			error_context(err, "setting \"%s\"", name);
			return false;
		}
		buffer_printf(refused, "%s%s", refused->len > 0 ? ", " : "", name);
	}
	return true;
}

/*
 * Services built on PostgreSQL may refuse settings that their catalogs allow. One refusal undoes the whole
 * statement, so the settings are then tried one by one.
 */
static bool
pin_destination(struct destination_session *session, struct error *err)
{
	struct buffer refused;
	bool ok;

	sql_init(&refused);
	ok = pin_settings(session->conn, SESSION_DESTINATION, err) ||
		 (is_refusal(session->conn, err) && pin_one_by_one(session->conn, &refused, err));
	if (ok && refused.len > 0)
		log_debug("the destination refuses settings of the session: %s", sql_text(&refused));
	snprintf(session->refused, sizeof session->refused, "%s", sql_text(&refused));
	buffer_fini(&refused);
	return ok;
}

/* Reads the facts about the server and chooses the dialect; false, with an error, if none fits. */
static bool
choose_dialect(struct destination_session *session, const char *configured, struct error *err)
{
	struct dialect_facts facts;
	struct result *res;

	if (!connection_execute(session->conn, dialect_facts_sql, NULL, 0, &res, err))
		return false;
	facts = (struct dialect_facts){
		.version = result_text(res, 0, 0),
		.server_version = (int) result_int(res, 0, 1),
		.has_distribution_policy = result_bool(res, 0, 2),
		.gp_version = result_text(res, 0, 3),
		.adbpg_version = result_text(res, 0, 4),
		.storages = result_text(res, 0, 5),
	};
	connection_set_backend_pid(session->conn, (int) result_int(res, 0, 6));
	session->dialect = dialect_choose(&facts, configured, err);
	session->detected = dialect_detect(&facts);
	dialect_describe(&facts, session->found, sizeof session->found);
	snprintf(session->storages, sizeof session->storages, "%s", facts.storages);
	result_free(res);
	return session->dialect != NULL;
}

/* Triggers have fired and foreign keys were checked at the source already. */
static bool
switch_triggers_off(struct destination_session *session, struct error *err)
{
	struct result *res;
	struct buffer sql;

	if (!session->dialect->has_replication_role)
		return true;
	sql_init(&sql);
	buffer_printf(&sql, "SELECT pg_catalog.set_config('session_replication_role', 'replica', false) WHERE ");
	session_settings_put_may_set(&sql, "session_replication_role", connection_server_version(session->conn));
	if (!connection_execute_buffer(session->conn, &sql, &res, err))
		return false;
	session->triggers_off = result_rows(res) > 0;
	result_free(res);
	return true;
}

/* pg_blocking_pids() exists since PostgreSQL 9.6. */
static const char activity_sql[] =
	"SELECT a.state OPERATOR(pg_catalog.=) 'active',"
	" coalesce(a.wait_event_type OPERATOR(pg_catalog.=) 'Lock', false),"
	" (SELECT pg_catalog.string_agg(pg_catalog.format('process %s (%s, %s)', b.pid, b.usename, "
	"b.application_name), ', ')"
	"  FROM pg_catalog.pg_stat_activity b"
	"  WHERE b.pid OPERATOR(pg_catalog.=) ANY (pg_catalog.pg_blocking_pids(a.pid)))"
	" FROM pg_catalog.pg_stat_activity a WHERE a.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4";

/* For servers before 9.6: finds the holders of the lock that the session waits for. */
static const char activity_sql_of_old[] =
	"SELECT a.state OPERATOR(pg_catalog.=) 'active', a.waiting,"
	" (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.format('process %s (%s, %s)', b.pid, b.usename,"
	"   b.application_name), ', ')"
	"  FROM pg_catalog.pg_locks w JOIN pg_catalog.pg_locks h ON h.locktype OPERATOR(pg_catalog.=) w.locktype"
	"   AND coalesce(h.relation, 0) OPERATOR(pg_catalog.=) coalesce(w.relation, 0)"
	"   AND coalesce(h.transactionid, '0'::pg_catalog.xid) OPERATOR(pg_catalog.=)"
	"       coalesce(w.transactionid, '0'::pg_catalog.xid)"
	"  JOIN pg_catalog.pg_stat_activity b ON b.pid OPERATOR(pg_catalog.=) h.pid"
	"  WHERE w.pid OPERATOR(pg_catalog.=) a.pid AND NOT w.granted AND h.granted"
	"   AND h.pid OPERATOR(pg_catalog.<>) w.pid)"
	" FROM pg_catalog.pg_stat_activity a WHERE a.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4";

/*
 * For Greenplum, whose segments have locks of their own, which pg_blocking_pids() does not know.  A holder without a
 * session at the coordinator is either a transaction that a failed segment left in doubt, which the server ends after
 * some minutes, or a session that is connected to that segment only.  Such a session has the number -1, as the server's
 * own processes have.
 */
static const char activity_sql_of_greenplum[] =
	"SELECT a.state OPERATOR(pg_catalog.=) 'active', w.pid IS NOT NULL,"
	" pg_catalog.string_agg(DISTINCT CASE WHEN b.pid IS NOT NULL"
	"   THEN pg_catalog.format('process %s (%s, %s)', b.pid, b.usename, b.application_name)"
	"   ELSE pg_catalog.format('a transaction of segment %s that no session has (left in doubt by a failure, "
	"or"
	" begun there)', h.gp_segment_id) END, ', ')"
	" FROM pg_catalog.pg_stat_activity a LEFT JOIN pg_catalog.pg_locks w"
	"   ON w.mppsessionid OPERATOR(pg_catalog.=) a.sess_id AND NOT w.granted"
	" LEFT JOIN pg_catalog.pg_locks h ON h.locktype OPERATOR(pg_catalog.=) w.locktype AND h.granted"
	"   AND h.gp_segment_id OPERATOR(pg_catalog.=) w.gp_segment_id"
	"   AND coalesce(h.relation, 0) OPERATOR(pg_catalog.=) coalesce(w.relation, 0)"
	"   AND coalesce(h.transactionid, '0'::pg_catalog.xid) OPERATOR(pg_catalog.=)"
	"       coalesce(w.transactionid, '0'::pg_catalog.xid)"
	"   AND h.mppsessionid OPERATOR(pg_catalog.<>) w.mppsessionid"
	" LEFT JOIN pg_catalog.pg_stat_activity b ON b.sess_id OPERATOR(pg_catalog.=) h.mppsessionid"
	"   AND b.sess_id OPERATOR(pg_catalog.>) 0"
	" WHERE a.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4 GROUP BY 1, 2";

#define HAS_BLOCKING_PIDS 90600

static bool
prepare_destination(struct destination_session *session, const char *configured, struct error *err)
{
	connection_watch_stalls(session->conn, connection_server_version(session->conn) >= HAS_BLOCKING_PIDS
											   ? activity_sql
											   : activity_sql_of_old);
	if (!pin_destination(session, err))
		return error_context(err, "setting up the session at the destination");
	if (!choose_dialect(session, configured, err))
		return false;
	if (session->dialect->has_segments) {
		connection_set_greenplum(session->conn, true);
		connection_watch_stalls(session->conn, activity_sql_of_greenplum);
	}
	if ((session->dialect->remember_planner &&
		 !connection_execute(session->conn, session->dialect->remember_planner, NULL, 0, NULL, err)) ||
		!switch_triggers_off(session, err))
		return error_context(err, "setting up the session at the destination");
	return true;
}

bool
server_session_destination(struct loop *loop, const struct config *config, const char *application,
						   struct destination_session *session, struct error *err)
{
	*session = (struct destination_session){
		.conn = connection_open(loop, "destination", config->destination.conninfo, CONNECTION_SQL,
								application, err),
	};
	if (!session->conn)
		return false;
	state_text_use(connection_server_encoding(session->conn));
	if (prepare_destination(session, config->destination.dialect, err))
		return true;
	connection_close(session->conn);
	session->conn = NULL;
	return false;
}

bool
server_session_writer(struct loop *loop, const struct config *config, const char *application, int64_t epoch,
					  struct destination_session *session, struct error *err)
{
	if (!server_session_destination(loop, config, application, session, err))
		return false;
	if (epoch == WRITER_TAKES_LOCK ? lease_join(session->conn, config->task, err)
								   : lease_join_as(session->conn, config->task, epoch, err))
		return true;
	connection_close(session->conn);
	session->conn = NULL;
	return false;
}

/* ---- sessions of others */

bool
server_session_terminate(struct connection *conn, int pid, struct error *err)
{
	char sql[64];

	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", pid);
	return connection_execute(conn, sql, NULL, 0, NULL, err);
}
