/*
 * `sluice status`: what both ends say about the task, gathered into one struct
 * status, then written as text for people or as one JSON object.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/printable.h"
#include "base/sql.h"
#include "daemon/steering.h"
#include "lsn.h"
#include "monitor/status_view.h"
#include "servers/retention.h"
#include "servers/source.h"
#include "servers/source_catalog.h"
#include "state/progress.h"
#include "state/state_report.h"
#include "verbs.h"

#define WATCH_INTERVAL_MS 2000

struct status {
	const char *task;
	const char *phase;
	struct state_report report;
	bool daemon_here; /* it answers on this host */
	bool source_known;
	char source_error[ERROR_MESSAGE_MAX]; /* why it is not */
	uint64_t source_lsn;
	int64_t lag_bytes; /* negative: not known, likewise below */
	double lag_s;
	int64_t retained_bytes;
	enum retention retention;
	char wal_status[16]; /* of the slot; "": there is none */
	struct oldest_transaction oldest;
	int64_t warn_bytes;
};

/* ---- gathering */

/* A task that has never run has no rows of its tables: shows what it would copy. */
static void
list_selected(struct status *status, const struct catalog *catalog)
{
	struct state_report *report = &status->report;
	struct arena *memory = &report->memory;

	report->table_count = catalog->count;
	report->tables = arena_alloc_zero(memory, catalog->count * sizeof *report->tables);
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		report->tables[i] = (struct state_report_table){
			.source = sql_table_name(memory, table->source.schema, table->source.name),
			.target = sql_table_name(memory, table->target_schema, table->target_name),
			.state = arena_strdup(memory, table_state_shown(TABLE_WAITING)),
		};
	}
}

static bool
ask_source(struct verb_ends *ends, struct loop *loop, const struct config *config, struct status *status,
		   struct source_slot *slot, struct error *err)
{
	const struct progress *progress = &status->report.progress;
	struct source_identity identity;

	if (!verb_open_source(ends, loop, config, err) || !source_identify(ends->source, &identity, err) ||
		!source_read_slot(ends->source, progress->exists ? progress->slot : config->source.slot, slot, err) ||
		!retention_read_oldest(ends->source, &status->oldest, err))
		return false;
	status->source_lsn = identity.current_lsn;
	if (progress->exists)
		return true;
	if (!source_read_catalog(ends->source, config, &ends->catalog, err))
		return false;
	list_selected(status, &ends->catalog);
	return true;
}

static void
measure_lag(struct status *status, const struct source_slot *slot)
{
	uint64_t applied = status->report.progress.applied_lsn;

	if (slot->exists) {
		status->retained_bytes = slot->retained_bytes;
		status->retention = retention_judge(slot, status->warn_bytes);
		snprintf(status->wal_status, sizeof status->wal_status, "%s", slot->wal_status);
	}
	if (applied == 0)
		return;
	status->lag_bytes = status->source_lsn > applied ? (int64_t) (status->source_lsn - applied) : 0;
	status->lag_s = status->lag_bytes == 0 ? 0 : status->report.age_s;
}

static bool
all_streaming(const struct state_report *report)
{
	for (unsigned i = 0; i < report->table_count; i++)
		if (strcmp(report->tables[i].state, table_state_shown(TABLE_WAITING)) == 0 ||
			strcmp(report->tables[i].state, table_state_shown(TABLE_COPYING)) == 0)
			return false;
	return true;
}

/* What the last daemon wrote holds only while there is one; a killed one wrote nothing. */
static const char *
judge_phase(const struct status *status, const struct source_slot *slot)
{
	const struct state_report *report = &status->report;
	const char *stored = report->phase ? report->phase : "stopped";
	bool ended = strcmp(stored, "stopped") == 0 || strcmp(stored, "failed") == 0;
	bool seen = report->daemon_pid != 0 || slot->active;

	if (!seen && !status->daemon_here && !report->progress.exists)
		return "new";
	if (!seen && !status->daemon_here)
		return strcmp(stored, "failed") == 0 ? "failed" : "stopped";
	/* It lives, and has lost the destination, so that it could not say so there; or it has not reached the source yet. */
	if (!seen || (!report->progress.exists && !status->source_known))
		return "retrying";
	if (!ended)
		return stored;
	return report->progress.exists && all_streaming(report) ? "streaming" : "copying";
}

