/*
 * The destination's DDL as text, for `sluice schema` and for run; no server.
 */
#ifndef SLUICE_DDL_H
#define SLUICE_DDL_H

#include "buffer.h"
#include "catalog.h"
#include "dialect.h"

/* CREATE SCHEMA for each schema that `existing` lacks, then CREATE TABLE for
 * each table whose target does not exist; each statement on its own line(s)
 * with a semicolon; columns that become text are said in a comment before. */
void ddl_put_create(struct buffer *sql, const struct dialect *dialect, const struct catalog *catalog,
					const struct string_list *existing_schemas);
void ddl_put_create_table(struct buffer *sql, const struct dialect *dialect, const struct table *table);

#endif
