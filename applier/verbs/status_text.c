/*
 * `sluice status` as text for people.
 */
#include <string.h>

#include "lsn.h"
#include "status.h"

void
status_put_size(struct buffer *out, int64_t bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	double value = (double) bytes;
	unsigned unit = 0;

	for (; value >= 1024 && unit < 4; unit++)
		value /= 1024;
	if (bytes < 0)
		buffer_printf(out, "not known");
	else
		buffer_printf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void
status_put_lag(struct buffer *out, const struct status *status)
{
	status_put_size(out, status->view.lag_bytes);
	if (status->view.lag_s >= 0)
		buffer_printf(out, ", %.1f s", status->view.lag_s);
}

static void
put_retention_warning(struct buffer *out, const struct status *status)
{
	switch (status->retention) {
	case RETENTION_MODEST:
		return;
	case RETENTION_LARGE:
		buffer_printf(out, " (warning: more than ");
		status_put_size(out, status->warn_bytes);
		buffer_put_u8(out, ')');
		return;
	case RETENTION_ENDANGERED:
		buffer_printf(out, " (warning: the server may give the slot up at the next checkpoint)");
		return;
	case RETENTION_LOST:
		buffer_printf(out, " (warning: the server gave the slot up; \"sluice check\" says what to do)");
		return;
	}
}

/* Appends the WAL that the slot holds back, and the transaction that keeps the slot from advancing. */
static void
put_retention(struct buffer *out, const struct status *status)
{
	buffer_printf(out, "\nretained WAL  ");
	if (status->source_known && !status->wal_status[0])
		buffer_printf(out, "none: there is no slot");
	else
		status_put_size(out, status->view.retained_bytes);
	if (status->wal_status[0])
		buffer_printf(out, ", %s", status->wal_status);
	put_retention_warning(out, status);
	if (status->oldest.exists)
		buffer_printf(out, "\nopen longest  %s, for %.0f s", status->oldest.who, status->oldest.age_s);
}

/* Appends nothing if no comparison was recorded. */
static void
put_compared(struct buffer *out, const struct status_view *view)
{
	unsigned equal = 0, different = 0;

	for (unsigned i = 0; i < view->table_count; i++)
		if (view->tables[i].compared_at)
			*(view->tables[i].compared_equal ? &equal : &different) += 1;
	if (equal + different > 0)
		buffer_printf(out, "compared      %u equal, %u different, %u never\n", equal, different,
					  view->table_count - equal - different);
}

static void
put_duration(struct buffer *out, double seconds)
{
	if (seconds < 120)
		buffer_printf(out, "%.0f s", seconds);
	else if (seconds < 7200)
		buffer_printf(out, "%.0f min", seconds / 60);
	else
		buffer_printf(out, "%.0f h", seconds / 3600);
}

void
status_put_since(struct buffer *out, const struct status_view *view, int64_t since)
{
	if (since <= 0)
		return;
	buffer_printf(out, ", for ");
	put_duration(out, view->at > since ? (double) (view->at - since) / 1e6 : 0);
}

/* Without a daemon, a table whose copy was interrupted still has to be copied, like one that waits. */
static void
put_unfinished(struct buffer *out, const struct status *status)
{
	unsigned waiting = status_count(status, "waiting") + status_count(status, "copying");

	if (status_has_daemon(status) || !status->report.progress.exists || waiting == 0)
		return;
	buffer_printf(
		out,
		"copy          not finished: %u of %u table%s still to be copied; \"sluice run\" goes on with it\n",
		waiting, status->view.table_count, plural(status->view.table_count));
}

/* Who runs the task, and who would take over. */
static void
put_daemons(struct buffer *out, const struct state_report *report)
{
	char holder[512];

	if (report->daemon_pid && report->lease.until[0]) {
		lease_describe(&report->lease, holder, sizeof holder);
		buffer_printf(out, "holder        %s, lease renewed %.0f s ago\n", holder,
					  report->lease.renewed_s > 0 ? report->lease.renewed_s : 0);
	}
	for (unsigned i = 0; i < report->standby_count; i++)
		buffer_printf(out, "standby       host %s, process %lld, since %s\n", report->standbys[i].host,
					  (long long) report->standbys[i].pid, report->standbys[i].since);
}

static void
put_head(struct buffer *out, const struct status *status)
{
	const struct status_view *view = &status->view;
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(out, "task          %s\nphase         %s", view->task, view->phase);
	if (status_has_daemon(status))
		status_put_since(out, view, view->phase_since);
	buffer_put_u8(out, '\n');
	if (view->waiting_for) {
		buffer_printf(out, "waiting for   %s", view->waiting_for);
		status_put_since(out, view, view->waiting_since);
		buffer_put_u8(out, '\n');
	}
	put_daemons(out, &status->report);
	buffer_printf(out, "applied LSN   %s\n",
				  view->applied_lsn ? lsn_format(view->applied_lsn, lsn) : "none yet");
	buffer_printf(out, "lag           ");
	status_put_lag(out, status);
	put_retention(out, status);
	if (view->changes_per_s >= 0)
		buffer_printf(out, "\nthroughput    %.0f transactions/s, %.0f changes/s", view->transactions_per_s,
					  view->changes_per_s);
	buffer_printf(out, "\nlast error    %s\n", view->last_error ? view->last_error : "none");
	if (view->source_error)
		buffer_printf(out, "source        not reached: %s\n", view->source_error);
	put_unfinished(out, status);
	put_compared(out, view);
}

int
status_width(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char) *text & 0xC0) != 0x80;
	return width;
}

