/*
 * `sluice status`: gathers what both servers know about the task, and the daemon if it runs on this host,
 * into one struct status. It is written as text for people, as one JSON object, or as one line for a
 * monitoring system.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/printable.h"
#include "base/sql.h"
#include "daemon/steering.h"
#include "lsn.h"
#include "monitor/status_line.h"
#include "servers/retention.h"
#include "servers/source.h"
#include "servers/source_catalog.h"
#include "servers/source_vanished.h"
#include "state/progress.h"
#include "state/state_report.h"
#include "status.h"
#include "verbs.h"

#define WATCH_INTERVAL_MS 2000

unsigned
status_count(const struct status *status, const char *state)
{
	unsigned count = 0;

	for (unsigned i = 0; i < status->view.table_count; i++)
		count += strcmp(status->view.tables[i].state, state) == 0;
	return count;
}

bool
status_has_daemon(const struct status *status)
{
	static const char ended[] = "new stopped failed";

	return !strstr(ended, status->view.phase);
}

/* ---- gathering */

/* A task that has never run has no rows for its tables, so the tables that it would copy are listed. */
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

static void
take_name(struct state_report *report, uint32_t oid, const char *schema, const char *name)
{
	char *present = sql_table_name(&report->memory, schema, name);

	for (unsigned i = 0; i < report->table_count; i++)
		if (report->tables[i].oid == oid && strcmp(report->tables[i].source, present) != 0)
			report->tables[i].renamed_to = present;
}

/*
 * The state keeps the name by which a table is held, even if the table was renamed since and another one has got that name.
 */
static bool
read_present_names(struct connection *source, struct state_report *report, struct error *err)
{
	uint32_t *oids = memory_alloc_zero(report->table_count, sizeof *oids);
	struct result *res;
	unsigned count = 0;
	bool ok;

	for (unsigned i = 0; i < report->table_count; i++)
		if (strcmp(report->tables[i].state, table_state_shown(TABLE_HELD)) == 0)
			oids[count++] = report->tables[i].oid;
	ok = count == 0 || source_read_names(source, oids, count, &res, err);
	free(oids);
	if (!ok || count == 0)
		return ok;
	for (unsigned i = 0; i < result_rows(res); i++)
		take_name(report, (uint32_t) result_int(res, i, 0), result_text(res, i, 1), result_text(res, i, 2));
	result_free(res);
	return true;
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
	status->view.source_lsn = identity.current_lsn;
	status->view.sampled_at = status->view.at;
	if (progress->exists)
		return read_present_names(ends->source, &status->report, err);
	if (!source_read_catalog(ends->source, config, &ends->catalog, err))
		return false;
	list_selected(status, &ends->catalog);
	return true;
}

static void
measure_lag(struct status *status, const struct source_slot *slot)
{
	struct status_view *view = &status->view;
	uint64_t applied = status->report.progress.applied_lsn;

	if (slot->exists) {
		view->retained_bytes = slot->retained_bytes;
		view->safe_bytes = slot->safe_bytes;
		view->confirmed_lsn = slot->confirmed_flush_lsn;
		status->retention = retention_judge(slot, status->warn_bytes);
		snprintf(status->wal_status, sizeof status->wal_status, "%s", slot->wal_status);
	}
	if (applied == 0)
		return;
	view->lag_bytes = view->source_lsn > applied ? (int64_t) (view->source_lsn - applied) : 0;
	view->lag_s = view->lag_bytes == 0 ? 0 : status->report.age_s;
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

/* The stored phase is valid only while a daemon runs: a killed daemon could not store that it ended. */
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
	/* The daemon runs on this host, but has lost the destination or has not reached the source yet. */
	if (!seen || (!report->progress.exists && !status->source_known))
		return "retrying";
	if (!ended)
		return stored;
	return report->progress.exists && all_streaming(report) ? "streaming" : "copying";
}

/* ---- what is shown */

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Takes the values that only the daemon knows. */
static void
take_reported(struct status *status)
{
	struct status_view *view = &status->view;
	const struct status_view *told = &status->told;

	/* While the daemon is starting, the stored phase is more informative. */
	if (told->phase && strcmp(told->phase, "starting") != 0) {
		view->phase = told->phase;
		view->phase_since = told->phase_since;
	}
	view->daemon_pid = told->daemon_pid;
	view->waiting_for = told->waiting_for;
	view->waiting_since = told->waiting_since;
	view->received_lsn = told->received_lsn;
	view->transactions_total = told->transactions_total;
	view->changes_total = told->changes_total;
	view->transactions_per_s = told->transactions_per_s;
	view->changes_per_s = told->changes_per_s;
	view->received_bytes_per_s = told->received_bytes_per_s;
	view->source_version = told->source_version;
	view->destination_version = told->destination_version;
	if (told->last_error)
		view->last_error = told->last_error;
}

