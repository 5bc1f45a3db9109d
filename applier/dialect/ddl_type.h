/*
 * CREATE TYPE and CREATE DOMAIN for types of users that the destination lacks.
 */
#ifndef SLUICE_DDL_TYPE_H
#define SLUICE_DDL_TYPE_H

#include "buffer.h"
#include "tables/definition.h"

/* One statement, and its comment where it has one; each ends with a semicolon and a new line. */
void ddl_put_create_type(struct buffer *sql, const struct type_definition *type);

/* All that will be made, in their order. */
void ddl_put_create_types(struct buffer *sql, const struct catalog *catalog);

/* Comment lines for those that are refused. */
void ddl_put_type_remarks(struct buffer *sql, const struct catalog *catalog);

#endif
