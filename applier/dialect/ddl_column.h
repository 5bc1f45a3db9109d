/*
 * A column of a target as DDL: its type, NOT NULL and default.
 */
#ifndef SLUICE_DDL_COLUMN_H
#define SLUICE_DDL_COLUMN_H

#include "buffer.h"
#include "tables/definition.h"

/*
 * The type a column of a created table gets: the source's where the
 * destination has one that means the same, else the base type of a domain, else
 * text (text[] for an array).  True when it is not the source's.
 */
bool ddl_put_column_type(struct buffer *sql, const struct source_column *column);

/* name type [NOT NULL] [DEFAULT …]; `name` is the target's; `definition` may be NULL: no default. */
void ddl_put_column(struct buffer *sql, const char *name, const struct source_column *column,
					const struct column_definition *definition);

/* Comment lines for what of the column will not be as at the source. */
void ddl_put_column_remarks(struct buffer *sql, const struct source_column *column,
							const struct column_definition *definition);

/* Text for a comment, which ends with its line. */
void ddl_put_remark(struct buffer *sql, const char *text);

#endif
