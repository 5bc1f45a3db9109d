#include "connection_parts.h"

#include "base/sql.h"

/* How long the server may take to answer after a stop was requested. */
#define STOP_GRACE_MS 3000

struct execution {
	struct connection *conn;
	bool over;
	PGresult *result;
	struct error *err;
	bool failed;
	struct loop_timer *deadline; /* starts when a stop is requested */
	bool overdue;
	loop_callback turn; /* NULL: none */
	void *turn_arg;
};

static void
on_executed(void *arg, const struct result *res, const struct error *err)
{
	struct execution *e = arg;

	e->over = true;
	e->failed = err != NULL;
	if (err)
		*e->err = *err;
	else
		e->result = PQcopyResult((const PGresult *) res, PG_COPYRES_TUPLES);
}

static void
on_overdue(void *arg)
{
	((struct execution *) arg)->overdue = true;
}

static bool
execution_is_over(void *arg)
{
	struct execution *e = arg;

	if (e->turn)
		e->turn(e->turn_arg);
	if (!e->over && !e->deadline && loop_stop_requested(e->conn->loop)) {
		e->deadline = loop_timer_create(e->conn->loop, on_overdue, e);
		loop_timer_arm(e->deadline, STOP_GRACE_MS);
	}
	return e->over || e->overdue;
}

/* Waits for the request that was queued last. */
static bool
finish(struct execution *e, struct result **res)
{
	struct connection *conn = e->conn;

	loop_run_until(conn->loop, execution_is_over, e);
	loop_timer_destroy(e->deadline);
	if (!e->over) {
		connection_abandon(conn);
		return error_set(e->err, ERROR_STOPPED, "stopped while the %s had not answered", conn->name);
	}
	if (e->failed)
		return false;
	if (res)
		*res = (struct result *) e->result;
	else
		PQclear(e->result);
	return true;
}

bool
connection_execute(struct connection *conn, const char *sql, const struct param *params, unsigned param_count,
				   struct result **res, struct error *err)
{
	struct execution e = {.conn = conn, .err = err};

	connection_query(conn, sql, params, param_count, on_executed, &e);
	return finish(&e, res);
}

bool
connection_execute_long(struct connection *conn, const char *sql, loop_callback turn, void *turn_arg,
						struct result **res, struct error *err)
{
	struct execution e = {.conn = conn, .err = err, .turn = turn, .turn_arg = turn_arg};

	connection_query(conn, sql, NULL, 0, on_executed, &e);
	return finish(&e, res);
}

bool
connection_execute_buffer(struct connection *conn, struct buffer *sql, struct result **res, struct error *err)
{
	bool done = (sql->len == 0 && !res) || connection_execute(conn, sql_text(sql), NULL, 0, res, err);

	buffer_fini(sql);
	return done;
}
