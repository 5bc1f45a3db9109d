/*
 * With apply.refused: hold, a table whose target refuses a change is held, together with all others that share the
 * target, until somebody asks for a new copy (`sluice table resync`).  Its changes are discarded from then on; the
 * other tables go on.
 */
#ifndef SLUICE_REFUSED_H
#define SLUICE_REFUSED_H

#include "base/config.h"
#include "io/connection.h"
#include "merge/batch.h"
#include "tables/catalog.h"

/* Holds the table from this batch on, which writes the new states in its transaction.  False: it is not to be held. */
bool refused_hold(const struct config *config, struct catalog *catalog, struct batch *batch,
				  const struct table *table, const struct error *err);
/*
 * The same for a change in a later round of a large transaction, which was rolled back: writes the states at once.  Then
 * `err` becomes an ERROR_RESTART: the transaction is applied again without the table.
 */
void refused_hold_now(const struct config *config, struct catalog *catalog, struct connection *control,
					  const struct table *table, struct error *err);

/*
 * The same for a table whose rows the source cannot send, since the table's condition cannot be evaluated: the error names
 * the table, and the stream has ended with it.  The next attempt streams without that condition.
 */
void refused_hold_unsent(const struct config *config, struct catalog *catalog, struct connection *control,
						 struct error *err);

/* A missing privilege does not say which table it concerns; the checks of the next attempt do, for which `err` becomes an
 * ERROR_RESTART. */
void refused_check_rights(const struct config *config, struct error *err);

#endif
