#include "index_follow.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_index.h"
#include "index_lists.h"
#include "servers/creation_letters.h"
#include "servers/index_specs.h"
#include "state/state_indexes.h"

/* How many tables are compared in a turn of the loop, … */
#define COMPARED_PER_TURN 200
/* … and how many of those that differ are looked at. */
#define TABLES_PER_TURN 20
#define DOUBLINGS_MAX 6
#define MARK_ALL_MS (10 * 60 * 1000)
#define MEMORY_BYTES ((size_t) 1 << 14)

/* ---- which tables follow */

/* What `status` says of the table: the job, or what failed last. */
static void
show(const struct index_follow *follow, struct table *table)
{
	const char *reason = index_troubles_reason(&follow->troubles, table->source.oid);
	const struct index_job *job = follow->job;

	free(table->indexing);
	table->indexing = NULL;
	if (job && job->source_oid == table->source.oid && job->action == INDEX_BUILD)
		table->indexing = memory_printf(
			"the index %s is being built%s", job->name,
			job->concurrently ? "" : "; the destination blocks changes of this table meanwhile");
	else if (reason)
		table->indexing = memory_strdup(reason);
}

void
index_follow_start(struct index_follow *follow)
{
	for (unsigned i = 0; i < follow->catalog->count; i++) {
		struct table *table = &follow->catalog->tables[i];

		if (table->created && index_lists_may_follow(follow->config, table))
			table->indexes_followed = table->indexes_behind = table->indexes_ours = true;
	}
}

void
index_follow_fini(struct index_follow *follow)
{
	index_job_destroy(follow->job);
	index_troubles_fini(&follow->troubles);
}

/*
 * A transaction that is received while it is open announces OIDs alone: if it only attaches the last part of a partitioned table's
 * index, that index's OID, which leads to no table.
 */
static void
mark_all(struct index_follow *follow, int64_t now_ms)
{
	if (now_ms - follow->marked_ms < MARK_ALL_MS)
		return;
	follow->marked_ms = now_ms;
	for (unsigned i = 0; i < follow->catalog->count; i++)
		follow->catalog->tables[i].indexes_behind = true;
}

void
index_follow_heartbeat(struct index_follow *follow, int64_t now_ms)
{
	follow->next = 0;
	follow->check_job = true;
	mark_all(follow, now_ms);
	for (unsigned i = 0; i < follow->troubles.count; i++) {
		const struct index_trouble *trouble = &follow->troubles.list[i];
		struct table *table = catalog_find_oid(follow->catalog, trouble->source_oid);

		if (table && now_ms >= trouble->not_before_ms)
			table->indexes_behind = true;
	}
}

/* ---- the definition of one index */

static struct index_spec *
find_spec(const struct creation_spec *spec, const char *signature)
{
	for (unsigned i = 0; i < spec->index_count; i++)
		if (strcmp(spec->indexes[i].signature, signature) == 0)
			return &spec->indexes[i];
	return NULL;
}

/* Of ours, and about to be dropped. */
static bool
is_gone(const struct index_plan *plan, const struct index_found *found)
{
	for (unsigned i = 0; i < plan->row_count; i++)
		if (index_plan_find(plan, &plan->rows[i]) == found)
			return !index_plan_wants(plan, plan->rows[i].signature);
	return false;
}

/* An index of the target that does the same, whoever made it. */
static bool
has_like(const struct index_plan *plan, const struct index_spec *spec)
{
	for (unsigned i = 0; i < plan->found_count; i++) {
		const struct index_found *found = &plan->found[i];
		const char *definition = found->definition + (found->constraint ? strlen("CONSTRAINT ") : 0);

		if (found->table == plan->target && found->valid && strcmp(definition, spec->tail) == 0 &&
			!is_gone(plan, found))
			return true;
	}
	return false;
}

/* ---- one step */

struct turn {
	struct index_follow *follow;
	struct connection *source;
	struct connection *control;
	bool alone;
	int64_t now_ms;
};

/* The target does without the index, until the table's definition changes; `quiet`: it lacks nothing. */
static void
leave_out(struct index_follow *follow, const struct table *table, const struct index_spec *spec,
		  const char *reason, bool quiet)
{
	char *text = memory_printf("without the index %s: %s", spec->name, reason);
	bool known = index_troubles_find(&follow->troubles, table->source.oid, spec->signature) != NULL;
	struct index_trouble *trouble =
		index_troubles_note(&follow->troubles, table->source.oid, spec->signature, text);

	trouble->quiet = quiet;
	/* The definition of a renamed one is there at the next attempt. */
	if (spec->refused != index_specs_renamed)
		trouble->not_before_ms = INDEX_TROUBLE_LASTS;
	if (!known && !quiet)
		log_table(LOG_INFO, &table->source, "%s.%s: %s", table->target_schema, table->target_name, text);
	free(text);
}

