/*
 * The source as a server: version, settings, role, and whether it loads the plugin, which is only known
 * after creating a slot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "precheck_item.h"
#include "servers/failover.h"
#include "servers/source_plugin.h"
#include "servers/synchronous.h"

#define STANDBY_VERSION_MIN 160000
#define VERSION_MIN 130000
#define VERSION_MAX 190000 /* exclusive */

/* The daemon sends a status update every 5 s; a server with a shorter timeout would end the stream. */
#define SENDER_TIMEOUT_MIN_MS 10000

/* ---- settings */

static const char *
setting(const struct result *settings, const char *name)
{
	for (unsigned i = 0; i < result_rows(settings); i++)
		if (strcmp(result_text(settings, i, 0), name) == 0)
			return result_text(settings, i, 1);
	return NULL;
}

static int64_t
setting_number(const struct result *settings, const char *name, int64_t missing)
{
	const char *value = setting(settings, name);

	return value ? strtoll(value, NULL, 10) : missing;
}

static bool
read_settings(struct precheck_context *c, struct result **settings, struct error *err)
{
	return connection_execute(c->source,
							  "SELECT name, setting FROM pg_settings WHERE name IN ('server_version',"
							  " 'wal_level', 'max_replication_slots', 'max_wal_senders',"
							  " 'output_plugin_libraries', 'wal_sender_timeout', 'max_slot_wal_keep_size',"
							  " 'idle_replication_slot_timeout', 'synchronous_standby_names')",
							  NULL, 0, settings, err);
}

static void
check_version(struct precheck_context *c, const struct result *settings)
{
	int version = connection_server_version(c->source);
	const char *words = setting(settings, "server_version");

	words = words ? words : "of unknown version";
	if (version < VERSION_MIN)
		precheck_add(c, CHECK_FAILED, "version", "source",
					 "PostgreSQL %s is too old, the plugin needs 13 or later", words);
	else if (version >= VERSION_MAX)
		precheck_add(c, CHECK_WARNING, "version", "source",
					 "PostgreSQL %s is newer than what this program was tried with (13 to 18)", words);
	else
		precheck_add(c, CHECK_OK, "version", "source", "PostgreSQL %s", words);
}

static void
check_failover(struct precheck_context *c)
{
	int version = connection_server_version(c->source);

	if (!c->config->source.failover)
		return;
	if (version < FAILOVER_VERSION_MIN)
		precheck_add(c, CHECK_FAILED, "failover", "source",
					 "source.failover needs PostgreSQL 17, this is %d: leave it out", version / 10000);
	else
		precheck_add(c, CHECK_OK, "failover", "source", "the slot is one for failover");
}

/* Reported first, since on a standby the task's slot looks as if it had been dropped. */
static bool
check_standby(struct precheck_context *c, bool *decodes, struct error *err)
{
	struct result *res;
	bool standby;

	if (!connection_execute(c->source, "SELECT pg_is_in_recovery()", NULL, 0, &res, err))
		return false;
	standby = result_bool(res, 0, 0);
	result_free(res);
	*decodes = !standby || connection_server_version(c->source) >= STANDBY_VERSION_MIN;
	if (!*decodes)
		precheck_add(c, CHECK_FAILED, "standby", "source",
					 "it is a standby, which decodes nothing before PostgreSQL 16: name the primary in"
					 " source.conninfo");
	else if (standby)
		precheck_add(
			c, CHECK_WARNING, "standby", "source",
			"it is a standby, whose slots are its own: where the task's is on the primary, name that in"
			" source.conninfo");
	return true;
}

static bool
check_wal_level(struct precheck_context *c, const struct result *settings)
{
	const char *level = setting(settings, "wal_level");

	if (level && strcmp(level, "logical") == 0) {
		precheck_add(c, CHECK_OK, "wal_level", "source", "logical");
		return true;
	}
	precheck_add(c, CHECK_FAILED, "wal_level", "source",
				 "it is %s and must be logical: set wal_level = logical and restart the server",
				 level ? level : "not known");
	return false;
}

