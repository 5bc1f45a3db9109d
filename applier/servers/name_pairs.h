/*
 * Many qualified names as the two parameters of one query: an array of schemas and an array of names, of
 * the same length.
 */
#ifndef SLUICE_NAME_PAIRS_H
#define SLUICE_NAME_PAIRS_H

#include "buffer.h"
#include "io/connection.h"

struct name_pairs {
	struct buffer schemas;
	struct buffer names;
	struct buffer added; /* pairs of pointers */
};

void name_pairs_init(struct name_pairs *pairs);
void name_pairs_fini(struct name_pairs *pairs);
/* The strings must live until the query was executed. */
void name_pairs_add(struct name_pairs *pairs, const char *schema, const char *name);
/*
 * Ends the arrays and executes `sql`, which takes them as $1::text[] and $2::text[]. A name with letters that the
 * encoding of the server lacks is sent as an empty string.
 */
MUST_CHECK bool name_pairs_execute(struct name_pairs *pairs, struct connection *destination, const char *sql,
								   struct result **res, struct error *err);

#endif
