#include "copy_job_state.h"

#include <assert.h>

#include "base/log.h"
#include "copy_job_steps.h"

#define TO(state) (1u << COPY_JOB_##state)

static const struct {
	const char *name;
	unsigned next; /* the states that may follow; FAILED follows each */
} states[COPY_JOB_STATES] = {
	[COPY_JOB_IDLE] = {"idle", TO(CHECKING) | TO(CLAIMING_PART)},
	[COPY_JOB_CHECKING] = {"checking", TO(MEASURING) | TO(CLAIMING) | TO(IDLE)},
	[COPY_JOB_MEASURING] = {"measuring", TO(CLAIMING)},
	[COPY_JOB_CLAIMING] = {"claiming", TO(PREPARING)},
	[COPY_JOB_PREPARING] = {"preparing", TO(COPYING) | TO(OPENING)},
	[COPY_JOB_COPYING] = {"copying", TO(ENDING)},
	[COPY_JOB_OPENING] = {"opening", TO(IDLE)},
	[COPY_JOB_CLAIMING_PART] = {"claiming a part", TO(COPYING_PART)},
	[COPY_JOB_COPYING_PART] = {"copying a part", TO(CLAIMING_END) | TO(IDLE)},
	[COPY_JOB_CLAIMING_END] = {"claiming the end", TO(ENDING)},
	[COPY_JOB_ENDING] = {"ending", TO(ANALYZING)},
	[COPY_JOB_ANALYZING] = {"analyzing", TO(IDLE)},
	[COPY_JOB_FAILED] = {"failed", 0},
};

const char *
copy_job_state_name(enum copy_job_state state)
{
	return states[state].name;
}

bool
copy_job_may_follow(enum copy_job_state from, enum copy_job_state to)
{
	return to == COPY_JOB_FAILED ? from != COPY_JOB_FAILED : (states[from].next & (1u << to)) != 0;
}

/* What must hold for the job and its table in each state. */
static void
check_invariants(const struct copy_job *job)
{
	const struct copy_work *work = job->work;

	assert(work || job->state == COPY_JOB_IDLE || job->state == COPY_JOB_FAILED);
	switch (job->state) {
	case COPY_JOB_IDLE:
		assert(!work && !job->part && !job->locks_source);
		break;
	case COPY_JOB_CHECKING:
	case COPY_JOB_MEASURING:
		assert(table_is_copying(work->table) && work->parts.count == 0);
		break;
	case COPY_JOB_CLAIMING:
	case COPY_JOB_PREPARING:
	case COPY_JOB_OPENING:
		assert(job->locks_source && work->next_part == work->parts.count && work->parts_done == 0);
		break;
	case COPY_JOB_COPYING:
		assert(job->locks_source && work->parts.count == 0);
		break;
	case COPY_JOB_CLAIMING_PART:
	case COPY_JOB_COPYING_PART:
		assert(job->part && work->table->state == TABLE_COPYING_PARTS);
		assert(work->parts_done < work->parts.count);
		break;
	case COPY_JOB_CLAIMING_END:
	case COPY_JOB_ENDING:
		assert(!job->part && table_is_copying(work->table) && work->parts_done == work->parts.count);
		break;
	case COPY_JOB_ANALYZING:
		assert(table_follows(work->table));
		break;
	case COPY_JOB_FAILED:
		assert(job->copy->failed);
		break;
	case COPY_JOB_STATES:
		assert(false);
	}
}

void
copy_job_enter(struct copy_job *job, enum copy_job_state state)
{
	assert(copy_job_may_follow(job->state, state));
	if (job->work)
		log_debug("copy job %u, %s.%s: %s -> %s", job->number, job->work->table->source.schema,
				  job->work->table->source.name, states[job->state].name, states[state].name);
	else
		log_debug("copy job %u: %s -> %s", job->number, states[job->state].name, states[state].name);
	job->state = state;
	check_invariants(job);
}

const char *
copy_job_state_shown(enum copy_job_state state)
{
	switch (state) {
	case COPY_JOB_CHECKING:
	case COPY_JOB_MEASURING:
		return "locking the table at the source";
	case COPY_JOB_CLAIMING:
	case COPY_JOB_OPENING:
	case COPY_JOB_CLAIMING_PART:
	case COPY_JOB_CLAIMING_END:
		return "writing the table's state";
	case COPY_JOB_PREPARING:
		return "preparing the target";
	case COPY_JOB_ENDING:
		return "building indexes";
	case COPY_JOB_ANALYZING:
		return "analyzing the target";
	case COPY_JOB_IDLE:
	case COPY_JOB_COPYING:
	case COPY_JOB_COPYING_PART:
	case COPY_JOB_FAILED:
	case COPY_JOB_STATES:
		break;
	}
	return NULL;
}
