#include "upkeep_plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "tables/mapping.h"

/* One query asks for this many sizes at most: Greenplum asks every segment for each. */
#define SIZES_AT_ONCE 500
#define PAUSES_MAX 6

const struct upkeep_limits upkeep_limits = {
	.rows = 10000,
	.dead_rows = 5000,
	.dead_share = 20,
	.hidden_rows = 100000,
	.quiet_ms = 1000,
	.analyze_ms = 10000,
	.vacuum_ms = 60000,
	.pause_ms = 60000,
	.cancellations = 3,
};

void
upkeep_plan_init(struct upkeep_plan *plan, const struct upkeep_limits *limits, bool vacuums)
{
	*plan = (struct upkeep_plan){.limits = limits, .vacuums = vacuums};
	keymap_init(&plan->numbers);
	arena_init(&plan->keys, 4096);
}

static void
free_target(struct upkeep_target *target)
{
	free(target->note);
	free(target);
}

void
upkeep_plan_fini(struct upkeep_plan *plan)
{
	for (unsigned i = 0; i < plan->count; i++)
		free_target(plan->targets[i]);
	keymap_fini(&plan->numbers);
	arena_fini(&plan->keys);
	free(plan->targets);
}

static void
set_note(struct upkeep_target *target, char *note)
{
	bool same = note && target->note ? strcmp(note, target->note) == 0 : note == target->note;

	free(target->note);
	target->note = note;
	target->note_stored = target->note_stored && same;
}

static struct upkeep_target *
target_of(struct upkeep_plan *plan, const struct table *table)
{
	struct upkeep_target *target;
	bool found;
	uint32_t number =
		keymap_insert(&plan->numbers, &plan->keys, &table->target.oid, sizeof table->target.oid, &found);

	if (number >= plan->capacity) {
		plan->capacity = (number + 1) * 2;
		plan->targets = memory_resize(plan->targets, plan->capacity, sizeof(*plan->targets));
	}
	if (!found) {
		target = memory_alloc_zero(1, sizeof *target);
		target->table = table;
		target->note_stored = true;
		plan->targets[number] = target;
		plan->count = number + 1;
		if (table->target.owner && plan->vacuums)
			set_note(target, memory_printf("it is not vacuumed, since it belongs to the role %s",
										   table->target.owner));
	}
	return plan->targets[number];
}

struct upkeep_target *
upkeep_plan_find(const struct upkeep_plan *plan, uint32_t oid)
{
	uint32_t number = keymap_find(&plan->numbers, &oid, sizeof oid);

	return number == KEYMAP_NONE ? NULL : plan->targets[number];
}

void
upkeep_plan_load(struct upkeep_plan *plan, const struct table *table)
{
	struct upkeep_target *target;

	if (table->target.oid == 0 || (table->dead_rows == 0 && !table->upkeep))
		return;
	target = target_of(plan, table);
	target->dead_rows += table->dead_rows;
	target->stored_rows += table->dead_rows;
	/* The note of an earlier daemon counts as stored only if this one finds the same. */
	target->note_stored = table->upkeep && target->note ? strcmp(target->note, table->upkeep) == 0
														: !table->upkeep && !target->note;
}

/* ---- counting */

/* The rows that the batch has updated or deleted. */
static int64_t
count_dead(const struct net_change *net)
{
	int64_t dead = 0;

	for (uint32_t i = 0; i < net_change_count(net); i++) {
		const struct net_row *row = &net->rows[i];

		if (net->shape->match == MATCH_ROW)
			dead += row->count < 0 ? -row->count : 0;
		else
			dead += row->existed;
	}
	return dead;
}

void
upkeep_plan_note_batch(struct upkeep_plan *plan, const struct batch *batch, int64_t now_ms)
{
	for (unsigned i = 0; i < batch->net_count; i++) {
		const struct net_change *net = batch->nets[i];
		struct upkeep_target *target;

		if (net->left_out)
			continue;
		target = target_of(plan, net->shape->table);
		if (net->truncated)
			target->dead_rows = 0;
		target->dead_rows += count_dead(net);
		target->written += net->changes;
		target->changed_ms = now_ms;
	}
}

/* ---- the server's answers */

