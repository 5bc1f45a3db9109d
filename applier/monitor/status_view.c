#include "status_view.h"

#include <inttypes.h>
#include <time.h>

#include "base/json.h"
#include "lsn.h"

void
status_view_init(struct status_view *view, const char *task)
{
	*view = (struct status_view){
		.task = task,
		.lag_bytes = -1,
		.lag_s = -1,
		.retained_bytes = -1,
		.safe_bytes = -1,
		.oldest_s = -1,
		.transactions_total = -1,
		.changes_total = -1,
		.transactions_per_s = -1,
		.changes_per_s = -1,
		.received_bytes_per_s = -1,
	};
}

void
status_table_init(struct status_table *table)
{
	*table = (struct status_table){.rows_expected = -1, .rows_per_s = -1, .left_s = -1};
}

/* ---- fields, each behind a comma */

static void
put_text(struct buffer *out, const char *name, const char *value)
{
	buffer_printf(out, ",\"%s\":", name);
	json_string(out, value);
}

static void
put_count(struct buffer *out, const char *name, int64_t value)
{
	if (value < 0)
		buffer_printf(out, ",\"%s\":null", name);
	else
		buffer_printf(out, ",\"%s\":%" PRId64, name, value);
}

static void
put_real(struct buffer *out, const char *name, double value)
{
	if (value < 0)
		buffer_printf(out, ",\"%s\":null", name);
	else
		buffer_printf(out, ",\"%s\":%.3f", name, value);
}

static void
put_flag(struct buffer *out, const char *name, bool value)
{
	buffer_printf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

static void
put_lsn(struct buffer *out, const char *name, uint64_t lsn)
{
	char text[LSN_TEXT_BYTES];

	put_text(out, name, lsn ? lsn_format(lsn, text) : NULL);
}

void
status_put_time(struct buffer *out, int64_t at)
{
	time_t seconds = (time_t) (at / 1000000);
	char text[32];
	struct tm utc;

	if (at <= 0 || !gmtime_r(&seconds, &utc)) {
		buffer_printf(out, "null");
		return;
	}
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	buffer_printf(out, "\"%s.%03dZ\"", text, (int) (at / 1000 % 1000));
}

static void
put_time(struct buffer *out, const char *name, int64_t at)
{
	buffer_printf(out, ",\"%s\":", name);
	status_put_time(out, at);
}

/* ---- the object */

static void
put_compared(struct buffer *out, const struct status_table *table)
{
	buffer_printf(out, ",\"compared\":");
	if (!table->compared_at) {
		buffer_printf(out, "null");
		return;
	}
	buffer_printf(out, "{\"at\":");
	status_put_time(out, table->compared_at);
	put_lsn(out, "lsn", table->compared_lsn);
	put_flag(out, "equal", table->compared_equal);
	buffer_put_u8(out, '}');
}

static void
put_table(struct buffer *out, const struct status_table *table)
{
	buffer_printf(out, "{\"source\":");
	json_string(out, table->source);
	put_text(out, "renamed_to", table->renamed_to);
	put_text(out, "target", table->target);
	put_text(out, "state", table->state);
	put_count(out, "rows_copied", table->rows_copied);
	put_count(out, "rows_expected", table->rows_expected);
	put_real(out, "rows_per_second", table->rows_per_s);
	put_real(out, "seconds_left", table->left_s);
	put_text(out, "step", table->step);
	put_text(out, "error", table->error);
	put_count(out, "dead_rows", table->dead_rows);
	put_text(out, "upkeep", table->upkeep);
	put_text(out, "indexing", table->indexing);
	put_compared(out, table);
	buffer_put_u8(out, '}');
}

static void
put_position(struct buffer *out, const struct status_view *view)
{
	put_lsn(out, "applied_lsn", view->applied_lsn);
	put_lsn(out, "received_lsn", view->received_lsn);
	put_lsn(out, "confirmed_lsn", view->confirmed_lsn);
	put_lsn(out, "source_lsn", view->source_lsn);
	put_time(out, "sampled_at", view->sampled_at);
	put_count(out, "lag_bytes", view->lag_bytes);
	put_real(out, "lag_seconds", view->lag_s);
	put_count(out, "retained_wal_bytes", view->retained_bytes);
	put_count(out, "safe_wal_bytes", view->safe_bytes);
	put_flag(out, "retained_wal_warning", view->retention_warning);
	put_text(out, "wal_status", view->wal_status);
	put_text(out, "oldest_transaction", view->oldest);
	put_real(out, "oldest_transaction_seconds", view->oldest ? view->oldest_s : -1);
}

static void
put_work(struct buffer *out, const struct status_view *view)
{
	put_count(out, "transactions_total", (int64_t) view->transactions_total);
	put_count(out, "changes_total", (int64_t) view->changes_total);
	put_real(out, "transactions_per_second", view->transactions_per_s);
	put_real(out, "changes_per_second", view->changes_per_s);
	put_real(out, "received_bytes_per_second", view->received_bytes_per_s);
}

static void
put_daemon(struct buffer *out, const struct status_daemon *daemon)
{
	if (!daemon->host) {
		buffer_printf(out, "null");
		return;
	}
	buffer_printf(out, "{\"host\":");
	json_string(out, daemon->host);
	put_count(out, "pid", daemon->pid);
	put_time(out, "since", daemon->since);
	buffer_put_u8(out, '}');
}

static void
put_daemons(struct buffer *out, const struct status_view *view)
{
	buffer_printf(out, ",\"holder\":");
	put_daemon(out, &view->holder);
	if (!view->standbys_known) {
		buffer_printf(out, ",\"standbys\":null");
		return;
	}
	buffer_printf(out, ",\"standbys\":[");
	for (unsigned i = 0; i < view->standby_count; i++) {
		buffer_printf(out, i ? "," : "");
		put_daemon(out, &view->standbys[i]);
	}
	buffer_put_u8(out, ']');
}

void
status_view_put_json(const struct status_view *view, struct buffer *out)
{
	buffer_printf(out, "{\"task\":");
	json_string(out, view->task);
	put_time(out, "time", view->at);
	put_text(out, "version", SLUICE_VERSION);
	put_count(out, "pid", view->daemon_pid > 0 ? view->daemon_pid : -1);
	put_text(out, "phase", view->phase);
	put_time(out, "phase_since", view->phase_since);
	put_text(out, "waiting_for", view->waiting_for);
	put_time(out, "waiting_since", view->waiting_since);
	put_daemons(out, view);
	put_position(out, view);
	put_work(out, view);
	put_text(out, "source_version", view->source_version);
	put_text(out, "destination_version", view->destination_version);
	put_text(out, "last_error", view->last_error);
	put_text(out, "source_error", view->source_error);
	buffer_printf(out, ",\"tables\":[");
	for (unsigned i = 0; i < view->table_count; i++) {
		buffer_printf(out, i ? "," : "");
		put_table(out, &view->tables[i]);
	}
	buffer_printf(out, "]}\n");
}
