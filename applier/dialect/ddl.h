/*
 * The destination's DDL as text, for `sluice schema` and for run; no server.
 *
 * A created table has the source's columns with their types, NOT NULL and
 * defaults, its primary key where the destination allows it, an index on the match key
 * where that is another one, and comments; what its definition says beyond that comes
 * after the copy (ddl_index.h).  Generated and identity columns become plain
 * ones: they are fed by their values.
 */
#ifndef SLUICE_DDL_H
#define SLUICE_DDL_H

#include "buffer.h"
#include "dialect.h"
#include "tables/catalog.h"

/* CREATE SCHEMA for each schema that `existing` lacks, the types, then CREATE TABLE for
 * each table whose target does not exist, and last what comes after the copy. */
void ddl_put_create(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
					const struct string_list *existing_schemas);

/* The schemas of tables, partitions and types; the names in `existing_schemas` are in no order. */
void ddl_put_create_schemas(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
							const struct string_list *existing_schemas);

/* One table: each statement ends with a semicolon and a new line; what is not as
 * at the source is said in comments before. */
void ddl_put_create_table(struct buffer *sql, const struct dialect *dialect, const struct table *table);

#endif
