/*
 * Follows CREATE INDEX and DROP INDEX of the source, where schema.indexes selects the index and schema.changes is `follow`.
 *
 * How a change becomes known: every reading of a table's definition brings the list of its indexes along, at a start and
 * whenever the stream says that something about the table has changed.  A list that differs from what was done (index_list.h)
 * marks the table; marked tables are checked with the next heartbeat, all in the same few statements.
 *
 * When the target changes:
 * - A unique index that is gone is dropped before the rows of the transaction that has dropped it are applied, since they may
 *   violate it (index_follow_drop()); at a start ahead of all rows.  Earlier than at the source does no harm.  Others can wait.
 * - A new one is built once everything is applied that the source had committed when it was seen, since before that the rows
 *   need not be unique.  That happens in upkeep's session, not in a batch; where the server can (PostgreSQL, not partitioned)
 *   by CREATE INDEX CONCURRENTLY, which blocks no writer.  Elsewhere it waits for a quiet moment.  Either gives way to batches
 *   that wait for it, some times; then it insists, since a table that is never quiet would never get its index.
 *
 * Only what is in table->indexes as ours is ever dropped, and what is ours or begun never built twice: the line is stored as
 * begun before the statement, and as ours after it, so that whoever comes after a crash finds either the index, or an invalid
 * one to be removed, or none.  A failure is noted for `status`, and tried again later.
 */
#ifndef SLUICE_INDEX_FOLLOW_H
#define SLUICE_INDEX_FOLLOW_H

#include "base/config.h"
#include "index_plan.h"
#include "io/connection.h"
#include "merge/batch.h"
#include "upkeep_plan.h"

struct index_follow {
	const struct config *config;
	const struct dialect *dialect;
	struct catalog *catalog;
	const struct upkeep_limits *limits;
	struct index_jobs jobs;
	uint64_t applied_lsn;
};

/* Marks the tables whose indexes differ. */
void index_follow_init(struct index_follow *follow, uint64_t applied_lsn);
void index_follow_fini(struct index_follow *follow);

/* ---- called by whoever reads the stream */

/* Takes over what the source's catalog says now about a table's indexes.  True: some of ours are gone there. */
bool index_follow_note(const struct config *config, const struct catalog *catalog, struct table *table,
					   const char *source_indexes);
/* Drops those of them that are unique. */
MUST_CHECK bool index_follow_drop(struct connection *destination, const char *task, struct table *table,
								  struct error *err);
/* The same for all tables, at a start. */
MUST_CHECK bool index_follow_drop_all(struct connection *destination, const struct config *config,
									  struct catalog *catalog, struct error *err);
/* Looks at the marked tables; no statement is sent if there are none.  `running`: the job that upkeep works on, or NULL. */
MUST_CHECK bool index_follow_check(struct index_follow *follow, struct connection *source,
								  struct connection *control, const struct index_job *running,
								  struct error *err);
/* A job for which the batches have to learn which columns are to be unique; NULL: none. */
struct index_job *index_follow_unguarded(const struct index_follow *follow);
/* To be called while no shape of the target is in use. */
void index_follow_guard(struct index_job *job);

/* ---- called by upkeep */

void index_follow_applied(struct index_follow *follow, const struct batch *batch, int64_t now_ms);
/* The job that is due; NULL: none.  As in upkeep_plan_next(). */
struct index_job *index_follow_next(const struct index_follow *follow, int64_t now_ms, bool now_or_never,
									bool (*busy)(void *arg, uint32_t target_oid), void *arg);
/* Whether a batch that waits for the job's statement has to go on waiting. */
bool index_follow_insists(const struct index_follow *follow, const struct index_job *job);
/* Appends the statements of the present step. */
void index_follow_put(const struct index_follow *follow, struct index_job *job, struct buffer *sql);
/* The step has been carried out.  False: there is no other for now; the job may be gone. */
bool index_follow_took(struct index_follow *follow, struct index_job *job, const struct result *res);
/* It has failed; `cancelled`: it gave way. */
void index_follow_failed(struct index_follow *follow, struct index_job *job, const struct error *err,
						 bool cancelled, int64_t now_ms);
/* The session was closed between two steps: the job begins again in another one. */
void index_follow_interrupted(struct index_job *job);

#endif
