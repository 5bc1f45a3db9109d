/*
 * Shared by the parts of a connection.
 *
 *	connection           opens and closes, queues requests and executes them one by one
 *	connection_connect   reaches one of conninfo's hosts and logs in
 *	connection_request   a request; the names of the session's prepared statements
 *	connection_copy      the data of a COPY, in both directions
 *	connection_execute   a request for sequential code: pumps the loop until the answer is there
 *	connection_refusal   explains why a connection could not be made or was lost
 *	connection_stall     finds out why a request is not answered
 *	connection_pipeline  sends several requests before the first is answered
 */
#ifndef SLUICE_CONNECTION_PARTS_H
#define SLUICE_CONNECTION_PARTS_H

#include <libpq-fe.h>

#ifndef LIBPQ_HAS_PIPELINING
#error "sluice needs libpq 14 or later"
#endif

#include "base/keymap.h"
#include "connection.h"

enum request_kind { REQUEST_QUERY, REQUEST_PREPARED, REQUEST_COPY_IN, REQUEST_COPY_OUT };

/*
 * The state of the request at the head of the queue; in a pipeline, later requests leave REQUEST_QUEUED,
 * too.
 */
enum request_state {
	REQUEST_QUEUED,
	REQUEST_PREPARING, /* its statement is being prepared */
	REQUEST_RUNNING,
	REQUEST_COPYING_IN,
	REQUEST_COPYING_OUT,
	REQUEST_COPYING_BOTH,
};

struct request {
	struct request *next;
	enum request_kind kind;
	enum request_state state;
	char *sql;
	char *statement; /* REQUEST_PREPARED: name of the statement */
	char **values;
	int *lengths;
	int *formats;
	unsigned param_count;
	copy_producer producer;
	copy_consumer consumer;
	void *copy_arg;
	connection_done done;
	void *arg;
	PGresult *result;
	struct error err;
	int64_t sent_ns;	/* monotonic clock; 0: not sent */
	bool aborted;		/* the producer returned COPY_ABORT */
	bool ends_pipeline; /* later requests are not sent before this one is answered */
};

/*
 *	        several requests wait                none is left, or a COPY is next
 *	READY ────────────────────────────► PIPELINE ──────────────────────────────────► SYNCING ──► READY
 *	                                       └──── one fails ───► SKIPPING ──────────────────────► READY
 *
 *	any ──► LOST, which is the end
 */
enum connection_state {
	CONNECTION_READY,	 /* requests are executed one after another */
	CONNECTION_PIPELINE, /* requests are sent before earlier ones are answered */
	CONNECTION_SYNCING,	 /* the pipeline's end was sent; answers to earlier requests still arrive */
	CONNECTION_SKIPPING, /* the same, but those requests were dropped and their answers are ignored */
	CONNECTION_LOST,
};

/* The session's prepared statements, and how long each was not used. */
struct prepared {
	struct arena memory;
	struct keymap names; /* with their NUL */
	uint64_t *used;		 /* by number: `uses` at its last use; 0: the statement was forgotten */
	unsigned capacity;
	unsigned count; /* not forgotten */
	uint64_t uses;	/* of all statements together */
	uint64_t swept; /* `uses` when the last search for unused statements began */
	bool searching; /* for unused statements; `next` is the number with which it goes on */
	uint32_t next;
};

struct stall;
struct cancelling;

/* Limit for the buffer with a copy's data. */
#define COPY_CHUNK_LIMIT ((size_t) 1 << 30)

struct connection {
	struct loop *loop;
	PGconn *pg;
	struct loop_socket *socket;
	const char *name;
	bool greenplum;	 /* the server is Greenplum or a relative */
	int note;		 /* see connection_set_note() */
	int backend_pid; /* 0: as libpq says */
	char *target;
	enum connection_kind kind;
	enum connection_state state; /* changed only by connection_move() */
	struct request *head;
	struct request *tail;
	struct prepared prepared;
	struct buffer chunk;		   /* for the COPY at the head: what its producer returned last */
	size_t chunk_put;			   /* how much of it libpq has */
	enum copy_next chunk_next;	   /* what the producer returned with it */
	bool waiting;				   /* the COPY at the head waits for connection_resume() */
	int64_t progress_ms;		   /* when data was last sent or received, or a request begun */
	struct stall *stall;		   /* NULL: stalls are not watched */
	struct cancelling *cancelling; /* a request to cancel that is being sent; NULL: none */
	struct loop_timer *kick;	   /* advances the queue in a new turn of the loop */

