/*
 * A connection to a server: libpq on the loop, as a queue of requests.
 *
 * Requests are executed one after another. Each ends with exactly one call of its callback, with the
 * result or the error. After a failed request, those queued behind it are dropped without a call, since
 * they assumed that it would succeed; the connection stays usable unless it was lost. Callbacks may queue
 * requests; they must not pump the loop or close the connection.
 *
 * Errors of the server carry its SQLSTATE. Those that base/sqlstate.h classifies as worth another try are
 * ERROR_RETRY, and so is a lost connection.
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
 * Connects, pumping the loop meanwhile. `name` ("source", "destination") is the server's name in messages;
 * `application` becomes application_name. NULL on failure; ERROR_REFUSED if the server refuses this login.
 */
struct connection *connection_open(struct loop *loop, const char *name, const char *conninfo,
								   enum connection_kind kind, const char *application, struct error *err);
/* The same without pumping: `opened` is called from the loop, with the connection or with the error. */
typedef void (*connection_opened)(void *arg, struct connection *conn, const struct error *err);
struct opening;
struct opening *connection_open_later(struct loop *loop, const char *name, const char *conninfo,
									  enum connection_kind kind, const char *application,
									  connection_opened opened, void *arg);
/* Cancels before `opened` was called: it will not be called. NULL is allowed. */
void connection_open_abandon(struct opening *opening);
/* Ends the session without waiting for running requests; NULL is allowed. */
void connection_close(struct connection *conn);
/* Drops all requests without calling their callbacks; later requests fail as on a lost connection. */
void connection_abandon(struct connection *conn);
/* Declares the connection lost, from a callback or elsewhere: running requests fail with `why` in the next turn of the loop. */
void connection_give_up(struct connection *conn, const struct error *why);
/* Whether no request is queued or running, and the connection is not known to be lost. */
bool connection_is_idle(const struct connection *conn);
/*
 * Whether the connection was lost. This is also noticed while no request is running, in a turn of the
 * loop.
 */
bool connection_is_lost(const struct connection *conn);
/* For an idle connection: whether a transaction is open. */
bool connection_in_transaction(const struct connection *conn);
/*
 * False if `conninfo` cannot be parsed; the error does not repeat it, since it may contain a password.
 */
MUST_CHECK bool connection_check_conninfo(const char *conninfo, struct error *err);

/* Declares whether errors of the server have the class that they have on Greenplum (sqlstate_class()); not at first. */
void connection_set_greenplum(struct connection *conn, bool greenplum);
/*
 * From now on, if a request is not answered for 15 s, `sql` is executed over another connection.  It takes the session's
 * process id as $1 and returns one row: whether the session is active, whether it waits for a lock, who holds that lock;
 * no row if the session is gone.  It must not depend on the search path.  After a minute the result is logged.  A request
 * that the server is not working on is given up after ten minutes, and the connection with it (ERROR_RETRY).  Another call
 * replaces `sql`.
 */
void connection_watch_stalls(struct connection *conn, const char *sql);
/*
 * The last such result for the running request, as text for a person; NULL: none. *ms becomes the time
 * since the server last answered anything.
 */
const char *connection_stalled(const struct connection *conn, int64_t *ms);
/* For how long the server has neither sent nor accepted data for the running request; 0: no request. */
int64_t connection_waiting_ms(const struct connection *conn);
/*
 * Asks the server to cancel the session's statement. This happens on another thread; connection_close()
 * may follow at once. The request may be lost, and meets whatever the session does when it arrives. Nothing is done
 * while an earlier one is being sent.
 */
void connection_cancel(struct connection *conn);
/* A number that users of the session store with it; initially 0. */
void connection_set_note(struct connection *conn, int note);
int connection_note(const struct connection *conn);
/* server_version_num, known without a query. */
int connection_server_version(const struct connection *conn);
/* The server's name of the database's encoding. */
const char *connection_server_encoding(const struct connection *conn);
/* The server's process id for this session.  Until it is set it is what the login told, which may be a pooler's. */
int connection_backend_pid(const struct connection *conn);
void connection_set_backend_pid(struct connection *conn, int pid);
/* The role and the database of the session. */
const char *connection_user(const struct connection *conn);
const char *connection_database(const struct connection *conn);
/* Identifies the database for a person: "host:port/dbname". */
const char *connection_target(const struct connection *conn);

