#include "index_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_index.h"
#include "servers/describe.h"
#include "servers/index_specs.h"
#include "servers/source.h"
#include "servers/trial.h"
#include "state/state_upkeep.h"
#include "tables/mapping.h"

#define SPEC_BYTES ((size_t) 1 << 14)
#define PAUSES_MAX 6
#define SQLSTATE_NAME_TAKEN "42P07"

/* ---- which tables differ */

static enum schema_indexes
wanted(const struct config *config)
{
	return config->schema.changes == SCHEMA_CHANGES_FOLLOW ? config->schema.indexes : SCHEMA_INDEXES_NONE;
}

/* Of several tables that feed a target the first one creates it, and its indexes. */
static void
mark(const struct config *config, const struct catalog *catalog, struct table *table)
{
	unsigned number = (unsigned) (table - catalog->tables);

	table->indexes_behind =
		wanted(config) != SCHEMA_INDEXES_NONE && mapping_is_first(catalog, number) &&
		(!table->indexes || index_list_is_behind(table->indexes, table->source_indexes, wanted(config)));
}

void
index_follow_init(struct index_follow *follow, uint64_t applied_lsn)
{
	follow->applied_lsn = applied_lsn;
	for (unsigned i = 0; i < follow->catalog->count; i++)
		mark(follow->config, follow->catalog, &follow->catalog->tables[i]);
}

void
index_follow_fini(struct index_follow *follow)
{
	index_jobs_fini(&follow->jobs);
}

/* Whether indexes that are ours are gone at the source. */
static bool
has_gone(const struct table *table)
{
	struct index_list list, source;
	bool gone = false;

	index_list_read(&list, table->indexes);
	index_list_read_source(&source, table->source_indexes);
	index_list_renew(&list, &source);
	for (unsigned i = 0; i < list.count; i++)
		gone |= list.entries[i].state == INDEX_OURS && index_list_is_gone(&source, &list.entries[i]);
	index_list_fini(&list);
	index_list_fini(&source);
	return gone;
}

bool
index_follow_note(const struct config *config, const struct catalog *catalog, struct table *table,
				  const char *source_indexes)
{
	free(table->source_indexes);
	table->source_indexes = memory_strdup(source_indexes ? source_indexes : "");
	mark(config, catalog, table);
	return table->indexes_behind && has_gone(table);
}

/* ---- what the targets have */

static const char found_sql[] =
	"SELECT i.indrelid, ic.relname, " INDEX_TAIL_SQL ", k.conname, i.indisunique, i.indisvalid"
	" FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid"
	" JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid"
	"  AND k.contype IN ('p', 'u', 'x') WHERE i.indrelid = ANY ($1::oid[]) ORDER BY i.indrelid, i.indexrelid";

static bool
read_found(struct connection *destination, const char *oids, struct result **res, struct error *err)
{
	struct param param = param_text(oids);

	return connection_execute(destination, found_sql, &param, 1, res, err) ||
		   error_context(err, "reading the indexes of targets");
}

/* Those of one target, as views into the result. */
static struct index_found *
list_found(const struct result *res, uint32_t target_oid, unsigned *count)
{
	struct index_found *found = memory_alloc_zero(result_rows(res) + 1, sizeof *found);

	*count = 0;
	for (unsigned row = 0; row < result_rows(res); row++)
		if ((uint32_t) result_int(res, row, 0) == target_oid)
			found[(*count)++] = (struct index_found){
				.name = result_text(res, row, 1),
				.tail = result_text(res, row, 2),
				.constraint = result_is_null(res, row, 3) ? NULL : result_text(res, row, 3),
				.unique = result_bool(res, row, 4),
				.valid = result_bool(res, row, 5),
			};
	return found;
}

/* ---- dropping ahead of rows */

static bool
drop(struct connection *destination, struct table *table, const char *sql, struct error *err)
{
	struct error refusal;

	if (!trial_execute(destination, sql, &refusal, err))
		return false;
	if (refusal.message[0])
		log_table(LOG_WARNING, &table->source, "%s.%s keeps an index that the source has dropped: %s: %s",
				  table->target_schema, table->target_name, sql, refusal.message);
	else
		log_table(LOG_INFO, &table->source, "the source has dropped an index: %s", sql);
	return true;
}

static bool
is_unique(const struct index_found *found, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(found[i].name, name) == 0)
			return found[i].unique;
	return false;
}