/* What only the daemon knows: how a copy goes on, and what is done about indexes. */
static void
take_work(struct status_table *table, const struct status_view *told)
{
	for (unsigned i = 0; i < told->table_count; i++) {
		const struct status_table *its = &told->tables[i];

		if (strcmp(its->source, table->source) != 0)
			continue;
		table->indexing = its->indexing;
		if (its->rows_expected < 0)
			continue;
		table->state = "copying";
		table->rows_copied = its->rows_copied;
		table->rows_expected = its->rows_expected;
		table->rows_per_s = its->rows_per_s;
		table->left_s = its->left_s;
		table->step = its->step;
	}
}

static void
take_tables(struct status *status)
{
	struct state_report *report = &status->report;
	struct status_table *tables = arena_alloc_zero(&report->memory, report->table_count * sizeof *tables);

	for (unsigned i = 0; i < report->table_count; i++) {
		const struct state_report_table *table = &report->tables[i];

		status_table_init(&tables[i]);
		tables[i].source = table->source;
		tables[i].renamed_to = table->renamed_to;
		tables[i].target = table->target;
		tables[i].state = table->state;
		tables[i].rows_copied = table->rows_copied;
		tables[i].error = table->error;
		tables[i].dead_rows = table->dead_rows;
		tables[i].upkeep = table->upkeep;
		/* Without a daemon no copy is running, whatever the stored state says. */
		if (!status_has_daemon(status) && strcmp(table->state, "copying") == 0)
			tables[i].state = table_state_shown(TABLE_WAITING);
		/* A held table may have a name that another one, which is copied, has got since. */
		if (status->daemon_known && strcmp(table->state, table_state_shown(TABLE_HELD)) != 0)
			take_work(&tables[i], &status->told);
		if (!table->compared)
			continue;
		tables[i].compared_at = table->compared->at;
		tables[i].compared_lsn = table->compared->lsn;
		tables[i].compared_equal = table->compared->equal;
	}
	status->view.tables = tables;
	status->view.table_count = report->table_count;
}

static const struct status_daemon *
view_standbys(struct state_report *report)
{
	struct status_daemon *daemons =
		arena_alloc_zero(&report->memory, report->standby_count * sizeof *daemons);

	for (unsigned i = 0; i < report->standby_count; i++)
		daemons[i] = (struct status_daemon){report->standbys[i].host, report->standbys[i].pid,
											report->standbys[i].since_us};
	return daemons;
}

static void
complete_view(struct status *status, const struct source_slot *slot)
{
	const struct state_report *report = &status->report;
	struct status_view *view = &status->view;

	view->phase = judge_phase(status, slot);
	if (report->phase && strcmp(report->phase, view->phase) == 0 && report->phase_age_s >= 0)
		view->phase_since = view->at - (int64_t) (report->phase_age_s * 1e6);
	if (report->daemon_pid && report->lease.until[0])
		view->holder = (struct status_daemon){report->lease.host, report->lease.pid, report->lease.since_us};
	view->standbys = view_standbys(&status->report);
	view->standby_count = report->standby_count;
	view->standbys_known = true;
	view->applied_lsn = report->progress.applied_lsn;
	view->retention_warning = status->retention != RETENTION_MODEST;
	view->wal_status = status->wal_status[0] ? status->wal_status : NULL;
	view->oldest = status->oldest.exists ? status->oldest.who : NULL;
	view->oldest_s = status->oldest.age_s;
	view->last_error = report->last_error;
	view->source_error = status->source_known ? NULL : status->source_error;
	if (status->daemon_known)
		take_reported(status);
	else if (strcmp(view->phase, "retrying") == 0)
		view->waiting_for = "the next attempt";
	take_tables(status);
}

/* To be called before the servers are asked, since they may be unreachable. */
static void
ask_daemon(struct loop *loop, const struct config *config, struct status *status)
{
	char *line;

	status->daemon_here = steering_daemon_lives(config);
	status->daemon_known = status->daemon_here && steering_ask_status(loop, config, &line);
	if (!status->daemon_known)
		return;
	status_line_take(line, config->task, &status->memory, &status->told);
	free(line);
	/* A standby knows nothing of the task; another host has it. */
	if (status->told.phase && strcmp(status->told.phase, "standby") == 0)
		status->daemon_known = status->daemon_here = false;
}

void
status_free(struct status *status)
{
	state_report_free(&status->report);
	arena_fini(&status->memory);
}

