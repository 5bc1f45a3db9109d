#include "compare_point.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "compare_peek.h"
#include "lsn.h"
#include "pattern.h"
#include "servers/server_session.h"
#include "servers/slot_snapshot.h"
#include "servers/source.h"
#include "servers/source_catalog.h"
#include "servers/target.h"
#include "state/progress.h"
#include "state/state_tables.h"
#include "state/task_lock.h"

#define POLL_MS 50
/* How long the destination's position may stay the same, in addition to three heartbeats. */
#define PATIENCE_MS 60000
/* How long a daemon that lost its connections may take to reconnect. */
#define RETURN_MS 3000
/* How often taking a position is tried while the daemon starts or stops. */
#define POSITION_TRIES 10
/* How often the destination's snapshots are tried.  Taken at the same time they nearly always show one position. */
#define SNAPSHOT_TRIES 20

/* ---- connections */

static struct connection *
open_source(struct compare_point *point, struct error *err)
{
	return server_session_source(point->loop, point->config, "sluice compare", err);
}

static struct connection *
open_target(struct compare_point *point, struct error *err)
{
	struct destination_session opened;

	if (server_session_destination(point->loop, point->config, "sluice compare", &opened, err))
		point->dialect = opened.dialect;
	return opened.conn;
}

static void
close_end(struct compare_ends *end)
{
	connection_close(end->source);
	connection_close(end->target);
	*end = (struct compare_ends){0};
}

/* Once the snapshot is in use and the changes are read, the slot must not retain the source's WAL any longer. */
static void
close_snapshot(struct compare_point *point)
{
	connection_close(point->snapshot);
	point->snapshot = NULL;
}

static void
close_ends(struct compare_point *point)
{
	for (unsigned i = 0; i < point->end_count; i++)
		close_end(&point->ends[i]);
	free(point->ends);
	point->ends = NULL;
	point->end_count = 0;
	close_snapshot(point);
}

void
compare_point_leave(struct compare_point *point)
{
	close_ends(point);
	free(point->wanted);
	point->wanted = NULL;
	connection_close(point->source);
	connection_close(point->target);
	compare_window_fini(&point->window);
	selection_fini(&point->selection);
	point->source = point->target = NULL;
}

/* ---- which tables */

/* Marks the tables that a name matches; an error if there are none, unless they may be gone. */
static bool
want(struct compare_point *point, const char *name, struct error *err)
{
	struct pattern pattern;
	const char *problem = pattern_parse(name, &pattern);
	unsigned matches = 0;

	if (problem)
		return error_set(err, ERROR_CONFIG, "\"%s\": %s", name, problem);
	for (unsigned i = 0; i < point->catalog->count; i++) {
		const struct source_table *table = &point->catalog->tables[i].source;

		if (!pattern_matches(&pattern, table->schema, table->name))
			continue;
		point->wanted[i] = true;
		matches++;
	}
	pattern_free(&pattern);
	return matches > 0 || point->may_be_gone ||
		   error_set(err, ERROR_CONFIG, "no table of the task matches \"%s\"", name);
}

static bool
want_tables(struct compare_point *point, const struct string_list *names, struct error *err)
{
	free(point->wanted);
	point->wanted = memory_alloc_zero(point->catalog->count, sizeof *point->wanted);
	for (unsigned i = 0; i < names->count; i++)
		if (!want(point, names->items[i], err))
			return false;
	for (unsigned i = 0; names->count == 0 && i < point->catalog->count; i++)
		point->wanted[i] = true;
	if (names->count > 0 || point->catalog->count > 0)
		return true;
	error_set(err, ERROR_DATA, "no table is selected, so that nothing is compared");
	return error_hint(err, "tables.include says which are selected; \"sluice check\" says what it finds.");
}

static unsigned
count_wanted(const struct compare_point *point)
{
	unsigned count = 0;

	for (unsigned i = 0; i < point->catalog->count; i++)
		count += point->wanted[i];
	return count;
}

bool
compare_point_reaches(const struct compare_point *point, unsigned index)
{
	const struct table *table = &point->catalog->tables[index];

	/* A table that is catching up lacks changes that the daemon has yet to apply. */
	return point->wanted[index] && table->target.exists && table->state == TABLE_STREAMING;
}

/* ---- the source's snapshot */

