/*
 * One of the pipes of the initial copy: a pair of connections that copies one
 * table, or one part of a table, after another.  Part of initial_copy.
 *
 * The connections' callbacks move a job from one state to the next
 * (copy_job_state.h draws them); each transaction at the destination ends
 * before the next begins.  One job opens a divided table, any job copies its
 * parts, and the job that copies the last part ends it.
 */
#ifndef SLUICE_COPY_JOB_H
#define SLUICE_COPY_JOB_H

#include "copy_job_state.h"
#include "copy_parts.h"
#include "copy_pipe.h"
#include "initial_copy.h"

/* A table that is to be copied, and its progress. */
struct copy_work {
	struct table *table;
	struct copy_leaf *leaves; /* that the parts refer to */
	unsigned leaf_count;
	struct copy_parts parts; /* count 0: the table is copied as a whole */
	unsigned next_part;		 /* parts.count: all are taken, or the table is not open for them yet */
	unsigned parts_done;
	char *rebuild; /* statements that restore the target's indexes; NULL: none */
	int64_t rows;  /* of committed parts; of the whole table once all rows have come */
	int64_t started_ms;
};

struct copy;

struct copy_job {
	struct copy *copy;
	unsigned number; /* among copy->jobs */
	enum copy_job_state state;
	struct copy_pipe pipe;
	struct copy_work *work;		  /* NULL: idle */
	const struct copy_part *part; /* NULL: not in the middle of a part */
	bool locks_source; /* holds a lock on the table at the source, taken after the savepoint "before_lock" */
};

/* What the jobs share. */
struct copy {
	const struct initial_copy_setup *setup;
	struct copy_job *jobs;
	unsigned job_count;
	struct copy_work *queue; /* largest first */
	unsigned queue_count;
	unsigned next;
	int64_t total_bytes; /* of the queue */
	int64_t part_bytes;
	unsigned copied;
	unsigned postponed; /* tables that changed since the snapshot */
	int64_t rows;		/* of all of copy_work.rows */
	int64_t started_ms;
	struct throttle *throttle; /* limits what all jobs together read */
	struct loop_timer *tick;
	unsigned ticks;
	int64_t bytes_at_tick; /* had come by the last one */
	bool state_in_flight;
	bool terminal;
	bool failed;
	struct error err;
	struct copy_work *failed_work; /* NULL: none */
	enum copy_job_state failed_in;
	struct table *refused; /* the table whose data made the copy fail (ERROR_DATA); NULL: none */
	const struct copy_part *refused_part;
	bool refused_at_source;
};

/* Connects job `number` to both servers, and begins its transaction with the snapshot at the source. */
MUST_CHECK bool copy_job_open(struct copy *copy, unsigned number, struct error *err);
void copy_job_close(struct copy_job *job);
/* Gives an idle job a part or a table to copy, where one is left. */
void copy_job_start(struct copy_job *job);

/* Whether the table's size and its target allow a copy in parts. */
bool copy_work_is_divisible(const struct copy *copy, const struct table *table);

#endif
