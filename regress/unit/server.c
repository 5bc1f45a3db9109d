#include "server.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "dialect/session_settings.h"

#define SQL_LIMIT ((size_t) 1 << 20)

struct server {
	PGconn *conn;
	const struct dialect *dialect;
	char problem[512];
};

static bool
failed(struct server *server, const char *sql, const char *why)
{
	snprintf(server->problem, sizeof server->problem, "%.200s: %.300s", sql, why);
	return false;
}

const char *
server_problem(const struct server *server)
{
	return server->problem;
}

const struct dialect *
server_dialect(const struct server *server)
{
	return server->dialect;
}

/* ---- statements */

static bool
is_ok(struct server *server, const char *sql, PGresult *res, int64_t *affected)
{
	ExecStatusType status = PQresultStatus(res);
	bool ok = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;

	if (!ok)
		failed(server, sql, PQresultErrorMessage(res));
	if (ok && affected)
		*affected = strtoll(PQcmdTuples(res), NULL, 10);
	PQclear(res);
	return ok;
}

static bool
execute(struct server *server, const char *sql, int64_t *affected)
{
	return is_ok(server, sql, PQexec(server->conn, sql), affected);
}

static bool
execute_buffer(struct server *server, struct buffer *sql)
{
	bool ok;

	buffer_put_u8(sql, '\0');
	ok = !sql->failed && execute(server, (const char *) sql->data, NULL);
	buffer_fini(sql);
	return ok;
}

static bool
set_up_session(struct server *server)
{
	struct buffer sql;

	buffer_init(&sql, SQL_LIMIT, NULL, NULL);
	session_settings_put(&sql, SESSION_DESTINATION, PQserverVersion(server->conn));
	return execute_buffer(server, &sql) &&
		   (!server->dialect->remember_planner || execute(server, server->dialect->remember_planner, NULL));
}

static bool
execute_copy(struct server *server, const char *sql, struct bytes copied, int64_t *affected)
{
	PGresult *res = PQexec(server->conn, sql);
	bool ok = PQresultStatus(res) == PGRES_COPY_IN;

	if (!ok) {
		failed(server, sql, PQresultErrorMessage(res));
		PQclear(res);
		return false;
	}
	PQclear(res);
	if ((copied.len > 0 && PQputCopyData(server->conn, (const char *) copied.data, (int) copied.len) != 1) ||
		PQputCopyEnd(server->conn, NULL) != 1)
		return failed(server, sql, PQerrorMessage(server->conn));
	ok = is_ok(server, sql, PQgetResult(server->conn), affected);
	while ((res = PQgetResult(server->conn)))
		PQclear(res);
	return ok;
}

static bool
execute_prepared(struct server *server, const struct merge_step *step, int64_t *affected)
{
	const char *values[TABLE_MAX_KEY];
	int lengths[TABLE_MAX_KEY], formats[TABLE_MAX_KEY];

	for (unsigned i = 0; i < step->param_count; i++) {
		values[i] = step->params[i].data;
		lengths[i] = (int) step->params[i].len;
		formats[i] = step->params[i].binary;
	}
	return is_ok(
		server, step->sql,
		PQexecParams(server->conn, step->sql, (int) step->param_count, NULL, values, lengths, formats, 0),
		affected);
}

bool
server_execute(struct server *server, const struct merge_step *step, struct bytes copied, int64_t *affected)
{
	*affected = 0;
	switch (step->kind) {
	case MERGE_COPY:
		return execute_copy(server, step->sql, copied, affected);
	case MERGE_PREPARED:
		return execute_prepared(server, step, affected);
	default:
		return execute(server, step->sql, affected);
	}
}

bool
server_begin(struct server *server)
{
	return execute(server, "BEGIN", NULL);
}

bool
server_commit(struct server *server)
{
	return execute(server, "COMMIT", NULL);
}

/* ---- tables */

static void
put_text(struct buffer *sql, const char *text)
{
	buffer_put(sql, text, strlen(text));
}

static void
put_table(struct buffer *sql, const struct world_table *t)
{
	sql_qualified(sql, t->sketch.table.target_schema, t->sketch.table.target_name);
}

static bool
is_append_optimized(const struct server *server, const struct world_table *t)
{
	return server->dialect->has_segments && t->sketch.table.target.storage != TARGET_HEAP;
}

/* The columns of the key, in the order in which the target has them. */
static void
put_key(struct buffer *sql, const struct world_table *t)
{
	bool first = true;

	for (unsigned i = 0; i < t->sketch.table.target.column_count; i++) {
		const struct target_column *column = &t->sketch.target[i];

		if (!column->distribution_position)
			continue;
		put_text(sql, first ? "(" : ", ");
		sql_identifier(sql, column->name);
		first = false;
	}
	put_text(sql, ")");
}

