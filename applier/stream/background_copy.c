#include "background_copy.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "copy/after_copy.h"
#include "copy/initial_copy.h"
#include "lsn.h"
#include "merge/backlog.h"
#include "merge/spill.h"
#include "schema/schema_name.h"
#include "servers/server_session.h"
#include "servers/slot_snapshot.h"
#include "servers/target.h"
#include "state/state_tables.h"

enum background_state {
	BACKGROUND_BEGINNING,
	BACKGROUND_SNAPSHOT,
	BACKGROUND_COPYING,
	BACKGROUND_BUILDING,
	BACKGROUND_REPLAYING,
	BACKGROUND_SETTLING,
	BACKGROUND_IDLE,
};

struct background_copy {
	struct background_copy_setup setup;
	enum background_state state;
	struct backlog *backlog;
	unsigned tables;
	unsigned postponed; /* tables that changed and need another snapshot */

	struct slot_snapshot snapshot;
	struct initial_copy_setup copy_setup;
	struct copy *copy;
	struct connection *builder; /* of indexes */
	uint64_t mark;				/* pipeline_mark() when the backlog became empty */

	/* the result of the pending request */
	bool answered;
	bool failed;
	struct error err;
};

/* The states follow each other as drawn in the header; without tables the first is followed by the last. */
static void
enter(struct background_copy *background, enum background_state state)
{
	static const char *const names[] = {
		[BACKGROUND_BEGINNING] = "beginning", [BACKGROUND_SNAPSHOT] = "snapshot",
		[BACKGROUND_COPYING] = "copying",	  [BACKGROUND_BUILDING] = "building",
		[BACKGROUND_REPLAYING] = "replaying", [BACKGROUND_SETTLING] = "settling",
		[BACKGROUND_IDLE] = "idle",
	};

	assert(state == background->state + 1 ||
		   (state == BACKGROUND_IDLE && background->state == BACKGROUND_BEGINNING));
	log_debug("copy in the background: %s, before %s", names[state], names[background->state]);
	background->state = state;
}

bool
background_copy_is_possible(const struct config *config, const struct catalog *catalog)
{
	unsigned waiting = 0;
	bool clearable = true;
	struct error err;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		waiting += table_waits(table);
		clearable = clearable && (!table_waits(table) || initial_copy_may_clear(config, table));
	}
	if (waiting == 0 || waiting == catalog->count || !clearable)
		return false;
	if (spill_prepare(config->apply.spill_directory, &err))
		return true;
	log_warning("%s: the stream waits for the copy of %u table%s", err.message, waiting, plural(waiting));
	return false;
}

struct background_copy *
background_copy_create(const struct background_copy_setup *setup)
{
	struct background_copy *background = memory_alloc_zero(1, sizeof *background);

	background->setup = *setup;
	background->backlog = backlog_create(setup->config->apply.spill_directory);
	for (unsigned i = 0; i < setup->catalog->count; i++) {
		struct table *table = &setup->catalog->tables[i];

		table->altered_lsn = 0;
		background->tables += table_waits(table);
	}
	if (background->tables == 0)
		enter(background, BACKGROUND_IDLE);
	return background;
}

static void
close_connections(struct background_copy *background)
{
	slot_snapshot_release(&background->snapshot);
	connection_close(background->builder);
	background->builder = NULL;
}

void
background_copy_destroy(struct background_copy *background)
{
	struct error ignored;

	if (!background)
		return;
	if (background->copy && !initial_copy_end(background->copy, NULL, &ignored))
		log_debug("%s", ignored.message);
	close_connections(background);
	backlog_destroy(background->backlog);
	free(background);
}

struct backlog *
background_copy_backlog(const struct background_copy *background)
{
	return background->backlog;
}

bool
background_copy_has_begun(const struct background_copy *background)
{
	return background->state != BACKGROUND_BEGINNING;
}

bool
background_copy_is_idle(const struct background_copy *background)
{
	return background->state == BACKGROUND_IDLE;
}

/* ---- the snapshot */

static void
take_answer(struct background_copy *background, const struct error *err)
{
	background->answered = true;
	background->failed = err != NULL;
	if (err)
		background->err = *err;
}

static void
on_slot(void *arg, const struct error *err)
{
	take_answer(arg, err);
}

