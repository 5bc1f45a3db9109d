#include "fold_parts.h"

#include <stdio.h>

#include "base/log.h"
#include "refused.h"
#include "servers/source_vanished.h"
#include "state/feeders.h"

static enum operation
operation_of(enum change_kind kind)
{
	switch (kind) {
	case CHANGE_INSERT:
		return OPERATION_INSERT;
	case CHANGE_UPDATE:
		return OPERATION_UPDATE;
	case CHANGE_DELETE:
		return OPERATION_DELETE;
	default:
		return OPERATION_TRUNCATE;
	}
}

/* The table of a relation; NULL: it is not, or no longer, part of this task. */
static const struct table *
known_table(const struct fold *f, const struct change_relation *relation)
{
	if (relation->number < f->shape_capacity && f->shapes[relation->number])
		return f->shapes[relation->number]->table;
	return fold_table(f, relation->oid);
}

static bool
start_over(const struct change_relation *relation, const char *what, struct error *err)
{
	return error_set(err, ERROR_RESTART, "%s.%s %s: starting over with it", relation->schema, relation->name,
					 what);
}

static void
ignore(struct fold *f, const struct change_relation *relation)
{
	log_table(LOG_WARNING, relation,
			  "%s.%s appears in the stream and is gone from the source, or not selected any more: ignored",
			  relation->schema, relation->name);
	(void) fold_shape_place(f, relation->number);
	f->ignored[relation->number] = true;
}

/*
 * The catalog is newer than the stream, so a relation that it lacks is a new
 * table, or one that was dropped since.
 */
bool
fold_skip_unknown_table(struct fold *f, const struct change_relation *relation, struct error *err)
{
	bool exists, visible;

	if (relation->number < f->shape_capacity && f->ignored[relation->number])
		return true;
	/* The table's copy will have this change. */
	if (f->setup.saw_unknown_table) {
		*f->setup.saw_unknown_table = true;
		(void) fold_shape_place(f, relation->number);
		f->ignored[relation->number] = true;
		return true;
	}
	if (!source_find_table(f->setup.source, relation->oid, f->xid, &exists, &visible, err))
		return false;
	if (!visible)
		return start_over(relation, "is not visible at the source yet", err);
	if (exists && !table_memory_has(&f->setup.memories->unknown_tables, relation->oid)) {
		table_memory_add(&f->setup.memories->unknown_tables, relation->oid);
		return start_over(relation, "is new among the tables", err);
	}
	ignore(f, relation);
	return true;
}

bool
fold_follows(const struct fold *f, const struct table *table)
{
	return f->commit_lsn >= table->snapshot_lsn && table_follows(table);
}

bool
fold_sets_aside(const struct fold *f, const struct table *table)
{
	return f->setup.backlog && (table_waits(table) || table->state == TABLE_REPLAYING);
}

static bool
set_aside(struct fold *f, const struct table *table, enum change_kind kind, struct error *err)
{
	struct backlog_entry entry = {
		.commit_lsn = f->commit_lsn,
		.commit_time = f->commit_time,
		.xid = f->xid,
		.message = f->message,
	};

	return !(table->operations & operation_of(kind)) || backlog_add(f->setup.backlog, &entry, err);
}

/* Whether the change is to be applied now: the copy may have it already, the operation may be deselected, the table may
 * be gone, or its changes go into the backlog. */
static bool
concerns_table(struct fold *f, const struct change_relation *relation, enum change_kind kind, bool *concerns,
			   struct error *err)
{
	const struct table *table = known_table(f, relation);

	*concerns = false;
	if (table && fold_sets_aside(f, table) && !f->replaying)
		return set_aside(f, table, kind, err);
	/* A TRUNCATE in the backlog may also name tables that were not in the backlog: they have it already. */
	if (table && f->replaying && table->state != TABLE_REPLAYING)
		return true;
	/* The table will be copied again. */
	if (table && f->replaying && table->altered_lsn > table->snapshot_lsn)
		return true;
	*concerns = table && fold_follows(f, table) && (table->operations & operation_of(kind));
	return table || fold_skip_unknown_table(f, relation, err);
}

