/*
 * Quoting, so that no name or value is ever pasted into a statement as it is.
 * Usable by everything that writes SQL, with or without a server.
 */
#ifndef SLUICE_SQL_H
#define SLUICE_SQL_H

#include "arena.h"
#include "buffer.h"

/* A statement in the making, which grows as needed; buffer_fini() frees it. */
void sql_init(struct buffer *sql);
/* Its text, ended by a NUL; valid until the buffer changes. */
const char *sql_text(struct buffer *sql);

/* "name", every quote in it doubled; always quoted, so reserved words are safe. */
void sql_identifier(struct buffer *sql, const char *name);
/* "schema"."table" */
void sql_qualified(struct buffer *sql, const char *schema, const char *table);
/* schema.table, quoted where needed: what a user may write into the configuration. */
char *sql_table_name(struct arena *memory, const char *schema, const char *name);
/* A string constant that means the same whatever standard_conforming_strings is. */
void sql_literal(struct buffer *sql, const char *value);
/* The same, or NULL. */
void sql_optional_literal(struct buffer *sql, const char *value);
/* Adds an element to an array constant in the making, the text of a parameter:
 * {"a","b"; sql_array_end() closes it, empty ones too, and adds a NUL. */
void sql_array_element(struct buffer *array, const char *value);
void sql_array_end(struct buffer *array);
/* A string constant of the replication grammar, which knows no E'…' form. */
void sql_replication_literal(struct buffer *sql, const char *value);

#endif