static void
check_timeouts(struct precheck_context *c, const struct result *settings)
{
	int64_t sender_ms = setting_number(settings, "wal_sender_timeout", 0);
	int64_t keep_mb = setting_number(settings, "max_slot_wal_keep_size", -1);

	if (sender_ms > 0 && sender_ms < SENDER_TIMEOUT_MIN_MS)
		precheck_add(c, CHECK_WARNING, "timeouts", "source",
					 "wal_sender_timeout is %lld ms: streams may be cut, set it to 10 s or more",
					 (long long) sender_ms);
	if (keep_mb >= 0)
		precheck_add(c, CHECK_WARNING, "wal_retention", "source",
					 "max_slot_wal_keep_size is %lld MB: when the slot lags further behind, the server gives"
					 " it up, and every table must be copied again",
					 (long long) keep_mb);
	if (setting_number(settings, "idle_replication_slot_timeout", 0) > 0)
		precheck_add(c, CHECK_WARNING, "wal_retention", "source",
					 "idle_replication_slot_timeout is %s: when the daemon rests for longer, the server gives"
					 " the slot up, and every table must be copied again",
					 setting(settings, "idle_replication_slot_timeout"));
}

/*
 * others_sql reads the names of the other standbys, streaming_name_sql the name under which this task
 * streams: "sluice" unless conninfo sets another. This session is called "sluice" with the task unless
 * conninfo sets its name.
 */
static const char others_sql[] =
	"SELECT application_name FROM pg_stat_replication WHERE pid IS DISTINCT FROM (SELECT active_pid"
	" FROM pg_replication_slots WHERE slot_name = $1) ORDER BY pid";
static const char streaming_name_sql[] =
	"SELECT CASE WHEN current_setting('application_name') = 'sluice ' || $1 THEN 'sluice'"
	" ELSE current_setting('application_name') END";

static void
report_synchronous(struct precheck_context *c, const char *setting, const char *name,
				   enum synchronous synchronous)
{
	switch (synchronous) {
	case SYNCHRONOUS_NOT:
		return;
	case SYNCHRONOUS_POSSIBLE:
		precheck_add(c, CHECK_WARNING, "synchronous", "source",
					 "synchronous_standby_names (%s) has \"%s\", under which this task streams: enough other"
					 " standbys are connected, but without them commits would wait for this task for ever;"
					 " name the standbys that are meant there",
					 setting, name);
		return;
	case SYNCHRONOUS_AWAITED:
		precheck_add(
			c, CHECK_FAILED, "synchronous", "source",
			"synchronous_standby_names (%s) lets commits wait for \"%s\", under which this task"
			" streams: a TRUNCATE or ALTER TABLE would wait for this task, and this task for it; name"
			" the standbys that are meant there, or give source.conninfo an application_name that"
			" does not match",
			setting, name);
		return;
	case SYNCHRONOUS_UNREADABLE:
		precheck_add(c, CHECK_WARNING, "synchronous", "source",
					 "synchronous_standby_names (%s) cannot be read: make sure that \"%s\", under which this"
					 " task streams, is none of the standbys that commits wait for",
					 setting, name);
		return;
	}
}

static enum synchronous
judge_synchronous(const char *setting, const char *name, const struct result *others)
{
	unsigned count = result_rows(others);
	const char **names = memory_alloc_zero(count + 1, sizeof *names);
	enum synchronous synchronous;

	for (unsigned i = 0; i < count; i++)
		names[i] = result_text(others, i, 0);
	synchronous = synchronous_judge(setting, name, names, count);
	free(names);
	return synchronous;
}

static bool
check_synchronous(struct precheck_context *c, const struct result *settings, struct error *err)
{
	const char *names = setting(settings, "synchronous_standby_names");
	const struct param slot = param_text(c->config->source.slot), task = param_text(c->config->task);
	struct result *name, *others;

	if (!names || !names[0])
		return true;
	if (!connection_execute(c->source, streaming_name_sql, &task, 1, &name, err))
		return false;
	if (!connection_execute(c->source, others_sql, &slot, 1, &others, err)) {
		result_free(name);
		return false;
	}
	report_synchronous(c, names, result_text(name, 0, 0),
					   judge_synchronous(names, result_text(name, 0, 0), others));
	result_free(name);
	result_free(others);
	return true;
}

