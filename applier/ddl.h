/*
 * The destination's DDL as text, for `sluice schema` and for run; no server.
 *
 * A created table has the source's columns with their types and NOT NULL, its
 * primary key where the destination allows it, and an index on the match key
 * where that is another one.  Generated and identity columns become plain
 * ones: they are fed by their values.
 */
#ifndef SLUICE_DDL_H
#define SLUICE_DDL_H

#include "buffer.h"
#include "catalog.h"
#include "dialect.h"

/* CREATE SCHEMA for each schema that `existing` lacks, then CREATE TABLE for
 * each table whose target does not exist. */
void ddl_put_create(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
					const struct string_list *existing_schemas);

/* The first half of it; the names in `existing_schemas` are in no order. */
void ddl_put_create_schemas(struct buffer *sql, const struct catalog *catalog,
							const struct string_list *existing_schemas);

/* One table: each statement ends with a semicolon and a new line; columns
 * whose type changes are said in a comment before. */
void ddl_put_create_table(struct buffer *sql, const struct dialect *dialect, const struct table *table);

/*
 * The type a column of a created table gets: the source's where the
 * destination has one that means the same, else the base type of a domain, else
 * text (text[] for an array).  True when it is not the source's.
 */
bool ddl_put_column_type(struct buffer *sql, const struct source_column *column);

#endif
