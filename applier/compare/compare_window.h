/*
 * The changes between two positions of the source's log: for each table the net
 * change of the transactions that committed in between.  `compare` adds it to
 * what it has read from the source.
 *
 * The frames must have whole transactions in commit order, with values as text.
 */
#ifndef SLUICE_COMPARE_WINDOW_H
#define SLUICE_COMPARE_WINDOW_H

#include "frame.h"
#include "merge/net_change.h"
#include "tables/catalog.h"

struct compare_window {
	const struct catalog *catalog;
	const bool *wanted; /* by table of the catalog: its changes are kept */
	uint64_t from_lsn;	/* transactions whose commit record begins before this are skipped, */
	uint64_t until_lsn; /* and those from here on; 0: no end */
	size_t limit_bytes; /* memory; further changes give their table a problem */

	struct change_decoder decoder;
	struct frame_parts parts;
	struct arena memory;
	struct shape *shapes;		 /* by table of the catalog; relation == NULL: no changes */
	struct net_change *nets;	 /* likewise */
	char **problems;			 /* likewise: why the table cannot be compared; NULL: it can */
	const struct table **tables; /* by the relation's number; NULL: not wanted */
	uint32_t table_capacity;
	bool skipping; /* the transaction being read is outside the window */
};

/* The catalog's targets must have been read. */
void compare_window_init(struct compare_window *window, const struct catalog *catalog, const bool *wanted,
						 uint64_t from_lsn, uint64_t until_lsn, size_t limit_bytes);
void compare_window_fini(struct compare_window *window);

MUST_CHECK bool compare_window_frame(struct compare_window *window, struct bytes frame, struct error *err);

/* Why the table cannot be compared, for example that it was truncated; NULL: it can. */
const char *compare_window_problem(const struct compare_window *window, const struct table *table);
/* NULL: the table was not changed. */
const struct net_change *compare_window_net(const struct compare_window *window, const struct table *table);

#endif
