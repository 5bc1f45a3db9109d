#include "trial.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"

static bool
execute(struct connection *conn, const char *sql, struct error *err)
{
	return connection_execute(conn, sql, NULL, 0, NULL, err);
}

/* Whether the server has answered and would answer the same again. */
static bool
is_refusal(const struct error *err)
{
	return err->class != ERROR_RETRY && err->class != ERROR_STOPPED && err->sqlstate[0];
}

bool
trial_execute(struct connection *conn, const char *sql, struct error *refusal, struct error *err)
{
	bool inside = connection_in_transaction(conn);

	error_clear(refusal);
	if (inside && !execute(conn, "SAVEPOINT sluice_try", err))
		return false;
	if (execute(conn, sql, err))
		return !inside || execute(conn, "RELEASE SAVEPOINT sluice_try", err);
	if (!is_refusal(err))
		return false;
	*refusal = *err;
	error_clear(err);
	if (inside)
		return execute(conn, "ROLLBACK TO SAVEPOINT sluice_try", err);
	return !connection_in_transaction(conn) || execute(conn, "ROLLBACK", err);
}

bool
trial_or_without(struct connection *conn, const char *sql, bool *done, struct error *err, const char *what,
				 ...)
{
	char text[ERROR_MESSAGE_MAX];
	struct error refusal;
	va_list args;

	if (!trial_execute(conn, sql, &refusal, err))
		return false;
	*done = !refusal.message[0];
	va_start(args, what);
	vsnprintf(text, sizeof text, what, args);
	va_end(args);
	if (!*done)
		log_warning("the destination goes without %s: %s", text, refusal.message);
	return true;
}