static bool
drop_gone(struct connection *destination, struct table *table, const struct result *res, struct error *err)
{
	struct index_list list, source;
	struct index_found *found;
	unsigned count;
	bool ok = true;

	found = list_found(res, table->target.oid, &count);
	index_list_read(&list, table->indexes);
	index_list_read_source(&source, table->source_indexes);
	index_list_renew(&list, &source);
	for (unsigned i = list.count; ok && i-- > 0;) {
		struct index_entry *entry = &list.entries[i];
		char *sql;

		if (entry->state != INDEX_OURS || !index_list_is_gone(&source, entry) ||
			!is_unique(found, count, entry->name))
			continue;
		sql = index_plan_drop(table, found, count, entry->name);
		ok = drop(destination, table, sql, err);
		free(sql);
		index_list_remove(&list, entry);
	}
	free(table->indexes);
	table->indexes = index_list_text(&list);
	index_list_fini(&list);
	index_list_fini(&source);
	free(found);
	return ok;
}

bool
index_follow_drop(struct connection *destination, const char *task, struct table *table, struct error *err)
{
	char oids[16];
	struct result *res;
	struct buffer sql;
	bool ok;

	snprintf(oids, sizeof oids, "{%u}", table->target.oid);
	if (!read_found(destination, oids, &res, err))
		return false;
	ok = drop_gone(destination, table, res, err);
	result_free(res);
	sql_init(&sql);
	state_indexes_put(&sql, task, (const struct table *[]){table}, 1);
	if (ok)
		return connection_execute_buffer(destination, &sql, NULL, err) ||
			   error_context(err, "writing sluice.tables");
	buffer_fini(&sql);
	return false;
}

bool
index_follow_drop_all(struct connection *destination, const struct config *config, struct catalog *catalog,
					  struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (table->indexes_behind && table_follows(table) && table->target.exists && has_gone(table) &&
			!index_follow_drop(destination, config->task, table, err))
			return false;
	}
	return true;
}

/* ---- checking what is marked */

/* Replaces the table's first `count` jobs by those that were planned after them. */
static void
replace_jobs(struct index_follow *follow, const struct table *table, unsigned count)
{
	for (unsigned i = count; i-- > 0;) {
		struct index_job *former = follow->jobs.items[i];

		if (former->table != table)
			continue;
		for (unsigned j = i + 1; j < follow->jobs.count; j++) {
			struct index_job *job = follow->jobs.items[j];

			if (job->table != table || job->entry.oid != former->entry.oid || job->drops != former->drops)
				continue;
			job->changed_ms = former->changed_ms;
			job->not_before_ms = former->not_before_ms;
			job->cancelled = former->cancelled;
		}
		index_jobs_remove(&follow->jobs, former);
	}
}

/* What `status` says of the table: the note of its first job. */
static void
set_indexing(const struct index_follow *follow, struct table *table)
{
	const char *note = NULL;

	for (unsigned i = follow->jobs.count; i-- > 0;)
		if (follow->jobs.items[i]->table == table)
			note = follow->jobs.items[i]->note;
	free(table->indexing);
	table->indexing = note ? memory_strdup(note) : NULL;
}

static void
take_answer(struct index_follow *follow, struct table *table, const struct result *res, uint64_t lsn)
{
	struct index_question question = {
		.dialect = follow->dialect,
		.wanted = wanted(follow->config),
		.table = table,
		.mixed = table->shared_with || follow->config->initial_copy.existing == COPY_EXISTING_APPEND,
		.lsn = lsn,
	};
	struct index_found *found = list_found(res, table->target.oid, &question.found_count);
	unsigned count = follow->jobs.count;

	question.found = found;
	index_plan(&follow->jobs, &question);
	replace_jobs(follow, table, count);
	free(found);
	set_indexing(follow, table);
	table->indexes_behind = false;
}

/* The marked tables that can be checked. */
static unsigned
list_marked(struct index_follow *follow, const struct index_job *running, struct table **marked)
{
	unsigned count = 0;

	for (unsigned i = 0; i < follow->catalog->count; i++) {
		struct table *table = &follow->catalog->tables[i];

		if (!table->indexes_behind || table->state != TABLE_STREAMING || !table->target.exists ||
			(running && running->table == table))
			continue;
		/* From a state of an earlier layout: what is there now is left as it is. */
		if (!table->indexes)
			table->indexes = index_list_baseline(table->source_indexes, follow->config->schema.indexes);
		marked[count++] = table;
	}
	return count;
}

