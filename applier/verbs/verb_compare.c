/* `sluice compare`: prints what compare_run() has found, as text for people or as one JSON object. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/printable.h"
#include "base/sql.h"
#include "compare/compare.h"
#include "lsn.h"
#include "state/comparisons.h"
#include "verbs.h"

#define DEFAULT_LIMIT 100
/* Longer values are cut in the text; JSON has them in full. */
#define SHOWN_CHARACTERS 80

static const char *const kind_names[] = {
	[COMPARE_MISSING] = "missing", [COMPARE_EXTRA] = "extra", [COMPARE_CHANGED] = "changed"};

static const char *const result_names[] = {
	[COMPARE_EQUAL] = "equal", [COMPARE_DIFFERENT] = "different", [COMPARE_NOT_DONE] = "not compared"};

static int64_t
differing(const struct compare_table *it)
{
	return it->counts[COMPARE_MISSING] + it->counts[COMPARE_EXTRA] + it->counts[COMPARE_CHANGED];
}

/* ---- as text */

static void
put_value(struct buffer *out, const char *value)
{
	unsigned characters = 0;

	if (!value) {
		buffer_printf(out, "NULL");
		return;
	}
	buffer_put_u8(out, '\'');
	for (const char *c = value; *c; c++) {
		characters += ((unsigned char) *c & 0xC0) != 0x80;
		if (characters > SHOWN_CHARACTERS) {
			buffer_printf(out, "'… (%zu bytes)", strlen(value));
			return;
		}
		if (*c == '\'')
			buffer_put_u8(out, '\'');
		if ((unsigned char) *c < ' ')
			buffer_printf(out, "\\x%02x", (unsigned char) *c);
		else
			buffer_put_u8(out, (uint8_t) *c);
	}
	buffer_put_u8(out, '\'');
}

/* Appends what identifies the row: its key, or without a key the whole row. */
static void
put_identity(struct buffer *out, const struct compare_table *it, const struct compare_finding *finding)
{
	bool target = finding->difference.kind == COMPARE_EXTRA, first = true;

	for (unsigned i = 0; i < it->plan.pair_count; i++) {
		const struct compare_value *value = &finding->values[i];

		if (it->plan.key_count > 0 && !value->key)
			continue;
		buffer_printf(out, "%s%s=", first ? "" : ", ", value->column);
		put_value(out, target ? value->target : value->source);
		first = false;
	}
}

static void
put_changes(struct buffer *out, const struct compare_table *it, const struct compare_finding *finding)
{
	bool first = true;

	for (unsigned i = 0; i < it->plan.pair_count; i++) {
		const struct compare_value *value = &finding->values[i];

		if (!value->differs)
			continue;
		buffer_printf(out, "%s%s ", first ? ": " : "; ", value->column);
		put_value(out, value->source);
		buffer_printf(out, " → ");
		put_value(out, value->target);
		if (it->plan.pairs[i].target->generated)
			buffer_printf(out, " (which the target computes)");
		first = false;
	}
}

static void
put_finding(struct buffer *out, const struct compare_table *it, const struct compare_finding *finding)
{
	buffer_printf(out, "  %-8s ", kind_names[finding->difference.kind]);
	put_identity(out, it, finding);
	if (finding->difference.times > 1)
		buffer_printf(out, " (%" PRId64 " times)", finding->difference.times);
	if (finding->difference.kind == COMPARE_CHANGED)
		put_changes(out, it, finding);
	buffer_put_u8(out, '\n');
}

static void
put_difference(struct buffer *out, const struct compare_table *it)
{
	bool first = true;

	if (it->lacks)
		buffer_printf(out, "its target lacks these columns: %s%s", it->lacks, it->reason ? "" : "; ");
	if (it->reason)
		return;
	if (differing(it) == 0) {
		buffer_printf(out, "in the others all %" PRId64 " rows are equal", it->source_rows);
		return;
	}
	for (unsigned kind = 0; kind < 3; kind++) {
		if (it->counts[kind] == 0)
			continue;
		buffer_printf(out, "%s%" PRId64 " %s", first ? "" : ", ", it->counts[kind], kind_names[kind]);
		first = false;
	}
	buffer_printf(out, "%s of %" PRId64 " rows", it->more ? " at least" : "", it->source_rows);
}