/* Nothing is done about the table's indexes for a while, which doubles each time. */
static void
rest_table(const struct turn *turn, const struct table *table, const char *reason)
{
	index_trouble_rest(
		index_troubles_note(&turn->follow->troubles, table->source.oid, INDEX_TROUBLE_TABLE, reason),
		turn->follow->limits->pause_ms, turn->now_ms);
}

static void
build(struct turn *turn, struct table *table, const struct index_plan *plan, const struct index_step *step,
	  const struct index_spec *spec, uint64_t lsn)
{
	struct index_follow *follow = turn->follow;
	bool concurrently = !turn->alone && !follow->dialect->has_segments && !table->target.partitioned;
	struct index_spec plain = *spec;
	const char *remark;

	/* It will not be unique; but which unique ones are selected depends on whether they could be. */
	plain.unique = false;
	plain.only_unique = follow->config->schema.indexes == SCHEMA_INDEXES_UNIQUE;
	if (!ddl_allows_index(follow->dialect, table, &plain, &remark))
		leave_out(follow, table, spec, remark, false);
	else if (has_like(plan, spec))
		leave_out(follow, table, spec, "the target has one like it", true);
	else
		follow->job =
			index_job_build(follow->config->task, table, step, spec, turn->alone ? 0 : lsn, concurrently);
}

/* BUILD and FINISH need the definition; one that the source has dropped meanwhile is left to the next look. */
static void
take_definition(struct turn *turn, struct table *table, const struct index_plan *plan,
				const struct index_step *step, uint64_t lsn)
{
	const struct index_troubles *troubles = &turn->follow->troubles;
	const struct index_trouble *trouble =
		index_troubles_find(troubles, table->source.oid, step->wanted->signature);
	const struct index_spec *spec = find_spec(table->source.creation_spec, step->wanted->signature);

	if (spec && step->action == INDEX_BUILD)
		build(turn, table, plan, step, spec, lsn);
	else if (spec)
		turn->follow->job = index_job_finish(table, step, spec, trouble ? trouble->lacking : 0);
}

static bool
with_definition(struct turn *turn, struct table *table, const struct index_plan *plan,
				const struct index_step *step, struct error *err)
{
	struct creation_spec *former = table->source.creation_spec;
	struct creation_spec spec = {0};
	struct arena memory;
	uint64_t lsn;
	bool ok;

	arena_init(&memory, MEMORY_BYTES);
	spec.memory = &memory;
	table->source.creation_spec = &spec;
	ok = index_lists_read_specs(turn->source, table, &lsn, err);
	if (ok) {
		ok = creation_letters_refuse_indexes(turn->control, &spec, err);
		if (ok)
			take_definition(turn, table, plan, step, lsn);
	} else if (index_lists_is_refusal(turn->source, err)) {
		rest_table(turn, table,
				   "the definitions of its indexes cannot be read now: it is locked at the source");
		ok = !connection_in_transaction(turn->source) ||
			 connection_execute(turn->source, "ROLLBACK", NULL, 0, NULL, err);
	}
	table->source.creation_spec = former;
	arena_fini(&memory);
	return ok;
}

static bool
begin_build(struct turn *turn, struct table *table, const struct index_plan *plan,
			const struct index_step *step, struct error *err)
{
	const char *obstacle;

	if (!index_lists_find_obstacle(turn->control, table, &obstacle, err))
		return false;
	if (!obstacle)
		return with_definition(turn, table, plan, step, err);
	rest_table(turn, table, obstacle);
	return true;
}

static bool
write_row(struct turn *turn, const struct table *table, const struct index_step *step, struct error *err)
{
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	if (step->action == INDEX_FORGET)
		state_indexes_put_forget(&sql, table->target.oid, step->row->signature);
	else
		state_indexes_put_made(&sql, table->target.oid, step->row->signature,
							   step->found && step->found->unique ? step->row->source_oid : step->wanted->oid,
							   step->found, step->found ? step->found->name : NULL);
	ok = connection_execute_buffer(turn->control, &sql, NULL, err) ||
		 error_context(err, "writing sluice.indexes");
	buffer_fini(&sql);
	return ok;
}