static bool
ask_snapshot(struct background_copy *background, struct error *err)
{
	const struct background_copy_setup *setup = &background->setup;

	background->answered = false;
	if (!slot_snapshot_begin(&background->snapshot, setup->loop, setup->config, "copy", on_slot, background,
							 err))
		return false;
	log_info(
		"%u table%s to be copied while the others stream; this waits for transactions that are open at the"
		" source",
		background->tables, plural(background->tables));
	enter(background, BACKGROUND_SNAPSHOT);
	return true;
}

/* ---- the copy */

static void
on_progress(void *arg, const struct copy_progress *progress)
{
	const struct background_copy *background = arg;

	if (progress)
		monitor_copied(background->setup.monitor, progress->table->source.oid, progress->rows, progress->ms,
					   progress->step);
	else
		monitor_tables(background->setup.monitor, background->setup.catalog);
}

static bool
begin_copy(struct background_copy *background, struct error *err)
{
	const struct background_copy_setup *setup = &background->setup;

	background->copy_setup.loop = setup->loop;
	background->copy_setup.config = setup->config;
	background->copy_setup.catalog = setup->catalog;
	background->copy_setup.control = setup->control;
	background->copy_setup.snapshot = background->snapshot.name;
	background->copy_setup.snapshot_lsn = background->snapshot.lsn;
	background->copy_setup.epoch = setup->epoch;
	background->copy_setup.background = true;
	background->copy_setup.progress = on_progress;
	background->copy_setup.arg = background;
	background->copy = initial_copy_begin(&background->copy_setup, err);
	enter(background, BACKGROUND_COPYING);
	return background->copy != NULL;
}

static void
on_built(void *arg, const struct result *res, const struct error *err)
{
	(void) res;
	take_answer(arg, err);
}

/* Builds the indexes of created tables in the background.  after_copy_run() deals later with those that the destination
 * refuses. */
static bool
begin_building(struct background_copy *background, struct error *err)
{
	const struct background_copy_setup *setup = &background->setup;
	struct destination_session opened;
	struct buffer sql;

	memory_buffer_init(&sql);
	background->answered = true;
	enter(background, BACKGROUND_BUILDING);
	if (!after_copy_put_replaying(&sql, setup->control, setup->config->task, setup->catalog, err)) {
		buffer_fini(&sql);
		return false;
	}
	if (sql.len > 1) {
		if (!server_session_writer(setup->loop, setup->config, "sluice copy", setup->epoch, &opened, err)) {
			buffer_fini(&sql);
			return false;
		}
		background->builder = opened.conn;
		background->answered = false;
		connection_query(background->builder, (const char *) sql.data, NULL, 0, on_built, background);
	}
	buffer_fini(&sql);
	return true;
}

/* Counts tables that were altered before their turn came: they wait for another attempt. */
static void
count_postponed(struct background_copy *background)
{
	const struct catalog *catalog = background->setup.catalog;

	for (unsigned i = 0; i < catalog->count; i++)
		background->postponed += table_waits(&catalog->tables[i]);
	background->tables -= background->postponed;
}

static bool
end_copy(struct background_copy *background, struct error *err)
{
	struct copy *copy = background->copy;
	struct table *refused;

	background->copy = NULL;
	if (!initial_copy_end(copy, &refused, err))
		return refused ? initial_copy_hold(&background->copy_setup, refused, err) : false;
	/* The snapshot is no longer needed. */
	close_connections(background);
	count_postponed(background);
	return begin_building(background, err);
}

/* Indexes restrict how changes may be merged: the targets' catalogs are read again. */
static bool
end_building(struct background_copy *background, struct error *err)
{
	const struct background_copy_setup *setup = &background->setup;

	if (background->failed &&
		(background->err.class == ERROR_RETRY || background->err.class == ERROR_RESTART)) {
		*err = background->err;
		return false;
	}
	close_connections(background);
	if (!after_copy_run(setup->loop, setup->control, setup->dialect, setup->config->task, setup->catalog,
						err))
		return false;
	for (unsigned i = 0; i < setup->catalog->count; i++) {
		struct table *table = &setup->catalog->tables[i];

		if (table->state == TABLE_REPLAYING && !target_read_table(setup->control, setup->dialect, table, err))
			return false;
	}
	log_info("applying %" PRIu64 " changes that came during the copy of %u table%s",
			 backlog_count(background->backlog), background->tables, plural(background->tables));
	enter(background, BACKGROUND_REPLAYING);
	return true;
}

