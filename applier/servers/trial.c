#include "trial.h"

static bool
execute(struct connection *conn, const char *sql, struct error *err)
{
	return connection_execute(conn, sql, NULL, 0, NULL, err);
}

bool
trial_execute(struct connection *conn, const char *sql, struct error *refusal, struct error *err)
{
	error_clear(refusal);
	if (!execute(conn, "SAVEPOINT sluice_try", err))
		return false;
	if (execute(conn, sql, err))
		return execute(conn, "RELEASE SAVEPOINT sluice_try", err);
	if (err->class == ERROR_RETRY || err->class == ERROR_STOPPED || !err->sqlstate[0])
		return false;
	*refusal = *err;
	error_clear(err);
	return execute(conn, "ROLLBACK TO SAVEPOINT sluice_try", err);
}
