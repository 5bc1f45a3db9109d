/*
 * One of the pipes of the initial copy: a pair of connections that copies one
 * table, or one part of a table, after another.  Part of initial_copy.
 *
 * All is driven by the connections' callbacks, from one state to the next
 * (copy_job_state.h draws them); each transaction at the destination ends
 * before the next begins.  A divided table is opened by one job, its parts are
 * copied by any, and the one that copies the last part ends it.
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
	struct copy_leaf *leaves; /* of which the parts are made */
	unsigned leaf_count;
	struct copy_parts parts; /* none: it is copied as a whole */
	unsigned next_part;		 /* parts.count until the copy is opened, too */
	unsigned parts_done;
	char *rebuild; /* statements that end it; NULL: none */
	int64_t rows;  /* of its committed parts; of all of it, once they have come */
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
	bool locks_source;			  /* the table behind the savepoint "look" at the source */
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
	struct throttle *throttle; /* of what all jobs read */
	struct loop_timer *tick;
	unsigned ticks;
	bool state_in_flight;
	bool terminal;
	bool failed;
	struct error err;
	struct copy_work *failed_work; /* NULL: none */
	enum copy_job_state failed_in;
	struct table *refused; /* whose copy failed, when that was about the table; NULL: none */
	const struct copy_part *refused_part;
	bool refused_at_source;
};

/* Connects job `number`, and takes the snapshot. */
MUST_CHECK bool copy_job_open(struct copy *copy, unsigned number, struct error *err);
void copy_job_close(struct copy_job *job);
/* Gives an idle job something to do, where there is something. */
void copy_job_start(struct copy_job *job);

/* Whether the table is to be copied in parts, as far as its size and its target tell. */
bool copy_work_is_divisible(const struct copy *copy, const struct table *table);

#endif
