/*
 * Which tables of the source the configuration selects, and what it says of each: its target, its operations.
 */
#ifndef SLUICE_SOURCE_SELECTION_H
#define SLUICE_SOURCE_SELECTION_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* The selected tables with names, OIDs and identities alone, in one cheap query. */
MUST_CHECK bool source_list_tables(struct connection *source, const struct config *config,
								   struct catalog *catalog, struct error *err);
/* The same, in the order of the server; on a failure the catalog holds what was there. */
MUST_CHECK bool source_select_tables(struct connection *source, const struct config *config,
									 struct catalog *catalog, struct error *err);
/* Gives each table of the sorted catalog its target, its operations and its override. */
MUST_CHECK bool source_apply_config(struct catalog *catalog, const struct config *config, struct error *err);

#endif
