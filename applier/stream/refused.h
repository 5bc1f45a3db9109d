/*
 * Tables whose targets refuse a change, with apply.refused: hold.  The table is held until somebody asks for a new copy
 * (`sluice table resync`), together with all others that share its target; its changes are discarded from then on, and
 * the other tables go on.
 */
#ifndef SLUICE_REFUSED_H
#define SLUICE_REFUSED_H

#include "base/config.h"
#include "io/connection.h"
#include "merge/batch.h"
#include "tables/catalog.h"

/* Holds the tables from the batch on, which writes it down in its own transaction.  False where they are not to be held. */
bool refused_hold(const struct config *config, struct catalog *catalog, struct batch *batch,
				  const struct table *table, const struct error *err);
/*
 * The same of a change in a round of a transaction that is rolled back as a whole: writes it down at once.  Then `err`
 * becomes an ERROR_RESTART: the transaction is done again without the table.
 */
void refused_hold_now(const struct config *config, struct catalog *catalog, struct connection *control,
					  const struct table *table, struct error *err);

/* A right that is missing does not say whose trouble it is: the checks of the next attempt do, for which `err` becomes an
 * ERROR_RESTART. */
void refused_check_rights(const struct config *config, struct error *err);

#endif
