#include "compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "compare_scan.h"
#include "lsn.h"
#include "quote.h"
#include "tables/mapping.h"

/* How many positions are tried for tables that could not be compared at an earlier one. */
#define ROUNDS 20
/* Without a daemon the position stays the same, so one repetition is enough. */
#define ROUNDS_AT_REST 2
#define MEMORY_CHUNK ((size_t) 64 << 10)

/* The comparison at one position. */
struct round {
	struct compare_report *report;
	struct compare_point point;
	unsigned limit;
	struct compare_table **queue; /* the largest first */
	unsigned queue_count;
};

/* ---- which tables, and how */

static char *print(struct arena *memory, const char *format, ...) PRINTF_LIKE(2, 3);

static char *
print(struct arena *memory, const char *format, ...)
{
	char text[ERROR_MESSAGE_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return arena_strdup(memory, text);
}

/* The table's entry in the report: the one of an earlier round, or a new one. */
static struct compare_table *
entry_of(struct compare_report *report, const struct table *table)
{
	for (unsigned i = 0; report->round_count > 1 && i < report->count; i++) {
		const struct source_table *other = &report->tables[i].table->source;

		if (strcmp(other->schema, table->source.schema) == 0 && strcmp(other->name, table->source.name) == 0)
			return &report->tables[i];
	}
	return &report->tables[report->count++];
}

static char *
why_not(const struct table *table, struct arena *memory)
{
	if (!table->target.exists)
		return arena_strdup(memory, "its target does not exist");
	if (table_is_held(table) && table->error)
		return print(memory, "it is held: %s", table->error);
	return print(memory, "its state is %s", table_state_shown(table->state));
}

/* Whether there is a reason not to compare the table. */
static bool
is_out(const struct round *round, unsigned index, struct compare_table *it)
{
	const struct compare_window *window = &round->point.window;
	struct arena *memory = &round->report->memory;
	const struct table *table = it->table;

	if (!compare_point_reaches(&round->point, index)) {
		it->reason = why_not(table, memory);
		it->changed = table_follows(table) && round->point.followed;
	} else if (compare_window_problem(window, table)) {
		it->reason = arena_strdup(memory, compare_window_problem(window, table));
		it->changed = round->point.followed;
	} else if (!round->point.followed && compare_window_net(window, table)) {
		it->reason =
			print(memory, "%s, and the source has changed %u of its rows since; %s, and compare again",
				  round->point.paused ? "the daemon is paused" : "no daemon runs",
				  net_change_count(compare_window_net(window, table)),
				  round->point.paused ? "let it go on by \"sluice resume\""
									  : "start \"sluice run\", or let \"sluice run --until current\""
										" apply them");
	}
	return it->reason != NULL;
}

/* The names of the selected columns that the target lacks; NULL: none.  `coming`: the daemon has yet to add some. */
static char *
lacking_columns(const struct table *table, struct arena *memory, bool *coming)
{
	struct buffer names;
	char *text = NULL;

	*coming = false;
	memory_buffer_init(&names);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const char *name = table->source.columns[i].name;

		if (!mapping_selects(table, name) || mapping_find_target(table, name))
			continue;
		buffer_printf(&names, names.len ? ", " : "");
		quote_identifier(&names, mapping_target_name(table, name));
		*coming = *coming || (table->defined && !source_find_column(table->defined, name));
	}
	if (names.len)
		text = arena_strdup(memory, sql_text(&names));
	buffer_fini(&names);
	return text;
}

/*
 * A column that the target lacks makes all rows differ, except while the daemon has yet to add it, and with
 * schema.changes: ignore, where the table counts as not compared.
 */
static void
find_lacking_columns(struct round *round, struct compare_table *it)
{
	const struct compare_point *point = &round->point;
	struct arena *memory = &round->report->memory;
	bool coming;
	char *names = lacking_columns(it->table, memory, &coming);

	if (names && coming && point->config->schema.changes != SCHEMA_CHANGES_IGNORE) {
		it->reason = print(memory, "its target does not have these columns yet: %s", names);
		it->changed = point->followed;
	}
	it->lacks = names;
}

static void
plan_table(struct round *round, unsigned index)
{
	const struct compare_point *point = &round->point;
	struct arena *memory = &round->report->memory;
	const struct table *table = &point->catalog->tables[index];
	struct compare_table *it = entry_of(round->report, table);
	size_t bytes;

	if (it->planned)
		compare_plan_fini(&it->plan);
	*it = (struct compare_table){
		.table = table, .result = COMPARE_NOT_DONE, .lsn = point->progress.applied_lsn};
	if (is_out(round, index, it))
		return;
	find_lacking_columns(round, it);
	if (it->reason)
		return;
	compare_plan_init(&it->plan, table, point->same_encoding,
					  connection_server_version(point->ends[0].target));
	it->planned = true;
	if (it->plan.pair_count == 0) {
		bool lacks = it->lacks && point->config->schema.changes != SCHEMA_CHANGES_IGNORE;

		it->result = lacks ? COMPARE_DIFFERENT : COMPARE_NOT_DONE;
		it->reason = arena_strdup(memory, "the two sides have no column in common");
		return;
	}
	bytes = compare_plan_buckets(&it->plan) * sizeof *it->source_buckets;
	it->source_buckets = arena_alloc_zero(memory, bytes);
	it->target_buckets = arena_alloc_zero(memory, bytes);
	round->queue[round->queue_count++] = it;
}