static bool
vet(struct connection *source, struct arena *memory, struct table *const *marked, unsigned count,
	struct error *err)
{
	struct vetting vetting;
	bool ok;

	vetting_init(&vetting, memory);
	for (unsigned i = 0; i < count; i++)
		index_specs_vet(&vetting, marked[i]->source.creation_spec);
	ok = vetting_run(&vetting, source, err);
	vetting_fini(&vetting);
	return ok;
}

/* The position after the reading: whatever has led to what was read was committed before it. */
static bool
read_source(struct connection *source, struct arena *memory, struct table *const *marked, unsigned count,
			uint64_t *lsn, struct error *err)
{
	struct source_identity identity;
	struct describe describe;
	bool ok;

	describe_init(&describe, count);
	for (unsigned i = 0; i < count; i++)
		describe_add(&describe, marked[i]->source.oid, marked[i]);
	describe_sort(&describe);
	ok = index_specs_read(&describe, source, err) && vet(source, memory, marked, count, err) &&
		 source_await_flush(source, err) && source_identify(source, &identity, err);
	describe_fini(&describe);
	if (ok)
		*lsn = identity.current_lsn;
	return ok;
}

static bool
read_targets(struct connection *control, struct table *const *marked, unsigned count, struct result **res,
			 struct error *err)
{
	struct buffer oids;
	char oid[16];
	bool ok;

	sql_init(&oids);
	for (unsigned i = 0; i < count; i++) {
		snprintf(oid, sizeof oid, "%u", marked[i]->target.oid);
		sql_array_element(&oids, oid);
	}
	sql_array_end(&oids);
	ok = read_found(control, sql_text(&oids), res, err);
	buffer_fini(&oids);
	return ok;
}

static bool
store(struct connection *control, const char *task, struct table *const *marked, unsigned count,
	  struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	state_indexes_put(&sql, task, (const struct table *const *) marked, count);
	return connection_execute_buffer(control, &sql, NULL, err) || error_context(err, "writing sluice.tables");
}

static bool
read_both(struct index_follow *follow, struct connection *source, struct connection *control,
		struct table *const *marked, unsigned count, struct error *err)
{
	struct arena memory;
	struct result *res = NULL;
	uint64_t lsn = 0;
	bool ok;

	arena_init(&memory, SPEC_BYTES);
	for (unsigned i = 0; i < count; i++) {
		marked[i]->source.creation_spec = arena_alloc_zero(&memory, sizeof(struct creation_spec));
		marked[i]->source.creation_spec->memory = &memory;
	}
	ok = read_source(source, &memory, marked, count, &lsn, err) &&
		 read_targets(control, marked, count, &res, err);
	for (unsigned i = 0; i < count; i++) {
		if (ok)
			take_answer(follow, marked[i], res, lsn);
		marked[i]->source.creation_spec = NULL;
	}
	arena_fini(&memory);
	if (!ok)
		return error_context(err, "following the indexes of the source");
	result_free(res);
	return store(control, follow->config->task, marked, count, err);
}

bool
index_follow_check(struct index_follow *follow, struct connection *source, struct connection *control,
				  const struct index_job *running, struct error *err)
{
	struct table **marked = memory_alloc_zero(follow->catalog->count + 1, sizeof *marked);
	unsigned count = list_marked(follow, running, marked);
	bool ok = count == 0 || read_both(follow, source, control, marked, count, err);

	free(marked);
	return ok;
}

/* ---- columns that are to be unique */

static bool
concerns(const struct index_job *job, const struct target_column *column)
{
	for (unsigned i = 0; i < job->column_count; i++)
		if (mapping_find_target(job->table, job->table->source.columns[job->columns[i]].name) == column)
			return true;
	return job->column_count == 0 || column->generated;
}

static bool
is_guarded(const struct index_job *job)
{
	const struct target_table *target = &job->table->target;

	for (unsigned i = 0; job->unique && i < target->column_count; i++)
		if (!target->columns[i].guarded && concerns(job, &target->columns[i]))
			return false;
	return true;
}

struct index_job *
index_follow_unguarded(const struct index_follow *follow)
{
	for (unsigned i = 0; i < follow->jobs.count; i++)
		if (!is_guarded(follow->jobs.items[i]))
			return follow->jobs.items[i];
	return NULL;
}

