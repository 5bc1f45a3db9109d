/*
 * The targets at the destination: reads their definitions, and whether they hold rows.
 */
#ifndef SLUICE_TARGET_H
#define SLUICE_TARGET_H

#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Fills table->target of every table and decides table->as_text; few queries whatever the number. */
MUST_CHECK bool target_read_catalog(struct connection *destination, const struct dialect *dialect,
									struct catalog *catalog, struct error *err);
/* The same for one table, after its DDL changed. */
MUST_CHECK bool target_read_table(struct connection *destination, const struct dialect *dialect,
								  struct table *table, struct error *err);
/* Whether the target holds at least one row. */
MUST_CHECK bool target_has_rows(struct connection *destination, const struct table *table, bool *has_rows,
								struct error *err);

#endif