/* The batch for a change of that shape.  Two shapes of one table do not share a batch, since a batch does not keep the
 * order between their changes. */
static bool
batch_for(struct fold *f, const struct shape *shape, struct batch **batch, struct error *err)
{
	struct pipeline *pipeline = f->setup.pipeline;

	if (shape->has_siblings && batch_has_other_shape(pipeline_filling(pipeline), shape)) {
		pipeline_close(pipeline);
		if (!pipeline_wait_for_room(pipeline))
			return fold_interrupted(err);
	}
	*batch = pipeline_filling(pipeline);
	f->touched = true;
	return true;
}

bool
fold_row(struct fold *f, const struct change *change, struct error *err)
{
	const struct shape *shape;
	struct batch *batch;
	bool concerns;

	if (!concerns_table(f, change->relation, change->kind, &concerns, err))
		return false;
	if (!concerns)
		return true;
	if (!fold_shape_of(f, change->relation, &shape, err))
		return false;
	if (!batch_for(f, shape, &batch, err))
		return false;
	if (batch_add(batch, shape, change, err))
		return true;
	/* For example an update that was logged without a replica identity. */
	return err->class == ERROR_DATA &&
		   refused_hold(f->setup.config, f->setup.catalog, batch, shape->table, err);
}

/* The stream does not say which rows were in that partition. */
static bool
leaf_truncated(struct fold *f, const struct change_relation *relation, struct bytes leaf, struct error *err)
{
	char reason[300];

	snprintf(reason, sizeof reason, "its partition %.*s was truncated by itself", (int) leaf.len,
			 (const char *) leaf.data);
	return schema_notes_add(&f->setup.memories->notes, fold_table(f, relation->oid), SCHEMA_COPIED_AGAIN,
							reason, err);
}

/* False where another task feeds the target, too: the TRUNCATE would delete its rows. */
static bool
may_truncate(struct fold *f, const struct change_relation *relation, struct error *err)
{
	struct table *table = fold_table(f, relation->oid);
	char reason[ERROR_MESSAGE_MAX];
	struct arena memory;
	const char *feeder;
	bool ok;

	arena_init(&memory, 256);
	ok = feeders_find(f->setup.control, f->setup.config->task, table, &memory, &feeder, err);
	/* The table is held: the target shall have all changes before the TRUNCATE. */
	if (ok && feeder && !fold_drain(f)) {
		ok = fold_interrupted(err);
	} else if (ok && feeder) {
		snprintf(
			reason, sizeof reason,
			"it was truncated at the source, and the task \"%s\" feeds its target %s.%s, too: leave truncate"
			" out of its operations, and give it a target of its own or \"sluice table remove\" and \"add\" "
			"it"
			" with initial_copy.existing: append",
			feeder, table->target_schema, table->target_name);
		ok = schema_notes_add(&f->setup.memories->notes, table, SCHEMA_HELD, reason, err);
	}
	arena_fini(&memory);
	return ok;
}

bool
fold_truncate(struct fold *f, const struct change *change, struct error *err)
{
	const struct change_relation *relation;
	struct bytes leaf;
	size_t at = 0;

	while (change_next_truncated(&f->decoder, change, &at, &relation, &leaf)) {
		const struct shape *shape;
		struct batch *batch;
		bool concerns;

		if (!concerns_table(f, relation, CHANGE_TRUNCATE, &concerns, err))
			return false;
		if (!concerns)
			continue;
		if (leaf.len > 0)
			return leaf_truncated(f, relation, leaf, err);
		if (!fold_shape_of(f, relation, &shape, err) || !may_truncate(f, relation, err))
			return false;
		if (!batch_for(f, shape, &batch, err))
			return false;
		batch_truncate(batch, shape, change->flags & TRUNCATE_RESTART);
		batch->changes++;
	}
	return true;
}
