#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/steering.h"
#include "servers/source.h"
#include "state/lease.h"
#include "state/progress.h"
#include "state/task_lock.h"
#include "upkeep/index_cleanup.h"
#include "verbs.h"

#define RELEASE_WAIT_MS 10000
#define RELEASE_POLL_MS 200

/* A server that cannot be reached fails the verb; with --force it is skipped. */
static bool
reach(bool reached, const struct command *command, const char *what_stays, struct error *err)
{
	if (reached)
		return true;
	if (err->class == ERROR_CONFIG)
		return false;
	if (!command->force)
		return error_hint(err, "With --force, drop goes on without it; %s.", what_stays);
	log_warning("%s; going on without it: %s", err->message, what_stays);
	return true;
}

/* A standby would find the lock free, and begin the task from scratch. */
static bool
check_no_standby(struct connection *destination, const char *task, struct error *err)
{
	struct result *res;

	if (!lease_read_standbys(destination, task, &res, err))
		return false;
	if (result_rows(res) > 0) {
		error_set(err, ERROR_DATA, "a standby of task \"%s\" waits: host %s, process %s", task,
				  result_text(res, 0, 0), result_text(res, 0, 1));
		error_hint(err, "Stop it first.");
		result_free(res);
		return false;
	}
	result_free(res);
	return true;
}

/* Without the destination only the slot's configured name is known. */
static bool
open_destination(struct verb_ends *ends, struct loop *loop, const struct config *config,
				 const struct command *command, struct progress *progress, struct error *err)
{
	if (!reach(verb_open_destination(ends, loop, config, err), command,
			   "the task's rows in the destination's schema sluice stay", err))
		return false;
	if (!ends->dialect)
		return true;
	return task_lock_take(ends->destination, loop, config->task, TASK_LOCK_FOR_PREDECESSOR, err) &&
		   check_no_standby(ends->destination, config->task, err) &&
		   progress_read(ends->destination, config->task, progress, err);
}

/* If the daemon was killed a moment ago, its walsender will release the slot soon. */
static bool
wait_for_release(struct loop *loop, struct connection *source, const char *name, struct source_slot *slot,
				 struct error *err)
{
	for (int waited_ms = 0; slot->active && waited_ms < RELEASE_WAIT_MS; waited_ms += RELEASE_POLL_MS) {
		if (!loop_sleep(loop, RELEASE_POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped");
		if (!source_read_slot(source, name, slot, err))
			return false;
	}
	if (!slot->active)
		return true;
	error_set(err, ERROR_DATA, "slot \"%s\" is in use by process %lld of the source", name,
			  (long long) slot->active_pid);
	return error_hint(err, "Stop the program that reads it first.");
}

static bool
is_ours(const char *name, const struct source_slot *slot, const char *database)
{
	if (!slot->exists)
		printf("slot %s: there is none at the source\n", name);
	else if (!slot->logical || strcmp(slot->plugin, "sluice") != 0)
		printf("slot %s: left alone, it is not one of the plugin sluice\n", name);
	else if (strcmp(slot->database, database) != 0)
		printf("slot %s: left alone, it belongs to the database \"%s\"\n", name, slot->database);
	else
		return true;
	return false;
}

static bool
drop_slot(struct loop *loop, struct connection *source, const char *name, struct error *err)
{
	struct source_identity identity;
	struct source_slot slot;

	if (!source_identify(source, &identity, err) || !source_read_slot(source, name, &slot, err))
		return false;
	if (!is_ours(name, &slot, identity.database))
		return true;
	if (!wait_for_release(loop, source, name, &slot, err) || !source_drop_slot(source, name, err))
		return false;
	printf("slot %s: dropped\n", name);
	return true;
}

static bool
drop_state(struct connection *destination, const char *task, const struct progress *progress,
		   struct error *err)
{
	if (!index_cleanup_end(destination, task, err) || !progress_remove(destination, task, err))
		return false;
	printf("task %s: %s\n", task, progress->exists ? "its state is removed" : "there is no state of it");
	return true;
}

/* A daemon between two attempts may not hold the task's lock, but its socket always exists. */
static bool
check_no_daemon(const struct config *config, struct error *err)
{
	if (!steering_daemon_lives(config))
		return true;
	error_set(err, ERROR_DATA, "another sluice daemon runs task \"%s\", on this host", config->task);
	return error_hint(err, "\"sluice stop\" ends it.");
}

/* The slot is dropped first: as long as the rows exist, a daemon cannot start afresh by mistake. */
static bool
drop(struct verb_ends *ends, struct loop *loop, const struct config *config, const struct command *command,
	 struct error *err)
{
	struct progress progress = {0};
	const char *slot = config->source.slot;

	if (!check_no_daemon(config, err) || !open_destination(ends, loop, config, command, &progress, err))
		return false;
	if (progress.exists && progress.slot[0] != '\0')
		slot = progress.slot;
	if (!reach(verb_open_source(ends, loop, config, err), command,
			   "its slot, if there still is one, must be dropped there by hand", err))
		return false;
	if (!ends->source && !ends->dialect)
		return error_set(err, ERROR_DATA, "neither the source nor the destination can be reached");
	return (!ends->source || drop_slot(loop, ends->source, slot, err)) &&
		   (!ends->dialect || drop_state(ends->destination, config->task, &progress, err));
}

bool
verb_drop(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct verb_ends ends = {0};
	bool dropped = drop(&ends, loop, config, command, err);

	verb_ends_close(&ends);
	return dropped;
}
