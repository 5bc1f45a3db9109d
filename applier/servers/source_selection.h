/*
 * Which tables of the source the configuration selects, and the target and operations that it gives each.
 */
#ifndef SLUICE_SOURCE_SELECTION_H
#define SLUICE_SOURCE_SELECTION_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Reads only names, OIDs and replica identities of the selected tables, in one cheap query. */
MUST_CHECK bool source_list_tables(struct connection *source, const struct config *config,
								   struct catalog *catalog, struct error *err);
/* The same, unsorted. On failure the catalog holds what it held before. */
MUST_CHECK bool source_select_tables(struct connection *source, const struct config *config,
									 struct catalog *catalog, struct error *err);
/* Sets target, operations and override of each table; the catalog must be sorted. */
MUST_CHECK bool source_apply_config(struct catalog *catalog, const struct config *config, struct error *err);

#endif
