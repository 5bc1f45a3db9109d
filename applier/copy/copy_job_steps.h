/*
 * Shared by the files of copy_job.  Each state has a function that sends its
 * requests; the last answer calls copy_job_go_on().
 */
#ifndef SLUICE_COPY_JOB_STEPS_H
#define SLUICE_COPY_JOB_STEPS_H

#include "copy_job.h"

/* The only function that changes job->state: checks the transition and the invariants, and logs it. */
void copy_job_enter(struct copy_job *job, enum copy_job_state state);

/* Enters the next state and sends its requests; does nothing if the copy has failed. */
void copy_job_go_on(struct copy_job *job);

/* Ends the whole copy.  The first error is the one that is reported. */
void copy_job_fail(struct copy_job *job, const struct error *err);
/* Fails because the table has been copied already, for example by a session that was lost during its COMMIT: its rows
 * must not be copied twice. */
void copy_job_fail_copied(struct copy_job *job);

/* Sends the statements in the buffer, and frees it. */
void copy_job_ask(struct copy_job *job, struct connection *conn, struct buffer *sql, connection_done done);
/* The callback of a request with others queued behind it: only an error matters. */
void copy_job_on_step(void *arg, const struct result *res, const struct error *err);

/* The callback of the statement that writes the table's state, the last one of a transaction: commits, and goes on. */
void copy_job_on_state_written(void *arg, const struct result *res, const struct error *err);

/* ---- before the rows (copy_job_table.c) */
void copy_job_check(struct copy_job *job);
void copy_job_measure(struct copy_job *job);
void copy_job_claim(struct copy_job *job);
void copy_job_prepare(struct copy_job *job);
void copy_job_open_parts(struct copy_job *job);
/* Once that is committed: lets all jobs copy parts. */
void copy_job_share_parts(struct copy_job *job);
/* Releases the lock on the source table, if the job holds one. */
void copy_job_release_source(struct copy_job *job);

/* ---- the rows and what follows them (copy_job_rows.c) */
void copy_job_copy(struct copy_job *job);
void copy_job_claim_part(struct copy_job *job);
void copy_job_copy_part(struct copy_job *job);
void copy_job_claim_end(struct copy_job *job);
void copy_job_end(struct copy_job *job);
void copy_job_analyze(struct copy_job *job);

#endif