/* A column that is guarded without need costs an update in place; the next start reads what the target has. */
void
index_follow_guard(struct index_job *job)
{
	struct target_table *target = &job->table->target;

	for (unsigned i = 0; i < target->column_count; i++)
		target->columns[i].guarded |= concerns(job, &target->columns[i]);
}

/* ---- carrying it out */

void
index_follow_applied(struct index_follow *follow, const struct batch *batch, int64_t now_ms)
{
	for (unsigned i = 0; i < follow->jobs.count; i++) {
		struct index_job *job = follow->jobs.items[i];

		for (unsigned j = 0; j < batch->net_count; j++)
			if (batch->nets[j]->shape->table->target.oid == job->table->target.oid)
				job->changed_ms = now_ms;
	}
}

bool
index_follow_insists(const struct index_follow *follow, const struct index_job *job)
{
	return job->cancelled >= follow->limits->cancellations;
}

/* Whether batches may be changing the target, which then would wait. */
static bool
disturbs(const struct index_follow *follow, const struct index_job *job, int64_t now_ms)
{
	return !job->concurrently && !job->drops && !index_follow_insists(follow, job) &&
		   now_ms - job->changed_ms < follow->limits->quiet_ms;
}

struct index_job *
index_follow_next(const struct index_follow *follow, int64_t now_ms, bool now_or_never,
				  bool (*busy)(void *arg, uint32_t target_oid), void *arg)
{
	for (unsigned i = 0; i < follow->jobs.count; i++) {
		struct index_job *job = follow->jobs.items[i];
		uint32_t oid = job->table->target.oid;

		if (job->step == INDEX_NOTE && now_ms >= job->store_ms)
			return job;
		/* A table that is marked is checked first: its target may have been altered. */
		if (job->step == INDEX_NOTE || now_ms < job->not_before_ms || job->entry.lsn > follow->applied_lsn ||
			job->table->indexes_behind || job->table->state != TABLE_STREAMING ||
			!(is_guarded(job) || now_or_never))
			continue;
		if (now_or_never || (!disturbs(follow, job, now_ms) &&
							 (job->concurrently || index_follow_insists(follow, job) || !busy(arg, oid))))
			return job;
	}
	return NULL;
}

static void
set_note(const struct index_follow *follow, struct index_job *job, char *note)
{
	free(job->note);
	job->note = note;
	set_indexing(follow, job->table);
}

/* Changes the table's line about the index. */
static void
set_state(struct index_job *job, enum index_state state)
{
	struct table *table = job->table;
	struct index_list list;

	job->entry.state = state;
	index_list_read(&list, table->indexes);
	index_entry_set(index_list_place(&list, job->entry.oid), state, job->entry.signature,
					state == INDEX_OURS ? 0 : job->entry.lsn, job->entry.name);
	free(table->indexes);
	table->indexes = index_list_text(&list);
	index_list_fini(&list);
}

static void
forget_line(struct index_job *job)
{
	struct table *table = job->table;
	struct index_list list;
	struct index_entry *entry;

	index_list_read(&list, table->indexes);
	entry = index_list_find(&list, job->entry.oid);
	if (entry)
		index_list_remove(&list, entry);
	free(table->indexes);
	table->indexes = index_list_text(&list);
	index_list_fini(&list);
}

static void
put_store(const struct index_follow *follow, const struct index_job *job, struct buffer *sql)
{
	state_indexes_put(sql, follow->config->task, (const struct table *[]){job->table}, 1);
}

static void
put_probe(const struct index_job *job, struct buffer *sql)
{
	buffer_printf(sql,
				  "SELECT 1 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = %u"
				  " AND NOT i.indisvalid AND c.relname = ",
				  job->table->target.oid);
	sql_literal(sql, job->entry.name);
}

/* The lock of CREATE INDEX CONCURRENTLY stands in no writer's way, and it waits for other transactions as for locks. */
static void
put_begin(const struct index_follow *follow, const struct index_job *job, struct buffer *sql)
{
	if (job->concurrently || index_follow_insists(follow, job))
		buffer_printf(sql, "SET lock_timeout = 0; ");
	put_store(follow, job, sql);
}

