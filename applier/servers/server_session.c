#include "server_session.h"

#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "dialect/session_settings.h"

/* ---- what both ends pin */

/* `version` may be NULL; otherwise it gets the server's version(). */
static bool
pin_settings(struct connection *conn, enum session_end end, char *version, size_t version_bytes,
			 struct error *err)
{
	struct result *res;
	struct buffer sql;

	if (!connection_execute(conn, SESSION_SETTINGS_FIRST, NULL, 0, NULL, err))
		return false;
	sql_init(&sql);
	session_settings_put(&sql, end, connection_server_version(conn));
	if (!connection_execute_buffer(conn, &sql, &res, err))
		return false;
	if (version)
		snprintf(version, version_bytes, "%s", result_rows(res) > 0 ? result_text(res, 0, 1) : "");
	result_free(res);
	return true;
}

/* ---- the source */

static struct connection *
open_source(struct loop *loop, const struct config *config, enum connection_kind kind,
			const char *application, struct error *err)
{
	struct connection *conn =
		connection_open(loop, "source", config->source.conninfo, kind, application, err);

	if (!conn || pin_settings(conn, SESSION_SOURCE, NULL, 0, err))
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

/* version() up to where it tells of the build and the compiler. */
static void
shorten_version(char *version)
{
	char *build = strstr(version, " build "); /* within Greenplum's parentheses */
	char *platform = strstr(version, " on ");

	if (build)
		strcpy(build, ")");
	else if (platform)
		*platform = '\0';
}

/* NULL, and the error says why. */
static const struct dialect *
choose_dialect(char *version, const char *configured, struct error *err)
{
	const struct dialect *detected = dialect_by_version(version);
	bool automatic = strcmp(configured, "auto") == 0;
	const struct dialect *chosen = automatic ? detected : dialect_by_name(configured);

	shorten_version(version);
	if (!chosen && automatic) {
		error_set(err, ERROR_CONFIG, "the destination says it is %s, which is none of the known dialects",
				  version);
		error_hint(err, "Set destination.dialect to the one it resembles most.");
	} else if (!chosen) {
		error_set(err, ERROR_CONFIG, "destination.dialect: \"%s\" is not known", configured);
	} else if (detected && chosen != detected) {
		error_set(err, ERROR_CONFIG, "destination.dialect is \"%s\", but the server is %s, which is \"%s\"",
				  configured, version, detected->name);
		error_hint(err, "Set destination.dialect to auto, or leave it out.");
		return NULL;
	}
	return chosen;
}

/* Triggers and foreign keys were obeyed at the source already. */
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

/* pg_blocking_pids() came with PostgreSQL 9.6. */
static const char activity_sql[] =
	"SELECT a.state OPERATOR(pg_catalog.=) 'active',"
	" coalesce(a.wait_event_type OPERATOR(pg_catalog.=) 'Lock', false),"
	" (SELECT pg_catalog.string_agg(pg_catalog.format('process %s (%s, %s)', b.pid, b.usename, "
	"b.application_name), ', ')"
	"  FROM pg_catalog.pg_stat_activity b"
	"  WHERE b.pid OPERATOR(pg_catalog.=) ANY (pg_catalog.pg_blocking_pids(a.pid)))"
	" FROM pg_catalog.pg_stat_activity a WHERE a.pid OPERATOR(pg_catalog.=) $1::pg_catalog.int4";

/* Of Greenplum 6: who holds a lock on what the session waits for a lock on. */
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

#define HAS_BLOCKING_PIDS 90600

static bool
prepare_destination(struct destination_session *session, const char *configured, struct error *err)
{
	char version[512];

	connection_watch_stalls(session->conn, connection_server_version(session->conn) >= HAS_BLOCKING_PIDS
											   ? activity_sql
											   : activity_sql_of_old);
	if (!pin_settings(session->conn, SESSION_DESTINATION, version, sizeof version, err))
		return error_context(err, "setting up the session at the destination");
	session->dialect = choose_dialect(version, configured, err);
	if (!session->dialect)
		return false;
	if (session->dialect->has_segments)
		connection_set_greenplum(session->conn);
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
	if (prepare_destination(session, config->destination.dialect, err))
		return true;
	connection_close(session->conn);
	session->conn = NULL;
	return false;
}

/* ---- others' sessions */

bool
server_session_terminate(struct connection *conn, int pid, struct error *err)
{
	char sql[64];

	snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", pid);
	return connection_execute(conn, sql, NULL, 0, NULL, err);
}
