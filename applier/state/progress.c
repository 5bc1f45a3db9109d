#include "progress.h"

#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "comparisons.h"
#include "lsn.h"
#include "state_install.h"
#include "state_layout.h"
#include "state_text.h"

static void
copy_text(char *out, size_t out_bytes, const char *in)
{
	snprintf(out, out_bytes, "%s", in);
}

bool
progress_take(const struct result *res, struct progress *progress, struct error *err)
{
	*progress = (struct progress){0};
	if (!lsn_parse(result_text(res, 0, 1), &progress->applied_lsn) ||
		!lsn_parse(result_text(res, 0, 2), &progress->slot_lsn))
		return error_set(err, ERROR_BUG, "sluice.progress holds an LSN that cannot be read");
	progress->exists = true;
	copy_text(progress->slot, sizeof progress->slot, result_text(res, 0, 0));
	copy_text(progress->source_system, sizeof progress->source_system, result_text(res, 0, 3));
	progress->source_timeline = result_int(res, 0, 4);
	copy_text(progress->source_database, sizeof progress->source_database, result_text(res, 0, 5));
	progress->epoch = result_int(res, 0, 6);
	if (!result_is_null(res, 0, 7) && !result_is_null(res, 0, 8) &&
		lsn_parse(result_text(res, 0, 8), &progress->last_commit_lsn))
		progress->last_xid = (uint32_t) result_int(res, 0, 7);
	return true;
}

static bool
read_row(struct connection *destination, const char *task, int layout, struct progress *progress,
		 struct error *err)
{
	struct param param = param_text(task);
	struct buffer sql;
	struct result *res;
	bool read = true;

	sql_init(&sql);
	buffer_printf(
		&sql, "SELECT slot, applied_lsn, slot_lsn, source_system, source_timeline, source_database, epoch, ");
	state_layout_put_column(&sql, layout, "progress", "last_xid");
	buffer_printf(&sql, ", ");
	state_layout_put_column(&sql, layout, "progress", "last_commit_lsn");
	buffer_printf(&sql, " FROM sluice.progress WHERE task = $1");
	read = connection_execute(destination, sql_text(&sql), &param, 1, &res, err);
	buffer_fini(&sql);
	if (!read)
		return false;
	if (result_rows(res))
		read = progress_take(res, progress, err);
	result_free(res);
	return read;
}

bool
progress_read(struct connection *destination, const char *task, struct progress *progress, struct error *err)
{
	struct state_installed installed;

	*progress = (struct progress){0};
	if (!state_install_read(destination, &installed, err))
		return false;
	return !installed.progress || read_row(destination, task, installed.layout, progress, err);
}

bool
progress_write(struct connection *destination, const char *task, const struct progress *progress,
			   struct error *err)
{
	static const char update[] =
		"UPDATE sluice.progress SET slot = $2, applied_lsn = $3, slot_lsn = $4, source_system = $5,"
		" source_timeline = $6, source_database = $7, epoch = $8, last_xid = NULL, last_commit_lsn = NULL,"
		" applied_commit_time = now(),"
		" updated_at = now() WHERE task = $1";
	static const char insert[] =
		"INSERT INTO sluice.progress (task, slot, applied_lsn, slot_lsn, source_system, source_timeline,"
		" source_database, epoch, phase, applied_commit_time, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'copying', now(), now())";
	char applied[LSN_TEXT_BYTES], made[LSN_TEXT_BYTES], timeline[24], epoch[24];
	const struct param params[] = {
		param_text(task),
		param_text(progress->slot),
		param_text(lsn_format(progress->applied_lsn, applied)),
		param_text(lsn_format(progress->slot_lsn, made)),
		param_text(progress->source_system),
		param_text(timeline),
		param_text(progress->source_database),
		param_text(epoch),
	};
	struct result *res;
	bool updated;

	snprintf(timeline, sizeof timeline, "%lld", (long long) progress->source_timeline);
	snprintf(epoch, sizeof epoch, "%lld", (long long) progress->epoch);
	if (!connection_execute(destination, update, params, 8, &res, err))
		return error_context(err, "writing sluice.progress");
	updated = result_affected(res) > 0;
	result_free(res);
	/* The caller holds the task's lock, so nobody else can insert between UPDATE and INSERT. */
	return updated || connection_execute(destination, insert, params, 8, NULL, err) ||
		   error_context(err, "writing sluice.progress");
}

