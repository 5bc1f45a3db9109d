/*
 * The statements of one step about one index that may take long, as upkeep's session executes them one by one.  All its text
 * is its own.
 */
#ifndef SLUICE_INDEX_JOB_H
#define SLUICE_INDEX_JOB_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "index_troubles.h"
#include "tables/catalog.h"
#include "tables/creation_specs.h"
#include "tables/index_plan.h"

/* Of upkeep's session, in milliseconds. */
#define INDEX_JOB_LOCK_TIMEOUT "1000"

struct index_job {
	uint32_t source_oid; /* of the table */
	uint32_t target_oid;
	enum index_action action;
	char *signature;
	char *name; /* for people */
	char *statements[4];
	unsigned count;
	unsigned next;	   /* the statement that is or will be executed */
	uint64_t lsn;	   /* of the source: not to be begun before all up to there is applied */
	bool running;	   /* the server works on a statement of it */
	bool concurrently; /* batches need not wait for it */
	bool remains;	   /* what is dropped is a part of an index that was not completed */
	bool unwanted;	   /* the source has dropped the index meanwhile */
	int64_t created_ms;
};

/* `lsn`: until there rows may come that the index refuses.  `concurrently`: the destination can build without blocking writers, and it matters. */
struct index_job *index_job_build(const char *task, const struct table *table, const struct index_step *step,
								  const struct index_spec *spec, uint64_t lsn, bool concurrently);
/* `lacking`: bits of enum index_lacking. */
struct index_job *index_job_finish(const struct table *table, const struct index_step *step,
								   const struct index_spec *spec, unsigned lacking);
struct index_job *index_job_drop(const struct table *table, const struct index_step *step);
void index_job_destroy(struct index_job *job);

#endif