static bool
take_step(struct turn *turn, struct table *table, const struct index_plan *plan,
		  const struct index_step *step, struct error *err)
{
	bool ok = true;

	switch (step->action) {
	case INDEX_NOTHING:
		break;
	case INDEX_BUILD:
		ok = begin_build(turn, table, plan, step, err);
		break;
	case INDEX_FINISH:
		ok = with_definition(turn, table, plan, step, err);
		break;
	case INDEX_DROP:
		turn->follow->job = index_job_drop(table, step);
		break;
	case INDEX_RENEW:
	case INDEX_FORGET:
		ok = write_row(turn, table, step, err);
		break;
	}
	if (turn->follow->job)
		turn->follow->job->created_ms = turn->now_ms;
	return ok;
}

/* ---- looking at a table */

struct resting {
	const struct index_troubles *troubles;
	uint32_t source_oid;
	int64_t now_ms;
};

static bool
is_resting(void *arg, const char *signature, bool drop)
{
	const struct resting *resting = arg;

	return index_troubles_rests(resting->troubles, resting->source_oid, signature, drop, resting->now_ms);
}

static bool
table_rests(const struct index_follow *follow, const struct table *table, int64_t now_ms)
{
	return index_troubles_rests(&follow->troubles, table->source.oid, INDEX_TROUBLE_TABLE, false, now_ms);
}

enum look { LOOK_AGAIN, LOOK_LATER, LOOK_DONE };

static enum look
take(struct turn *turn, struct table *table, struct index_plan plan, bool *ok, struct error *err)
{
	struct resting resting = {&turn->follow->troubles, table->source.oid, turn->now_ms};
	struct index_step step;

	index_troubles_end_stale(&turn->follow->troubles, table->source.oid, &plan);
	plan.rests = is_resting;
	plan.arg = &resting;
	step = index_plan_next(&plan);
	*ok = take_step(turn, table, &plan, &step, err);
	if (step.action == INDEX_NOTHING)
		return LOOK_DONE;
	if (table_rests(turn->follow, table, turn->now_ms))
		return LOOK_LATER;
	/* The definition of an index that the source has just dropped is not there. */
	if (!turn->follow->job && (step.action == INDEX_BUILD || step.action == INDEX_FINISH) &&
		!is_resting(&resting, step.wanted->signature, false))
		return LOOK_LATER;
	return LOOK_AGAIN;
}

static bool
look_once(struct turn *turn, struct table *table, enum look *look, struct error *err)
{
	const struct config *config = turn->follow->config;
	struct index_lists lists;
	struct index_plan plan;
	bool ok, locked = false;

	*look = LOOK_DONE;
	index_lists_init(&lists);
	ok = index_lists_read_source(&lists, turn->source, &table, 1, err) &&
		 index_lists_read_rows(&lists, turn->control, config->task, table, err);
	if (ok && index_lists_has_target(&lists, table)) {
		index_lists_plan(&lists, config, table, &plan);
		ok = index_lists_read_found(&lists, turn->control, table, &plan, &locked, err);
		*look = LOOK_LATER;
		if (locked)
			rest_table(turn, table, "its indexes cannot be compared now: the target is locked");
		else if (ok)
			*look = take(turn, table, plan, &ok, err);
	}
	index_lists_fini(&lists);
	return ok;
}

/* Takes steps until one is a job, or nothing is to be done now. */
static bool
look_at(struct turn *turn, struct table *table, struct error *err)
{
	enum look look = LOOK_AGAIN;

	while (look == LOOK_AGAIN && !turn->follow->job)
		if (!look_once(turn, table, &look, err))
			return false;
	table->indexes_behind = look != LOOK_DONE;
	if (!table_rests(turn->follow, table, turn->now_ms))
		index_troubles_end(&turn->follow->troubles, table->source.oid, INDEX_TROUBLE_TABLE);
	show(turn->follow, table);
	return true;
}

/* ---- marked tables */

static bool
is_marked(struct turn *turn, struct table *table)
{
	if (table->indexes_changed) {
		index_troubles_reconsider(&turn->follow->troubles, table->source.oid);
		table->indexes_behind = true;
		table->indexes_lsn = 0;
	}
	table->indexes_changed = false;
	return table->indexes_followed && table->indexes_behind && table->state == TABLE_STREAMING &&
		   !table_rests(turn->follow, table, turn->now_ms);
}

