/*
 * Many qualified names as the two parameters of one query: arrays of the same length, of schemas and of names.
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
/* Ends the arrays; `sql` takes them as $1::text[] and $2::text[].  Names with letters that the server's encoding lacks are
 * empty there. */
MUST_CHECK bool name_pairs_execute(struct name_pairs *pairs, struct connection *destination, const char *sql,
								   struct result **res, struct error *err);

#endif
