/* The targets at the destination: reads their definitions and whether they hold rows. */
#ifndef SLUICE_TARGET_H
#define SLUICE_TARGET_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Fills table->target of every table and sets table->as_text. The number of queries does not depend on the
 * number of tables.
 */
MUST_CHECK bool target_read_catalog(struct connection *destination, const struct dialect *dialect,
									struct catalog *catalog, struct error *err);
/* The same for one table, after DDL changed it. */
MUST_CHECK bool target_read_table(struct connection *destination, const struct dialect *dialect,
								  struct table *table, struct error *err);
MUST_CHECK bool target_has_rows(struct connection *destination, const struct table *table, bool *has_rows,
								struct error *err);

#endif