/* The snapshot of a temporary slot contains exactly what committed before the slot's position. */
static bool
snapshot_of_slot(struct compare_point *point, char *name, size_t name_bytes, struct error *err)
{
	struct slot_snapshot snapshot;
	bool taken = slot_snapshot_take(&snapshot, point->loop, point->config, NULL, "compare", point->source,
									NULL, NULL, err);

	point->snapshot = snapshot.replication;
	point->source_lsn = snapshot.lsn;
	snprintf(point->slot, sizeof point->slot, "%s", snapshot.slot);
	snprintf(name, name_bytes, "%s", snapshot.name);
	return taken;
}

static bool
snapshot_of_now(struct compare_point *point, char *snapshot, size_t snapshot_bytes, struct error *err)
{
	struct result *res;

	point->snapshot = open_source(point, err);
	if (!point->snapshot ||
		!connection_execute(point->snapshot,
							"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT pg_export_snapshot()",
							NULL, 0, &res, err))
		return false;
	snprintf(snapshot, snapshot_bytes, "%s", result_text(res, 0, 0));
	result_free(res);
	return true;
}

static bool
open_ends(struct compare_point *point, const char *snapshot, struct error *err)
{
	unsigned wanted = point->config->initial_copy.jobs;

	if (wanted > count_wanted(point))
		wanted = count_wanted(point) ? count_wanted(point) : 1;
	point->ends = memory_alloc_zero(wanted, sizeof *point->ends);
	for (unsigned i = 0; i < wanted; i++) {
		struct compare_ends *end = &point->ends[point->end_count++];

		end->source = open_source(point, err);
		if (!end->source || !slot_snapshot_use(end->source, snapshot, err))
			return false;
		end->target = open_target(point, err);
		if (!end->target)
			return false;
	}
	return true;
}

/* ---- the destination's snapshots */

static bool
is_overdue(const struct compare_point *point, int64_t since_ms)
{
	return loop_now_ms(point->loop) - since_ms > PATIENCE_MS + 3 * point->config->wal.heartbeat_ms;
}

static bool
does_not_move(const struct compare_point *point, struct error *err)
{
	char at[LSN_TEXT_BYTES], to[LSN_TEXT_BYTES];

	error_set(err, ERROR_DATA, "the destination has not come to %s: it is at %s, and does not move",
			  lsn_format(point->source_lsn, to), lsn_format(point->progress.applied_lsn, at));
	return error_hint(err, "\"sluice status\" tells what it waits for.");
}

/* The phase that the last daemon wrote. */
static bool
read_phase(struct compare_point *point, char *phase, size_t phase_bytes, struct error *err)
{
	struct param param = param_text(point->config->task);
	struct result *res;

	if (!connection_execute(point->target, "SELECT phase FROM sluice.progress WHERE task = $1", &param, 1,
							&res, err))
		return false;
	snprintf(phase, phase_bytes, "%s", result_rows(res) > 0 ? result_text(res, 0, 0) : "");
	result_free(res);
	return true;
}

/* Finds out whether a daemon runs.  One that lost its connection reconnects after a moment; one that was killed does
 * not. */