/* ---- room for a slot and its walsender */

static bool
check_room(struct precheck_context *c, const struct result *settings, bool *has_room, struct error *err)
{
	long long slots_max = setting_number(settings, "max_replication_slots", 0);
	long long senders_max = setting_number(settings, "max_wal_senders", 0);
	long long slots, senders;
	struct result *res;

	if (!connection_execute(c->source,
							"SELECT (SELECT count(*) FROM pg_replication_slots),"
							" (SELECT count(*) FROM pg_stat_replication)",
							NULL, 0, &res, err))
		return false;
	slots = result_int(res, 0, 0);
	senders = result_int(res, 0, 1);
	result_free(res);
	*has_room = c->slot.exists || slots < slots_max;
	if (!*has_room)
		precheck_add(c, CHECK_FAILED, "slots", "source",
					 "all %lld of max_replication_slots are taken: raise it and restart, or drop a slot",
					 slots_max);
	else
		precheck_add(c, CHECK_OK, "slots", "source", "%lld of %lld are taken", slots, slots_max);
	/* Once a task has started, one walsender may be left over from its own lost connection. */
	if (!c->slot.active && senders >= senders_max)
		precheck_add(c, precheck_is_fresh(c) ? CHECK_FAILED : CHECK_WARNING, "walsenders", "source",
					 "all %lld of max_wal_senders are taken: raise it and restart, or end one", senders_max);
	else
		precheck_add(c, CHECK_OK, "walsenders", "source", "%lld of %lld are taken", senders, senders_max);
	return true;
}

/* ---- the role */

static bool
check_role(struct precheck_context *c, bool *may_replicate, struct error *err)
{
	/* Amazon RDS grants the role rds_replication instead of the attribute REPLICATION. */
	static const char sql[] =
		"SELECT r.rolname, r.rolsuper OR r.rolreplication OR EXISTS (SELECT 1 FROM pg_roles g"
		" WHERE g.rolname = 'rds_replication' AND pg_has_role(r.oid, g.oid, 'member')), "
		"quote_ident(r.rolname), r.rolsuper"
		" FROM pg_roles r WHERE r.rolname = current_user";
	struct result *res;

	if (!connection_execute(c->source, sql, NULL, 0, &res, err))
		return false;
	*may_replicate = result_bool(res, 0, 1);
	if (result_bool(res, 0, 3))
		precheck_add(
			c, CHECK_WARNING, "superuser", "source",
			"sluice logs in as a superuser there: functions in the indexes of tables, whose owners wrote "
			"them,"
			" run with its rights when it reads them; the role needs no more than docs/security.md lists");
	if (*may_replicate)
		precheck_add(c, CHECK_OK, "role", "source", "%s may replicate", result_text(res, 0, 0));
	else
		precheck_add(c, CHECK_FAILED, "role", "source",
					 "%s lacks the attribute REPLICATION: ALTER ROLE %s REPLICATION", result_text(res, 0, 0),
					 result_text(res, 0, 2));
	result_free(res);
	return true;
}

/* ---- the plugin */

/* The list's elements are separated by commas and may be quoted or surrounded by blanks. */
static bool
lists_plugin(const char *libraries)
{
	static const char separators[] = ", \t\"";

	for (libraries += strspn(libraries, separators); *libraries;) {
		size_t len = strcspn(libraries, separators);

		if (len == strlen("sluice") && strncmp(libraries, "sluice", len) == 0)
			return true;
		libraries += len;
		libraries += strspn(libraries, separators);
	}
	return false;
}

static bool
check_allowed(struct precheck_context *c, const struct result *settings)
{
	const char *libraries = setting(settings, "output_plugin_libraries");

	/* Either the server has no such setting, or it is hidden from this role; try_plugin() finds out. */
	if (!libraries)
		return true;
	if (lists_plugin(libraries)) {
		precheck_add(c, CHECK_OK, "plugin", "source", "output_plugin_libraries lists sluice");
		return true;
	}
	precheck_add(c, CHECK_FAILED, "plugin", "source",
				 "output_plugin_libraries does not list it: add output_plugin_libraries = '%s%ssluice' to"
				 " postgresql.conf and reload the server",
				 libraries, libraries[0] ? ", " : "");
	return false;
}

