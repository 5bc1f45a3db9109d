#include "late_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "after_copy.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "initial_copy.h"
#include "lsn.h"
#include "merge/backlog.h"
#include "merge/spill.h"
#include "servers/server_session.h"
#include "servers/slot_snapshot.h"
#include "servers/target.h"
#include "state/state_tables.h"

enum late_state {
	LATE_BEGINNING,
	LATE_SNAPSHOT,
	LATE_COPYING,
	LATE_BUILDING,
	LATE_REPLAYING,
	LATE_SETTLING,
	LATE_IDLE,
};

struct late_copy {
	struct late_copy_setup setup;
	enum late_state state;
	struct backlog *backlog;
	unsigned tables;
	unsigned postponed; /* tables that the snapshot does not show as they are */

	struct slot_snapshot snapshot;
	struct initial_copy_setup copy_setup;
	struct copy *copy;
	struct connection *builder; /* of indexes */
	uint64_t mark;				/* the pipeline's, when the backlog was empty */

	/* what the request under way came to */
	bool answered;
	bool failed;
	struct error err;
};

/* Rows of others in the target must not be cleared when the copy has to start again. */
static bool
may_be_cleared(const struct config *config, const struct table *table)
{
	return !table->shared_with && config->initial_copy.existing != COPY_EXISTING_APPEND;
}

bool
late_copy_is_possible(const struct config *config, const struct catalog *catalog)
{
	unsigned waiting = 0;
	bool clearable = true;
	struct error err;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		waiting += table_waits(table);
		clearable = clearable && (!table_waits(table) || may_be_cleared(config, table));
	}
	if (waiting == 0 || waiting == catalog->count || !clearable)
		return false;
	if (spill_prepare(config->apply.spill_directory, &err))
		return true;
	log_warning("%s: the other tables wait while %u tables are copied", err.message, waiting);
	return false;
}

struct late_copy *
late_copy_create(const struct late_copy_setup *setup)
{
	struct late_copy *late = memory_alloc_zero(1, sizeof *late);

	late->setup = *setup;
	late->backlog = backlog_create(setup->config->apply.spill_directory);
	for (unsigned i = 0; i < setup->catalog->count; i++) {
		struct table *table = &setup->catalog->tables[i];

		table->altered_lsn = 0;
		late->tables += table_waits(table);
	}
	if (late->tables == 0)
		late->state = LATE_IDLE;
	return late;
}

static void
close_connections(struct late_copy *late)
{
	slot_snapshot_release(&late->snapshot);
	connection_close(late->builder);
	late->builder = NULL;
}

void
late_copy_destroy(struct late_copy *late)
{
	struct error ignored;

	if (!late)
		return;
	if (late->copy && !initial_copy_end(late->copy, NULL, &ignored))
		log_debug("%s", ignored.message);
	close_connections(late);
	backlog_destroy(late->backlog);
	free(late);
}

struct backlog *
late_copy_backlog(const struct late_copy *late)
{
	return late->backlog;
}

bool
late_copy_has_begun(const struct late_copy *late)
{
	return late->state != LATE_BEGINNING;
}

bool
late_copy_is_idle(const struct late_copy *late)
{
	return late->state == LATE_IDLE;
}

/* ---- the snapshot */

static void
take_answer(struct late_copy *late, const struct error *err)
{
	late->answered = true;
	late->failed = err != NULL;
	if (err)
		late->err = *err;
}

static void
on_slot(void *arg, const struct error *err)
{
	take_answer(arg, err);
}

static bool
ask_snapshot(struct late_copy *late, struct error *err)
{
	const struct late_copy_setup *setup = &late->setup;

	late->answered = false;
	if (!slot_snapshot_begin(&late->snapshot, setup->loop, setup->config, "copy", on_slot, late, err))
		return false;
	log_info(
		"%u tables are to be copied while the others go on; this waits for transactions that are open at the"
		" source",
		late->tables);
	late->state = LATE_SNAPSHOT;
	return true;
}

/* ---- the copy */

static bool
begin_copy(struct late_copy *late, struct error *err)
{
	const struct late_copy_setup *setup = &late->setup;

	late->copy_setup.loop = setup->loop;
	late->copy_setup.config = setup->config;
	late->copy_setup.catalog = setup->catalog;
	late->copy_setup.control = setup->control;
	late->copy_setup.snapshot = late->snapshot.name;
	late->copy_setup.snapshot_lsn = late->snapshot.lsn;
	late->copy_setup.beside = true;
	late->copy = initial_copy_begin(&late->copy_setup, err);
	late->state = LATE_COPYING;
	return late->copy != NULL;
}

static void
on_built(void *arg, const struct result *res, const struct error *err)
{
	(void) res;
	take_answer(arg, err);
}

/* What waits for the rows of a created table, in the background; what is
 * refused there is left to after_copy_run(), which knows what to do then. */
static bool
begin_building(struct late_copy *late, struct error *err)
{
	const struct late_copy_setup *setup = &late->setup;
	struct destination_session opened;
	struct buffer sql;

	memory_buffer_init(&sql);
	late->answered = true;
	late->state = LATE_BUILDING;
	if (!after_copy_put_late(&sql, setup->control, setup->catalog, err)) {
		buffer_fini(&sql);
		return false;
	}
	if (sql.len > 1) {
		if (!server_session_destination(setup->loop, setup->config, "sluice copy", &opened, err)) {
			buffer_fini(&sql);
			return false;
		}
		late->builder = opened.conn;
		late->answered = false;
		connection_query(late->builder, (const char *) sql.data, NULL, 0, on_built, late);
	}
	buffer_fini(&sql);
	return true;
}

