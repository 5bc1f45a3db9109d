/*
 * The connections of `compare`, and the position at which their snapshots show
 * the two servers.
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
	struct selection selection;	 /* `config` is in it once the destination was read */
	struct catalog *catalog;	 /* all tables of the task */
	bool *wanted;				 /* by table of the catalog: it is to be compared */
	bool may_be_gone;			 /* a name that matches no table is no error */
	struct connection *source;	 /* for other queries */
	struct connection *target;	 /* likewise */
	struct connection *snapshot; /* exports the source's snapshot, and has the temporary slot; NULL: closed */
	const struct dialect *dialect;
	struct compare_ends *ends; /* all with the same snapshots */
	unsigned end_count;
	struct progress progress; /* as the destination's snapshots show it */
	bool followed;			  /* a daemon runs and applies changes */
	bool paused;			  /* a daemon runs and is paused */
	char slot[64];			  /* the temporary slot; "": none was needed */
	bool same_encoding;
	uint64_t source_lsn;		  /* of the source's snapshot, if a daemon runs */
	struct compare_window window; /* changes between the two positions */
};

/* Needs loop, config, and an empty catalog.  End with compare_point_leave(), also after a failure. */
MUST_CHECK bool compare_point_take(struct compare_point *point, const struct string_list *names,
								   struct error *err);
/* Whether the table is wanted, and its target is at the position (state streaming). */
MUST_CHECK bool compare_point_reaches(const struct compare_point *point, unsigned index);
/* Closes the connections and frees the window; the catalog stays. */
void compare_point_leave(struct compare_point *point);

#endif
