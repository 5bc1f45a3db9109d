#include "base/memory.h"
#include "connection_parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/sql.h"

static void advance(struct connection *conn);

/* ---- errors */

static bool
lost_error(const struct connection *conn, struct error *err)
{
	char message[ERROR_MESSAGE_MAX];

	connection_reason(conn->pg, message, sizeof message);
	return error_set(err, ERROR_RETRY, "lost the connection to the %s %s: %s", conn->name, conn->target,
					 message[0] ? message : "no reason given");
}

static bool
result_error(const struct connection *conn, const PGresult *res, struct error *err)
{
	const struct request *head = conn->head;
	struct result_origin origin = {
		.server = conn->name,
		.greenplum = conn->greenplum,
		.stream = conn->kind == CONNECTION_REPLICATION && head && head->kind == REQUEST_COPY_OUT,
		.copy_in = head && head->kind == REQUEST_COPY_IN ? head->sql : NULL,
	};

	if (!result_failure(res, &origin, err))
		lost_error(conn, err);
	return false;
}

static void
on_notice(void *arg, const PGresult *res)
{
	const struct connection *conn = arg;
	const char *message = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

	if (message)
		log_debug("%s: %s", conn->name, message);
}

/* ---- states */

static const char *const state_names[] = {
	[CONNECTION_READY] = "ready",		[CONNECTION_PIPELINE] = "pipeline", [CONNECTION_SYNCING] = "syncing",
	[CONNECTION_SKIPPING] = "skipping", [CONNECTION_LOST] = "lost",
};

#define TO(state) (1u << (state))

static const unsigned transitions[] = {
	[CONNECTION_READY] = TO(CONNECTION_PIPELINE) | TO(CONNECTION_LOST),
	[CONNECTION_PIPELINE] = TO(CONNECTION_SYNCING) | TO(CONNECTION_SKIPPING) | TO(CONNECTION_LOST),
	[CONNECTION_SYNCING] = TO(CONNECTION_READY) | TO(CONNECTION_SKIPPING) | TO(CONNECTION_LOST),
	[CONNECTION_SKIPPING] = TO(CONNECTION_READY) | TO(CONNECTION_LOST),
	[CONNECTION_LOST] = TO(CONNECTION_LOST),
};