static void
put_table(struct buffer *out, struct arena *memory, const struct compare_table *it)
{
	const struct table *table = it->table;

	buffer_printf(out, "%-13s %s", result_names[it->result],
				  sql_table_name(memory, table->source.schema, table->source.name));
	if (strcmp(table->source.schema, table->target_schema) != 0 ||
		strcmp(table->source.name, table->target_name) != 0)
		buffer_printf(out, " (%s)", sql_table_name(memory, table->target_schema, table->target_name));
	buffer_printf(out, ": ");
	switch (it->result) {
	case COMPARE_EQUAL:
		buffer_printf(out, "%" PRId64 " rows", it->source_rows);
		if (it->source_rows != it->target_rows)
			buffer_printf(out, " (the target holds %" PRId64 ")", it->target_rows);
		break;
	case COMPARE_DIFFERENT:
		put_difference(out, it);
		break;
	case COMPARE_NOT_DONE:
		buffer_printf(out, "%s", it->reason);
		break;
	}
	buffer_put_u8(out, '\n');
	for (unsigned i = 0; i < it->finding_count; i++)
		put_finding(out, it, &it->findings[i]);
	if (it->more || differing(it) > it->finding_count)
		buffer_printf(out, "  …\n");
}

struct totals {
	unsigned tables[3]; /* indexed by enum compare_result */
	int64_t rows;
};

static struct totals
sum_up(const struct compare_report *report)
{
	struct totals totals = {0};

	for (unsigned i = 0; i < report->count; i++) {
		totals.tables[report->tables[i].result]++;
		totals.rows += report->tables[i].target_rows;
	}
	return totals;
}

/* Tables that changed during the comparison were compared again later, at a higher LSN. */
static uint64_t
highest_lsn(const struct compare_report *report)
{
	uint64_t lsn = 0;

	for (unsigned i = 0; i < report->count; i++)
		if (report->tables[i].lsn > lsn)
			lsn = report->tables[i].lsn;
	return lsn;
}

static void
put_text(struct buffer *out, struct compare_report *report)
{
	struct totals totals = sum_up(report);
	char lsn[LSN_TEXT_BYTES];

	for (unsigned i = 0; i < report->count; i++)
		put_table(out, &report->memory, &report->tables[i]);
	buffer_printf(out, "%u equal, %u different, %u not compared; %" PRId64 " rows as of %s\n",
				  totals.tables[COMPARE_EQUAL], totals.tables[COMPARE_DIFFERENT],
				  totals.tables[COMPARE_NOT_DONE], totals.rows, lsn_format(highest_lsn(report), lsn));
}

/* ---- as JSON */

static void
put_json_values(struct buffer *out, const struct compare_table *it, const struct compare_finding *finding)
{
	bool first = true;

	for (unsigned i = 0; i < it->plan.pair_count; i++) {
		const struct compare_value *value = &finding->values[i];

		if (finding->difference.kind == COMPARE_CHANGED && !value->differs && !value->key)
			continue;
		buffer_printf(out, "%s{\"column\":", first ? "" : ",");
		json_string(out, value->column);
		if (finding->difference.kind != COMPARE_EXTRA) {
			buffer_printf(out, ",\"source\":");
			json_string(out, value->source);
		}
		if (finding->difference.kind != COMPARE_MISSING) {
			buffer_printf(out, ",\"target\":");
			json_string(out, value->target);
		}
		buffer_printf(out, ",\"key\":%s}", value->key ? "true" : "false");
		first = false;
	}
}

static void
put_json_table(struct buffer *out, struct arena *memory, const struct compare_table *it)
{
	const struct table *table = it->table;
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(out, "{\"source\":");
	json_string(out, sql_table_name(memory, table->source.schema, table->source.name));
	buffer_printf(out, ",\"target\":");
	json_string(out, sql_table_name(memory, table->target_schema, table->target_name));
	buffer_printf(out, ",\"result\":\"%s\",\"reason\":", result_names[it->result]);
	json_string(out, it->reason);
	buffer_printf(out, ",\"lacking_columns\":");
	json_string(out, it->lacks);
	buffer_printf(out, ",\"lsn\":\"%s\"", lsn_format(it->lsn, lsn));
	buffer_printf(out, ",\"source_rows\":%" PRId64 ",\"target_rows\":%" PRId64, it->source_rows,
				  it->target_rows);
	for (unsigned kind = 0; kind < 3; kind++)
		buffer_printf(out, ",\"%s\":%" PRId64, kind_names[kind], it->counts[kind]);
	buffer_printf(out, ",\"more\":%s,\"differences\":[", it->more ? "true" : "false");
	for (unsigned i = 0; i < it->finding_count; i++) {
		const struct compare_finding *finding = &it->findings[i];

		buffer_printf(out, "%s{\"kind\":\"%s\",\"times\":%" PRId64 ",\"values\":[", i ? "," : "",
					  kind_names[finding->difference.kind], finding->difference.times);
		put_json_values(out, it, finding);
		buffer_printf(out, "]}");
	}
	buffer_printf(out, "]}");
}