/* ---- catching up */

static bool
is_altered(const struct table *table)
{
	return table->altered_lsn > table->snapshot_lsn;
}

/*
 * The target has given way to another table, which had the name at some place in the stream before the snapshot.  The row gets
 * that name, too: for the next attempt the table was renamed since.
 */
static bool
take_target_name(const struct background_copy *background, struct table *table, struct error *err)
{
	struct buffer sql;

	free(table->source.name);
	table->source.name = memory_strdup(table->target_name);
	sql_init(&sql);
	state_tables_put_definition(&sql, background->setup.config->task, table);
	return connection_execute_buffer(background->setup.control, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/* The definition changed after the snapshot, so the copy is worthless: another attempt copies the table again. */
static bool
give_up(struct background_copy *background, struct table *table, struct error *err)
{
	log_table(LOG_INFO, &table->source, "%s.%s was altered while it was copied: it is copied once more",
			  table->source.schema, table->source.name);
	if ((schema_name_is_temporary(table) && !take_target_name(background, table, err)) ||
		!state_tables_want_copy(background->setup.control, background->setup.config->task, table, err))
		return false;
	table_move(table, TABLE_WAITING_AGAIN);
	background->tables--;
	background->postponed++;
	return true;
}

/* The backlog is empty: from here on these tables get their changes directly from the stream. */
static bool
join_others(struct background_copy *background, const struct pipeline *pipeline, struct error *err)
{
	struct catalog *catalog = background->setup.catalog;

	background->mark = pipeline_mark(pipeline);
	enter(background, BACKGROUND_SETTLING);
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (table->state != TABLE_REPLAYING)
			continue;
		if (is_altered(table) || schema_name_is_temporary(table)) {
			if (!give_up(background, table, err))
				return false;
		} else {
			table_move(table, TABLE_STREAMING);
		}
	}
	return true;
}

bool
background_copy_fold(struct background_copy *background, struct fold *fold, struct pipeline *pipeline,
					 size_t bytes, bool *more, struct error *err)
{
	size_t folded = 0;

	*more = false;
	while (background->state == BACKGROUND_REPLAYING && folded < bytes) {
		struct backlog_entry entry;
		bool found;

		if (!pipeline_has_room(pipeline))
			return true;
		if (!backlog_take(background->backlog, &entry, &found, err))
			return false;
		if (!found)
			return !pipeline_ends_by_itself(pipeline) || join_others(background, pipeline, err);
		if (!fold_set_aside_change(fold, &entry, err))
			return false;
		folded += entry.message.len + sizeof entry;
	}
	*more = background->state == BACKGROUND_REPLAYING;
	return true;
}

static bool
settle(struct background_copy *background, struct error *err)
{
	const struct background_copy_setup *setup = &background->setup;

	if (!state_tables_settle_copies(setup->control, setup->config->task, setup->epoch, background->tables,
									err))
		return false;
	if (background->tables > 0)
		log_info("%u table%s caught up with the others", background->tables, plural(background->tables));
	enter(background, BACKGROUND_IDLE);
	return background->postponed == 0 ||
		   error_set(err, ERROR_RESTART, "%u table%s to be copied from a newer snapshot",
					 background->postponed, plural(background->postponed));
}

/* ---- the turn */

static bool
answered(struct background_copy *background, struct error *err)
{
	if (background->answered && background->failed)
		*err = background->err;
	return background->answered;
}

bool
background_copy_turn(struct background_copy *background, const struct pipeline *pipeline, struct error *err)
{
	switch (background->state) {
	case BACKGROUND_BEGINNING:
		return ask_snapshot(background, err);
	case BACKGROUND_SNAPSHOT:
		return !answered(background, err) || (!background->failed && begin_copy(background, err));
	case BACKGROUND_COPYING:
		return !initial_copy_is_over(background->copy) || end_copy(background, err);
	case BACKGROUND_BUILDING:
		return !background->answered || end_building(background, err);
	case BACKGROUND_SETTLING:
		return !pipeline_is_durable(pipeline, background->mark) || settle(background, err);
	case BACKGROUND_REPLAYING:
	case BACKGROUND_IDLE:
		break;
	}
	return true;
}