static void
put_options(struct buffer *sql, const struct server *server, const struct world_table *t)
{
	bool partitioned = t->sketch.table.target.partitioned;

	if (!server->dialect->has_segments) {
		if (partitioned)
			put_text(sql, " PARTITION BY HASH (id)");
		return;
	}
	if (is_append_optimized(server, t))
		put_text(sql, t->sketch.table.target.storage == TARGET_AO_ROW
						  ? " WITH (appendonly=true, orientation=row)"
						  : " WITH (appendonly=true, orientation=column)");
	put_text(sql, t->keyed ? " DISTRIBUTED BY " : " DISTRIBUTED RANDOMLY");
	if (t->keyed)
		put_key(sql, t);
	if (partitioned)
		put_text(sql, " PARTITION BY RANGE (id) (START (0) END (8) EVERY (3), DEFAULT PARTITION others)");
}

static void
put_column(struct buffer *sql, const struct server *server, const struct target_column *column)
{
	sql_identifier(sql, column->name);
	buffer_printf(sql, " %s", column->formatted);
	if (column->generated && !server->dialect->has_segments)
		put_text(sql, " GENERATED ALWAYS AS ('computed') STORED");
	if (strcmp(column->name, "extra") == 0 || strcmp(column->name, "more") == 0)
		put_text(sql, " DEFAULT 'default'");
}

static bool
create_table(struct server *server, const struct world_table *t)
{
	struct buffer sql;

	buffer_init(&sql, SQL_LIMIT, NULL, NULL);
	put_text(&sql, "CREATE TABLE ");
	put_table(&sql, t);
	for (unsigned i = 0; i < t->sketch.table.target.column_count; i++) {
		put_text(&sql, i == 0 ? " (" : ", ");
		put_column(&sql, server, &t->sketch.target[i]);
	}
	if (t->keyed && !is_append_optimized(server, t)) {
		put_text(&sql, ", PRIMARY KEY ");
		put_key(&sql, t);
	}
	/* A unique constraint must contain the distribution key, or the partition key. */
	if (t->unique && !server->dialect->has_segments && !t->sketch.table.target.partitioned)
		put_text(&sql, ", UNIQUE (u)");
	put_text(&sql, ")");
	put_options(&sql, server, t);
	return execute_buffer(server, &sql);
}

static bool
create_partitions(struct server *server, const struct world_table *t)
{
	for (unsigned i = 0; i < 3; i++) {
		struct buffer sql;

		buffer_init(&sql, SQL_LIMIT, NULL, NULL);
		buffer_printf(&sql, "CREATE TABLE \"mo\"\"del\".p_%u_%u PARTITION OF ", t->number, i);
		put_table(&sql, t);
		buffer_printf(&sql, " FOR VALUES WITH (MODULUS 3, REMAINDER %u)", i);
		if (!execute_buffer(server, &sql))
			return false;
	}
	return true;
}

/* The columns of the minisql table, in its order. */
static void
put_columns(struct buffer *sql, const struct minisql_table *table)
{
	for (unsigned i = 0; i < table->column_count; i++) {
		if (i > 0)
			put_text(sql, ", ");
		sql_identifier(sql, table->columns[i]);
	}
}

static void
put_rows(struct buffer *data, const struct minisql_table *table, bool text)
{
	copy_put_start(data, text);
	for (unsigned i = 0; i < table->row_count; i++) {
		copy_put_row(data, text, table->column_count);
		for (unsigned c = 0; c < table->column_count; c++) {
			const struct cell *cell = &table->rows[i][c];

			if (cell->data)
				copy_put_field(data, text, c == 0, cell->data, cell->len);
			else
				copy_put_null(data, text, c == 0);
		}
		copy_put_row_end(data, text);
	}
	copy_put_end(data, text);
}

static bool
truncate(struct server *server, const struct world_table *t)
{
	struct buffer sql;

	buffer_init(&sql, SQL_LIMIT, NULL, NULL);
	put_text(&sql, "TRUNCATE ");
	put_table(&sql, t);
	return execute_buffer(server, &sql);
}