static unsigned
list_marked(struct turn *turn, struct table *tables[COMPARED_PER_TURN])
{
	struct index_follow *follow = turn->follow;
	unsigned count = 0;

	for (; follow->next < follow->catalog->count && count < COMPARED_PER_TURN; follow->next++)
		if (is_marked(turn, &follow->catalog->tables[follow->next]))
			tables[count++] = &follow->catalog->tables[follow->next];
	return count;
}

/*
 * A new index waits until all is applied that the source had when it was seen: rows may be on their way that it refuses.
 * A dropped one does not.
 */
static bool
is_to_be_looked_at(const struct turn *turn, struct table *table, const struct index_plan *plan, uint64_t lsn)
{
	if (table->indexes_lsn == 0)
		table->indexes_lsn = lsn;
	return turn->alone || turn->follow->applied_lsn >= table->indexes_lsn || index_plan_has_gone(plan);
}

/* Of most tables the source and the rows show that nothing is to be done: three queries for all of them. */
static bool
unmark(struct turn *turn, struct table **tables, unsigned *count, struct error *err)
{
	struct index_lists lists;
	unsigned kept = 0;
	uint64_t lsn;
	bool ok;

	index_lists_init(&lists);
	ok = index_lists_read_source(&lists, turn->source, tables, *count, err) &&
		 index_lists_read_lsn(turn->source, &lsn, err) &&
		 index_lists_read_rows(&lists, turn->control, turn->follow->config->task, NULL, err);
	for (unsigned i = 0; ok && i < *count; i++) {
		struct index_plan plan;

		index_lists_plan(&lists, turn->follow->config, tables[i], &plan);
		if (!index_plan_in_step(&plan)) {
			if (is_to_be_looked_at(turn, tables[i], &plan, lsn))
				tables[kept++] = tables[i];
			continue;
		}
		tables[i]->indexes_behind = false;
		index_troubles_end_stale(&turn->follow->troubles, tables[i]->source.oid, &plan);
		show(turn->follow, tables[i]);
	}
	*count = kept;
	index_lists_fini(&lists);
	return ok;
}

static bool
look_at_some(struct turn *turn, struct error *err)
{
	struct index_follow *follow = turn->follow;
	struct table *tables[COMPARED_PER_TURN];
	unsigned count = list_marked(turn, tables), i;

	if (count > 0 && !unmark(turn, tables, &count, err))
		return false;
	for (i = 0; !follow->job && i < count && i < TABLES_PER_TURN; i++)
		if (!look_at(turn, tables[i], err))
			return false;
	if (i < count)
		follow->next = (unsigned) (tables[i] - follow->catalog->tables);
	return true;
}

bool
index_follow_is_due(const struct index_follow *follow)
{
	return !follow->job && (follow->current || follow->next < follow->catalog->count);
}

static struct table *
table_of(const struct index_follow *follow)
{
	return follow->job ? catalog_find_oid(follow->catalog, follow->job->source_oid) : NULL;
}

static void
end_job(struct index_follow *follow)
{
	struct table *table = table_of(follow);

	follow->current = follow->job->source_oid;
	index_job_destroy(follow->job);
	follow->job = NULL;
	if (!table)
		return;
	table->indexes_behind = true;
	show(follow, table);
}

/* Whether the source still has the index that is being built. */
static bool
check_job(struct turn *turn, struct error *err)
{
	struct index_follow *follow = turn->follow;
	struct table *table = catalog_find_oid(follow->catalog, follow->job->source_oid);
	struct index_lists lists;
	struct index_plan plan;
	bool ok;

	follow->check_job = false;
	if (!table || !table->indexes_changed || follow->job->action != INDEX_BUILD)
		return true;
	index_lists_init(&lists);
	ok = index_lists_read_source(&lists, turn->source, &table, 1, err) &&
		 index_lists_read_rows(&lists, turn->control, follow->config->task, table, err);
	/* The job may have ended while the servers were asked. */
	if (ok && follow->job) {
		index_lists_plan(&lists, follow->config, table, &plan);
		follow->job->unwanted = !index_plan_wants(&plan, follow->job->signature);
	}
	index_lists_fini(&lists);
	return ok;
}

bool
index_follow_turn(struct index_follow *follow, struct connection *source, struct connection *control,
				  bool alone, int64_t now_ms, struct error *err)
{
	struct turn turn = {follow, source, control, alone, now_ms};
	struct table *table = follow->current ? catalog_find_oid(follow->catalog, follow->current) : NULL;

	/* Nothing has to be done concurrently any more, nor to wait for what is not applied. */
	if (alone && follow->job && !follow->job->running)
		end_job(follow);
	else if (alone && follow->job)
		follow->job->unwanted = follow->job->concurrently;
	if (follow->job && follow->check_job)
		return check_job(&turn, err);
	if (!index_follow_is_due(follow))
		return true;
	follow->current = 0;
	if (table && is_marked(&turn, table) && !look_at(&turn, table, err))
		return false;
	return follow->job || look_at_some(&turn, err);
}

