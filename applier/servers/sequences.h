/*
 * Transfers the positions of sequences from the source to the destination on request, for a cut-over.
 * Sequences are not part of the stream.
 */
#ifndef SLUICE_SEQUENCES_H
#define SLUICE_SEQUENCES_H

#include "buffer.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* What was transferred: one line of text for each sequence, ordered by name. */
struct sequences {
	struct buffer lines;  /* the last transfer */
	struct buffer former; /* the transfer before it */
	size_t at;			  /* how far `former` was read */
	struct buffer news;	  /* lines of the last transfer that are not in `former` */
};

void sequences_init(struct sequences *s);
void sequences_fini(struct sequences *s);

/*
 * Sets every sequence that a column of a replicated table owns or uses in its default to the source's
 * position, unless the last transfer set it to the same. The new lines are in s->news, also after a
 * failure. The sequence at the destination is the one that the target's column owns, otherwise the one
 * with the source's name. If neither exists, `create` makes it; and it gives a target's column that has no default
 * the sequence's next value, where that is what the source's column has.
 */
MUST_CHECK bool sequences_bring(struct sequences *s, struct connection *source,
								struct connection *destination, const struct catalog *catalog, bool create,
								struct error *err);

#endif
