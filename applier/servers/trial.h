/*
 * A statement within an open transaction that may fail without ending it.
 */
#ifndef SLUICE_TRIAL_H
#define SLUICE_TRIAL_H

#include "io/connection.h"

/*
 * Executes the statement under a savepoint.  False only where the server could
 * not be asked; where it refused, `refusal` says why and nothing is left of
 * the statement, otherwise its message is empty.
 */
MUST_CHECK bool trial_execute(struct connection *conn, const char *sql, struct error *refusal,
							  struct error *err);

#endif
