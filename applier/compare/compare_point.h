/*
 * The connections of `compare`, and the position at which all of them see their
 * server.
 */
#ifndef SLUICE_COMPARE_POINT_H
#define SLUICE_COMPARE_POINT_H

#include "compare_window.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "state/progress.h"
#include "state/selection.h"
#include "tables/catalog.h"

/* A pair of connections, each in a transaction with a snapshot. */
struct compare_ends {
	struct connection *source;
	struct connection *target;
};

struct compare_point {
	struct loop *loop;
	const struct config *config;
	struct selection selection; /* what `config` becomes once the destination was reached */
	struct catalog *catalog;	/* of all tables of the task */
	bool *wanted;				/* for each whether it is to be compared */
	bool may_be_gone;			/* a name that matches no table is no error */
	struct connection *source;	/* for questions */
	struct connection *target;	/* likewise */
	struct connection
		*snapshot; /* exported the source's, and has the temporary slot; NULL: not needed any more */
	const struct dialect *dialect;
	struct compare_ends *ends; /* of which all see the same */
	unsigned end_count;
	struct progress progress; /* as the destination's snapshots show it */
	bool followed;			  /* a daemon runs, and moves the destination on */
	bool paused;			  /* one runs, and does not */
	char slot[64];			  /* the temporary one; "": none was needed */
	bool same_encoding;
	uint64_t source_lsn;		  /* of the source's snapshot, where a daemon runs */
	struct compare_window window; /* what committed between the two */
};

/* Needs loop, config, and an empty catalog; compare_point_leave() is due also after a failure. */
MUST_CHECK bool compare_point_take(struct compare_point *point, const struct string_list *names,
								   struct error *err);
/* Whether the table is wanted, and what the destination holds of it follows the source at the position. */
MUST_CHECK bool compare_point_reaches(const struct compare_point *point, unsigned index);
/* Closes the connections and forgets the window; the catalog stays. */
void compare_point_leave(struct compare_point *point);

#endif
