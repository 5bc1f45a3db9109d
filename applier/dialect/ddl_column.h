/*
 * A column of a target as DDL: its type, NOT NULL and default.
 */
#ifndef SLUICE_DDL_COLUMN_H
#define SLUICE_DDL_COLUMN_H

#include "buffer.h"
#include "tables/creation_specs.h"

/* The type that a column of a created table gets: the source's, if the destination has one with the same meaning,
 * else the base type of a domain, else text (text[] for an array). True if it is not the source's. */
bool ddl_put_column_type(struct buffer *sql, const struct source_column *column);

/* name type [NOT NULL] [DEFAULT …]; `name` is the target's; without `spec` there is no default. */
void ddl_put_column(struct buffer *sql, const char *name, const struct source_column *column,
					const struct column_spec *spec);

/* SQL comment lines about the parts of a column that differ from the source. */
void ddl_put_column_remarks(struct buffer *sql, const struct source_column *column,
							const struct column_spec *spec);

/* Text for an SQL comment: line ends are replaced, since they would end it. */
void ddl_put_remark(struct buffer *sql, const char *text);

#endif