/*
 * From now on requests are sent in one round trip, without waiting for the answers of earlier ones, except
 * for COPY. Only for statements in a transaction that the caller begins and ends: outside of one, the
 * statements sent together would form one transaction.
 */
void connection_allow_pipelining(struct connection *conn);
/* Declares that the request queued last ends a transaction: later requests wait for its answer. */
void connection_end_transaction(struct connection *conn);

/* ---- requests */

/* A parameter ($1, $2 …): text, or the binary form of its type. data == NULL is an SQL NULL. */
struct param {
	const void *data;
	size_t len; /* only for binary ones */
	bool binary;
};

static inline struct param
param_text(const char *text)
{
	return (struct param){.data = text};
}

/* `res` is NULL exactly when `err` is not. The result is freed after the call. */
typedef void (*connection_done)(void *arg, const struct result *res, const struct error *err);

enum copy_next { COPY_MORE, COPY_WAIT, COPY_END, COPY_ABORT };

/*
 * Produces the next piece of a COPY FROM STDIN: appends it to `out` and returns whether more will follow,
 * nothing is available yet (connection_resume() asks again), this was the end, or the copy must fail.
 */
typedef enum copy_next (*copy_producer)(void *arg, struct buffer *out);

/*
 * Receives one message of a COPY TO STDOUT or a replication stream; returning false pauses reading until
 * connection_resume().
 */
typedef bool (*copy_consumer)(void *arg, struct bytes message);

/*
 * `sql` and the parameters are copied. Without parameters, `sql` may contain several statements; the
 * result is then that of the last one.
 */
void connection_query(struct connection *conn, const char *sql, const struct param *params,
					  unsigned param_count, connection_done done, void *arg);
/* The same for a statement that is prepared as `name` when it is first used in the session. */
void connection_query_prepared(struct connection *conn, const char *name, const char *sql,
							   const struct param *params, unsigned param_count, connection_done done,
							   void *arg);
/*
 * Forgets a prepared statement that was not among the last `uses` executed ones and returns its name, which the caller
 * has to DEALLOCATE before anything else is sent; NULL: there is none, or they were looked for less than `uses`
 * executions ago. The name is valid until the next call.
 */
const char *connection_take_unused(struct connection *conn, uint64_t uses);
void connection_copy_in(struct connection *conn, const char *sql, copy_producer producer, void *producer_arg,
						connection_done done, void *arg);
/* For COPY TO STDOUT or START_REPLICATION; connection_send() may be used during the latter. */
void connection_copy_out(struct connection *conn, const char *sql, copy_consumer consumer, void *consumer_arg,
						 connection_done done, void *arg);
/* Continues a COPY that was paused or waits for data. */
void connection_resume(struct connection *conn);
/* Sends one message to the walsender. A failure is reported to the request's callback. */
void connection_send(struct connection *conn, const void *data, size_t len);

/*
 * Executes a request, pumping the loop until it is done. The caller frees the result; `res` may be NULL if
 * only success matters. After a stop was requested, the server has a few seconds to answer; then the
 * connection is abandoned and the error is ERROR_STOPPED.
 */
MUST_CHECK bool connection_execute(struct connection *conn, const char *sql, const struct param *params,
								   unsigned param_count, struct result **res, struct error *err);
/* The same for a request that may take long; `turn` (NULL: none) is called in each turn of the loop meanwhile. */
MUST_CHECK bool connection_execute_long(struct connection *conn, const char *sql, loop_callback turn,
										void *turn_arg, struct result **res, struct error *err);
/*
 * The same for the SQL text in a buffer, which is freed. If `res` is NULL the buffer may be empty: then
 * nothing is sent.
 */
MUST_CHECK bool connection_execute_buffer(struct connection *conn, struct buffer *sql, struct result **res,
										  struct error *err);

#endif
