/*
 * What the source's catalogs say of its tables: sizes, columns with their types and defaults, keys, storage.
 * A few queries over an ordinary connection, whatever the number of tables.
 */
#ifndef SLUICE_SOURCE_CATALOG_H
#define SLUICE_SOURCE_CATALOG_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Every selected table with its columns, mapping and operations (target empty), ordered; few
 * queries whatever the number of tables.  A literal include that matches nothing is an ERROR_PRECONDITION
 * only in the precheck: here it is no error. */
MUST_CHECK bool source_read_catalog(struct connection *source, const struct config *config,
									struct catalog *catalog, struct error *err);

/*
 * Reads tables by OID as they are now: names, columns, keys and storage; those that are gone, or are
 * no permanent tables any more, are missing.  Ordered by OID.
 */
MUST_CHECK bool source_read_tables(struct connection *source, const uint32_t *oids, unsigned count,
								   struct catalog *seen, struct error *err);
/* Fills in what is to be known of the columns' types; all = false when one is gone. */
MUST_CHECK bool source_read_types(struct connection *source, struct source_column *columns, unsigned count,
								  bool *all, struct error *err);
/*
 * The value that rows got in a column that was added to them without a rewrite; NULL where none is kept.
 * there = false: there is no such column any more.
 */
MUST_CHECK bool source_read_missing(struct connection *source, uint32_t oid, int attnum, bool *there,
									char **value, struct error *err);

#endif