bool
server_fill(struct server *server, struct history *h, const struct world_table *t)
{
	struct buffer sql, data;
	int64_t affected;
	bool ok;

	(void) h;
	if (!truncate(server, t))
		return false;
	buffer_init(&sql, SQL_LIMIT, NULL, NULL);
	buffer_init(&data, SQL_LIMIT, NULL, NULL);
	put_text(&sql, "COPY ");
	put_table(&sql, t);
	put_text(&sql, " (");
	put_columns(&sql, t->target);
	buffer_printf(&sql, ") FROM STDIN%s", copy_format_clause(t->text));
	buffer_put_u8(&sql, '\0');
	put_rows(&data, t->target, t->text);
	ok = execute_copy(server, (const char *) sql.data, (struct bytes){data.data, data.len}, &affected);
	buffer_fini(&sql);
	buffer_fini(&data);
	return ok;
}

bool
server_create(struct server *server, struct history *h)
{
	/* A session keeps a file open for each table that it has used. */
	PQreset(server->conn);
	if (PQstatus(server->conn) != CONNECTION_OK)
		return failed(server, "reconnecting", PQerrorMessage(server->conn));
	PQsetClientEncoding(server->conn, "UTF8");
	if (!set_up_session(server) || !execute(server, "DROP SCHEMA IF EXISTS \"mo\"\"del\" CASCADE", NULL) ||
		!execute(server, "CREATE SCHEMA \"mo\"\"del\"", NULL) ||
		!execute(server, "CREATE DOMAIN \"mo\"\"del\".number AS integer", NULL) ||
		!execute(server, "CREATE DOMAIN \"mo\"\"del\".\"long text\" AS text NOT NULL", NULL))
		return false;
	for (unsigned i = 0; i < h->table_count; i++) {
		const struct world_table *t = &h->tables[i];

		if (t->shares)
			continue;
		if (!create_table(server, t) ||
			(t->sketch.table.target.partitioned && !server->dialect->has_segments &&
			 !create_partitions(server, t)) ||
			!server_fill(server, h, t))
			return false;
	}
	return true;
}

/* ---- reading */

static void
keep_rows(struct history *h, struct minisql_table *table, const PGresult *res)
{
	table->row_count = (unsigned) PQntuples(res);
	table->rows = arena_alloc(&h->arena, (table->row_count + 1) * sizeof(*table->rows));
	for (unsigned i = 0; i < table->row_count; i++) {
		table->rows[i] = arena_alloc_zero(&h->arena, MINISQL_COLUMNS * sizeof(**table->rows));
		for (unsigned c = 0; c < table->column_count; c++)
			if (!PQgetisnull(res, (int) i, (int) c))
				table->rows[i][c] = history_cell(h, PQgetvalue(res, (int) i, (int) c),
												 (size_t) PQgetlength(res, (int) i, (int) c));
	}
}

struct minisql_table *
server_read(struct server *server, struct history *h, const struct world_table *t)
{
	struct minisql_table *table = arena_alloc(&h->arena, sizeof *table);
	struct buffer sql;
	PGresult *res;

	*table = *t->target;
	buffer_init(&sql, SQL_LIMIT, NULL, NULL);
	put_text(&sql, "SELECT ");
	put_columns(&sql, table);
	put_text(&sql, " FROM ");
	put_table(&sql, t);
	buffer_put_u8(&sql, '\0');
	res = PQexecParams(server->conn, (const char *) sql.data, 0, NULL, NULL, NULL, NULL, !t->text);
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		keep_rows(h, table, res);
	else
		failed(server, (const char *) sql.data, PQresultErrorMessage(res));
	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		table = NULL;
	PQclear(res);
	buffer_fini(&sql);
	return table;
}

/* ---- the connection */

static bool
open_session(struct server *server, char problem[512])
{
	PGresult *res;

	if (PQstatus(server->conn) != CONNECTION_OK) {
		snprintf(problem, 512, "%s", PQerrorMessage(server->conn));
		return false;
	}
	PQsetClientEncoding(server->conn, "UTF8");
	res = PQexec(server->conn, dialect_facts_sql);
	if (PQntuples(res) == 1)
		server->dialect = dialect_detect(&(struct dialect_facts){
			.version = PQgetvalue(res, 0, 0),
			.server_version = atoi(PQgetvalue(res, 0, 1)),
			.has_distribution_policy = PQgetvalue(res, 0, 2)[0] == 't',
			.adbpg_version = PQgetvalue(res, 0, 4),
		});
	PQclear(res);
	if (server->dialect && set_up_session(server))
		return true;
	snprintf(problem, 512, "no dialect, or %.400s", server->problem);
	return false;
}

struct server *
server_open(const char *conninfo, char problem[512])
{
	struct server *server = calloc(1, sizeof *server);

	if (!server)
		abort();
	server->conn = PQconnectdb(conninfo);
	if (open_session(server, problem))
		return server;
	server_close(server);
	return NULL;
}

void
server_close(struct server *server)
{
	if (!server)
		return;
	PQfinish(server->conn);
	free(server);
}
