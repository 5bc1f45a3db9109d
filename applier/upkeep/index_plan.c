#include "index_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_index.h"
#include "lsn.h"

/* ---- jobs */

static struct index_job *
add(struct index_jobs *jobs, struct table *table, const struct index_entry *entry)
{
	struct index_job *job = memory_alloc_zero(1, sizeof *job);

	job->table = table;
	job->entry.oid = entry->oid;
	index_entry_set(&job->entry, entry->state, entry->signature, entry->lsn, entry->name);
	jobs->items = memory_resize(jobs->items, jobs->count + 1, sizeof(*jobs->items));
	jobs->items[jobs->count++] = job;
	return job;
}

static void
free_job(struct index_job *job)
{
	free(job->entry.name);
	free(job->sql);
	free(job->comment);
	free(job->note);
	free(job);
}

void
index_jobs_remove(struct index_jobs *jobs, struct index_job *job)
{
	unsigned at = 0;

	while (jobs->items[at] != job)
		at++;
	memmove(&jobs->items[at], &jobs->items[at + 1], (jobs->count - at - 1) * sizeof(*jobs->items));
	jobs->count--;
	free_job(job);
}

void
index_jobs_fini(struct index_jobs *jobs)
{
	for (unsigned i = 0; i < jobs->count; i++)
		free_job(jobs->items[i]);
	free(jobs->items);
	*jobs = (struct index_jobs){0};
}

/* Without the semicolon and line break at its end; NULL if there is no statement. */
static char *
take_statement(struct buffer *sql)
{
	char *text = NULL;

	if (sql->len > 0) {
		buffer_truncate(sql, sql->len - strlen(";\n"));
		text = memory_strdup(sql_text(sql));
	}
	buffer_fini(sql);
	return text;
}

/* ---- what the target has */

static const struct index_found *
find_name(const struct index_found *found, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(found[i].name, name) == 0)
			return &found[i];
	return NULL;
}

/* Whether one of the jobs drops it. */
static bool
is_dropped(const struct index_jobs *jobs, const struct table *table, const char *name)
{
	for (unsigned i = 0; i < jobs->count; i++) {
		const struct index_job *job = jobs->items[i];

		if (job->drops && job->table == table && strcmp(job->entry.name, name) == 0)
			return true;
	}
	return false;
}

static bool
has_like(const struct index_jobs *jobs, const struct index_question *q, const struct index_spec *index)
{
	for (unsigned i = 0; i < q->found_count; i++) {
		const struct index_found *found = &q->found[i];

		if (found->valid && found->unique == index->unique && strcmp(found->tail, index->tail) == 0 &&
			!is_dropped(jobs, q->table, found->name))
			return true;
	}
	return false;
}

char *
index_plan_drop(const struct table *table, const struct index_found *found, unsigned found_count,
				const char *name)
{
	const struct index_found *index = find_name(found, found_count, name);
	struct buffer sql;

	sql_init(&sql);
	if (index && index->constraint) {
		buffer_printf(&sql, "ALTER TABLE ");
		sql_qualified(&sql, table->target_schema, table->target_name);
		buffer_printf(&sql, " DROP CONSTRAINT ");
		sql_identifier(&sql, index->constraint);
		buffer_printf(&sql, ";\n");
	} else if (index) {
		buffer_printf(&sql, "DROP INDEX ");
		sql_qualified(&sql, table->target_schema, name);
		buffer_printf(&sql, ";\n");
	}
	return take_statement(&sql);
}

/* ---- indexes that the source no longer has */

static void
plan_gone(struct index_jobs *jobs, const struct index_question *q, struct index_list *list,
		  const struct index_list *source)
{
	for (unsigned i = list->count; i-- > 0;) {
		struct index_entry *entry = &list->entries[i];
		bool ours = entry->state == INDEX_OURS || entry->state == INDEX_BEGUN;
		char *sql = NULL;

		if (!index_list_is_gone(source, entry))
			continue;
		if (ours)
			sql = index_plan_drop(q->table, q->found, q->found_count, entry->name);
		if (sql) {
			struct index_job *job = add(jobs, q->table, entry);

			job->drops = true;
			job->sql = sql;
			job->note = memory_printf("the index %s is to be dropped", entry->name);
			job->step = INDEX_DROP;
		} else {
			index_list_remove(list, entry);
		}
	}
}