	bool pipelining;		/* pipelining is allowed */
	struct request *unsent; /* in a pipeline: the first request that was not sent; NULL: none */
	unsigned commands;		/* commands that were sent and not answered completely */
};

/* ---- requests */

struct request *request_create(enum request_kind kind, const char *sql, connection_done done, void *arg);
void request_set_params(struct request *req, const struct param *params, unsigned count);
void request_free(struct request *req);

void prepared_init(struct prepared *prepared);
void prepared_fini(struct prepared *prepared);
bool prepared_has(const struct prepared *prepared, const char *name);
void prepared_add(struct prepared *prepared, const char *name);
/* The statement is executed once more. */
void prepared_note_use(struct prepared *prepared, const char *name);
void prepared_forget(struct prepared *prepared, const char *name);
/* See connection_take_unused(). */
const char *prepared_take_unused(struct prepared *prepared, uint64_t uses);

/* ---- stalls */

void connection_end_stall(struct stall *stall);
/*
 * Marks the connection as lost without calling back; the request at the head fails in the loop's next
 * turn.
 */
void connection_lose(struct connection *conn);

/* ---- requests to cancel */

void connection_end_cancelling(struct connection *conn);

/* ---- failures */

/* Writes libpq's last error message as one line. */
void connection_reason(PGconn *pg, char *out, size_t out_bytes);
struct connection_login {
	const char *name; /* the server's name in messages */
	enum connection_kind kind;
};

/*
 * Explains why `pg` could not be opened (it must have PQERRORS_VERBOSE) and whether another try may help.
 * ERROR_REFUSED: a person has to change something; ERROR_CONFIG: that is the conninfo itself.
 */
void connection_refused(PGconn *pg, const struct connection_login *login, struct error *err);
/* Whether the server of a failed login answered that it is a standby coordinator, or in recovery. */
bool connection_met_standby(PGconn *pg);
/* The same, given libpq's message and the identity used for the login. */
struct connection_identity {
	const char *user;
	const char *database;
	bool needs_password; /* none was given, and the server asked for one */
};
void connection_explain_refusal(const char *message, const struct connection_login *login,
								const struct connection_identity *identity, struct error *err);

/* ---- connecting */

/* Receives the connection, or the error. */
typedef void (*connection_connected)(void *arg, PGconn *pg, const struct error *err);

/* Connects on another thread; `done` is called from the loop. */
struct connecting *connection_connect(struct loop *loop, const struct connection_login *login,
									  const char *conninfo, const char *application,
									  connection_connected done, void *arg);
/* Cancels before `done` was called: it will not be called. */
void connection_connect_abandon(struct connecting *connecting);
/* Wraps `pg`, which then belongs to the returned connection. */
struct connection *connection_create(struct loop *loop, PGconn *pg, const struct connection_login *login);

/* ---- states */

/*
 * The only function that changes conn->state. Transitions that are not in the drawing above fail an
 * assertion.
 */
void connection_move(struct connection *conn, enum connection_state to);
/* Starts the request's clock, when it is sent. */
void connection_start_clock(struct request *req);

/* ---- executing the request at the head of the queue */

enum step { STEP_AGAIN, STEP_WAIT, STEP_LOST };

/* Stores the result, or its error, in the request. */
enum step connection_take_result(struct connection *conn, struct request *req, PGresult *res);
/*
 * Transfers data of the COPY at the head until the socket, the producer or the consumer has to be waited
 * for.
 */
enum step connection_step_copy_in(struct connection *conn, struct request *req);
enum step connection_step_copy_out(struct connection *conn, struct request *req);
/* To be called before a COPY's first piece and after its last. */
void connection_empty_chunk(struct connection *conn);
/*
 * Removes the head from the queue and calls its callback; after a failure the rest of the queue is
 * dropped.
 */
void connection_finish_head(struct connection *conn);

/* Whether the head and the request behind it can be sent together. */
bool connection_pipeline_is_wanted(const struct connection *conn);
enum step connection_pipeline_step(struct connection *conn);

#endif