/* ---- the job */

/* A build that the destination blocks writers for has given way often enough. */
static bool
insists(const struct index_follow *follow)
{
	const struct index_job *job = follow->job;
	const struct index_trouble *trouble =
		index_troubles_find(&follow->troubles, job->source_oid, job->signature);

	return trouble && trouble->cancellations >= follow->limits->cancellations;
}

bool
index_follow_has_statement(struct index_follow *follow, bool busy, int64_t now_ms)
{
	const struct index_job *job = follow->job;
	const struct table *table = table_of(follow);

	if (!job)
		return false;
	if (job->next == 0 && (!table || table->indexes_changed || table->state != TABLE_STREAMING ||
						   table->target.oid != job->target_oid)) {
		end_job(follow);
		return false;
	}
	if (job->next == 0 && follow->applied_lsn < job->lsn)
		return false;
	return job->action != INDEX_BUILD || job->concurrently || !busy || insists(follow) ||
		   now_ms - job->created_ms >= follow->limits->vacuum_ms;
}

/* Concurrent builds block no rows, only what alters or empties the table: slow statements are not mistaken for waiting. */
int64_t
index_follow_patience_ms(const struct index_follow *follow, int64_t wait_ms)
{
	const struct index_job *job = follow->job;
	const struct index_trouble *trouble =
		index_troubles_find(&follow->troubles, job->source_oid, job->signature);
	unsigned doublings = trouble && trouble->cancellations < DOUBLINGS_MAX ? trouble->cancellations : 0;

	if (job->action != INDEX_BUILD)
		return wait_ms;
	if (job->concurrently)
		return (10 * wait_ms) << doublings;
	return insists(follow) ? -1 : wait_ms;
}

static void
log_done(const struct index_follow *follow)
{
	const struct index_job *job = follow->job;
	const struct table *table = table_of(follow);

	if (table && job->action != INDEX_BUILD && !job->remains)
		log_table(LOG_INFO, &table->source, "%s.%s: %s the index %s, as the source has", table->target_schema,
				  table->target_name, job->action == INDEX_DROP ? "dropped" : "built", job->name);
}

void
index_follow_took(struct index_follow *follow)
{
	struct index_job *job = follow->job;

	struct table *table = table_of(follow);

	if (++job->next < job->count)
		return;
	log_done(follow);
	if (table)
		table->indexes_ours = true;
	/* What is built still has to get its name. */
	if (job->action != INDEX_BUILD)
		index_troubles_end(&follow->troubles, job->source_oid, job->signature);
	end_job(follow);
}

static char *
describe_failure(const struct index_follow *follow, const char *reason)
{
	const struct index_job *job = follow->job;
	const char *verb = job->action == INDEX_DROP ? "dropping" : "building";
	const struct index_trouble *trouble =
		index_troubles_find(&follow->troubles, job->source_oid, job->signature);

	if (reason)
		return memory_printf("%s the index %s failed and is tried again later: %s", verb, job->name, reason);
	return memory_printf("%s the index %s gave way, or found the table locked, and is tried again later"
						 " (%u times in a row)",
						 verb, job->name, trouble ? trouble->cancellations + 1 : 1);
}

void
index_follow_failed(struct index_follow *follow, const char *reason, bool trouble, int64_t now_ms)
{
	const struct index_job *job = follow->job;
	struct table *table = table_of(follow);
	struct index_trouble *noted;
	char *text;

	if (trouble || !table) {
		end_job(follow);
		return;
	}
	text = describe_failure(follow, reason);
	noted = index_troubles_note(&follow->troubles, job->source_oid, job->signature, text);
	noted->drop = job->action == INDEX_DROP;
	noted->cancellations += reason == NULL;
	index_trouble_rest(noted, follow->limits->pause_ms, now_ms);
	if (reason && job->action == INDEX_FINISH && noted->lacking < INDEX_LACKS_BOTH) {
		noted->lacking++;
		noted->not_before_ms = now_ms;
	}
	log_table(reason ? LOG_WARNING : LOG_INFO, &table->source, "%s.%s: %s", table->target_schema,
			  table->target_name, text);
	free(text);
	end_job(follow);
}