/* ---- indexes that the source has */

static void
note_left(const struct table *table, const struct index_spec *index, const char *remark)
{
	log_table(LOG_WARNING, &table->source, "%s.%s goes without the index %s: %s", table->target_schema,
			  table->target_name, index->name, remark);
}

static void
plan_build(struct index_jobs *jobs, const struct index_question *q, const struct index_spec *index,
		   const struct index_entry *entry)
{
	struct index_job *job = add(jobs, q->table, entry);
	struct buffer sql;
	char lsn[LSN_TEXT_BYTES];

	job->concurrently = !q->dialect->has_segments && !q->table->target.partitioned;
	job->unique = index->unique;
	if (index->plain) {
		memcpy(job->columns, index->columns, sizeof job->columns);
		job->column_count = index->column_count;
	}
	sql_init(&sql);
	ddl_put_create_index(&sql, q->table, index, job->concurrently);
	job->sql = take_statement(&sql);
	sql_init(&sql);
	ddl_put_index_comment(&sql, q->table, index);
	job->comment = take_statement(&sql);
	job->note =
		memory_printf("the index %s is to be built: it waits until everything up to %s is applied%s",
					  entry->name, lsn_format(entry->lsn, lsn),
					  job->concurrently ? ""
										: ", and for a moment without changes of this table, since the"
										  " destination blocks changes of a table while it builds an"
										  " index");
	job->step = INDEX_PROBE;
}

/* As in ddl_allows_index(). */
static bool
is_allowed(const struct index_question *q, const struct index_spec *index, const char **remark)
{
	if (!ddl_allows_index(q->dialect, q->table, index, remark))
		return false;
	if (index->unique && q->mixed)
		*remark = "the target may have rows of others";
	return !*remark;
}

static void
plan_index(struct index_jobs *jobs, const struct index_question *q, struct index_list *list,
		   const struct index_spec *index)
{
	struct index_entry *entry = index_list_find(list, index->oid);
	const struct index_found *found;
	char name[DDL_NAME_BYTES];
	const char *remark;

	if (entry && (entry->state == INDEX_LEFT || entry->state == INDEX_OURS))
		return;
	ddl_index_name(name, q->table, index);
	found = entry && entry->state == INDEX_BEGUN ? find_name(q->found, q->found_count, name) : NULL;
	if (!entry) {
		entry = index_list_place(list, index->oid);
		index_entry_set(entry, INDEX_WANTED, index->signature, q->lsn, name);
	} else if (entry->state == INDEX_WANTED) {
		/* The target may have been renamed. */
		index_entry_set(entry, INDEX_WANTED, index->signature, entry->lsn, name);
	}
	if (found && found->valid) {
		entry->state = INDEX_OURS;
	} else if (!is_allowed(q, index, &remark)) {
		if (remark)
			note_left(q->table, index, remark);
		index_entry_set(entry, INDEX_LEFT, index->signature, 0, "-");
	} else if (!found && has_like(jobs, q, index)) {
		index_entry_set(entry, INDEX_LEFT, index->signature, 0, "-");
	} else {
		plan_build(jobs, q, index, entry);
	}
}

static void
list_source(struct index_list *source, const struct creation_spec *spec)
{
	*source = (struct index_list){0};
	for (unsigned i = 0; i < spec->index_count; i++) {
		struct index_entry *entry = index_list_place(source, spec->indexes[i].oid);

		index_entry_set(entry, INDEX_LEFT, spec->indexes[i].signature, 0, "-");
		entry->unique = spec->indexes[i].unique;
	}
}

void
index_plan(struct index_jobs *jobs, const struct index_question *q)
{
	const struct creation_spec *spec = q->table->source.creation_spec;
	struct index_list list, source;

	index_list_read(&list, q->table->indexes);
	list_source(&source, spec);
	index_list_renew(&list, &source);
	plan_gone(jobs, q, &list, &source);
	for (unsigned i = 0; i < spec->index_count; i++)
		if (index_list_selects(q->wanted, spec->indexes[i].unique))
			plan_index(jobs, q, &list, &spec->indexes[i]);
	free(q->table->indexes);
	q->table->indexes = index_list_text(&list);
	index_list_fini(&list);
	index_list_fini(&source);
}
