/* CREATE TYPE and CREATE DOMAIN for user-defined types that the destination lacks. */
#ifndef SLUICE_DDL_TYPE_H
#define SLUICE_DDL_TYPE_H

#include "buffer.h"
#include "tables/creation_specs.h"

/* The statement for one type, and that for its comment; each ends with a semicolon and a new line. */
void ddl_put_create_type(struct buffer *sql, const struct type_spec *type);

/* The statements for all types that will be created, in their order. */
void ddl_put_create_types(struct buffer *sql, const struct catalog *catalog);

/* SQL comment lines about the types that the destination refuses. */
void ddl_put_type_remarks(struct buffer *sql, const struct catalog *catalog);

#endif
