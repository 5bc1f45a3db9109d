/*
 * What the source's log says of the time between two positions: per table the
 * net change of the transactions that committed from the one on and before the
 * other.  `compare` lays it over what it has read of the source.
 *
 * The frames must be of whole transactions in their order, with values as text.
 */
#ifndef SLUICE_COMPARE_WINDOW_H
#define SLUICE_COMPARE_WINDOW_H

#include "frame.h"
#include "merge/net_change.h"
#include "tables/catalog.h"

struct compare_window {
	const struct catalog *catalog;
	const bool *wanted; /* for each table of the catalog whether its changes are kept */
	uint64_t from_lsn;	/* commits that begin before are left out, */
	uint64_t until_lsn; /* and from here on; 0: none */
	size_t limit_bytes; /* tables that were changed more than that have a problem */

	struct change_decoder decoder;
	struct frame_parts parts;
	struct arena memory;
	struct shape *shapes;		 /* for each table of the catalog; relation == NULL: it was not touched */
	struct net_change *nets;	 /* likewise */
	char **problems;			 /* likewise: why it cannot be said what became of it; NULL: nothing */
	const struct table **tables; /* by the relation's number; NULL: not ours */
	uint32_t table_capacity;
	bool skipping; /* the transaction being read */
};

/* The catalog's targets must have been read. */
void compare_window_init(struct compare_window *window, const struct catalog *catalog, const bool *wanted,
						 uint64_t from_lsn, uint64_t until_lsn, size_t limit_bytes);
void compare_window_fini(struct compare_window *window);

MUST_CHECK bool compare_window_frame(struct compare_window *window, struct bytes frame, struct error *err);

/* Why it cannot be said what became of the table, such as that it was truncated; NULL: it can. */
const char *compare_window_problem(const struct compare_window *window, const struct table *table);
/* NULL: the table was not touched. */
const struct net_change *compare_window_net(const struct compare_window *window, const struct table *table);

#endif