void
status_put_padded(struct buffer *out, const char *text, int width)
{
	buffer_printf(out, "%s%*s", text, width - status_width(text) + 2, "");
}

static int
at_least(int width, const char *text)
{
	int its = status_width(text);

	return its > width ? its : width;
}

/*
 * "of about 1000000, 50000 rows/s, 12 s left"; or, while no rows are copied, the step that the copy is in.
 */
static void
put_progress(struct buffer *out, const struct status_table *table)
{
	const char *comma = "";

	if (strcmp(table->state, "copying") != 0)
		return;
	if (table->rows_expected > 0) {
		buffer_printf(out, "of about %lld", (long long) table->rows_expected);
		comma = ", ";
	}
	if (table->step) {
		buffer_printf(out, "%s%s", comma, table->step);
		return;
	}
	if (table->rows_per_s >= 0)
		buffer_printf(out, "%s%.0f rows/s", comma, table->rows_per_s);
	if (table->left_s >= 0) {
		buffer_printf(out, ", ");
		put_duration(out, table->left_s);
		buffer_printf(out, " left");
	}
}

static void
put_outlook(struct buffer *out, const struct status_table *table)
{
	put_progress(out, table);
	if (table->renamed_to)
		buffer_printf(out, "it is %s now%s", table->renamed_to, table->error ? ": " : "");
	if (table->error || table->upkeep || table->indexing)
		buffer_printf(out, "%s",
					  table->error	  ? table->error
					  : table->upkeep ? table->upkeep
									  : table->indexing);
	buffer_put_u8(out, '\n');
}

static void
put_tables(struct buffer *out, const struct status_view *view)
{
	int source_width = status_width("source"), target_width = status_width("target");

	for (unsigned i = 0; i < view->table_count; i++) {
		source_width = at_least(source_width, view->tables[i].source);
		target_width = at_least(target_width, view->tables[i].target);
	}
	buffer_put_u8(out, '\n');
	status_put_padded(out, "source", source_width);
	status_put_padded(out, "target", target_width);
	buffer_printf(out, "%-11s  %12s  progress, error\n", "state", "rows copied");
	for (unsigned i = 0; i < view->table_count; i++) {
		const struct status_table *table = &view->tables[i];

		status_put_padded(out, table->source, source_width);
		status_put_padded(out, table->target, target_width);
		buffer_printf(out, "%-11s  %12lld  ", table->state, (long long) table->rows_copied);
		put_outlook(out, table);
	}
}

void
status_put_text(struct buffer *out, const struct status *status)
{
	put_head(out, status);
	if (status->view.table_count > 0)
		put_tables(out, &status->view);
}
