#include "state_report.h"

#include <stdlib.h>

#include "base/sql.h"
#include "progress.h"
#include "state_install.h"
#include "state_layout.h"
#include "state_text.h"
#include "tables/table_state.h"
#include "task_lock.h"

static const char *
text(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	return state_text_read(memory, result_text(res, row, column));
}

static char *
optional_text(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	return result_is_null(res, row, column) ? NULL : arena_strdup(memory, text(memory, res, row, column));
}

static const char *
shown_state(const char *name)
{
	enum table_state state;

	return table_state_parse(name, &state) ? table_state_shown(state) : name;
}

static void
take_reported_tables(const struct result *res, struct state_report *report)
{
	struct arena *memory = &report->memory;

	report->table_count = result_rows(res);
	report->tables = arena_alloc_zero(memory, report->table_count * sizeof *report->tables);
	for (unsigned i = 0; i < report->table_count; i++)
		report->tables[i] = (struct state_report_table){
			.oid = result_is_null(res, i, 9) ? 0 : (uint32_t) result_int(res, i, 9),
			.source = sql_table_name(memory, text(memory, res, i, 0), text(memory, res, i, 1)),
			.target = sql_table_name(memory, text(memory, res, i, 2), text(memory, res, i, 3)),
			.state = arena_strdup(memory, shown_state(result_text(res, i, 4))),
			.rows_copied = result_int(res, i, 5),
			.error = optional_text(memory, res, i, 6),
			.dead_rows = result_is_null(res, i, 7) ? 0 : result_int(res, i, 7),
			.upkeep = optional_text(memory, res, i, 8),
		};
}

static bool
read_reported_row(struct connection *destination, int layout, const char *task, struct state_report *report,
				  struct error *err)
{
	struct param param = param_text(task);
	struct buffer sql;
	struct result *res;
	bool ok;

	sql_init(&sql);
	buffer_printf(&sql,
				  "SELECT phase, last_error, extract(epoch FROM clock_timestamp() - applied_commit_time),"
				  " extract(epoch FROM clock_timestamp() - phase_since) FROM (SELECT phase, last_error, "
				  "applied_commit_time, ");
	state_layout_put_column(&sql, layout, "progress", "phase_since");
	buffer_printf(&sql, " FROM sluice.progress WHERE task = $1) p");
	ok = connection_execute(destination, sql_text(&sql), &param, 1, &res, err);
	buffer_fini(&sql);
	if (!ok)
		return false;
	if (result_rows(res)) {
		report->phase = arena_strdup(&report->memory, result_text(res, 0, 0));
		report->last_error = optional_text(&report->memory, res, 0, 1);
		/* If the clocks of two hosts differ, the age may come out negative. */
		if (!result_is_null(res, 0, 2)) {
			report->age_s = strtod(result_text(res, 0, 2), NULL);
			report->age_s = report->age_s < 0 ? 0 : report->age_s;
		}
		if (!result_is_null(res, 0, 3))
			report->phase_age_s = strtod(result_text(res, 0, 3), NULL);
	}
	result_free(res);
	return true;
}

static bool
read_reported_tables(struct connection *destination, int layout, const char *task,
					 struct state_report *report, struct error *err)
{
	struct param param = param_text(task);
	struct buffer sql;
	struct result *res;
	bool ok;

	sql_init(&sql);
	buffer_printf(
		&sql, "SELECT source_schema, source_name, target_schema, target_name, state, rows_copied, error, ");
	state_layout_put_column(&sql, layout, "tables", "dead_rows");
	buffer_printf(&sql, ", ");
	state_layout_put_column(&sql, layout, "tables", "upkeep");
	buffer_printf(&sql,
				  ", source_oid FROM sluice.tables WHERE task = $1 AND state <> 'dropped' ORDER BY 1, 2");
	ok = connection_execute(destination, sql_text(&sql), &param, 1, &res, err);
	buffer_fini(&sql);
	if (!ok)
		return false;
	take_reported_tables(res, report);
	result_free(res);
	return true;
}

static bool
read_comparisons(struct connection *destination, const char *task, struct state_report *report,
				 struct error *err)
{
	if (!comparisons_read(destination, task, 0, &report->memory, &report->comparisons, err))
		return false;
	for (unsigned i = 0; i < report->table_count; i++)
		report->tables[i].compared = comparisons_find(&report->comparisons, report->tables[i].oid);
	return true;
}

static bool
read_standbys(struct connection *destination, const char *task, struct state_report *report,
			  struct error *err)
{
	struct arena *memory = &report->memory;
	struct result *res;

	if (!lease_read_standbys(destination, task, &res, err))
		return false;
	report->standby_count = result_rows(res);
	report->standbys = arena_alloc_zero(memory, report->standby_count * sizeof *report->standbys);
	for (unsigned i = 0; i < report->standby_count; i++)
		report->standbys[i] = (struct state_report_standby){
			.host = arena_strdup(memory, result_text(res, i, 0)),
			.pid = strtoll(result_text(res, i, 1), NULL, 10),
			.since = arena_strdup(memory, result_text(res, i, 2)),
			.since_us = result_is_null(res, i, 3) ? 0 : result_int(res, i, 3),
		};
	result_free(res);
	return true;
}

bool
state_report_read(struct connection *destination, const char *task, struct state_report *report,
				  struct error *err)
{
	struct state_installed installed;

	*report = (struct state_report){.age_s = -1, .phase_age_s = -1};
	arena_init(&report->memory, 16384);
	if (state_install_read(destination, &installed, err) &&
		progress_read(destination, task, &report->progress, err) &&
		task_lock_holder(destination, task, &report->daemon_pid, err) &&
		lease_read(destination, task, &report->lease, err) && read_standbys(destination, task, report, err) &&
		(!installed.progress || read_reported_row(destination, installed.layout, task, report, err)) &&
		(!installed.tables || (read_reported_tables(destination, installed.layout, task, report, err) &&
							   read_comparisons(destination, task, report, err))))
		return true;
	state_report_free(report);
	return false;
}

void
state_report_free(struct state_report *report)
{
	arena_fini(&report->memory);
	*report = (struct state_report){0};
}