static void
put_json(struct buffer *out, const char *task, struct compare_report *report)
{
	struct totals totals = sum_up(report);
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(out, "{\"task\":");
	json_string(out, task);
	buffer_printf(out, ",\"lsn\":\"%s\",\"equal\":%s,\"rows\":%" PRId64 ",\"tables\":[",
				  lsn_format(highest_lsn(report), lsn),
				  report->count > 0 && totals.tables[COMPARE_EQUAL] == report->count ? "true" : "false",
				  totals.rows);
	for (unsigned i = 0; i < report->count; i++) {
		buffer_printf(out, i ? "," : "");
		put_json_table(out, &report->memory, &report->tables[i]);
	}
	buffer_printf(out, "]}\n");
}

/* ---- the verb */

static bool
lacks_columns(const struct compare_report *report)
{
	for (unsigned i = 0; i < report->count; i++)
		if (report->tables[i].result == COMPARE_DIFFERENT && report->tables[i].lacks)
			return true;
	return false;
}

/*
 * Whether both sides have the row, and it differs only in columns that the target computes by an
 * expression of its own.
 */
static bool
is_computed(const struct compare_table *it, const struct compare_finding *finding)
{
	if (finding->difference.kind != COMPARE_CHANGED)
		return false;
	for (unsigned i = 0; i < it->plan.pair_count; i++)
		if (finding->values[i].differs && !it->plan.pairs[i].target->generated)
			return false;
	return true;
}

/* Whether all differences are of that kind: a new copy would change nothing. */
static bool
all_computed(const struct compare_report *report)
{
	for (unsigned i = 0; i < report->count; i++) {
		const struct compare_table *it = &report->tables[i];

		if (it->result != COMPARE_DIFFERENT)
			continue;
		if (it->lacks || it->finding_count == 0)
			return false;
		for (unsigned j = 0; j < it->finding_count; j++)
			if (!is_computed(it, &it->findings[j]))
				return false;
	}
	return true;
}

/* If any table differs, that is the result; otherwise a table that could not be compared is. */
static bool
outcome(struct compare_report *report, struct error *err)
{
	struct totals totals = sum_up(report);

	for (unsigned i = 0; totals.tables[COMPARE_DIFFERENT] == 0 && i < report->count; i++) {
		const struct compare_table *it = &report->tables[i];

		if (it->result == COMPARE_NOT_DONE)
			return error_set(
				err, ERROR_DATA, "%u of %u table%s not compared: %s: %s", totals.tables[COMPARE_NOT_DONE],
				report->count, plural(report->count),
				sql_table_name(&report->memory, it->table->source.schema, it->table->source.name),
				it->reason);
	}
	if (totals.tables[COMPARE_DIFFERENT] == 0)
		return true;
	error_set(err, ERROR_DIFFERENT, "differences in %u of %u table%s", totals.tables[COMPARE_DIFFERENT],
			  report->count, plural(report->count));
	if (all_computed(report))
		return error_hint(
			err,
			"What differs is computed by the targets, otherwise than by the source: give their generated "
			"columns the source's expressions; a new copy changes nothing.");
	return error_hint(err, "%s\"sluice table resync\" copies them again.",
					  lacks_columns(report) ? "Add the columns to the targets that lack some; then " : "");
}

/* Records the outcomes; tables that could not be compared have none. */
static bool
record(struct loop *loop, const struct config *config, struct compare_report *report, struct error *err)
{
	struct comparison *items = arena_alloc_zero(&report->memory, report->count * sizeof *items);
	struct verb_ends ends = {0};
	unsigned count = 0;
	bool ok;

	for (unsigned i = 0; i < report->count; i++) {
		const struct compare_table *it = &report->tables[i];
		const struct source_table *source = &it->table->source;

		if (it->result != COMPARE_NOT_DONE)
			items[count++] = (struct comparison){
				.oid = source->oid,
				.source = sql_table_name(&report->memory, source->schema, source->name),
				.lsn = it->lsn,
				.equal = it->result == COMPARE_EQUAL,
			};
	}
	ok = verb_open_destination(&ends, loop, config, err) &&
		 comparisons_record(ends.destination, ends.dialect, config->task, items, count, err);
	verb_ends_close(&ends);
	return ok;
}

bool
verb_compare(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct compare_report report;
	struct buffer out;
	bool ok;

	if (!compare_run(loop, config, &command->tables, command->limit ? command->limit : DEFAULT_LIMIT, &report,
					 err))
		return false;
	memory_buffer_init(&out);
	if (command->json)
		put_json(&out, config->task, &report);
	else
		put_text(&out, &report);
	buffer_put_u8(&out, '\0');
	printable_write(stdout, (const char *) out.data, out.len - 1);
	buffer_fini(&out);
	ok = (!command->record || record(loop, config, &report, err)) && outcome(&report, err);
	compare_report_free(&report);
	if (fflush(stdout) != 0)
		return error_set(err, ERROR_DATA, "could not write to standard output");
	return ok;
}