void
index_follow_put(const struct index_follow *follow, struct index_job *job, struct buffer *sql)
{
	switch (job->step) {
	case INDEX_PROBE:
		put_probe(job, sql);
		break;
	case INDEX_CLEAR:
		buffer_printf(sql, "DROP INDEX CONCURRENTLY ");
		sql_qualified(sql, job->table->target_schema, job->entry.name);
		break;
	case INDEX_BEGIN:
		set_state(job, INDEX_BEGUN);
		set_note(follow, job,
				 memory_printf(
					 "the index %s is being built%s", job->entry.name,
					 job->concurrently ? "" : "; meanwhile the destination blocks changes of this table"));
		put_begin(follow, job, sql);
		break;
	case INDEX_BUILD:
	case INDEX_DROP:
		buffer_printf(sql, "%s", job->sql);
		break;
	case INDEX_END:
		if (job->comment && !job->drops)
			buffer_printf(sql, "%s; ", job->comment);
		/* FALLTHROUGH */
	case INDEX_NOTE:
		buffer_printf(sql, "SET lock_timeout = 1000; ");
		put_store(follow, job, sql);
		break;
	}
}

/* The index is there, or gone: what is stored last says so. */
static void
end(struct index_follow *follow, struct index_job *job)
{
	struct table *table = job->table;

	log_table(LOG_INFO, &table->source, "the indexes of %s.%s follow those of the source: %s",
			  table->target_schema, table->target_name, job->sql);
	job->done = true;
	if (job->drops)
		forget_line(job);
	else
		set_state(job, INDEX_OURS);
	set_note(follow, job, NULL);
	job->step = INDEX_END;
}

bool
index_follow_took(struct index_follow *follow, struct index_job *job, const struct result *res)
{
	switch (job->step) {
	case INDEX_PROBE:
		job->step = job->entry.state == INDEX_BEGUN && result_rows(res) > 0 ? INDEX_CLEAR : INDEX_BEGIN;
		return true;
	case INDEX_CLEAR:
		job->step = INDEX_BEGIN;
		return true;
	case INDEX_BEGIN:
		job->step = INDEX_BUILD;
		return true;
	case INDEX_BUILD:
	case INDEX_DROP:
		end(follow, job);
		return true;
	case INDEX_NOTE:
		if (job->done)
			break;
		job->step = job->drops ? INDEX_DROP : INDEX_PROBE;
		return false;
	case INDEX_END:
		break;
	}
	index_jobs_remove(&follow->jobs, job);
	return false;
}

/* What is known could not be stored. */
static void
store_later(const struct index_follow *follow, struct index_job *job, const struct error *err, int64_t now_ms)
{
	/* A comment is not worth another try. */
	job->store_ms = job->step == INDEX_END ? now_ms : now_ms + follow->limits->pause_ms;
	job->step = INDEX_NOTE;
	log_table(LOG_WARNING, &job->table->source, "%s.%s: storing what was done about the index %s: %s",
			  job->table->target_schema, job->table->target_name, job->entry.name, err->message);
}

void
index_follow_failed(struct index_follow *follow, struct index_job *job, const struct error *err,
					bool cancelled, int64_t now_ms)
{
	unsigned pauses = job->cancelled < PAUSES_MAX ? job->cancelled : PAUSES_MAX;
	const char *what = job->drops ? "dropped" : "built";

	if (job->done || job->step == INDEX_NOTE) {
		store_later(follow, job, err, now_ms);
		return;
	}
	job->step = INDEX_NOTE;
	job->store_ms = now_ms;
	job->not_before_ms = now_ms + (follow->limits->pause_ms << pauses);
	job->cancelled++;
	/* The name was taken, so this was none of ours. */
	if (strcmp(err->sqlstate, SQLSTATE_NAME_TAKEN) == 0)
		set_state(job, INDEX_WANTED);
	set_note(follow, job,
			 cancelled ? memory_printf("the index %s is to be %s, and gave way to batches, or found the table"
									   " locked, %u times in a row",
									   job->entry.name, what, job->cancelled)
					   : memory_printf("the index %s could not be %s, which is tried again: %s",
									   job->entry.name, what, err->message));
	log_table(LOG_WARNING, &job->table->source, "%s.%s: %s", job->table->target_schema,
			  job->table->target_name, job->note);
}

void
index_follow_interrupted(struct index_job *job)
{
	if (!job->done)
		job->step = job->drops ? INDEX_DROP : INDEX_PROBE;
}