/* When the phase that is shown is the stored one, it is known since when. */
static bool
is_stored(const struct status *status)
{
	return status->report.phase && strcmp(status->report.phase, status->phase) == 0;
}

static bool
is_retrying(const struct status *status)
{
	return is_stored(status) && strcmp(status->phase, "retrying") == 0 && status->report.last_error;
}

static bool
gather(struct loop *loop, const struct config *config, struct status *status, struct error *err)
{
	struct source_slot slot = {0};
	struct verb_ends ends = {0};
	struct error source_err;

	*status = (struct status){.task = config->task,
							  .lag_bytes = -1,
							  .lag_s = -1,
							  .retained_bytes = -1,
							  .warn_bytes = config->wal.warn_bytes};
	if (!verb_open_destination(&ends, loop, config, err) ||
		!state_report_read(ends.destination, config->task, &status->report, err)) {
		verb_ends_close(&ends);
		return false;
	}
	status->source_known = ask_source(&ends, loop, config, status, &slot, &source_err);
	if (status->source_known)
		measure_lag(status, &slot);
	else
		snprintf(status->source_error, sizeof status->source_error, "%s", source_err.message);
	status->daemon_here = steering_daemon_lives(config);
	status->phase = judge_phase(status, &slot);
	verb_ends_close(&ends);
	return true;
}

/* ---- as JSON */

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static struct status_table *
view_tables(struct state_report *report)
{
	struct status_table *tables = arena_alloc_zero(&report->memory, report->table_count * sizeof *tables);

	for (unsigned i = 0; i < report->table_count; i++) {
		const struct state_report_table *table = &report->tables[i];

		status_table_init(&tables[i]);
		tables[i].source = table->source;
		tables[i].target = table->target;
		tables[i].state = table->state;
		tables[i].rows_copied = table->rows_copied;
		tables[i].error = table->error;
		tables[i].dead_rows = table->dead_rows;
		tables[i].upkeep = table->upkeep;
		if (!table->compared)
			continue;
		tables[i].compared_at = table->compared->at;
		tables[i].compared_lsn = table->compared->lsn;
		tables[i].compared_equal = table->compared->equal;
	}
	return tables;
}

static void
put_json(struct buffer *out, struct status *status)
{
	struct state_report *report = &status->report;
	struct status_view view;

	status_view_init(&view, status->task);
	view.at = now_us();
	view.phase = status->phase;
	if (is_stored(status) && report->phase_age_s >= 0)
		view.phase_since = view.at - (int64_t) (report->phase_age_s * 1e6);
	if (is_retrying(status))
		view.waiting_for = "another attempt";
	view.applied_lsn = report->progress.applied_lsn;
	if (status->source_known) {
		view.source_lsn = status->source_lsn;
		view.sampled_at = view.at;
	}
	view.lag_bytes = status->lag_bytes;
	view.lag_s = status->lag_s;
	view.retained_bytes = status->retained_bytes;
	view.retention_warning = status->retention != RETENTION_MODEST;
	view.wal_status = status->wal_status[0] ? status->wal_status : NULL;
	view.oldest = status->oldest.exists ? status->oldest.who : NULL;
	view.oldest_s = status->oldest.age_s;
	view.last_error = report->last_error;
	view.source_error = status->source_known ? NULL : status->source_error;
	view.tables = view_tables(report);
	view.table_count = report->table_count;
	status_view_put_json(&view, out);
}

/* ---- as text */

static void
put_size(struct buffer *out, int64_t bytes)
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

static void
put_lag(struct buffer *out, const struct status *status)
{
	put_size(out, status->lag_bytes);
	if (status->lag_s >= 0)
		buffer_printf(out, ", %.1f s", status->lag_s);
}

