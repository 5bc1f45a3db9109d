/*
 * Lets the indexes of created targets follow those of the source: the connection between tables/index_plan.h, which
 * decides, and the two servers.
 *
 * A table is looked at when the stream starts, and at the heartbeat after a changed definition of it was announced
 * (`indexes_changed`).  Statements that may take long are a job, of which there is one at a time: it runs in upkeep's
 * session, while batches are applied, and then the table is looked at again.  Nothing has a place in the stream: an index
 * that is built or dropped late changes no row.  For one that refuses rows see index_cleanup.h.
 */
#ifndef SLUICE_INDEX_FOLLOW_H
#define SLUICE_INDEX_FOLLOW_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "index_job.h"
#include "index_troubles.h"
#include "io/connection.h"
#include "tables/catalog.h"
#include "upkeep_plan.h"

struct index_follow {
	const struct config *config;
	const struct dialect *dialect;
	struct catalog *catalog;
	const struct upkeep_limits *limits;
	uint64_t applied_lsn;  /* everything before it is at the destination */
	struct index_job *job; /* NULL: none */
	struct index_troubles troubles;
	uint32_t current;  /* OID at the source of the table of the last job, which is looked at again; 0: none */
	unsigned next;	   /* the number of the table that is looked at next in this heartbeat's round */
	bool check_job;	   /* whether its index is still wanted */
	int64_t marked_ms; /* when all tables were last marked */
};

/* At the start of a stream, after index_cleanup_start(): adds the targets that this attempt has created. */
void index_follow_start(struct index_follow *follow);
void index_follow_fini(struct index_follow *follow);

/* At a heartbeat: begins a round over all marked tables. */
void index_follow_heartbeat(struct index_follow *follow, int64_t now_ms);
/*
 * Between two transactions: looks at marked tables until one needs a statement that may take long, which becomes the job.
 * `alone`: nothing is applied any more.  False only if a server is lost.
 */
MUST_CHECK bool index_follow_turn(struct index_follow *follow, struct connection *source,
								  struct connection *control, bool alone, int64_t now_ms, struct error *err);

/* Whether the round is not over. */
bool index_follow_is_due(const struct index_follow *follow);

/* ---- the job, in upkeep's session */

/* Whether its next statement is to be executed now.  `busy`: batches are working on its target. */
bool index_follow_has_statement(struct index_follow *follow, bool busy, int64_t now_ms);
/* For how long a batch may wait for the running statement; negative: for as long as it takes. */
int64_t index_follow_patience_ms(const struct index_follow *follow, int64_t wait_ms);
/* Its statement has succeeded. */
void index_follow_took(struct index_follow *follow);
/* `reason` NULL: it was cancelled, or got no lock.  `trouble`: the reason says nothing about the index. */
void index_follow_failed(struct index_follow *follow, const char *reason, bool trouble, int64_t now_ms);

#endif
