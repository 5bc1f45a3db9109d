#include "source.h"

#include <stdio.h>

#include "common/lsn.h"

/* ---- identity */

static const char identify_sql[] =
	"SELECT s.system_identifier,"
	" CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())"
	"  ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint END,"
	" current_database(),"
	" CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END,"
	" current_setting('server_encoding')"
	" FROM pg_control_system() s";

/*
 * The WAL writer flushes an asynchronous commit after at most three times wal_writer_delay (documentation
 * of asynchronous commit).
 */
bool
source_await_flush(struct connection *source, struct error *err)
{
	static const char sql[] =
		"SELECT CASE WHEN pg_is_in_recovery() THEN NULL"
		" WHEN pg_current_wal_insert_lsn() > pg_current_wal_flush_lsn()"
		" THEN pg_sleep(3 * extract(epoch FROM current_setting('wal_writer_delay')::interval)) END";

	return connection_execute(source, sql, NULL, 0, NULL, err);
}

bool
source_identify(struct connection *source, struct source_identity *identity, struct error *err)
{
	struct result *res;
	bool ok;

	*identity = (struct source_identity){.version = connection_server_version(source)};
	if (!connection_execute(source, identify_sql, NULL, 0, &res, err))
		return error_context(err, "asking the source for its identity");
	snprintf(identity->system, sizeof(identity->system), "%s", result_text(res, 0, 0));
	identity->timeline = result_int(res, 0, 1);
	snprintf(identity->database, sizeof(identity->database), "%s", result_text(res, 0, 2));
	ok = lsn_parse(result_text(res, 0, 3), &identity->current_lsn);
	result_free(res);
	return ok || error_set(err, ERROR_DATA, "the source does not say at which LSN it is");
}

/* ---- slots */

/*
 * PostgreSQL 17 added invalidation_reason. Earlier versions have only one reason on a primary:
 * wal_removed.
 */
static const char slot_sql[] =
	"SELECT s.plugin, s.database, s.slot_type = 'logical', s.active, s.active_pid, s.confirmed_flush_lsn,"
	" s.restart_lsn, s.wal_status, coalesce(to_jsonb(s) ->> 'invalidation_reason', 'wal_removed'),"
	" pg_wal_lsn_diff(at.lsn, s.restart_lsn), s.safe_wal_size, at.lsn"
	" FROM pg_replication_slots s, (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
	"  ELSE pg_current_wal_lsn() END AS lsn) at WHERE s.slot_name = $1";

/* NULL, which means unknown, becomes 0. */
static uint64_t
result_lsn(const struct result *res, unsigned row, unsigned column)
{
	uint64_t lsn = 0;

	if (!result_is_null(res, row, column) && !lsn_parse(result_text(res, row, column), &lsn))
		return 0;
	return lsn;
}

static void
read_slot_row(const struct result *res, struct source_slot *out)
{
	out->exists = true;
	snprintf(out->plugin, sizeof(out->plugin), "%s", result_text(res, 0, 0));
	snprintf(out->database, sizeof(out->database), "%s", result_text(res, 0, 1));
	out->logical = result_bool(res, 0, 2);
	out->active = result_bool(res, 0, 3);
	out->active_pid = result_int(res, 0, 4);
	out->confirmed_flush_lsn = result_lsn(res, 0, 5);
	out->restart_lsn = result_lsn(res, 0, 6);
	snprintf(out->wal_status, sizeof(out->wal_status), "%s", result_text(res, 0, 7));
	snprintf(out->lost_by, sizeof(out->lost_by), "%s", result_text(res, 0, 8));
	out->retained_bytes = result_int(res, 0, 9);
	out->safe_bytes = result_is_null(res, 0, 10) ? -1 : result_int(res, 0, 10);
	out->current_lsn = result_lsn(res, 0, 11);
}

bool
source_read_slot(struct connection *source, const char *slot, struct source_slot *out, struct error *err)
{
	struct param param = param_text(slot);
	struct result *res;

	*out = (struct source_slot){0};
	if (!connection_execute(source, slot_sql, &param, 1, &res, err))
		return error_context(err, "reading the slot \"%s\"", slot);
	if (result_rows(res) > 0)
		read_slot_row(res, out);
	result_free(res);
	return true;
}

bool
source_drop_slot(struct connection *source, const char *slot, struct error *err)
{
	struct param param = param_text(slot);

	if (!connection_execute(source,
							"SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots"
							" WHERE slot_name = $1",
							&param, 1, NULL, err))
		return error_context(err, "dropping the slot \"%s\"", slot);
	return true;
}
