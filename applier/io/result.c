#include "result.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sqlstate.h"

/* A struct result is a PGresult; higher layers do not see that type. */

unsigned
result_rows(const struct result *res)
{
	return (unsigned) PQntuples((const PGresult *) res);
}

const char *
result_text(const struct result *res, unsigned row, unsigned column)
{
	return PQgetvalue((const PGresult *) res, (int) row, (int) column);
}

bool
result_is_null(const struct result *res, unsigned row, unsigned column)
{
	return PQgetisnull((const PGresult *) res, (int) row, (int) column);
}

int64_t
result_int(const struct result *res, unsigned row, unsigned column)
{
	return strtoll(result_text(res, row, column), NULL, 10);
}

bool
result_bool(const struct result *res, unsigned row, unsigned column)
{
	return result_text(res, row, column)[0] == 't';
}

int64_t
result_affected(const struct result *res)
{
	return strtoll(PQcmdTuples((PGresult *) (uintptr_t) res), NULL, 10);
}

void
result_free(struct result *res)
{
	PQclear((PGresult *) res);
}

/* ---- errors */

/* Extracts the table's name from "COPY "schema"."name" (…", unquoted as in the server's messages. */
static void
copied_table(const char *sql, char *name, size_t name_bytes)
{
	const char *c = strchr(sql, '"');
	size_t len = 0;

	name[0] = '\0';
	while (c && *c == '"') {
		len = 0;
		for (c++; *c && (*c != '"' || c[1] == '"'); c++) {
			c += *c == '"';
			if (len + 1 < name_bytes)
				name[len++] = *c;
		}
		name[len] = '\0';
		c = *c && c[1] == '.' ? c + 2 : NULL;
	}
}

int64_t
result_copy_row(const char *context, const char *sql)
{
	char name[256];
	const char *at;

	copied_table(sql, name, sizeof name);
	at = name[0] ? strstr(context, name) : NULL;
	at = at ? at + strlen(name) : context;
	at += strcspn(at, "0123456789");
	return strtoll(at, NULL, 10);
}

/*
 * The last line of a COPY's context names the failed row; lines before it come from functions that the
 * COPY called.
 */
static void
add_copy_context(const char *context, const char *sql, struct error *err)
{
	const char *last = strrchr(context, '\n');

	last = last && last[1] ? last + 1 : context;
	err->copy_row = result_copy_row(last, sql);
	error_context(err, "%.300s", last);
}

static enum error_class
class_of(const char *sqlstate, bool greenplum)
{
	return sqlstate_class(sqlstate, greenplum) == SQLSTATE_RETRY ? ERROR_RETRY : ERROR_DATA;
}

static void
copy_field(char *out, size_t out_bytes, const char *field)
{
	snprintf(out, out_bytes, "%s", field ? field : "");
}

bool
result_failure(const PGresult *res, const struct result_origin *origin, struct error *err)
{
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);

	if (!sqlstate || !primary)
		return false;
	error_set(err, class_of(sqlstate, origin->greenplum), "%s: %s%s%s%s", origin->server, primary,
			  detail ? " (" : "", detail ? detail : "", detail ? ")" : "");
	snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
	copy_field(err->schema, sizeof err->schema, PQresultErrorField(res, PG_DIAG_SCHEMA_NAME));
	copy_field(err->table, sizeof err->table, PQresultErrorField(res, PG_DIAG_TABLE_NAME));
	/* Contexts of other statements are stack traces of functions. */
	if (context && origin->copy_in)
		add_copy_context(context, origin->copy_in, err);
	else if (context && origin->stream)
		error_context(err, "%.700s", context);
	if (hint)
		error_hint(err, "%s", hint);
	return true;
}
