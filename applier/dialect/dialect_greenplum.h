/*
 * What the dialects of the Greenplum family have in common: how rows are
 * distributed over segments, and what that forbids.
 */
#ifndef SLUICE_DIALECT_GREENPLUM_H
#define SLUICE_DIALECT_GREENPLUM_H

#include "dialect.h"

/* Unique indexes need the whole distribution key in them and a storage that has keys. */
bool dialect_greenplum_allows_unique(const struct table *table, const unsigned *columns,
									 unsigned column_count);
/* DISTRIBUTED BY what the override says, else the match key as far as its types can be hashed, else RANDOMLY. */
void dialect_greenplum_put_distribution(struct buffer *sql, const struct table *table);
void dialect_greenplum_put_staging_options(struct buffer *sql, const char *const *columns,
										   unsigned column_count);
enum table_storage dialect_greenplum_storage(const struct table *table);

/* The distribution query of struct dialect_catalog. */
#define DIALECT_GREENPLUM_DISTRIBUTION                                                                       \
	"SELECT p.localoid, p.distkey::text FROM gp_distribution_policy p WHERE p.localoid = ANY ($1::oid[])"    \
	" ORDER BY p.localoid"

/* Statements that are planned without nested loops are few; the session's choice comes back after them. */
#define DIALECT_GREENPLUM_REMEMBER_PLANNER                                                                   \
	"SELECT set_config('sluice.enable_nestloop', current_setting('enable_nestloop'), false)"
#define DIALECT_GREENPLUM_WITHOUT_NESTED_LOOPS "SET LOCAL enable_nestloop = off"
#define DIALECT_GREENPLUM_WITH_NESTED_LOOPS                                                                  \
	"SELECT set_config('enable_nestloop', current_setting('sluice.enable_nestloop'), true)"

#endif
