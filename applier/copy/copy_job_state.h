/*
 * What a job of the initial copy is doing.
 *
 *	                                    ┌► copying ─────────────────────┐
 *	idle ► looking ► claiming ► preparing                               ├► ending ► analyzing ► idle
 *	          └► measuring ┘            └► opening ► idle               │
 *	                                                                    │
 *	idle ► claiming a part ► copying a part ┬► claiming the end ────────┘
 *	                                        └► idle
 *
 * From looking a job is idle again if the table has changed since the snapshot; from any state it may fail, which ends
 * the copy as a whole.
 */
#ifndef SLUICE_COPY_JOB_STATE_H
#define SLUICE_COPY_JOB_STATE_H

#include <stdbool.h>

enum copy_job_state {
	COPY_JOB_IDLE,
	COPY_JOB_LOOKING,	/* locks the table at the source, and asks whether it is unchanged */
	COPY_JOB_MEASURING, /* asks what it can be divided by */
	COPY_JOB_CLAIMING, /* begins the transaction at the destination, which locks the table's row in sluice.tables */
	COPY_JOB_PREPARING, /* empties the target, and takes its indexes off */
	COPY_JOB_COPYING,	/* all rows of a table that is not divided */
	COPY_JOB_OPENING,	/* commits that the target holds parts from here on: any job may copy them */
	COPY_JOB_CLAIMING_PART,
	COPY_JOB_COPYING_PART, /* and commits it */
	COPY_JOB_CLAIMING_END, /* by the job that copied the last part */
	COPY_JOB_ENDING,	   /* builds the indexes, writes the table's state, commits */
	COPY_JOB_ANALYZING,
	COPY_JOB_FAILED,
	COPY_JOB_STATES,
};

const char *copy_job_state_name(enum copy_job_state state);
/* What `status` says of the table; NULL: its rows are copied. */
const char *copy_job_state_shown(enum copy_job_state state);
bool copy_job_may_follow(enum copy_job_state from, enum copy_job_state to);

#endif
