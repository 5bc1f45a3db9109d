/*
 * Quoting, so that no name or value is ever pasted into a statement unquoted. Independent of a server.
 */
#ifndef SLUICE_SQL_H
#define SLUICE_SQL_H

#include "arena.h"
#include "buffer.h"

/* Initialises a buffer for a statement; it grows as needed, and buffer_fini() frees it. */
void sql_init(struct buffer *sql);
/* The statement's text, ended by a NUL; valid until the buffer changes. */
const char *sql_text(struct buffer *sql);

/* Appends "name" with quotes in it doubled; always quoted, so reserved words are safe. */
void sql_identifier(struct buffer *sql, const char *name);
/* Appends "schema"."table". */
void sql_qualified(struct buffer *sql, const char *schema, const char *table);
/* schema.table, quoted if needed, as a user may write it into the configuration. */
char *sql_table_name(struct arena *memory, const char *schema, const char *name);
/* Appends a string constant whose meaning does not depend on standard_conforming_strings. */
void sql_literal(struct buffer *sql, const char *value);
/* The same, or NULL. */
void sql_optional_literal(struct buffer *sql, const char *value);
/*
 * Appends an element to the text of an array parameter: {"a","b". sql_array_end() closes the array, also
 * an empty one, and adds a NUL.
 */
void sql_array_element(struct buffer *array, const char *value);
void sql_array_end(struct buffer *array);
/* Appends a string constant for the replication grammar, which has no E'…' form. */
void sql_replication_literal(struct buffer *sql, const char *value);

#endif
