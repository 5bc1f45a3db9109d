/*
 * What the files of copy_job share.  Each state's function makes the requests
 * that the state is about; with the last answer it calls copy_job_go_on().
 */
#ifndef SLUICE_COPY_JOB_STEPS_H
#define SLUICE_COPY_JOB_STEPS_H

#include "copy_job.h"

/* The one place that changes job->state: checks the move and what holds after it, and logs it. */
void copy_job_enter(struct copy_job *job, enum copy_job_state state);

/* Enters the state that follows, and makes its requests; nothing where the copy has failed. */
void copy_job_go_on(struct copy_job *job);

/* Ends the copy as a whole.  The first error is the one that is reported. */
void copy_job_fail(struct copy_job *job, const struct error *err);
/* A table that is found copied already, as by a session that was lost when its COMMIT was on the way, must not get its rows
 * twice. */
void copy_job_fail_copied(struct copy_job *job);

/* Asks what the buffer holds, and frees it. */
void copy_job_ask(struct copy_job *job, struct connection *conn, struct buffer *sql, connection_done done);
/* The answer to a request behind which others are queued: of interest only if it is an error. */
void copy_job_on_step(void *arg, const struct result *res, const struct error *err);

/* ---- before the rows (copy_job_table.c) */
void copy_job_look(struct copy_job *job);
void copy_job_measure(struct copy_job *job);
void copy_job_claim(struct copy_job *job);
void copy_job_prepare(struct copy_job *job);
void copy_job_open_parts(struct copy_job *job);
/* The source's lock, where nothing needs it any more. */
void copy_job_release_source(struct copy_job *job);

/* ---- the rows and what follows them (copy_job_rows.c) */
void copy_job_copy(struct copy_job *job);
void copy_job_claim_part(struct copy_job *job);
void copy_job_copy_part(struct copy_job *job);
void copy_job_claim_end(struct copy_job *job);
void copy_job_end(struct copy_job *job);
void copy_job_analyze(struct copy_job *job);

#endif