bool
status_gather(struct loop *loop, const struct config *config, struct status *status, struct error *err)
{
	struct source_slot slot = {0};
	struct verb_ends ends = {0};
	struct error source_err;
	bool ok;

	*status = (struct status){.warn_bytes = config->wal.warn_bytes};
	arena_init(&status->memory, 4096);
	status_view_init(&status->view, config->task);
	status->view.at = now_us();
	ask_daemon(loop, config, status);
	ok = verb_open_destination(&ends, loop, config, err) &&
		 state_report_read(ends.destination, config->task, &status->report, err);
	if (ok) {
		status->source_known = ask_source(&ends, loop, config, status, &slot, &source_err);
		if (status->source_known)
			measure_lag(status, &slot);
		else
			snprintf(status->source_error, sizeof status->source_error, "%s", source_err.message);
		complete_view(status, &slot);
	} else if (status->daemon_known) {
		status->view = status->told;
		status->view.at = now_us();
		status->view.table_count = 0;
		snprintf(status->wal_status, sizeof status->wal_status, "%s",
				 status->told.wal_status ? status->told.wal_status : "");
		if (strcmp(status->view.phase, "starting") == 0)
			status->view.phase = "retrying";
	}
	verb_ends_close(&ends);
	return ok;
}

/* ---- for a monitoring system */

/* Appends what is wrong, the worst first; nothing if all is well. */
static void
put_findings(struct buffer *out, const struct status *status, const struct command *command)
{
	static const char well[] = "copying streaming paused standby";
	unsigned held = status_count(status, "held");

	if (!strstr(well, status->view.phase))
		buffer_printf(out, "; the task is %s%s%s", status->view.phase, status->view.last_error ? ": " : "",
					  status->view.last_error ? status->view.last_error : "");
	if (!status->source_known)
		buffer_printf(out, "; the source is not reached: %s", status->source_error);
	if (held > 0)
		buffer_printf(out, "; %u table%s held", held, held == 1 ? " is" : "s are");
	if (status->retention != RETENTION_MODEST ||
		(command->max_retained_bytes && status->view.retained_bytes > command->max_retained_bytes)) {
		buffer_printf(out, "; retained WAL is ");
		status_put_size(out, status->view.retained_bytes);
		buffer_printf(out, ", %s", status->wal_status);
	}
	if (command->max_lag_ms && status->view.lag_s * 1000 > (double) command->max_lag_ms)
		buffer_printf(out, "; the lag is %.1f s", status->view.lag_s);
}

/* Writes the line for standard output, where monitoring systems read it. */
static bool
put_verdict(struct buffer *out, const struct status *status, const struct command *command, struct error *err)
{
	struct buffer findings;
	bool well;

	memory_buffer_init(&findings);
	put_findings(&findings, status, command);
	well = findings.len == 0;
	buffer_printf(out, "%s: %s is %s, lag ", well ? "ok" : "failed", status->view.task, status->view.phase);
	status_put_lag(out, status);
	buffer_printf(out, ", retained WAL ");
	status_put_size(out, status->view.retained_bytes);
	buffer_printf(out, ", %u table%s%.*s", status->report.table_count, plural(status->report.table_count),
				  (int) findings.len, (const char *) findings.data);
	/* Line breaks in errors must not break the line. */
	for (size_t i = 0; i < out->len; i++)
		if (out->data[i] < ' ')
			out->data[i] = ' ';
	buffer_put_u8(out, '\n');
	if (!well) {
		error_set(err, ERROR_DATA, "task %s: %.*s", status->view.task, (int) findings.len - 2,
				  (const char *) findings.data + 2);
		error_hint(err, "\"sluice status\" shows it in full.");
	}
	buffer_fini(&findings);
	return well;
}

/* Without the destination nothing is known. Always returns false, for use in the caller's return. */
static bool
put_unreachable(struct error *err)
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

static void
put(struct buffer *out, const struct status *status, const struct command *command)
{
	if (command->json) {
		status_view_put_json(&status->view, out);
		return;
	}
	if (command->watch && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout); /* clears the terminal */
	status_put_text(out, status);
}

static bool
show(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct status status;
	struct buffer out;
	bool well = status_gather(loop, config, &status, err);

	memory_buffer_init(&out);
	if (!well && command->check)
		well = put_unreachable(err);
	else if (command->check)
		well = put_verdict(&out, &status, command, err);
	else if (well || status.daemon_known)
		put(&out, &status, command);
	buffer_put_u8(&out, '\0');
	printable_write(stdout, (const char *) out.data, out.len - 1);
	fflush(stdout);
	buffer_fini(&out);
	status_free(&status);
	return well;
}

/*
 * Whether --watch goes on after an error: an unreachable destination may come back, while a wrong
 * configuration stays wrong.
 */
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
	/* An interruption ends --watch with success. */
	return shown || (command->watch && (loop_stop_requested(loop) || err->class == ERROR_STOPPED));
}