/*
 * Describes the transaction that a new slot waits for, such as "process 4711 (loader, psql) since 2026-…".
 */
static bool
describe_oldest(struct precheck_context *c, const char **text, struct error *err)
{
	static const char sql[] =
		"SELECT format('process %s (%s, %s), in a transaction since %s', pid, usename, application_name,"
		" date_trunc('second', xact_start)) FROM pg_stat_activity"
		" WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1";
	struct result *res;

	if (!connection_execute(c->source, sql, NULL, 0, &res, err))
		return false;
	*text = arena_strdup(&c->memory, result_rows(res) ? result_text(res, 0, 0) : "a prepared transaction");
	result_free(res);
	return true;
}

static bool
report_waiting(struct precheck_context *c, struct error *err)
{
	const char *oldest;

	if (!describe_oldest(c, &oldest, err))
		return false;
	precheck_add(c, CHECK_WARNING, "plugin", "source",
				 "it loads, but a new slot must wait for older transactions to end, the oldest of %s",
				 oldest);
	return true;
}

static bool
is_state(const struct error *err, const char *sqlstate)
{
	return strcmp(err->sqlstate, sqlstate) == 0;
}

static bool
report_trial(struct precheck_context *c, const struct error *trial, struct error *err)
{
	const char *trouble = source_plugin_trouble(trial);

	if (trial->sqlstate[0] == '\0') {
		*err = *trial;
		return false;
	}
	/* The wait begins after the plugin was loaded, so a timeout proves that it loads. */
	if (is_state(trial, "55P03") || is_state(trial, "57014"))
		return report_waiting(c, err);
	if (trouble)
		precheck_add(c, CHECK_FAILED, "plugin", "source", "%s (%s)", trouble, trial->message);
	else
		precheck_add(c, CHECK_FAILED, "plugin", "source", "a slot cannot be made: %s", trial->message);
	return true;
}

/*
 * Creates a temporary slot and drops it in one implicit transaction, which also ends the SET LOCAL.
 * lock_timeout limits the wait for old transactions, which statement_timeout does not end;
 * statement_timeout limits other waits.
 */
static bool
try_plugin(struct precheck_context *c, struct error *err)
{
	struct error trial;
	char sql[400];
	int pid = connection_backend_pid(c->source);

	snprintf(sql, sizeof sql,
			 "SET LOCAL lock_timeout = '5s'; SET LOCAL statement_timeout = '30s';"
			 " SELECT pg_create_logical_replication_slot('sluice_check_%d', 'sluice', true);"
			 " SELECT pg_drop_replication_slot('sluice_check_%d')",
			 pid, pid);
	error_clear(&trial);
	if (!connection_execute(c->source, sql, NULL, 0, NULL, &trial))
		return report_trial(c, &trial, err);
	precheck_add(c, CHECK_OK, "plugin", "source", "it loads");
	return true;
}

/*
 * No trial if it must fail for a reason already reported, or if the task's slot exists, since then the
 * plugin has been loaded before.
 */
static bool
check_plugin(struct precheck_context *c, const struct result *settings, bool possible, struct error *err)
{
	bool allowed = check_allowed(c, settings);

	if (!allowed || !possible || c->slot.exists || connection_server_version(c->source) < VERSION_MIN)
		return true;
	return try_plugin(c, err);
}

bool
precheck_source(struct precheck_context *c, struct error *err)
{
	bool decodes, logical, has_room, may_replicate, done;
	struct result *settings;

	if (!check_standby(c, &decodes, err) || !read_settings(c, &settings, err))
		return false;
	check_version(c, settings);
	check_failover(c);
	logical = check_wal_level(c, settings);
	check_timeouts(c, settings);
	done = check_synchronous(c, settings, err) && check_room(c, settings, &has_room, err) &&
		   check_role(c, &may_replicate, err) &&
		   check_plugin(c, settings, decodes && logical && has_room && may_replicate, err);
	result_free(settings);
	return done;
}
