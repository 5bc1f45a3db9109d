#include "result.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A struct result is a PGresult that nobody above may touch. */

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

/* SQLSTATEs for which another try, or another session, may succeed. */
static bool
is_transient(const char *sqlstate)
{
	static const char *const transient[] = {
		"08",	 /* connection exceptions */
		"40",	 /* serialization failure, deadlock */
		"53300", /* too many connections */
		"55006", /* object in use: the slot is still active */
		"57P01", /* admin shutdown */
		"57P02", /* crash shutdown */
		"57P03", /* cannot connect now */
		"57P05", /* idle session timeout */
		"58M01", /* Greenplum: a segment went down */
	};

	for (size_t i = 0; i < sizeof transient / sizeof *transient; i++)
		if (strncmp(sqlstate, transient[i], strlen(transient[i])) == 0)
			return true;
	return false;
}

bool
result_failure(const PGresult *res, const char *server, struct error *err)
{
	const char *sqlstate = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
	const char *context = PQresultErrorField(res, PG_DIAG_CONTEXT);

	if (!sqlstate || !primary)
		return false;
	error_set(err, is_transient(sqlstate) ? ERROR_RETRY : ERROR_DATA, "%s: %s%s%s%s%s", server, primary,
			  detail ? " (" : "", detail ? detail : "", detail ? ")" : "", "");
	snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
	/* Only COPY's context names the row at fault; other contexts are stack traces. */
	if (context && strncmp(context, "COPY ", 5) == 0)
		error_context(err, "%.300s", context);
	if (hint)
		error_hint(err, "%s", hint);
	return true;
}
