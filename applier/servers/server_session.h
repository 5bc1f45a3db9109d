/*
 * The only way to open a session at the source or the destination: connects and applies the session
 * settings (session_settings.h) before any other statement.
 */
#ifndef SLUICE_SERVER_SESSION_H
#define SLUICE_SERVER_SESSION_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"

/* A session at the destination, and what is known about that server. */
struct destination_session {
	struct connection *conn;
	const struct dialect *dialect; /* see dialect_choose() */
	/* whether triggers, rules and foreign keys are off; needs a right that the user may lack */
	bool triggers_off;

	/* for the prechecks */
	const struct dialect *detected; /* see dialect_detect() */
	char found[400];				/* text of dialect_describe() */
	char storages[64];				/* as in struct dialect_facts */
	/* settings that the server refused and that the session goes without; "": none */
	char refused[512];
};

/*
 * Each call runs the loop until the session is open. `application` becomes application_name. NULL on
 * failure.
 */
struct connection *server_session_source(struct loop *loop, const struct config *config,
										 const char *application, struct error *err);
struct connection *server_session_replication(struct loop *loop, const struct config *config,
											  const char *application, struct error *err);
/* On failure nothing is left open, and session->conn is NULL. */
MUST_CHECK bool server_session_destination(struct loop *loop, const struct config *config,
										   const char *application, struct destination_session *session,
										   struct error *err);

/*
 * The same for a session of the daemon that writes for the task: it joins the task's writers (state/lease.h).  `epoch` is
 * that of the daemon's claim, and another one at the destination an ERROR_REPLACED; WRITER_TAKES_LOCK for the sessions that
 * claim the task.
 */
#define WRITER_TAKES_LOCK INT64_C(-1)
MUST_CHECK bool server_session_writer(struct loop *loop, const struct config *config, const char *application,
									  int64_t epoch, struct destination_session *session, struct error *err);

/*
 * Sessions use UTF-8, and the servers convert. The exception is a source in SQL_ASCII: the encoding of its
 * text is unknown, so the text is passed on as it is stored, and the destination reports what is not
 * valid in its own encoding. (With SQL_ASCII as the client's encoding, COPY in text format would check nothing.)
 * To be called for each session at the destination that receives such text.
 */
MUST_CHECK bool server_session_match_bytes(struct connection *conn, const struct connection *source,
										   struct error *err);

/* Terminates the session of another backend of the same server. */
MUST_CHECK bool server_session_terminate(struct connection *conn, int pid, struct error *err);

#endif