static bool
find_daemon(struct compare_point *point, struct error *err)
{
	int64_t since_ms = loop_now_ms(point->loop), holder;
	char phase[32];

	for (;;) {
		if (!task_lock_holder(point->target, point->config->task, &holder, err) ||
			!read_phase(point, phase, sizeof phase, err))
			return false;
		point->paused = holder != 0 && strcmp(phase, "paused") == 0;
		point->followed = holder != 0 && !point->paused;
		if (holder != 0 || strcmp(phase, "stopped") == 0 || strcmp(phase, "failed") == 0 ||
			loop_now_ms(point->loop) - since_ms > RETURN_MS)
			return true;
		if (!loop_sleep(point->loop, POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped");
	}
}

/* Waits until the destination has reached the position of the source's snapshot, or no daemon runs any more. */
static bool
await_destination(struct compare_point *point, struct error *err)
{
	int64_t moved_ms = loop_now_ms(point->loop);
	uint64_t last = 0;

	while (point->followed) {
		if (!progress_read(point->target, point->config->task, &point->progress, err))
			return false;
		if (point->progress.applied_lsn >= point->source_lsn)
			return true;
		if (point->progress.applied_lsn != last)
			moved_ms = loop_now_ms(point->loop);
		last = point->progress.applied_lsn;
		if (is_overdue(point, moved_ms))
			return does_not_move(point, err);
		if (!loop_sleep(point->loop, POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped");
		if (!find_daemon(point, err))
			return false;
	}
	return true;
}

struct reading {
	uint64_t lsn;
	bool done;
	bool failed;
	struct error err;
};

struct readings {
	struct reading *items;
	unsigned count;
};

static void
on_position(void *arg, const struct result *res, const struct error *err)
{
	struct reading *reading = arg;

	reading->done = true;
	reading->failed = err != NULL;
	if (err)
		reading->err = *err;
	else if (result_rows(res) != 1 || !lsn_parse(result_text(res, 0, 0), &reading->lsn))
		reading->failed = !error_set(&reading->err, ERROR_DATA, "the task's progress is gone");
}

static bool
all_done(void *arg)
{
	const struct readings *readings = arg;

	for (unsigned i = 0; i < readings->count; i++)
		if (!readings->items[i].done)
			return false;
	return true;
}

/* Takes a snapshot on all connections at the same time, and reads the position in each. */
static bool
take_snapshots(struct compare_point *point, struct readings *readings, bool again, struct error *err)
{
	struct buffer sql;
	bool ok = true;

	memory_buffer_init(&sql);
	buffer_printf(&sql,
				  "%sBEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; SELECT applied_lsn FROM"
				  " sluice.progress WHERE task = ",
				  again ? "ROLLBACK; " : "");
	sql_literal(&sql, point->config->task);
	buffer_put_u8(&sql, '\0');
	for (unsigned i = 0; i < readings->count; i++) {
		readings->items[i] = (struct reading){0};
		connection_query(point->ends[i].target, (const char *) sql.data, NULL, 0, on_position,
						 &readings->items[i]);
	}
	buffer_fini(&sql);
	loop_run_until(point->loop, all_done, readings);
	for (unsigned i = 0; ok && i < readings->count; i++)
		if (readings->items[i].failed) {
			*err = readings->items[i].err;
			ok = false;
		}
	return ok;
}

static bool
same_position(const struct readings *readings)
{
	for (unsigned i = 1; i < readings->count; i++)
		if (readings->items[i].lsn != readings->items[0].lsn)
			return false;
	return true;
}

/* Connections whose snapshots still show another position are closed. */
static void
drop_others(struct compare_point *point, const struct readings *readings)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < readings->count; i++) {
		if (readings->items[i].lsn == readings->items[0].lsn)
			point->ends[kept++] = point->ends[i];
		else
			close_end(&point->ends[i]);
	}
	point->end_count = kept;
}

static bool
snapshot_destination(struct compare_point *point, struct error *err)
{
	struct readings readings = {.count = point->end_count};
	bool ok = true;

	readings.items = memory_alloc_zero(readings.count, sizeof *readings.items);
	for (unsigned try = 0; ok && try < SNAPSHOT_TRIES; try++) {
		ok = take_snapshots(point, &readings, try > 0, err);
		if (ok && same_position(&readings))
			break;
	}
	if (ok)
		drop_others(point, &readings);
	free(readings.items);
	return ok && progress_read(point->ends[0].target, point->config->task, &point->progress, err);
}

/* ---- checks */

static bool
check_source(struct compare_point *point, struct error *err)
{
	const struct progress *progress = &point->progress;
	struct source_identity identity;

	if (!progress->exists || progress->applied_lsn == 0) {
		error_set(err, ERROR_DATA, "task \"%s\" has copied nothing yet", point->config->task);
		return error_hint(err, "\"sluice run\" does.");
	}
	if (!source_identify(point->source, &identity, err))
		return false;
	if (strcmp(identity.system, progress->source_system) != 0 ||
		strcmp(identity.database, progress->source_database) != 0)
		return error_set(err, ERROR_DATA, "the source is not the one that task \"%s\" was copied from",
						 point->config->task);
	return true;
}

static bool
compare_encodings(struct compare_point *point, struct error *err)
{
	struct result *source, *target;

	if (!connection_execute(point->source, "SHOW server_encoding", NULL, 0, &source, err))
		return false;
	if (!connection_execute(point->target, "SHOW server_encoding", NULL, 0, &target, err)) {
		result_free(source);
		return false;
	}
	point->same_encoding = strcmp(result_text(source, 0, 0), result_text(target, 0, 0)) == 0;
	result_free(source);
	result_free(target);
	return true;
}

/* ---- one position */

static bool
take_source_snapshot(struct compare_point *point, struct error *err)
{
	char snapshot[128];

	if (!(point->followed ? snapshot_of_slot(point, snapshot, sizeof snapshot, err)
						  : snapshot_of_now(point, snapshot, sizeof snapshot, err)))
		return false;
	return open_ends(point, snapshot, err);
}

/* `reached`: both sides can be brought to one position.  False if the daemon started, paused or ended meanwhile, or the
 * destination moved on although no daemon was found. */
static bool
try_position(struct compare_point *point, bool *reached, struct error *err)
{
	bool followed;
	uint64_t before;

	if (!find_daemon(point, err) || !progress_read(point->target, point->config->task, &point->progress, err))
		return false;
	followed = point->followed;
	before = point->progress.applied_lsn;
	if (!take_source_snapshot(point, err) || (followed && !await_destination(point, err)) ||
		(followed == point->followed && !snapshot_destination(point, err)))
		return false;
	*reached = followed == point->followed && (followed || point->progress.applied_lsn == before);
	return true;
}

/* A daemon may end, pause or start at any moment: then taking the position begins again, with or without it. */
static bool
take_position(struct compare_point *point, struct error *err)
{
	bool reached;

	for (int try = 0; try < POSITION_TRIES; try++) {
		if (!try_position(point, &reached, err))
			return false;
		if (reached)
			return true;
		close_ends(point);
	}
	return error_set(err, ERROR_DATA, "the daemon of task \"%s\" starts and stops again and again",
					 point->config->task);
}

/* ---- changes between the two positions */

/* Copies the task's slot, since the slot itself is in use while a daemon is paused. */
static bool
copy_slot(struct compare_point *point, struct error *err)
{
	const struct param params[] = {param_text(point->progress.slot), param_text(point->slot)};

	snprintf(point->slot, sizeof point->slot, "sluice_compare_%d", connection_backend_pid(point->snapshot));
	return (connection_execute(point->snapshot, "COMMIT", NULL, 0, NULL, err) &&
			connection_execute(point->snapshot,
							   "SELECT pg_catalog.pg_copy_logical_replication_slot($1, $2, true)", params, 2,
							   NULL, err)) ||
		   error_context(err, "copying the slot %s to read what it holds", point->progress.slot);
}

static bool
read_window(struct compare_point *point, struct error *err)
{
	size_t limit = (size_t) point->config->apply.memory_bytes;
	uint64_t applied = point->progress.applied_lsn;

	compare_window_init(&point->window, point->catalog, point->wanted,
						point->followed ? point->source_lsn : applied, point->followed ? applied : 0, limit);
	if (point->followed && applied == point->source_lsn)
		return true;
	if (!point->followed && (!source_await_flush(point->source, err) || !copy_slot(point, err)))
		return false;
	return compare_peek(point->loop, point->snapshot, point->slot, point->config, &point->window, err);
}

/* ---- all of it */

/* The configuration's selection, with the tables that `sluice table` added and removed. */
static bool
select_tables(struct compare_point *point, struct error *err)
{
	selection_init(&point->selection, point->config);
	point->config = &point->selection.config;
	return selection_read(&point->selection, point->target, err);
}

bool
compare_point_take(struct compare_point *point, const struct string_list *names, struct error *err)
{
	point->source = open_source(point, err);
	if (!point->source)
		return false;
	point->target = open_target(point, err);
	if (!point->target || !progress_read(point->target, point->config->task, &point->progress, err) ||
		!check_source(point, err) || !compare_encodings(point, err) || !select_tables(point, err) ||
		!source_read_catalog(point->source, point->config, point->catalog, err) ||
		!want_tables(point, names, err) || !take_position(point, err))
		return false;
	/* Reading the state may reorder the catalog, because of renamed tables: `wanted` is computed again. */
	if (!state_tables_read(point->ends[0].target, point->config->task, point->catalog, err) ||
		!want_tables(point, names, err) ||
		!target_read_catalog(point->target, point->dialect, point->catalog, err) || !read_window(point, err))
		return false;
	close_snapshot(point);
	return true;
}
