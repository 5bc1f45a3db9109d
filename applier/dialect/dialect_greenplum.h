/* Shared by the dialects of the Greenplum family: the distribution of rows over segments, and what it forbids. */
#ifndef SLUICE_DIALECT_GREENPLUM_H
#define SLUICE_DIALECT_GREENPLUM_H

#include "dialect.h"

/* Unique indexes must contain the whole distribution key, and need a storage that can have keys. */
bool dialect_greenplum_allows_unique(const struct table *table, const unsigned *columns,
									 unsigned column_count);
/* DISTRIBUTED BY the configured columns, else by those of the match key that can be hashed, else RANDOMLY. */
void dialect_greenplum_put_distribution(struct buffer *sql, const struct table *table);
void dialect_greenplum_put_staging_options(struct buffer *sql, const char *const *columns,
										   unsigned column_count);
enum table_storage dialect_greenplum_storage(const struct table *table);

/* The distribution query of struct dialect_catalog. */
#define DIALECT_GREENPLUM_DISTRIBUTION                                                                       \
	"SELECT p.localoid, p.distkey::text FROM gp_distribution_policy p WHERE p.localoid = ANY ($1::oid[])"    \
	" ORDER BY p.localoid"

/* Few statements are planned without nested loops; after each of them the session's setting is restored. */
#define DIALECT_GREENPLUM_REMEMBER_PLANNER                                                                   \
	"SELECT set_config('sluice.enable_nestloop', current_setting('enable_nestloop'), false)"
#define DIALECT_GREENPLUM_WITHOUT_NESTED_LOOPS "SET LOCAL enable_nestloop = off"
#define DIALECT_GREENPLUM_WITH_NESTED_LOOPS                                                                  \
	"SELECT set_config('enable_nestloop', current_setting('sluice.enable_nestloop'), true)"

#endif