/* Some were altered before their turn came: they wait for another attempt. */
static void
count_postponed(struct late_copy *late)
{
	const struct catalog *catalog = late->setup.catalog;

	for (unsigned i = 0; i < catalog->count; i++)
		late->postponed += table_waits(&catalog->tables[i]);
	late->tables -= late->postponed;
}

/* The others go on without it, in another attempt. */
static bool
hold(struct late_copy *late, struct table *table, struct error *err)
{
	const char *task = late->setup.config->task;
	char reason[ERROR_MESSAGE_MAX];
	struct arena memory;
	const char *name;
	bool written;

	arena_init(&memory, 1024);
	name = sql_table_name(&memory, table->source.schema, table->source.name);
	snprintf(reason, sizeof reason, "%.1500s; mend that, then \"sluice table resync %s\" copies it anew",
			 err->message, name);
	table_move(table, TABLE_HELD_FOR_RESYNC);
	written = state_tables_hold_copy(late->setup.control, task, table, reason, err);
	if (written) {
		log_warning("%s is held: %s", name, reason);
		error_set(err, ERROR_RESTART, "going on without %s, which is held", name);
	}
	arena_fini(&memory);
	return false;
}

static bool
end_copy(struct late_copy *late, struct error *err)
{
	struct copy *copy = late->copy;
	struct table *refused;

	late->copy = NULL;
	if (!initial_copy_end(copy, &refused, err))
		return refused ? hold(late, refused, err) : false;
	/* The snapshot has served. */
	close_connections(late);
	count_postponed(late);
	return begin_building(late, err);
}

/* Indexes restrict how changes may be merged: the targets are looked at again. */
static bool
end_building(struct late_copy *late, struct error *err)
{
	const struct late_copy_setup *setup = &late->setup;

	if (late->failed && (late->err.class == ERROR_RETRY || late->err.class == ERROR_RESTART)) {
		*err = late->err;
		return false;
	}
	close_connections(late);
	if (!after_copy_run(setup->loop, setup->control, setup->dialect, setup->catalog, err))
		return false;
	for (unsigned i = 0; i < setup->catalog->count; i++) {
		struct table *table = &setup->catalog->tables[i];

		if (table->state == TABLE_REPLAYING && !target_read_table(setup->control, setup->dialect, table, err))
			return false;
	}
	log_info("applying what came while %u tables were copied: %" PRIu64 " changes", late->tables,
			 backlog_count(late->backlog));
	late->state = LATE_REPLAYING;
	return true;
}

/* ---- coming level */

static bool
is_altered(const struct table *table)
{
	return table->altered_lsn > table->snapshot_lsn;
}

/* Its definition was changed after the snapshot: the copy is void, and another attempt makes the next one. */
static bool
give_up(struct late_copy *late, struct table *table, struct error *err)
{
	log_info("%s.%s was altered while it was copied: it is copied once more", table->source.schema,
			 table->source.name);
	if (!state_tables_want_copy(late->setup.control, late->setup.config->task, table, err))
		return false;
	table_move(table, TABLE_WAITING_AGAIN);
	late->tables--;
	late->postponed++;
	return true;
}

/* Nothing waits any more: with the next change that comes these tables are as all others. */
static bool
join_others(struct late_copy *late, const struct pipeline *pipeline, struct error *err)
{
	struct catalog *catalog = late->setup.catalog;

	late->mark = pipeline_mark(pipeline);
	late->state = LATE_SETTLING;
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (table->state != TABLE_REPLAYING)
			continue;
		if (is_altered(table)) {
			if (!give_up(late, table, err))
				return false;
		} else {
			table_move(table, TABLE_STREAMING);
		}
	}
	return true;
}

bool
late_copy_fold(struct late_copy *late, struct fold *fold, struct pipeline *pipeline, size_t bytes, bool *more,
			   struct error *err)
{
	size_t folded = 0;

	*more = false;
	while (late->state == LATE_REPLAYING && folded < bytes) {
		struct backlog_entry entry;
		bool found;

		if (!pipeline_has_room(pipeline))
			return true;
		if (!backlog_take(late->backlog, &entry, &found, err))
			return false;
		if (!found)
			return !pipeline_ends_by_itself(pipeline) || join_others(late, pipeline, err);
		if (!fold_late_change(fold, &entry, err))
			return false;
		folded += entry.message.len + sizeof entry;
	}
	*more = late->state == LATE_REPLAYING;
	return true;
}

static bool
settle(struct late_copy *late, struct error *err)
{
	const struct late_copy_setup *setup = &late->setup;

	if (!state_tables_settle_late(setup->control, setup->config->task, setup->epoch, late->tables, err))
		return false;
	if (late->tables > 0)
		log_info("%u tables have come level with the others", late->tables);
	late->state = LATE_IDLE;
	return late->postponed == 0 ||
		   error_set(err, ERROR_RESTART, "%u tables need another snapshot", late->postponed);
}

/* ---- the turn */

static bool
answered(struct late_copy *late, struct error *err)
{
	if (late->answered && late->failed)
		*err = late->err;
	return late->answered;
}

bool
late_copy_turn(struct late_copy *late, const struct pipeline *pipeline, struct error *err)
{
	switch (late->state) {
	case LATE_BEGINNING:
		return ask_snapshot(late, err);
	case LATE_SNAPSHOT:
		return !answered(late, err) || (!late->failed && begin_copy(late, err));
	case LATE_COPYING:
		return !initial_copy_is_over(late->copy) || end_copy(late, err);
	case LATE_BUILDING:
		return !late->answered || end_building(late, err);
	case LATE_SETTLING:
		return !pipeline_is_durable(pipeline, late->mark) || settle(late, err);
	case LATE_REPLAYING:
	case LATE_IDLE:
		break;
	}
	return true;
}