static void
put_retention_warning(struct buffer *out, const struct status *status)
{
	switch (status->retention) {
	case RETENTION_MODEST:
		return;
	case RETENTION_LARGE:
		buffer_printf(out, " (warning: more than ");
		put_size(out, status->warn_bytes);
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

/* The WAL that the slot holds back, and the transaction that keeps it from advancing. */
static void
put_retention(struct buffer *out, const struct status *status)
{
	buffer_printf(out, "\nretained WAL  ");
	if (status->source_known && !status->wal_status[0])
		buffer_printf(out, "none: there is no slot");
	else
		put_size(out, status->retained_bytes);
	if (status->wal_status[0])
		buffer_printf(out, ", %s", status->wal_status);
	put_retention_warning(out, status);
	if (status->oldest.exists)
		buffer_printf(out, "\nopen longest  %s, for %.0f s", status->oldest.who, status->oldest.age_s);
}

/* Nothing where nothing was recorded. */
static void
put_compared(struct buffer *out, const struct state_report *report)
{
	unsigned equal = 0, different = 0;

	for (unsigned i = 0; i < report->table_count; i++)
		if (report->tables[i].compared)
			*(report->tables[i].compared->equal ? &equal : &different) += 1;
	if (equal + different > 0)
		buffer_printf(out, "compared      %u equal, %u different, %u never\n", equal, different,
					  report->table_count - equal - different);
}

static void
put_head(struct buffer *out, const struct status *status)
{
	const struct state_report *report = &status->report;
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(out, "task          %s\nphase         %s", status->task, status->phase);
	if (is_retrying(status) && report->phase_age_s >= 0)
		buffer_printf(out, ", for %.0f s", report->phase_age_s);
	buffer_put_u8(out, '\n');
	buffer_printf(out, "applied LSN   %s\n",
				  report->progress.applied_lsn ? lsn_format(report->progress.applied_lsn, lsn) : "none yet");
	buffer_printf(out, "lag           ");
	put_lag(out, status);
	put_retention(out, status);
	buffer_printf(out, "\nlast error    %s\n", report->last_error ? report->last_error : "none");
	if (!status->source_known)
		buffer_printf(out, "source        not reached: %s\n", status->source_error);
	put_compared(out, report);
}

/* Characters, not bytes: names need not be ASCII. */
static int
width_of(const char *text)
{
	int width = 0;

	for (; *text; text++)
		width += ((unsigned char) *text & 0xC0) != 0x80;
	return width;
}

static void
put_padded(struct buffer *out, const char *text, int width)
{
	buffer_printf(out, "%s%*s", text, width - width_of(text) + 2, "");
}

static int
at_least(int width, const char *text)
{
	int its = width_of(text);

	return its > width ? its : width;
}

static void
put_tables(struct buffer *out, const struct state_report *report)
{
	int source_width = width_of("source"), target_width = width_of("target");

	for (unsigned i = 0; i < report->table_count; i++) {
		source_width = at_least(source_width, report->tables[i].source);
		target_width = at_least(target_width, report->tables[i].target);
	}
	buffer_put_u8(out, '\n');
	put_padded(out, "source", source_width);
	put_padded(out, "target", target_width);
	buffer_printf(out, "%-11s  %12s  error\n", "state", "rows copied");
	for (unsigned i = 0; i < report->table_count; i++) {
		const struct state_report_table *table = &report->tables[i];

		put_padded(out, table->source, source_width);
		put_padded(out, table->target, target_width);
		buffer_printf(out, "%-11s  %12lld  %s\n", table->state, (long long) table->rows_copied,
					  table->error	  ? table->error
					  : table->upkeep ? table->upkeep
									  : "");
	}
}

/* ---- for a monitoring system */

static unsigned
count_held(const struct state_report *report)
{
	unsigned held = 0;

	for (unsigned i = 0; i < report->table_count; i++)
		held += strcmp(report->tables[i].state, "held") == 0;
	return held;
}

/* What is not well, the worst first; nothing where all is. */
static void
put_findings(struct buffer *out, const struct status *status, const struct command *command)
{
	static const char well[] = "copying streaming paused standby";
	unsigned held = count_held(&status->report);

	if (!strstr(well, status->phase))
		buffer_printf(out, "; the task is %s%s%s", status->phase, status->report.last_error ? ": " : "",
					  status->report.last_error ? status->report.last_error : "");
	if (!status->source_known)
		buffer_printf(out, "; the source is not reached: %s", status->source_error);
	if (held > 0)
		buffer_printf(out, "; %u table%s held", held, held == 1 ? " is" : "s are");
	if (status->retention != RETENTION_MODEST ||
		(command->max_retained_bytes && status->retained_bytes > command->max_retained_bytes)) {
		buffer_printf(out, "; retained WAL is ");
		put_size(out, status->retained_bytes);
		buffer_printf(out, ", %s", status->wal_status);
	}
	if (command->max_lag_ms && status->lag_s * 1000 > (double) command->max_lag_ms)
		buffer_printf(out, "; the lag is %.1f s", status->lag_s);
}

/* The line goes to standard output, where monitoring systems read it. */
static bool
put_verdict(struct buffer *out, const struct status *status, const struct command *command, struct error *err)
{
	struct buffer findings;
	bool well;

	memory_buffer_init(&findings);
	put_findings(&findings, status, command);
	well = findings.len == 0;
	buffer_printf(out, "%s: %s is %s, lag ", well ? "ok" : "failed", status->task, status->phase);
	put_lag(out, status);
	buffer_printf(out, ", retained WAL ");
	put_size(out, status->retained_bytes);
	buffer_printf(out, ", %u table%s%.*s", status->report.table_count, plural(status->report.table_count),
				  (int) findings.len, (const char *) findings.data);
	/* One line, whatever the errors hold. */
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] < ' ')
			out->data[i] = ' ';
	buffer_put_u8(out, '\n');
	if (!well) {
		error_set(err, ERROR_DATA, "task %s: %.*s", status->task, (int) findings.len - 2,
				  (const char *) findings.data + 2);
		error_hint(err, "\"sluice status\" shows it in full.");
	}
	buffer_fini(&findings);
	return well;
}

