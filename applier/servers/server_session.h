/*
 * The one way to a session at either end: connects, and pins what sessions pin (session_settings.h) before
 * anything else is asked.
 */
#ifndef SLUICE_SERVER_SESSION_H
#define SLUICE_SERVER_SESSION_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"

/* A session at the destination, and what was found out about it. */
struct destination_session {
	struct connection *conn;
	const struct dialect *dialect; /* see dialect_choose() */
	bool triggers_off;			   /* triggers, rules and foreign keys are off, where this user may do so */

	/* for the prechecks */
	const struct dialect *detected; /* see dialect_detect() */
	char found[400];				/* dialect_describe() */
	char storages[64];				/* as in struct dialect_facts */
	char refused[512];				/* settings that the server refuses and that it does without; "": none */
};

/* Each pumps the loop.  `application` becomes application_name.  NULL on failure. */
struct connection *server_session_source(struct loop *loop, const struct config *config,
										 const char *application, struct error *err);
struct connection *server_session_replication(struct loop *loop, const struct config *config,
											  const char *application, struct error *err);
/* On failure nothing is left open, and session->conn is NULL. */
MUST_CHECK bool server_session_destination(struct loop *loop, const struct config *config,
										   const char *application, struct destination_session *session,
										   struct error *err);

/*
 * Everything is UTF-8 here: servers convert what they send and get.  Only the text of a source in SQL_ASCII, whose
 * encoding nobody knows, goes through as it is stored; the destination then says where it is not valid.  To be called
 * for each session at the destination that gets such text.
 */
MUST_CHECK bool server_session_match_bytes(struct connection *conn, const struct connection *source,
										   struct error *err);

/* Ends the session of another one of the server's processes. */
MUST_CHECK bool server_session_terminate(struct connection *conn, int pid, struct error *err);

#endif
