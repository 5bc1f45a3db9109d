/*
 * What the source's catalogs know about its tables: sizes, columns with their types and defaults, keys,
 * storage. The number of queries does not depend on the number of tables.
 */
#ifndef SLUICE_SOURCE_CATALOG_H
#define SLUICE_SOURCE_CATALOG_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Reads every selected table with its columns, mapping and operations, sorted; targets stay empty. A
 * literal include that matches no table is no error here: the precheck reports it.
 */
MUST_CHECK bool source_read_catalog(struct connection *source, const struct config *config,
									struct catalog *catalog, struct error *err);

/*
 * Reads tables by OID as they are now: names, columns, keys and storage, ordered by OID. Tables that are
 * gone or no longer permanent are left out.
 */
MUST_CHECK bool source_read_tables(struct connection *source, const uint32_t *oids, unsigned count,
								   struct catalog *seen, struct error *err);
/* Fills in the details of the columns' types; *all becomes false if a type no longer exists. */
MUST_CHECK bool source_read_types(struct connection *source, struct source_column *columns, unsigned count,
								  bool *all, struct error *err);
/*
 * Reads the value that existing rows got when the column was added without a rewrite
 * (pg_attribute.attmissingval); NULL if the source stores none. *there becomes false if the column no
 * longer exists.
 */
MUST_CHECK bool source_read_missing(struct connection *source, uint32_t oid, int attnum, bool *there,
									char **value, struct error *err);

#endif