/* Nothing is known without the destination; false as the caller is to return. */
static bool
tell_unreachable(struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (err->class == ERROR_REFUSED || err->class == ERROR_PRECONDITION)
		err->class = ERROR_DATA;
	error_sentence(err, sentence, sizeof sentence);
	printable_write(stdout, "failed: ", 8);
	printable_write(stdout, sentence, strlen(sentence));
	putchar('\n');
	return false;
}

/* ---- the verb */

static bool
show(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct status status;
	struct buffer out;
	bool well = true;

	if (!gather(loop, config, &status, err))
		return command->check && tell_unreachable(err);
	memory_buffer_init(&out);
	if (command->check) {
		well = put_verdict(&out, &status, command, err);
	} else if (command->json) {
		put_json(&out, &status);
	} else {
		if (command->watch && isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout); /* clears the terminal */
		put_head(&out, &status);
		if (status.report.table_count > 0)
			put_tables(&out, &status.report);
	}
	buffer_put_u8(&out, '\0');
	printable_write(stdout, (const char *) out.data, out.len - 1);
	fflush(stdout);
	buffer_fini(&out);
	state_report_free(&status.report);
	return well;
}

/* While the destination is away: it may come back, unlike a wrong configuration. */
static bool
goes_on_watching(const struct error *err, bool shown_once)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (!shown_once || (err->class != ERROR_RETRY && err->class != ERROR_REFUSED))
		return false;
	error_sentence(err, sentence, sizeof sentence);
	fprintf(stderr, "sluice: %s\n", sentence);
	return true;
}

bool
verb_status(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	bool shown, shown_once = false;

	if (command->watch)
		loop_stop_is_success(loop);
	do {
		shown = show(loop, config, command, err);
		shown_once |= shown;
	} while ((shown || goes_on_watching(err, shown_once)) && command->watch &&
			 loop_sleep(loop, WATCH_INTERVAL_MS));
	/* Interrupted. */
	return shown || (command->watch && (loop_stop_requested(loop) || err->class == ERROR_STOPPED));
}
