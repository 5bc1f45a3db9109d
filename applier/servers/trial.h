/*
 * Statements that the destination may refuse: a refused one is skipped and the log says so.
 *
 * In an open transaction they run under a savepoint. Otherwise the statements of one text form a
 * transaction of their own; a single statement that is not allowed in a transaction runs without one.
 */
#ifndef SLUICE_TRIAL_H
#define SLUICE_TRIAL_H

#include "io/connection.h"

/*
 * Executes them. False only if the server could not be asked. If the server refused, `refusal` says why
 * and nothing of the statements remains; otherwise refusal->message is empty.
 */
MUST_CHECK bool trial_execute(struct connection *conn, const char *sql, struct error *refusal,
							  struct error *err);

/*
 * The same, and logs that the destination goes without `what` if it refused; *done says whether it
 * accepted.
 */
MUST_CHECK bool trial_or_without(struct connection *conn, const char *sql, bool *done, struct error *err,
								 const char *what, ...) PRINTF_LIKE(5, 6);

#endif
