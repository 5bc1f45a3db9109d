/*
 * A connection to a server: libpq on the loop, as a queue of requests.
 *
 * Requests are sent one after another.  Each ends with exactly one call of its
 * callback: with the result, or with the error.  After a failed request the
 * ones queued behind it are dropped without a call, since they were written in
 * the belief that it would succeed; the connection itself stays usable unless
 * it was lost.  Callbacks may queue requests; they must not pump the loop nor
 * destroy the connection.
 *
 * Errors of the server carry its SQLSTATE, and those that base/sqlstate.h wants to be tried again are
 * ERROR_RETRY, as is a lost connection.
 */
#ifndef SLUICE_CONNECTION_H
#define SLUICE_CONNECTION_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "buffer.h"
#include "loop.h"
#include "result.h"

struct connection;

enum connection_kind {
	CONNECTION_SQL,
	CONNECTION_REPLICATION, /* replication=database: simple queries only */
};

/*
 * Connects; pumps the loop meanwhile.  `name` ("source", "destination") is
 * what messages call the server; `application` becomes application_name.
 * NULL on failure: ERROR_REFUSED where the server does not want this login.
 */
struct connection *connection_open(struct loop *loop, const char *name, const char *conninfo,
								   enum connection_kind kind, const char *application, struct error *err);
/* The same without pumping: calls back in a turn of the loop, with the connection or with why there is none. */
typedef void (*connection_opened)(void *arg, struct connection *conn, const struct error *err);
struct opening;
struct opening *connection_open_later(struct loop *loop, const char *name, const char *conninfo,
									  enum connection_kind kind, const char *application,
									  connection_opened opened, void *arg);
/* Before it has called back: it will not.  NULL is allowed. */
void connection_open_abandon(struct opening *opening);
/* Ends the session without waiting for anything; NULL is allowed. */
void connection_close(struct connection *conn);
/* Drops what is queued or under way without a call; whatever is asked later fails as on a lost connection. */
void connection_abandon(struct connection *conn);
/* Nothing is queued or under way, and it is not known to be lost. */
bool connection_is_idle(const struct connection *conn);
/* The server ended it, or went away: also noticed, in a turn of the loop, while nothing is asked. */
bool connection_is_lost(const struct connection *conn);
/* Of an idle one: a transaction was begun and has not ended. */
bool connection_in_transaction(const struct connection *conn);
/* False when `conninfo` cannot be parsed; says why without repeating it. */
MUST_CHECK bool connection_check_conninfo(const char *conninfo, struct error *err);

/* The server is of Greenplum's family: some SQLSTATEs mean something else there. */
void connection_set_greenplum(struct connection *conn);
/*
 * From here on a request that is not answered for 15 s is looked into over another connection, by `sql`, where $1 is
 * the session's process id: one row of whether it is active, whether it waits for a lock, and who holds that; none
 * where it is gone.  Nothing that `sql` names may depend on the search path.  After a minute the log says what was found; a request that
 * the server does not work on is given up after ten minutes, with the connection (ERROR_RETRY).  Another call replaces `sql`.
 */
void connection_watch_stalls(struct connection *conn, const char *sql);
/* What such a look has found of the request that is still under way, for a person; NULL: nothing.  `ms` is for how
 * long nothing has come. */
const char *connection_stalled(const struct connection *conn, int64_t *ms);
/* How long the server has neither sent nor taken anything for what it was asked for; 0: it was asked for nothing. */
int64_t connection_waiting_ms(const struct connection *conn);
/* Asks the server to cancel the session's statement, from another thread: connection_close() may follow at once. */
void connection_cancel(struct connection *conn);
/* A number that those who use the session keep with it; 0 at first. */
void connection_set_note(struct connection *conn, int note);
int connection_note(const struct connection *conn);
/* server_version_num, without asking the server. */
int connection_server_version(const struct connection *conn);
/* The database's encoding, by the server's name for it. */
const char *connection_server_encoding(const struct connection *conn);
/* The server's process id for this session. */
int connection_backend_pid(const struct connection *conn);
/* As which role the session has logged in, and to which database. */
const char *connection_user(const struct connection *conn);
const char *connection_database(const struct connection *conn);
/* What identifies the database for a person: "host:port/dbname". */
const char *connection_target(const struct connection *conn);

/*
 * From here on requests are sent without waiting for the answers of those
 * before them (a COPY excepted), in one round trip.  Only for statements of a
 * transaction that the caller begins and ends: outside of one, those sent
 * together are one transaction.
 */
void connection_allow_pipelining(struct connection *conn);
/* Says of the request queued last that it ends a transaction: the next ones wait for its answer. */
void connection_end_transaction(struct connection *conn);

/* ---- requests */

/* A parameter ($1, $2 …): text, or the type's binary form.  data == NULL is NULL. */
struct param {
	const void *data;
	size_t len; /* of a binary one */
	bool binary;
};

static inline struct param
param_text(const char *text)
{
	return (struct param){.data = text};
}

/* `res` is NULL exactly when `err` is not.  The result dies after the call. */
typedef void (*connection_done)(void *arg, const struct result *res, const struct error *err);

enum copy_next { COPY_MORE, COPY_WAIT, COPY_END, COPY_ABORT };

/*
 * Delivers the next piece of a COPY FROM STDIN: appends to `out` and says
 * whether more will come, nothing is there yet (connection_resume() asks
 * again), this was the end, or the copy must fail.
 */
typedef enum copy_next (*copy_producer)(void *arg, struct buffer *out);

/* Takes one message of a COPY TO STDOUT or of a replication stream; false
 * pauses reading until connection_resume(). */
typedef bool (*copy_consumer)(void *arg, struct bytes message);

/* `sql` and the parameters are copied.  Without parameters it may hold several
 * statements; then the result is the last one's. */
void connection_query(struct connection *conn, const char *sql, const struct param *params,
					  unsigned param_count, connection_done done, void *arg);
/* The same for a statement that is prepared under `name` at its first use in this session. */
void connection_query_prepared(struct connection *conn, const char *name, const char *sql,
							   const struct param *params, unsigned param_count, connection_done done,
							   void *arg);
void connection_copy_in(struct connection *conn, const char *sql, copy_producer producer, void *producer_arg,
						connection_done done, void *arg);
/* COPY TO STDOUT, or START_REPLICATION: then connection_send() is possible
 * while it lasts. */
void connection_copy_out(struct connection *conn, const char *sql, copy_consumer consumer, void *consumer_arg,
						 connection_done done, void *arg);
/* Goes on with a COPY that was paused or waits for data. */
void connection_resume(struct connection *conn);
/* One message to the walsender.  A failure reaches the request's callback. */
void connection_send(struct connection *conn, const void *data, size_t len);

/*
 * Queues, pumps until it is done, and hands over the result, which the caller
 * frees.  `res` may be NULL where only success matters.  Once a stop was
 * requested the server has a few seconds to answer; then the connection is
 * abandoned, and the error is ERROR_STOPPED.
 */
MUST_CHECK bool connection_execute(struct connection *conn, const char *sql, const struct param *params,
								   unsigned param_count, struct result **res, struct error *err);
/* The same for the statement that a buffer holds, which is freed; without a `res` it may be empty: then nothing is asked. */
MUST_CHECK bool connection_execute_buffer(struct connection *conn, struct buffer *sql, struct result **res,
										  struct error *err);

#endif
