/*
 * Decides what has to be done at a target so that its indexes follow those of the source's table; has no session.
 *
 * The texts of index_list.h say what was done before.  An index that the source no longer has is dropped if it is ours.
 * One that the source has, schema.indexes selects and no line mentions is created, unless the target has the like of it, or
 * cannot have it: the rules are those for tables that are created (ddl_index.h).
 */
#ifndef SLUICE_INDEX_PLAN_H
#define SLUICE_INDEX_PLAN_H

#include "dialect/dialect.h"
#include "tables/creation_specs.h"
#include "tables/index_list.h"

/* An index that the target has. */
struct index_found {
	const char *name;
	const char *tail;		/* as in index_spec */
	const char *constraint; /* name of the constraint that it belongs to; NULL: none */
	bool unique;
	bool valid;
};

/*
 *	PROBE ► CLEAR ► BEGIN ► BUILD ► END		creating one; CLEAR drops an invalid leftover
 *	DROP ► END								dropping one
 *	NOTE									after a failure; then again from the first step on
 */
enum index_step {
	INDEX_PROBE,
	INDEX_CLEAR,
	INDEX_BEGIN,
	INDEX_BUILD,
	INDEX_DROP,
	INDEX_END,
	INDEX_NOTE,
};

/* One index to be created or dropped. */
struct index_job {
	struct table *table;
	struct index_entry entry; /* the table's line about it, which may have changed since; owns its name */
	bool drops;
	bool concurrently; /* writers are not blocked */
	bool done;		   /* only the table's line is to be stored */
	bool unique;	   /* batches have to know the columns, see target_column.guarded */
	unsigned columns
		[TABLE_MAX_KEY]; /* of a unique one, as positions in source.columns; 0: any column may matter */
	unsigned column_count;
	char *sql;	   /* CREATE INDEX, or what drops it */
	char *comment; /* COMMENT ON INDEX; NULL: none */
	char *note;	   /* what becomes of it, in words */
	enum index_step step;
	int64_t changed_ms;	   /* when a batch last touched the target */
	int64_t not_before_ms; /* after a failure */
	int64_t store_ms;	   /* when the note is to be stored */
	unsigned cancelled;	   /* in a row */
};

struct index_jobs {
	struct index_job **items; /* allocated one by one */
	unsigned count;
};

struct index_question {
	const struct dialect *dialect;
	enum schema_indexes wanted;
	struct table *table; /* with a creation spec that has all indexes of the source; `indexes` is updated */
	const struct index_found *found;
	unsigned found_count;
	bool mixed;	  /* the target may have rows of others, among which values need not be unique */
	uint64_t lsn; /* position of the source at which the spec was read, or later */
};

/* Adds what is to be done. */
void index_plan(struct index_jobs *jobs, const struct index_question *question);
/* What drops an index of the target; NULL: the target has none of that name. */
char *index_plan_drop(const struct table *table, const struct index_found *found, unsigned found_count,
					  const char *name);

void index_jobs_remove(struct index_jobs *jobs, struct index_job *job);
void index_jobs_fini(struct index_jobs *jobs);

#endif
