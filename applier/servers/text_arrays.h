/*
 * Many rows of strings as parameters of one query, an array for each column.  The encoding of the server may lack letters of
 * them: nothing there can equal such a string.
 */
#ifndef SLUICE_TEXT_ARRAYS_H
#define SLUICE_TEXT_ARRAYS_H

#include "buffer.h"
#include "io/connection.h"

#define TEXT_ARRAYS_MAX 3

struct text_arrays {
	unsigned columns;
	struct buffer texts[TEXT_ARRAYS_MAX]; /* the parameters */
	struct buffer added;				  /* pointers to the strings, row by row */
};

void text_arrays_init(struct text_arrays *arrays, unsigned columns);
void text_arrays_fini(struct text_arrays *arrays);
/* Adds a row of as many strings as there are columns. They must live until the query was executed. */
void text_arrays_add(struct text_arrays *arrays, const char *const row[]);
/*
 * Ends the arrays and executes `sql`, which takes them as $1::text[], $2::text[], …  Where the encoding of the server
 * lacks a letter of a row, empty strings are sent in its place. Not in a transaction, which that would abort.
 */
MUST_CHECK bool text_arrays_execute(struct text_arrays *arrays, struct connection *destination,
									const char *sql, struct result **res, struct error *err);

/* Whether the server's encoding has all letters of one text. Not in a transaction, either. */
MUST_CHECK bool text_arrays_find_known(struct connection *destination, const char *text, bool *known,
									   struct error *err);

#endif