void
connection_move(struct connection *conn, enum connection_state to)
{
	assert(transitions[conn->state] & TO(to));
	if (conn->state != to)
		log_debug("%s %d: %s → %s", conn->name, PQbackendPID(conn->pg), state_names[conn->state],
				  state_names[to]);
	conn->state = to;
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

void
connection_start_clock(struct request *req)
{
	if (req->sent_ns == 0)
		req->sent_ns = now_ns();
}

/* Logs the beginning of the statement. Parameters are left out: they are data. */
static void
log_time(const struct connection *conn, const struct request *req)
{
	double ms = req->sent_ns ? (double) (now_ns() - req->sent_ns) / 1e6 : 0;

	log_debug("%s %d: %.3f ms%s: %.200s%s", conn->name, PQbackendPID(conn->pg), ms,
			  req->err.class != ERROR_NONE ? ", failed" : "", req->sql, strlen(req->sql) > 200 ? "…" : "");
}

/* ---- opening and closing */

static char *
describe_target(PGconn *pg)
{
	char text[1024];
	const char *host = PQhost(pg);

	snprintf(text, sizeof text, "%s:%s/%s", host ? host : "", PQport(pg), PQdb(pg));
	return memory_strdup(text);
}

static void
on_kick(void *arg)
{
	advance(arg);
}

static void on_socket(void *arg, unsigned events);

struct connection *
connection_create(struct loop *loop, PGconn *pg, const struct connection_login *login)
{
	struct connection *conn = memory_alloc_zero(1, sizeof *conn);

	conn->loop = loop;
	conn->pg = pg;
	conn->name = login->name;
	conn->kind = login->kind;
	conn->target = describe_target(pg);
	memory_buffer_init_limited(&conn->chunk, COPY_CHUNK_LIMIT);
	prepared_init(&conn->prepared);
	PQsetnonblocking(conn->pg, 1);
	PQsetNoticeReceiver(conn->pg, on_notice, conn);
	conn->kick = loop_timer_create(loop, on_kick, conn);
	conn->socket = loop_socket_create(loop, PQsocket(conn->pg), on_socket, conn);
	loop_socket_watch(conn->socket, LOOP_READABLE);
	return conn;
}

static void
drop_queue(struct connection *conn)
{
	while (conn->head) {
		struct request *next = conn->head->next;

		if (conn->head->state == REQUEST_PREPARING)
			prepared_forget(&conn->prepared, conn->head->statement);
		request_free(conn->head);
		conn->head = next;
	}
	conn->tail = conn->unsent = NULL;
}

void
connection_close(struct connection *conn)
{
	if (!conn)
		return;
	drop_queue(conn);
	connection_end_stall(conn->stall);
	connection_end_cancelling(conn);
	loop_socket_destroy(conn->socket);
	loop_timer_destroy(conn->kick);
	PQfinish(conn->pg);
	prepared_fini(&conn->prepared);
	buffer_fini(&conn->chunk);
	free(conn->target);
	free(conn);
}

void
connection_abandon(struct connection *conn)
{
	connection_move(conn, CONNECTION_LOST);
	loop_socket_watch(conn->socket, 0);
	drop_queue(conn);
}

bool
connection_is_idle(const struct connection *conn)
{
	return !conn->head && conn->state != CONNECTION_LOST;
}

bool
connection_is_lost(const struct connection *conn)
{
	return conn->state == CONNECTION_LOST;
}

bool
connection_in_transaction(const struct connection *conn)
{
	return PQtransactionStatus(conn->pg) != PQTRANS_IDLE;
}

void
connection_allow_pipelining(struct connection *conn)
{
	conn->pipelining = true;
}

void
connection_end_transaction(struct connection *conn)
{
	if (conn->tail)
		conn->tail->ends_pipeline = true;
}

void
connection_set_greenplum(struct connection *conn, bool greenplum)
{
	conn->greenplum = greenplum;
}

void
connection_set_note(struct connection *conn, int note)
{
	conn->note = note;
}

int
connection_note(const struct connection *conn)
{
	return conn->note;
}

int
connection_server_version(const struct connection *conn)
{
	return PQserverVersion(conn->pg);
}

const char *
connection_server_encoding(const struct connection *conn)
{
	const char *encoding = PQparameterStatus(conn->pg, "server_encoding");

	return encoding ? encoding : "";
}

void
connection_set_backend_pid(struct connection *conn, int pid)
{
	conn->backend_pid = pid;
}

int
connection_backend_pid(const struct connection *conn)
{
	return conn->backend_pid ? conn->backend_pid : PQbackendPID(conn->pg);
}

const char *
connection_user(const struct connection *conn)
{
	return PQuser(conn->pg);
}

const char *
connection_database(const struct connection *conn)
{
	return PQdb(conn->pg);
}

const char *
connection_target(const struct connection *conn)
{
	return conn->target;
}

/* ---- the queue */

static void
enqueue(struct connection *conn, struct request *req)
{
	if (conn->tail)
		conn->tail->next = req;
	else
		conn->head = req;
	if (conn->head == req)
		conn->progress_ms = loop_now_ms(conn->loop);
	conn->tail = req;
	if (!conn->unsent && conn->state != CONNECTION_READY)
		conn->unsent = req;
	/* The queue is never advanced from here, since the caller may be one of our callbacks. */
	if (conn->head == req || conn->state == CONNECTION_PIPELINE)
		loop_timer_arm(conn->kick, 0);
}

void
connection_query(struct connection *conn, const char *sql, const struct param *params, unsigned param_count,
				 connection_done done, void *arg)
{
	struct request *req = request_create(REQUEST_QUERY, sql, done, arg);

	request_set_params(req, params, param_count);
	enqueue(conn, req);
}

void
connection_query_prepared(struct connection *conn, const char *name, const char *sql,
						  const struct param *params, unsigned param_count, connection_done done, void *arg)
{
	struct request *req = request_create(REQUEST_PREPARED, sql, done, arg);

	req->statement = memory_strdup(name);
	request_set_params(req, params, param_count);
	enqueue(conn, req);
}

const char *
connection_take_unused(struct connection *conn, uint64_t uses)
{
	return prepared_take_unused(&conn->prepared, uses);
}

void
connection_copy_in(struct connection *conn, const char *sql, copy_producer producer, void *producer_arg,
				   connection_done done, void *arg)
{
	struct request *req = request_create(REQUEST_COPY_IN, sql, done, arg);

	req->producer = producer;
	req->copy_arg = producer_arg;
	enqueue(conn, req);
}

void
connection_copy_out(struct connection *conn, const char *sql, copy_consumer consumer, void *consumer_arg,
					connection_done done, void *arg)
{
	struct request *req = request_create(REQUEST_COPY_OUT, sql, done, arg);

	req->consumer = consumer;
	req->copy_arg = consumer_arg;
	enqueue(conn, req);
}

void
connection_finish_head(struct connection *conn)
{
	struct request *req = conn->head;
	bool failed = req->err.class != ERROR_NONE;

	if (log_is_on(LOG_DEBUG))
		log_time(conn, req);
	conn->waiting = false;
	conn->progress_ms = loop_now_ms(conn->loop);
	conn->head = req->next;
	if (!conn->head)
		conn->tail = NULL;
	if (failed) {
		drop_queue(conn);
		if (req->state == REQUEST_PREPARING)
			prepared_forget(&conn->prepared, req->statement);
	}
	if (req->done)
		req->done(req->arg, failed ? NULL : (const struct result *) req->result, failed ? &req->err : NULL);
	request_free(req);
}

static void
fail_lost(struct connection *conn)
{
	connection_move(conn, CONNECTION_LOST);
	loop_socket_watch(conn->socket, 0);
	if (!conn->head)
		return;
	/* A FATAL message that arrived before explains more than "the connection closed". */
	if (conn->head->err.class == ERROR_NONE)
		lost_error(conn, &conn->head->err);
	connection_finish_head(conn);
}

static bool
send_prepare(struct connection *conn, struct request *req)
{
	prepared_add(&conn->prepared, req->statement);
	req->state = REQUEST_PREPARING;
	return PQsendPrepare(conn->pg, req->statement, req->sql, 0, NULL);
}

/* Sends the request at the head of the queue; false: the connection is lost. */
static bool
send_head(struct connection *conn)
{
	struct request *req = conn->head;
	int count = (int) req->param_count;
	const char *const *values = (const char *const *) req->values;

	connection_start_clock(req);
	if (req->kind == REQUEST_PREPARED && !prepared_has(&conn->prepared, req->statement))
		return send_prepare(conn, req);
	req->state = REQUEST_RUNNING;
	if (req->kind == REQUEST_PREPARED) {
		prepared_note_use(&conn->prepared, req->statement);
		return PQsendQueryPrepared(conn->pg, req->statement, count, values, req->lengths, req->formats, 0);
	}
	if (count > 0)
		return PQsendQueryParams(conn->pg, req->sql, count, NULL, values, req->lengths, req->formats, 0);
	return PQsendQuery(conn->pg, req->sql);
}

/* ---- progress of the request at the head */

enum step
connection_take_result(struct connection *conn, struct request *req, PGresult *res)
{
	switch (PQresultStatus(res)) {
	case PGRES_COPY_IN:
		connection_empty_chunk(conn); /* an earlier COPY may have ended early */
		req->state = REQUEST_COPYING_IN;
		break;
	case PGRES_COPY_OUT:
		req->state = REQUEST_COPYING_OUT;
		break;
	case PGRES_COPY_BOTH:
		req->state = REQUEST_COPYING_BOTH;
		break;
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_EMPTY_QUERY:
		PQclear(req->result);
		req->result = res;
		return STEP_AGAIN;
	default:
		if (req->err.class == ERROR_NONE)
			result_error(conn, res, &req->err);
		break;
	}
	PQclear(res);
	return STEP_AGAIN;
}

/* Detects a COPY request whose SQL was no COPY, or had another direction. */
static void
check_copy_kind(struct request *req)
{
	bool wants_copy = req->kind == REQUEST_COPY_IN || req->kind == REQUEST_COPY_OUT;

	if (req->err.class == ERROR_NONE && wants_copy && req->state == REQUEST_RUNNING && !req->result)
		error_set(&req->err, ERROR_BUG, "a COPY ended before it began");
}

static enum step
step_running(struct connection *conn, struct request *req)
{
	PGresult *res;

	if (PQisBusy(conn->pg))
		return STEP_WAIT;
	res = PQgetResult(conn->pg);
	if (res)
		return connection_take_result(conn, req, res);
	if (PQstatus(conn->pg) == CONNECTION_BAD)
		return STEP_LOST;
	if (req->state == REQUEST_PREPARING && req->err.class == ERROR_NONE)
		return send_head(conn) ? STEP_AGAIN : STEP_LOST;
	check_copy_kind(req);
	connection_finish_head(conn);
	return STEP_AGAIN;
}

static enum step
step_head(struct connection *conn)
{
	struct request *req = conn->head;

	if (conn->state != CONNECTION_READY || connection_pipeline_is_wanted(conn))
		return connection_pipeline_step(conn);
	switch (req->state) {
	case REQUEST_QUEUED:
		return send_head(conn) ? STEP_AGAIN : STEP_LOST;
	case REQUEST_PREPARING:
	case REQUEST_RUNNING:
		return step_running(conn, req);
	case REQUEST_COPYING_IN:
		/* Also if the server has failed the copy already: that shows at the end. */
		return connection_step_copy_in(conn, req);
	case REQUEST_COPYING_OUT:
	case REQUEST_COPYING_BOTH:
		return connection_step_copy_out(conn, req);
	}
	return STEP_WAIT;
}

/*
 * The kick is needed since libpq closes a socket that it found to be dead, even while writing: the socket
 * would cause no more events.
 */
void
connection_lose(struct connection *conn)
{
	connection_move(conn, CONNECTION_LOST);
	loop_socket_watch(conn->socket, 0);
	loop_timer_arm(conn->kick, 0);
}

void
connection_give_up(struct connection *conn, const struct error *why)
{
	if (conn->state == CONNECTION_LOST)
		return;
	if (conn->head && conn->head->err.class == ERROR_NONE)
		conn->head->err = *why;
	connection_lose(conn);
}

/* While a consumer is paused the socket is not read, so that libpq buffers no more data. */
static void
watch(struct connection *conn)
{
	const struct request *req = conn->head;
	bool copying_out = req && (req->state == REQUEST_COPYING_OUT || req->state == REQUEST_COPYING_BOTH);
	unsigned events = copying_out && conn->waiting ? 0 : LOOP_READABLE;
	int flushed = PQflush(conn->pg);

	if (flushed < 0 || PQstatus(conn->pg) == CONNECTION_BAD) {
		connection_lose(conn);
		return;
	}
	if (flushed > 0)
		events |= LOOP_WRITABLE;
	else if (req && req->state == REQUEST_COPYING_IN && !conn->waiting)
		loop_timer_arm(conn->kick, 0); /* the output has drained since the step returned */
	loop_socket_watch(conn->socket, events);
}

static void
advance(struct connection *conn)
{
	while ((conn->head || conn->state != CONNECTION_READY) && conn->state != CONNECTION_LOST) {
		enum step step = step_head(conn);

		if (step == STEP_WAIT)
			break;
		if (step == STEP_LOST) {
			fail_lost(conn);
			return;
		}
	}
	if (conn->state == CONNECTION_LOST) {
		fail_lost(conn);
		return;
	}
	watch(conn);
}

static void
on_socket(void *arg, unsigned events)
{
	struct connection *conn = arg;

	conn->progress_ms = loop_now_ms(conn->loop);
	if (events & LOOP_READABLE && !PQconsumeInput(conn->pg)) {
		/* Messages that arrived before the end, such as a FATAL error, are still read. */
		if (conn->head && (conn->head->state == REQUEST_RUNNING || conn->head->state == REQUEST_COPYING_OUT ||
						   conn->head->state == REQUEST_COPYING_BOTH)) {
			PGresult *res;

			while (!PQisBusy(conn->pg) && (res = PQgetResult(conn->pg)) != NULL) {
				ExecStatusType status = PQresultStatus(res);

				if (status == PGRES_FATAL_ERROR && conn->head->err.class == ERROR_NONE)
					result_error(conn, res, &conn->head->err);
				PQclear(res);
				if (status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH || status == PGRES_COPY_IN)
					break;
			}
		}
		fail_lost(conn);
		return;
	}
	advance(conn);
}

void
connection_resume(struct connection *conn)
{
	conn->progress_ms = loop_now_ms(conn->loop);
	conn->waiting = false;
	loop_timer_arm(conn->kick, 0);
}

void
connection_send(struct connection *conn, const void *data, size_t len)
{
	if (conn->state == CONNECTION_LOST || !conn->head || conn->head->state != REQUEST_COPYING_BOTH)
		return;
	if (PQputCopyData(conn->pg, data, (int) len) < 0 || PQflush(conn->pg) < 0)
		connection_lose(conn);
	else
		loop_timer_arm(conn->kick, 0);
}
