/*
 * The positions of sequences, transferred from the source to the destination on
 * request, for a cut-over.  They are not part of the stream.
 */
#ifndef SLUICE_SEQUENCES_H
#define SLUICE_SEQUENCES_H

#include "buffer.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* What was brought over, in the order of the sequences' names; text of one line for each. */
struct sequences {
	struct buffer lines;  /* of all, as of the last time */
	struct buffer former; /* of the time before it */
	size_t at;			  /* up to where `former` was read */
	struct buffer news;	  /* lines that were not in `former` */
};

void sequences_init(struct sequences *s);
void sequences_fini(struct sequences *s);

/*
 * Sets every sequence that a column of a replicated table owns or uses in its default to the source's
 * position, unless it was set to that before; what is new is then in s->news, also after a failure.  At the destination it is the one that the
 * target's column owns, else the one of the source's name; where there is none, `create` makes it and the
 * column's default.
 */
MUST_CHECK bool sequences_bring(struct sequences *s, struct connection *source,
								struct connection *destination, const struct catalog *catalog, bool create,
								struct error *err);

#endif
