/*
 * Partitioned targets, where the configuration keeps the source's partitions
 * (spec->partition_key is NULL where it does not).
 *
 * Every level gets a default partition, unless the source's has one: the rows
 * of partitions that come later have to go somewhere.
 */
#ifndef SLUICE_DDL_PARTITION_H
#define SLUICE_DDL_PARTITION_H

#include "buffer.h"
#include "dialect.h"
#include "tables/creation_specs.h"

/* Whether the target is partitioned; if the configuration asks for that and it is not possible, `remark` says why. */
bool ddl_keeps_partitions(const struct dialect *dialect, const struct table *table, const char **remark);

/* The parts of CREATE TABLE: before the table's options (after the columns), the options, and after them. */
void ddl_put_partition_key(struct buffer *sql, const struct dialect *dialect, const struct table *table);
void ddl_put_table_options(struct buffer *sql, const struct dialect *dialect, const struct table *table);
void ddl_put_partition_list(struct buffer *sql, const struct dialect *dialect, const struct table *table);

/* CREATE TABLE … PARTITION OF for each partition, where partitions are tables of their own. */
void ddl_put_partitions(struct buffer *sql, const struct dialect *dialect, const struct table *table);

/* The schema of a partition at the destination: that of the root's target if root and partition share a schema at
 * the source. */
const char *ddl_partition_schema(const struct table *table, const struct partition_spec *partition);

/* Splits "FOR VALUES FROM (1) TO (2)" into the two bounds, NULL for MINVALUE and MAXVALUE; false: the text has
 * another form, or more than one value in a bound. Exposed for tests. */
bool ddl_parse_range(const char *bound, struct bytes *from, struct bytes *to);

#endif
