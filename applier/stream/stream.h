/*
 * The stream from the slot to the destination: receives frames, collects transactions
 * in batches, has them applied, and confirms to the source what is durable.
 *
 *	source ──► frames ──► filling ──► sealed ──► applying ──► confirmed
 *	           (queue)    (batch)     (batches)   (batch)
 *
 * Receiving goes on while the destination works.  An idle destination takes
 * what has been received, so batches grow with the load by themselves.  At the
 * memory limit the source is no longer read.
 */
#ifndef SLUICE_STREAM_H
#define SLUICE_STREAM_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "fold.h"
#include "io/connection.h"
#include "monitor/monitor.h"
#include "state/progress.h"
#include "tables/catalog.h"

/* Requests of a person to a running stream, checked in each turn. */
struct stream_requests {
	bool pause; /* after the current transaction nothing more is applied */
	bool leave; /* ends as at a stop */
};

struct stream_setup {
	struct loop *loop;
	const struct config *config;
	struct catalog *catalog;
	const struct dialect *dialect;
	struct connection *source;		/* a replication connection */
	struct connection *destination; /* for batches alone */
	struct connection *control;		/* to the destination, for everything else */
	struct connection *source_sql;	/* an ordinary one */
	struct fold_memories *memories;
	const struct progress *progress;
	bool *saw_unknown_table; /* see fold.h */
	bool *at_commit;	 /* receive large transactions at their commit; set when the source fails otherwise */
	bool *source_failed; /* set when the failure is an error of the replication connection */
	bool copies_in_background; /* tables that wait for a copy are copied while the others stream */
	bool triggers_fire;		   /* at the destination, since this role may not switch them off */
	bool finishes;			   /* the whole run ends at `until` */
	uint64_t until;			   /* the stream ends once everything up to here is durable; 0: never */
	const struct stream_requests *requests;
	/* Called in each turn in which it is safe to wait for another session at the destination; it may pump the loop and
	 * change the requests.  `copying`: tables are being copied in the background.  False, with the reason, ends the
	 * stream. */
	bool (*turn)(void *arg, bool copying, struct error *err);
	/* Called likewise in each turn of a pause: everything up to `lsn` is durable. */
	void (*paused)(void *arg, uint64_t lsn);
	/* Called with every position that became durable. */
	void (*applied)(void *arg, uint64_t lsn);
	void *arg;
	struct monitor *monitor; /* NULL: none */
};

/*
 * Returns true when `until` is reached, or a stop or `leave` was requested; false with the reason otherwise.  An
 * ERROR_RESTART asks for a new attempt, for example because of a new table, which the next attempt will copy.
 */
MUST_CHECK bool stream_run(const struct stream_setup *setup, struct error *err);

#endif
