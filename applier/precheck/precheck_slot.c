/*
 * Slot and progress row must agree: the slot is this task's, was never moved beyond what the destination
 * has, and is on the source where it was made.
 */
#include <stdio.h>
#include <string.h>

#include "change.h"
#include "lsn.h"
#include "precheck_item.h"
#include "state/progress.h"

#define RELEASE_POLLS 50

static const char start_afresh[] = "\"sluice drop\" makes a fresh start possible, with new copies";

/* ---- the slot by itself */

/* If the daemon was killed a moment ago, its walsender will release the slot soon. */
static bool
wait_for_release(struct precheck_context *c, struct error *err)
{
	for (unsigned i = 0; i < RELEASE_POLLS && c->slot.active; i++)
		if (!connection_execute(c->source, "SELECT pg_sleep(0.2)", NULL, 0, NULL, err) ||
			!source_read_slot(c->source, c->config->source.slot, &c->slot, err))
			return false;
	return true;
}

/*
 * A walsender whose client vanished with its network holds the slot until wal_sender_timeout; a later
 * attempt then succeeds. So a walsender of an earlier daemon is only a warning, unless its client has
 * answered recently.
 */
static bool
report_reader(struct precheck_context *c, struct error *err)
{
	static const char sql[] =
		"SELECT a.application_name, coalesce(host(a.client_addr), 'the same host'),"
		" a.application_name IN ('sluice', current_setting('application_name')) AND coalesce(r.reply_time < "
		"now() - interval '12 s', true)"
		" FROM pg_stat_activity a LEFT JOIN pg_stat_replication r ON r.pid = a.pid WHERE a.pid = $1";
	const char *name = c->config->source.slot;
	struct result *res;
	char pid[24];
	struct param param = param_text(pid);

	snprintf(pid, sizeof pid, "%lld", (long long) c->slot.active_pid);
	if (!connection_execute(c->source, sql, &param, 1, &res, err))
		return false;
	if (result_rows(res) == 0 || result_bool(res, 0, 2))
		precheck_add(
			c, CHECK_WARNING, "slot", name,
			"process %s of the source, of an earlier daemon, still reads it; the server ends it after"
			" wal_sender_timeout",
			pid);
	else
		precheck_add(c, CHECK_FAILED, "slot", name,
					 "it is in use by process %s of the source (%s from %s): stop the program that reads it",
					 pid, result_text(res, 0, 0), result_text(res, 0, 1));
	result_free(res);
	return true;
}

static bool
check_active(struct precheck_context *c, struct error *err)
{
	if (!c->slot.active)
		return true;
	if (c->precheck->from_outside && c->lock_holder) {
		precheck_add(c, CHECK_OK, "slot", c->config->source.slot, "the task's daemon reads it");
		return true;
	}
	return wait_for_release(c, err) && (!c->slot.active || report_reader(c, err));
}

/* Whether this program could have made the slot. */
static bool
check_kind(struct precheck_context *c)
{
	const char *name = c->config->source.slot;

	if (!c->slot.logical)
		precheck_add(c, CHECK_FAILED, "slot", name, "it is a physical slot: choose another source.slot");
	else if (strcmp(c->slot.plugin, "sluice") != 0)
		precheck_add(c, CHECK_FAILED, "slot", name,
					 "it belongs to the output plugin %s, not to sluice: choose another source.slot",
					 c->slot.plugin);
	else if (strcmp(c->slot.database, c->source_identity.database) != 0)
		precheck_add(c, CHECK_FAILED, "slot", name,
					 "it belongs to the database \"%s\": choose another source.slot", c->slot.database);
	else
		return true;
	return false;
}

static void
check_retention(struct precheck_context *c)
{
	const char *name = c->config->source.slot;
	long long retained_mb = c->slot.retained_bytes / (1024 * 1024);

	if (strcmp(c->slot.wal_status, "lost") == 0)
		precheck_add(c, CHECK_FAILED, "slot", name, "the server gave it up (%s): changes are lost; %s",
					 c->slot.lost_by, start_afresh);
	else if (strcmp(c->slot.wal_status, "unreserved") == 0)
		precheck_add(c, CHECK_WARNING, "slot", name,
					 "it lags beyond max_slot_wal_keep_size and may be given up at the next checkpoint");
	if (c->slot.retained_bytes > c->config->wal.warn_bytes)
		precheck_add(c, CHECK_WARNING, "slot", name, "it holds back %lld MB of WAL at the source",
					 retained_mb);
}

/* ---- the progress row by itself */

static void
check_source(struct precheck_context *c)
{
	const struct progress *p = c->progress;
	const struct source_identity *s = &c->source_identity;

	if (strcmp(p->source_system, s->system) != 0)
		precheck_add(c, CHECK_FAILED, "progress", NULL,
					 "this is another source: its system identifier is %s, the task's is %s; %s", s->system,
					 p->source_system, start_afresh);
	else if (strcmp(p->source_database, s->database) != 0)
		precheck_add(c, CHECK_FAILED, "progress", NULL,
					 "this is another database: \"%s\", the task's is \"%s\"; %s", s->database,
					 p->source_database, start_afresh);
	else if (p->source_timeline != s->timeline)
		precheck_add(c, CHECK_FAILED, "progress", NULL,
					 "the source went from timeline %lld to %lld (a standby was promoted, or a backup"
					 " restored): what was applied may not be in its history; %s",
					 (long long) p->source_timeline, (long long) s->timeline, start_afresh);
}

/* ---- the two together */

