#include "connection_parts.h"

/*
 * In a pipeline, the answer to each command ends with a NULL from PQgetResult(), and the pipeline's end
 * has a result of its own. After a failed command the server skips everything up to that end, so later
 * requests were sent but are not executed.
 */

static bool
can_be_pipelined(const struct request *req)
{
	return req->kind == REQUEST_QUERY || req->kind == REQUEST_PREPARED;
}

bool
connection_pipeline_is_wanted(const struct connection *conn)
{
	const struct request *head = conn->head;

	return conn->pipelining && !head->ends_pipeline && head->state == REQUEST_QUEUED && head->next &&
		   can_be_pipelined(head) && can_be_pipelined(head->next);
}

static bool
send_execute(struct connection *conn, struct request *req)
{
	int count = (int) req->param_count;
	const char *const *values = (const char *const *) req->values;

	conn->commands++;
	connection_start_clock(req);
	if (req->kind == REQUEST_PREPARED) {
		prepared_note_use(&conn->prepared, req->statement);
		return PQsendQueryPrepared(conn->pg, req->statement, count, values, req->lengths, req->formats, 0);
	}
	return PQsendQueryParams(conn->pg, req->sql, count, NULL, values, req->lengths, req->formats, 0);
}

static bool
send_request(struct connection *conn, struct request *req)
{
	if (req->kind == REQUEST_PREPARED && !prepared_has(&conn->prepared, req->statement)) {
		prepared_add(&conn->prepared, req->statement);
		req->state = REQUEST_PREPARING;
		conn->commands++;
		if (!PQsendPrepare(conn->pg, req->statement, req->sql, 0, NULL))
			return false;
	} else {
		req->state = REQUEST_RUNNING;
	}
	return send_execute(conn, req);
}

static bool
end(struct connection *conn, enum connection_state state)
{
	connection_move(conn, state);
	return PQpipelineSync(conn->pg);
}

/* Sends the waiting requests and asks the server to answer, since this may not be the pipeline's end. */
static bool
send_waiting(struct connection *conn)
{
	bool sent = false;

	while (conn->unsent && can_be_pipelined(conn->unsent)) {
		struct request *req = conn->unsent;

		conn->unsent = req->next;
		if (!send_request(conn, req))
			return false;
		if (req->ends_pipeline)
			return end(conn, CONNECTION_SYNCING);
		sent = true;
	}
	return !sent || PQsendFlushRequest(conn->pg);
}

/* To be called when the answer to a command is complete. */
static enum step
end_command(struct connection *conn)
{
	struct request *head = conn->head;

	conn->commands--;
	if (conn->state == CONNECTION_SKIPPING)
		return STEP_AGAIN;
	if (head->state == REQUEST_PREPARING && head->err.class == ERROR_NONE) {
		head->state = REQUEST_RUNNING;
		return STEP_AGAIN;
	}
	if (head->err.class != ERROR_NONE) {
		bool ending = conn->state == CONNECTION_SYNCING;

		connection_finish_head(conn);
		/* The request's owner may have abandoned the connection. */
		if (conn->state == CONNECTION_LOST)
			return STEP_LOST;
		if (ending)
			connection_move(conn, CONNECTION_SKIPPING);
		return ending || end(conn, CONNECTION_SKIPPING) ? STEP_AGAIN : STEP_LOST;
	}
	connection_finish_head(conn);
	return STEP_AGAIN;
}

static enum step
take_result(struct connection *conn, PGresult *res)
{
	if (PQresultStatus(res) == PGRES_PIPELINE_SYNC) {
		PQclear(res);
		connection_move(conn, CONNECTION_READY);
		return PQexitPipelineMode(conn->pg) ? STEP_AGAIN : STEP_LOST;
	}
	/* A result that arrives without a pending request, such as the FATAL message of a terminated session, is dropped. */
	if (conn->state != CONNECTION_SKIPPING && conn->head)
		return connection_take_result(conn, conn->head, res);
	PQclear(res);
	return STEP_AGAIN;
}

static bool
enter(struct connection *conn)
{
	connection_move(conn, CONNECTION_PIPELINE);
	conn->unsent = conn->head;
	conn->commands = 0;
	return PQenterPipelineMode(conn->pg);
}

enum step
connection_pipeline_step(struct connection *conn)
{
	PGresult *res;

	if (conn->state == CONNECTION_READY && !enter(conn))
		return STEP_LOST;
	if (conn->state == CONNECTION_PIPELINE) {
		if (!send_waiting(conn) || (conn->commands == 0 && !end(conn, CONNECTION_SYNCING)))
			return STEP_LOST;
	}
	if (PQisBusy(conn->pg))
		return STEP_WAIT;
	res = PQgetResult(conn->pg);
	if (res)
		return take_result(conn, res);
	if (PQstatus(conn->pg) == CONNECTION_BAD || conn->commands == 0 ||
		(!conn->head && conn->state != CONNECTION_SKIPPING))
		return STEP_LOST;
	return end_command(conn);
}