/* A table's partitions are counted with it. */
static const char sizes_sql[] =
	") UNION ALL SELECT t.root, i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid)"
	" SELECT r.oid, sum(greatest(c.reltuples, 0))::int8,"
	" sum(pg_relation_size(c.oid)) > 2 * sum(c.relpages)::int8 * current_setting('block_size')::int8 + "
	"1048576"
	"  OR sum(c.relpages) = 0 AND sum(pg_relation_size(c.oid)) > 0"
	" FROM tree t JOIN pg_class c ON c.oid = t.oid JOIN pg_class r ON r.oid = t.root GROUP BY r.oid";

/* Also a target that had many dead rows when an earlier daemon ended. */
static bool
wants_size(const struct upkeep_plan *plan, const struct upkeep_target *target)
{
	return (target->written > 0 || target->dead_rows >= plan->limits->dead_rows) &&
		   target->written >= target->query_at;
}

bool
upkeep_plan_put_sizes(struct upkeep_plan *plan, struct buffer *sql)
{
	unsigned count = 0;

	for (unsigned i = 0; i < plan->count && count < SIZES_AT_ONCE; i++) {
		struct upkeep_target *target = plan->targets[i];

		if (target->size_pending || !wants_size(plan, target))
			continue;
		target->size_pending = true;
		buffer_printf(sql, "%s%u",
					  count++ ? ", "
							  : "WITH RECURSIVE tree (root, oid) AS (SELECT c.oid, c.oid FROM pg_class c"
								" WHERE c.oid IN (",
					  target->table->target.oid);
	}
	if (count > 0)
		buffer_printf(sql, "%s", sizes_sql);
	return count > 0;
}

void
upkeep_plan_take_size(struct upkeep_plan *plan, uint32_t oid, int64_t rows, bool outgrown)
{
	struct upkeep_target *target = upkeep_plan_find(plan, oid);
	int64_t least;

	if (!target)
		return;
	/* Still outgrown: either the table has doubled since, or only its owner may analyze it. So the next query is
	 * later. */
	least = outgrown ? 2 * target->query_at : 0;
	if (least < plan->limits->rows)
		least = plan->limits->rows;
	target->size_pending = false;
	target->size_known = true;
	target->written = 0;
	target->query_at = rows > least ? rows : least;
	target->rows = rows;
	/* A partitioned table has no statistics of its own, its partitions have. */
	target->outgrown = outgrown && !target->table->target.partitioned && !target->table->target.owner;
}

void
upkeep_plan_end_sizes(struct upkeep_plan *plan, bool failed)
{
	for (unsigned i = 0; i < plan->count; i++) {
		struct upkeep_target *target = plan->targets[i];

		if (!target->size_pending)
			continue;
		target->size_pending = false;
		/* The target did not appear in the answer: it no longer exists. */
		if (!failed)
			target->query_at = INT64_MAX;
	}
}

/* ---- what is due */

/* From how many dead rows on the target is vacuumed. */
static int64_t
limit_of(const struct upkeep_plan *plan, const struct upkeep_target *target)
{
	const struct upkeep_limits *limits = plan->limits;
	int64_t limit = target->rows / 100 * limits->dead_share;

	if (target->table->target.storage != TARGET_HEAP && limit > limits->hidden_rows)
		limit = limits->hidden_rows;
	return limit < limits->dead_rows ? limits->dead_rows : limit;
}

static bool
needs_vacuum(const struct upkeep_plan *plan, const struct upkeep_target *target)
{
	return plan->vacuums && !target->table->target.owner && target->dead_rows >= limit_of(plan, target);
}

/* Whether to go on waiting for a quiet moment. Not from a quarter more dead rows than the limit on. */
static bool
has_patience(const struct upkeep_plan *plan, const struct upkeep_target *target, enum upkeep_action action,
			 int64_t now_ms)
{
	int64_t waited_ms = now_ms - target->due_ms;

	if (action == UPKEEP_ANALYZE)
		return waited_ms < plan->limits->analyze_ms;
	return waited_ms < plan->limits->vacuum_ms && target->dead_rows < limit_of(plan, target) / 4 * 5;
}

