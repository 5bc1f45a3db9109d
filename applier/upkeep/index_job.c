#include "index_job.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_index.h"
#include "state/state_indexes.h"

static struct index_job *
create(const struct table *table, const struct index_step *step, const char *signature, const char *name)
{
	struct index_job *job = memory_alloc_zero(1, sizeof *job);

	job->source_oid = table->source.oid;
	job->target_oid = table->target.oid;
	job->action = step->action;
	job->signature = memory_strdup(signature);
	job->name = memory_strdup(name);
	return job;
}

void
index_job_destroy(struct index_job *job)
{
	if (!job)
		return;
	for (unsigned i = 0; i < job->count; i++)
		free(job->statements[i]);
	free(job->signature);
	free(job->name);
	free(job);
}

/* Takes the text and ends the buffer. */
static void
add(struct index_job *job, struct buffer *sql)
{
	job->statements[job->count++] = memory_strdup(sql_text(sql));
	buffer_fini(sql);
}

/* Nobody else makes an index of this name, so it proves whose an index is until its OID is stored. */
static void
random_name(char out[DDL_NAME_BYTES])
{
	uint64_t number;

	if (getrandom(&number, sizeof number, 0) != sizeof number)
		abort();
	snprintf(out, DDL_NAME_BYTES, "sluice_index_%016" PRIx64, number);
}

struct index_job *
index_job_build(const char *task, const struct table *table, const struct index_step *step,
				const struct index_spec *spec, uint64_t lsn, bool concurrently)
{
	struct index_job *job = create(table, step, step->wanted->signature, spec->name);
	char name[DDL_NAME_BYTES];
	struct buffer sql;

	random_name(name);
	job->lsn = lsn;
	job->concurrently = concurrently;
	sql_init(&sql);
	state_indexes_put_building(&sql, task, job->target_oid, step->wanted, name);
	add(job, &sql);
	/* It waits for transactions with old snapshots, which blocks nobody. */
	if (concurrently) {
		sql_init(&sql);
		buffer_printf(&sql, "SET lock_timeout = 0");
		add(job, &sql);
	}
	sql_init(&sql);
	ddl_put_create_index(&sql, table, name, false, concurrently, spec->tail);
	add(job, &sql);
	if (concurrently) {
		sql_init(&sql);
		buffer_printf(&sql, "SET lock_timeout = " INDEX_JOB_LOCK_TIMEOUT);
		add(job, &sql);
	}
	return job;
}

struct index_job *
index_job_finish(const struct table *table, const struct index_step *step, const struct index_spec *spec,
				 unsigned lacking)
{
	struct index_job *job = create(table, step, step->wanted->signature, spec->name);
	const struct index_found *found = step->found;
	char name[DDL_NAME_BYTES];
	struct buffer sql;

	if (lacking & INDEX_LACKS_NAME)
		snprintf(name, sizeof name, "%s", found->name);
	else
		ddl_index_name(name, table, spec);
	sql_init(&sql);
	if (!(lacking & INDEX_LACKS_NAME)) {
		buffer_printf(&sql, "ALTER INDEX ");
		sql_qualified(&sql, found->schema, found->name);
		buffer_printf(&sql, " RENAME TO ");
		sql_identifier(&sql, name);
		buffer_printf(&sql, "; ");
	}
	if (!(lacking & INDEX_LACKS_COMMENT) && spec->comment)
		ddl_put_index_comment(&sql, found->schema, name, spec->comment);
	state_indexes_put_made(&sql, job->target_oid, job->signature, step->wanted->oid, found, name);
	add(job, &sql);
	return job;
}

struct index_job *
index_job_drop(const struct table *table, const struct index_step *step)
{
	struct index_job *job = create(table, step, step->row->signature, step->found->name);
	struct buffer sql;

	job->remains = step->row->oid == 0;
	sql_init(&sql);
	state_indexes_put_drop(&sql, step->found, table->target_schema, table->target_name);
	buffer_printf(&sql, "; ");
	state_indexes_put_forget(&sql, job->target_oid, step->row->signature);
	add(job, &sql);
	return job;
}
