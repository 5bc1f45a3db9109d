/*
 * The stream from the slot to the destination: receives frames, gathers transactions
 * into batches, has them applied, and confirms to the source what is durable.
 *
 *	source ──► frames ──► filling ──► sealed ──► applying ──► confirmed
 *	           (queue)    (batch)     (batches)   (batch)
 *
 * Receiving goes on while the destination works.  An idle destination takes
 * what is there at once, so batches grow with the load by themselves.  When
 * all of it together reaches the memory limit the source is no longer read.
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

/* What a person asked of a running stream, which checks it in each turn. */
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
	bool *at_commit;		 /* large transactions are not received before; set when the source fails at it */
	bool copies_in_background; /* tables that wait for a copy get it while the others stream */
	bool triggers_fire;		   /* at the destination, since this role may not switch them off */
	bool finishes;			   /* the run ends with `until` */
	uint64_t until;			   /* ends once everything up to here is durable; 0: never */
	const struct stream_requests *requests;
	/* Called at the top of the program, in each turn in which another session at the destination may be waited for: it
	 * may pump the loop, and change the requests.  `copying`: tables are being copied in the background.  False, with
	 * the reason, ends the stream. */
	bool (*turn)(void *arg, bool copying, struct error *err);
	/* Called in each turn of a pause, likewise: all that was begun is durable, up to `lsn`. */
	void (*paused)(void *arg, uint64_t lsn);
	/* Called with every position that became durable. */
	void (*applied)(void *arg, uint64_t lsn);
	void *arg;
	struct monitor *monitor; /* is told what happens; NULL: nobody watches */
};

/*
 * Returns true when `until` is reached, a stop was requested or it was to leave; false with the
 * reason otherwise.  An ERROR_RESTART asks for a new attempt; its message may be
 * about a new table, which the new session will copy.
 */
MUST_CHECK bool stream_run(const struct stream_setup *setup, struct error *err);

#endif
