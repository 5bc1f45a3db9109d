/*
 * What the destination's catalogs know about the targets' keys: unique and other indexes, distribution
 * keys, partition keys. Queries and readers for describe.h; the columns must have been read. Part of
 * target.c.
 */
#ifndef SLUICE_TARGET_INDEX_H
#define SLUICE_TARGET_INDEX_H

#include "buffer.h"
#include "dialect/dialect.h"
#include "io/result.h"
#include "tables/catalog.h"

void target_read_distribution(struct table *table, const struct result *res, unsigned first, unsigned end);
void target_read_partition_keys(struct table *table, const struct result *res, unsigned first, unsigned end);

/* Unique indexes and exclusion constraints. */
void target_put_unique_indexes_query(struct buffer *sql, const struct dialect *dialect);
void target_read_unique_indexes(struct table *table, const struct result *res, unsigned first, unsigned end);

/* All indexes except the primary key: they must be dropped before a column's type can change. */
extern const char target_secondary_indexes_sql[];
void target_read_secondary_indexes(struct table *table, const struct result *res, unsigned first,
								   unsigned end);

#endif
