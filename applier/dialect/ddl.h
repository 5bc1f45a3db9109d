/*
 * The DDL for the destination as text, for `sluice schema` and for run; asks no
 * server.
 *
 * A created table has the source's columns with their types, NOT NULL and
 * defaults, its primary key where the destination allows it, an index on the
 * match key if that is another one, and comments. The rest of its creation spec
 * follows after the copy (ddl_index.h). Generated and identity columns become
 * plain ones, since replication brings their values.
 */
#ifndef SLUICE_DDL_H
#define SLUICE_DDL_H

#include "buffer.h"
#include "dialect.h"
#include "tables/catalog.h"

/* CREATE SCHEMA for each schema that `existing` lacks, the types, CREATE TABLE for each table whose target does not
 * exist, with SQL comments about what differs from the source, and at the end the statements for after the copy. */
void ddl_put_create(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
					const struct string_list *existing_schemas);

/* CREATE SCHEMA for the schemas of tables, partitions and types; the names in `existing_schemas` are in no order. */
void ddl_put_create_schemas(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
							const struct string_list *existing_schemas);

/* The statements for one table, each with a semicolon and a new line; and what differs from the source, as SQL comments to
 * be read. */
void ddl_put_table_remarks(struct buffer *sql, const struct dialect *dialect, const struct table *table);
void ddl_put_create_table(struct buffer *sql, const struct dialect *dialect, const struct table *table);

#endif