bool
progress_write_timeline(struct connection *destination, const char *task, struct progress *progress,
						struct error *err)
{
	static const char sql[] = "UPDATE sluice.progress SET source_timeline = $2, updated_at = now()"
							  " WHERE task = $1 AND epoch = $3"
							  " RETURNING (extract(epoch FROM applied_commit_time) * 1000000)::bigint";
	char timeline[24], epoch[24];
	const struct param params[] = {param_text(task), param_text(timeline), param_text(epoch)};
	struct result *res;
	bool found;

	snprintf(timeline, sizeof timeline, "%lld", (long long) progress->source_timeline);
	snprintf(epoch, sizeof epoch, "%lld", (long long) progress->epoch);
	if (!connection_execute(destination, sql, params, 3, &res, err))
		return error_context(err, "writing the source's timeline into sluice.progress");
	found = result_rows(res) == 1;
	if (found)
		progress->applied_commit_us = result_is_null(res, 0, 0) ? 0 : result_int(res, 0, 0);
	result_free(res);
	return found || error_set(err, ERROR_REPLACED, "another daemon of task %s has taken over", task);
}

const char *
progress_advance_sql(void)
{
	return "UPDATE sluice.progress SET applied_lsn = $1, applied_commit_time = coalesce($2, now()),"
		   " last_xid = coalesce($5, last_xid), last_commit_lsn = coalesce($6, last_commit_lsn),"
		   " updated_at = now() WHERE task = $3 AND epoch = $4";
}

bool
progress_set_phase(struct connection *destination, const char *task, const char *phase,
				   const char *last_error, struct error *err)
{
	struct arena memory;
	struct param params[] = {param_text(task), param_text(phase), param_text(NULL)};
	bool ok;

	arena_init(&memory, 1024);
	params[2] = param_text(state_text_stored(&memory, last_error));
	ok = connection_execute(
		destination,
		"UPDATE sluice.progress SET phase = $2, last_error = $3, updated_at = now(),"
		" phase_since = CASE WHEN phase = $2 THEN coalesce(phase_since, now()) ELSE now() END"
		" WHERE task = $1",
		params, 3, NULL, err);
	arena_fini(&memory);
	return ok;
}

/*
 * Builds the indexes of targets whose copy was interrupted. A target or schema that is gone needs none.
 */
static bool
finish_targets(struct connection *destination, const char *task, struct error *err)
{
	static const char sql[] = "SELECT rebuild FROM sluice.tables WHERE task = $1 AND rebuild <> ''";
	struct param param = param_text(task);
	struct result *res;
	bool ok = true;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	for (unsigned i = 0; ok && i < result_rows(res); i++)
		ok = connection_execute(destination, result_text(res, i, 0), NULL, 0, NULL, err) ||
			 strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0;
	result_free(res);
	return ok || error_context(err, "building the indexes of a target whose copy was interrupted");
}

bool
progress_remove(struct connection *destination, const char *task, struct error *err)
{
	struct state_installed installed;
	struct buffer sql;
	bool compared;

	if (!state_install_read(destination, &installed, err) ||
		!comparisons_exist(destination, &compared, err) ||
		(installed.tables && !finish_targets(destination, task, err)))
		return false;
	sql_init(&sql);
	if (installed.tables) {
		buffer_printf(&sql, "DELETE FROM sluice.tables WHERE task = ");
		sql_literal(&sql, task);
		buffer_printf(&sql, ";\n");
	}
	if (compared) {
		buffer_printf(&sql, "DELETE FROM sluice.comparisons WHERE task = ");
		sql_literal(&sql, task);
		buffer_printf(&sql, ";\n");
	}
	if (installed.selection) {
		buffer_printf(&sql, "DELETE FROM sluice.selection WHERE task = ");
		sql_literal(&sql, task);
		buffer_printf(&sql, ";\n");
	}
	if (installed.indexes) {
		buffer_printf(&sql, "DELETE FROM sluice.indexes WHERE task = ");
		sql_literal(&sql, task);
		buffer_printf(&sql, ";\n");
	}
	if (installed.progress) {
		buffer_printf(&sql, "DELETE FROM sluice.progress WHERE task = ");
		sql_literal(&sql, task);
	}
	return connection_execute_buffer(destination, &sql, NULL, err);
}
