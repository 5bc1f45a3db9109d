/*
 * Statements that the destination may refuse: a refused one is skipped, and the
 * log says so.
 *
 * In an open transaction they are executed under a savepoint; outside of one, those of one text are a transaction of
 * their own, and a single statement that no transaction may hold is none.
 */
#ifndef SLUICE_TRIAL_H
#define SLUICE_TRIAL_H

#include "io/connection.h"

/*
 * Executes them.  False only where the server could not
 * be asked; where it refused, `refusal` says why and nothing is left of
 * the statements, otherwise its message is empty.
 */
MUST_CHECK bool trial_execute(struct connection *conn, const char *sql, struct error *refusal,
							  struct error *err);

/* The same, and logs that the destination goes without `what`; `done` says whether it has it. */
MUST_CHECK bool trial_or_without(struct connection *conn, const char *sql, bool *done, struct error *err,
								 const char *what, ...) PRINTF_LIKE(5, 6);

#endif
