/*
 * What the parts of a connection share.
 *
 *	connection           opens and closes, takes requests, carries them out one by one
 *	connection_connect   reaches one of the conninfo's hosts and logs in
 *	connection_request   a request, and the statements that a session has prepared
 *	connection_copy      the rows of a COPY, one way or the other
 *	connection_execute   a request for sequential code: pumps the loop until the answer is here
 *	connection_refusal   why a connection could not be made, or was lost
 *	connection_stall     looks into a request that is not answered
 *	connection_pipeline  sends several requests before the first one's answer is here
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

/* Where a request of the queue stands: the head, and in a pipeline those behind it. */
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
	char *statement; /* REQUEST_PREPARED: its name */
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
	int64_t sent_ns;	/* by a monotonic clock; 0: not yet */
	bool aborted;		/* the producer gave up */
	bool ends_pipeline; /* the next one is not sent before the answer to this one */
};

/*
 *	        several requests wait                none is left, or a COPY is next
 *	READY ────────────────────────────► PIPELINE ──────────────────────────────────► SYNCING ──► READY
 *	                                       └──── one fails ───► SKIPPING ──────────────────────► READY
 *
 *	any ──► LOST, which is the end
 */
enum connection_state {
	CONNECTION_READY,	 /* one request is carried out after another */
	CONNECTION_PIPELINE, /* requests are sent before the answers to those before them */
	CONNECTION_SYNCING,	 /* the pipeline's end was sent: what was sent before is still answered */
	CONNECTION_SKIPPING, /* the same, but the answers are of requests that were dropped */
	CONNECTION_LOST,
};

/* Names of the statements that a session knows. */
struct prepared {
	struct arena memory;
	struct keymap names;
	bool *gone; /* by number: it was forgotten again */
	unsigned capacity;
};

struct stall;

/* What a connection keeps of a copy's rows at most. */
#define COPY_CHUNK_LIMIT ((size_t) 1 << 30)

struct connection {
	struct loop *loop;
	PGconn *pg;
	struct loop_socket *socket;
	const char *name;
	bool greenplum; /* the server is of that family */
	int note;		/* of others */
	char *target;
	enum connection_kind kind;
	enum connection_state state; /* connection_move() sets it */
	struct request *head;
	struct request *tail;
	struct prepared prepared;
	struct buffer chunk;	   /* of the copy at the head: what its producer made last, … */
	size_t chunk_put;		   /* … so much of which libpq has */
	enum copy_next chunk_next; /* what the producer said of it */
	bool waiting;			   /* the copy at the head waits for connection_resume() */
	int64_t progress_ms;	   /* when something last came, went, or was asked for */
	struct stall *stall;	   /* NULL: nobody watches */
	struct loop_timer *kick;   /* advances the queue from a turn of the loop's own */

	bool pipelining;		/* allowed */
	struct request *unsent; /* in a pipeline: the first one of the queue that was not sent; NULL: all were */
	unsigned commands;		/* sent, and their answers have not ended */
};

/* ---- requests */

struct request *request_create(enum request_kind kind, const char *sql, connection_done done, void *arg);
void request_set_params(struct request *req, const struct param *params, unsigned count);
void request_free(struct request *req);

void prepared_init(struct prepared *prepared);
void prepared_fini(struct prepared *prepared);
bool prepared_has(const struct prepared *prepared, const char *name);
void prepared_add(struct prepared *prepared, const char *name);
void prepared_forget(struct prepared *prepared, const char *name);

/* ---- stalls */

void connection_end_stall(struct stall *stall);
/* Ends the connection outside of what may call back; the head of the queue is told in the loop's next turn. */
void connection_lose(struct connection *conn);

/* ---- failures */

/* What libpq says last, as one line. */
void connection_reason(PGconn *pg, char *out, size_t out_bytes);
struct connection_login {
	const char *name; /* of the server, as messages call it */
	enum connection_kind kind;
};

/*
 * Why `pg`, with PQERRORS_VERBOSE, could not be opened, and whether another try may help: ERROR_REFUSED where a
 * person has to change something, ERROR_CONFIG where that is the conninfo alone.
 */
void connection_refused(PGconn *pg, const struct connection_login *login, struct error *err);
/* The same for libpq's message, and who has tried to log in. */
struct connection_identity {
	const char *user;
	const char *database;
	bool needs_password; /* none was given, and the server asked for one */
};
void connection_explain_refusal(const char *message, const struct connection_login *login,
								const struct connection_identity *identity, struct error *err);

/* ---- connecting */

/* The connection, or why there is none. */
typedef void (*connection_connected)(void *arg, PGconn *pg, const struct error *err);

/* On another thread; `done` is called back in the loop. */
struct connecting *connection_connect(struct loop *loop, const struct connection_login *login,
									  const char *conninfo, const char *application,
									  connection_connected done, void *arg);
/* Before it was called: it will not be. */
void connection_connect_abandon(struct connecting *connecting);
/* What goes around the connection, which becomes its own. */
struct connection *connection_create(struct loop *loop, PGconn *pg, const struct connection_login *login);

/* ---- states */

/* The only one that changes conn->state; only what the drawing above shows is possible. */
void connection_move(struct connection *conn, enum connection_state to);
/* The request is being sent: its time runs. */
void connection_start_clock(struct request *req);

/* ---- carrying out what is at the head of the queue */

enum step { STEP_AGAIN, STEP_WAIT, STEP_LOST };

/* Takes the result, or its error, for the request. */
enum step connection_take_result(struct connection *conn, struct request *req, PGresult *res);
/* Moves rows of the COPY at the head while the socket, the producer or the consumer goes along. */
enum step connection_step_copy_in(struct connection *conn, struct request *req);
enum step connection_step_copy_out(struct connection *conn, struct request *req);
/* Before a COPY's first row, and after its last. */
void connection_empty_chunk(struct connection *conn);
/* Takes the head off the queue and tells its owner; after a failure the rest is dropped. */
void connection_finish_head(struct connection *conn);

/* Whether the head and the one behind it can be sent together. */
bool pipeline_is_wanted(const struct connection *conn);
enum step pipeline_step(struct connection *conn);

#endif