static enum upkeep_action
needed(const struct upkeep_plan *plan, const struct upkeep_target *target)
{
	if (!target->size_known || target->table->state != TABLE_STREAMING)
		return UPKEEP_NOTHING;
	if (target->outgrown)
		return UPKEEP_ANALYZE;
	return needs_vacuum(plan, target) ? UPKEEP_VACUUM : UPKEEP_NOTHING;
}

enum upkeep_action
upkeep_plan_next(struct upkeep_plan *plan, int64_t now_ms, bool now_or_never, upkeep_busy busy, void *arg,
				 struct upkeep_target **target)
{
	enum upkeep_action next = UPKEEP_NOTHING;

	for (unsigned i = 0; i < plan->count; i++) {
		struct upkeep_target *candidate = plan->targets[i];
		enum upkeep_action action = needed(plan, candidate);

		if (action == UPKEEP_NOTHING)
			continue;
		if (candidate->due_ms == 0)
			candidate->due_ms = now_ms;
		if (now_ms < candidate->not_before_ms || (next && candidate->due_ms >= (*target)->due_ms))
			continue;
		if (!now_or_never && has_patience(plan, candidate, action, now_ms) &&
			(now_ms - candidate->changed_ms < plan->limits->quiet_ms || busy(arg, candidate)))
			continue;
		next = action;
		*target = candidate;
	}
	return next;
}

void
upkeep_plan_put(enum upkeep_action action, struct upkeep_target *target, struct buffer *sql)
{
	const struct table *table = target->table;
	unsigned key[TABLE_MAX_KEY];

	assert(action != UPKEEP_NOTHING);
	buffer_printf(sql, action == UPKEEP_VACUUM ? "VACUUM " : "ANALYZE ");
	sql_qualified(sql, table->target_schema, table->target_name);
	target->vacuuming_rows = target->dead_rows;
	/* ANALYZE of one column is enough to update the row count; merges use statistics of other columns only without a
	 * key. */
	if (action == UPKEEP_ANALYZE && table_match_key(table, key) > 0) {
		buffer_printf(sql, " (");
		sql_identifier(sql, mapping_target_name(table, table->source.columns[key[0]].name));
		buffer_printf(sql, ")");
	}
}

void
upkeep_plan_done(struct upkeep_plan *plan, enum upkeep_action action, struct upkeep_target *target)
{
	(void) plan;
	target->due_ms = 0;
	target->cancelled = 0;
	target->outgrown = false;
	if (action != UPKEEP_VACUUM)
		return;
	/* A TRUNCATE may have reset the count meanwhile. */
	target->dead_rows -=
		target->vacuuming_rows < target->dead_rows ? target->vacuuming_rows : target->dead_rows;
	target->query_at = 0;
	set_note(target, NULL);
}

void
upkeep_plan_failed(struct upkeep_plan *plan, enum upkeep_action action, struct upkeep_target *target,
				   const char *reason, int64_t now_ms)
{
	const char *name = action == UPKEEP_VACUUM ? "VACUUM" : "ANALYZE";
	unsigned pauses = target->cancelled < PAUSES_MAX ? target->cancelled : PAUSES_MAX;

	target->cancelled++;
	target->due_ms = 0;
	target->not_before_ms = now_ms + (plan->limits->pause_ms << pauses);
	if (reason)
		set_note(target, memory_printf("%s failed: %s", name, reason));
	else if (target->cancelled >= plan->limits->cancellations)
		set_note(target, memory_printf("%s gave way to batches, or found the table locked, %u times in a row",
									   name, target->cancelled));
}

void
upkeep_plan_postpone(struct upkeep_plan *plan, struct upkeep_target *target, int64_t now_ms)
{
	target->due_ms = 0;
	target->not_before_ms = now_ms + plan->limits->pause_ms;
}

bool
upkeep_plan_wants_sizes(const struct upkeep_plan *plan, bool now_or_never)
{
	for (unsigned i = 0; i < plan->count; i++) {
		const struct upkeep_target *target = plan->targets[i];
		bool pays = target->dead_rows >= plan->limits->dead_rows || target->written >= plan->limits->rows;

		if (wants_size(plan, target) && (pays || !now_or_never))
			return true;
	}
	return false;
}

bool
upkeep_target_is_unstored(const struct upkeep_target *target)
{
	return !target->note_stored || target->dead_rows != target->stored_rows;
}