static int
larger_first(const void *a, const void *b)
{
	const struct compare_table *const *x = a, *const *y = b;
	int64_t xs = (*x)->table->source.bytes, ys = (*y)->table->source.bytes;

	return (xs < ys) - (xs > ys);
}

static void
plan_tables(struct round *round)
{
	struct compare_report *report = round->report;
	const struct catalog *catalog = round->point.catalog;

	if (report->round_count == 1)
		report->tables = arena_alloc_zero(&report->memory, catalog->count * sizeof *report->tables);
	round->queue = memory_alloc_zero(catalog->count, sizeof(*round->queue));
	for (unsigned i = 0; i < catalog->count; i++)
		if (round->point.wanted[i])
			plan_table(round, i);
	if (round->queue_count > 1)
		qsort(round->queue, round->queue_count, sizeof(*round->queue), larger_first);
}

/* ---- one round */

static void
judge_lacking(const struct round *round, struct compare_table *it)
{
	if (!it->lacks || it->result == COMPARE_DIFFERENT)
		return;
	if (round->point.config->schema.changes != SCHEMA_CHANGES_IGNORE) {
		it->result = COMPARE_DIFFERENT;
		return;
	}
	it->result = COMPARE_NOT_DONE;
	it->reason =
		print(&round->report->memory,
			  "its target lacks the columns %s, whose data is not replicated (schema.changes: ignore);"
			  " in the others all rows are equal",
			  it->lacks);
}

static bool
judge_tables(struct round *round, struct error *err)
{
	for (unsigned i = 0; i < round->queue_count; i++) {
		struct compare_table *it = round->queue[i];

		if (it->changed)
			continue;
		it->result = COMPARE_EQUAL;
		if (!compare_judge(it, &round->point.ends[0], compare_window_net(&round->point.window, it->table),
						   round->point.config->initial_copy.existing == COPY_EXISTING_APPEND, round->limit,
						   &round->report->memory, err))
			return false;
		if (it->changed) {
			it->result = COMPARE_NOT_DONE;
			it->reason = arena_strdup(&round->report->memory, "it was altered or truncated meanwhile");
		} else {
			judge_lacking(round, it);
		}
	}
	return true;
}

static bool
run_round(struct round *round, const struct string_list *names, struct error *err)
{
	struct compare_report *report = round->report;
	bool ok;

	round->point.catalog = &report->catalogs[report->round_count++];
	round->point.may_be_gone = report->round_count > 1;
	ok = compare_point_take(&round->point, names, err);
	if (ok) {
		char lsn[LSN_TEXT_BYTES];

		report->followed = round->point.followed;
		plan_tables(round);
		log_info("comparing %u table%s as of %s", round->queue_count, round->queue_count == 1 ? "" : "s",
				 lsn_format(round->point.progress.applied_lsn, lsn));
		ok = compare_scan_run(&round->point, round->queue, round->queue_count, &report->memory, err) &&
			 judge_tables(round, err);
	}
	compare_point_leave(&round->point);
	free(round->queue);
	return ok;
}

/* ---- all rounds */

static void
put_name(struct buffer *out, const struct table *table)
{
	buffer_reset(out);
	sql_qualified(out, table->source.schema, table->source.name);
	buffer_put_u8(out, '\0');
}

/* Lists the tables that changed while they were compared: they are compared again. */
static void
list_changed(struct compare_report *report, struct string_list *names)
{
	struct buffer name;

	names->items = arena_alloc_zero(&report->memory, (report->count + 1) * sizeof(*names->items));
	names->count = 0;
	memory_buffer_init(&name);
	for (unsigned i = 0; i < report->count; i++) {
		if (!report->tables[i].changed)
			continue;
		put_name(&name, report->tables[i].table);
		names->items[names->count++] = arena_strdup(&report->memory, (const char *) name.data);
	}
	buffer_fini(&name);
}

static bool
run_rounds(struct loop *loop, const struct config *config, struct string_list names, unsigned limit,
		   struct compare_report *report, struct error *err)
{
	for (;;) {
		struct round round = {.report = report, .point = {.loop = loop, .config = config}, .limit = limit};

		if (!run_round(&round, &names, err))
			return false;
		list_changed(report, &names);
		if (names.count == 0 || report->round_count == (report->followed ? ROUNDS : ROUNDS_AT_REST))
			return true;
		log_info("comparing %u table%s again that changed or caught up meanwhile", names.count,
				 names.count == 1 ? "" : "s");
	}
}

void
compare_report_free(struct compare_report *report)
{
	for (unsigned i = 0; i < report->count; i++)
		if (report->tables[i].planned)
			compare_plan_fini(&report->tables[i].plan);
	for (unsigned i = 0; i < report->round_count; i++)
		catalog_free(&report->catalogs[i]);
	arena_fini(&report->memory);
	*report = (struct compare_report){0};
}

bool
compare_run(struct loop *loop, const struct config *config, const struct string_list *names, unsigned limit,
			struct compare_report *report, struct error *err)
{
	*report = (struct compare_report){0};
	arena_init(&report->memory, MEMORY_CHUNK);
	report->catalogs = arena_alloc_zero(&report->memory, ROUNDS * sizeof *report->catalogs);
	if (run_rounds(loop, config, *names, limit, report, err))
		return true;
	compare_report_free(report);
	/* ERROR_STOPPED would exit with 0, which means equal. */
	if (err->class == ERROR_STOPPED)
		return error_set(err, ERROR_DATA, "stopped before the comparison was done");
	return false;
}
