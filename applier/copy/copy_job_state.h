/*
 * The states of a job of the initial copy.
 *
 *	                                     ┌► copying ────────────────────┐
 *	idle ► checking ► claiming ► preparing                              ├► ending ► analyzing ► idle
 *	           └► measuring ┘            └► opening ► idle              │
 *	                                                                    │
 *	idle ► claiming a part ► copying a part ┬► claiming the end ────────┘
 *	                                        └► idle
 *
 * A job goes from checking to idle if the table has changed since the snapshot.  It may fail in any state, which ends the
 * whole copy.
 */
#ifndef SLUICE_COPY_JOB_STATE_H
#define SLUICE_COPY_JOB_STATE_H

#include <stdbool.h>

enum copy_job_state {
	COPY_JOB_IDLE,
	COPY_JOB_CHECKING,	/* locks the table at the source, and checks that it is unchanged */
	COPY_JOB_MEASURING, /* reads the leaves and sizes that it can be divided by */
	COPY_JOB_CLAIMING, /* begins the transaction at the destination, which locks the table's row in sluice.tables */
	COPY_JOB_PREPARING, /* empties the target, and drops its indexes */
	COPY_JOB_COPYING,	/* all rows of a table that is not divided */
	COPY_JOB_OPENING,	/* commits the state in which any job may copy parts */
	COPY_JOB_CLAIMING_PART,
	COPY_JOB_COPYING_PART, /* and committing it */
	COPY_JOB_CLAIMING_END, /* by the job that copied the last part */
	COPY_JOB_ENDING,	   /* builds the indexes, writes the table's state, commits */
	COPY_JOB_ANALYZING,
	COPY_JOB_FAILED,
	COPY_JOB_STATES,
};

const char *copy_job_state_name(enum copy_job_state state);
/* What `status` shows as the table's step; NULL: the job is copying rows, or does nothing. */
const char *copy_job_state_shown(enum copy_job_state state);
bool copy_job_may_follow(enum copy_job_state from, enum copy_job_state to);

#endif