static void
check_positions(struct precheck_context *c, uint64_t applied_lsn, uint64_t current_lsn)
{
	char applied[LSN_TEXT_BYTES], other[LSN_TEXT_BYTES];

	lsn_format(applied_lsn, applied);
	if (applied_lsn > current_lsn)
		precheck_add(c, CHECK_FAILED, "progress", NULL,
					 "the destination is at %s, ahead of the source at %s: the source was restored or"
					 " replaced; %s",
					 applied, lsn_format(current_lsn, other), start_afresh);
	else if (c->slot.exists && c->slot.confirmed_flush_lsn > applied_lsn)
		precheck_add(c, CHECK_FAILED, "slot", c->config->source.slot,
					 "it was moved or recreated by others: the destination is at %s, the slot at %s, and the"
					 " changes in between are lost; %s",
					 applied, lsn_format(c->slot.confirmed_flush_lsn, other), start_afresh);
	else if (c->slot.exists)
		precheck_add(c, CHECK_OK, "progress", NULL, "applied up to %s, the slot confirms %s", applied,
					 lsn_format(c->slot.confirmed_flush_lsn, other));
}

/* SQLSTATEs of the plugin's history_check(). */
#define ANOTHER_HISTORY "SL001"
#define HISTORY_IS_GONE "SL002"
/* Insufficient privilege; the checks of the role and of the plugin report which right is missing. */
#define NO_RIGHT "42501"

static bool
report_history(struct precheck_context *c, const struct progress *progress, const struct error *answer,
			   struct error *err)
{
	char lsn[LSN_TEXT_BYTES];

	lsn_format(progress->last_commit_lsn, lsn);
	if (strcmp(answer->sqlstate, ANOTHER_HISTORY) == 0) {
		precheck_add(c, CHECK_FAILED, "history", NULL,
					 "the source was set back: transaction %u, which was applied, did not commit at %s of its"
					 " log; it was restored from an older copy, and %s",
					 progress->last_xid, lsn, start_afresh);
		return true;
	}
	if (strcmp(answer->sqlstate, HISTORY_IS_GONE) == 0) {
		precheck_add(c, CHECK_OK, "history", NULL,
					 "not known: the source has removed its log of the last transaction, at %s", lsn);
		return true;
	}
	if (strcmp(answer->sqlstate, NO_RIGHT) == 0) {
		precheck_add(c, CHECK_OK, "history", NULL, "not known: the slot could not be read");
		return true;
	}
	*err = *answer;
	return error_context(err, "looking for the last transaction in the source's log");
}

/* The slot's plugin does the check. It decodes a single record, and the slot does not move. */
static bool
check_history(struct precheck_context *c, const struct progress *progress, struct error *err)
{
	static const char sql[] = "SELECT count(*) FROM pg_logical_slot_peek_binary_changes($1, '0/1', NULL,"
							  " 'protocol', '" CHANGE_VERSION_TEXT "', 'seen', $2)";
	char seen[16 + LSN_TEXT_BYTES], lsn[LSN_TEXT_BYTES];
	const struct param params[] = {param_text(c->config->source.slot), param_text(seen)};
	struct error answer;

	if (!c->slot.exists || c->slot.active || !progress->last_xid || strcmp(c->slot.wal_status, "lost") == 0)
		return true;
	snprintf(seen, sizeof seen, "%u:%s", progress->last_xid, lsn_format(progress->last_commit_lsn, lsn));
	error_clear(&answer);
	if (!connection_execute(c->source, sql, params, 2, NULL, &answer))
		return report_history(c, progress, &answer, err);
	precheck_add(c, CHECK_OK, "history", NULL, "the last transaction is in the source's log, at %s", lsn);
	return true;
}

/*
 * Without a progress row there must be no slot either: changes between the slot's position and a new copy
 * would be missed. A progress row without a position belongs to an interrupted start, so its slot is our
 * own.
 */
static void
check_fresh(struct precheck_context *c)
{
	const char *name = c->config->source.slot;

	if (c->slot.exists && !c->progress->exists)
		precheck_add(c, CHECK_FAILED, "slot", name,
					 "it exists, but the destination has no progress of task \"%s\" in sluice.progress; %s",
					 c->config->task, start_afresh);
	else if (!c->slot.exists)
		precheck_add(c, CHECK_OK, "slot", name, "to be made");
}

static bool
check_resumed(struct precheck_context *c, struct error *err)
{
	const char *name = c->config->source.slot;
	char applied[LSN_TEXT_BYTES];

	check_source(c);
	if (!c->slot.exists)
		precheck_add(c, CHECK_FAILED, "slot", name, "it is gone: the changes after %s are lost; %s",
					 lsn_format(c->progress->applied_lsn, applied), start_afresh);
	check_positions(c, c->present.applied_lsn, c->source_identity.current_lsn);
	return check_history(c, &c->present, err);
}

bool
precheck_slot(struct precheck_context *c, struct error *err)
{
	const char *name = c->config->source.slot;

	if (c->progress->exists && strcmp(c->progress->slot, name) != 0) {
		precheck_add(c, CHECK_FAILED, "slot", name, "the task's slot is \"%s\": correct source.slot; or %s",
					 c->progress->slot, start_afresh);
		return true;
	}
	if (c->slot.exists && !check_kind(c))
		return true;
	if (c->slot.exists) {
		check_retention(c);
		if (!check_active(c, err))
			return false;
	}
	if (!precheck_is_fresh(c))
		return check_resumed(c, err);
	check_fresh(c);
	return true;
}
