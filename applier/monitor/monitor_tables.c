#include "monitor_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"

static int
compare_oids(const void *a, const void *b)
{
	uint32_t x = ((const struct watched_table *) a)->oid, y = ((const struct watched_table *) b)->oid;

	return (x > y) - (x < y);
}

static struct watched_table *
find_watched(const struct watched_list *list, uint32_t oid)
{
	struct watched_table key = {.oid = oid};

	return list->count ? bsearch(&key, list->tables, list->count, sizeof key, compare_oids) : NULL;
}

/* The progress of a copy is kept until the next report. */
static void
keep_progress(struct status_table *shown, const struct watched_table *before, struct arena *memory)
{
	if (!before || !before->copying)
		return;
	shown->rows_copied = before->shown.rows_copied;
	shown->rows_per_s = before->shown.rows_per_s;
	shown->left_s = before->shown.left_s;
	shown->step = before->shown.step ? arena_strdup(memory, before->shown.step) : NULL;
}

static void
keep_comparison(struct status_table *shown, const struct watched_table *before)
{
	if (!before)
		return;
	shown->compared_at = before->shown.compared_at;
	shown->compared_lsn = before->shown.compared_lsn;
	shown->compared_equal = before->shown.compared_equal;
}

static void
watch_table(struct watched_table *to, const struct table *table, struct arena *memory)
{
	struct status_table *shown = &to->shown;

	status_table_init(shown);
	to->oid = table->source.oid;
	shown->source = sql_table_name(memory, table->source.schema, table->source.name);
	shown->target = sql_table_name(memory, table->target_schema, table->target_name);
	shown->state = table_state_shown(table->state);
	shown->rows_copied = table->rows_copied;
	shown->error = table->error ? arena_strdup(memory, table->error) : NULL;
	shown->dead_rows = table->dead_rows;
	shown->upkeep = table->upkeep ? arena_strdup(memory, table->upkeep) : NULL;
	shown->indexing = table->indexing ? arena_strdup(memory, table->indexing) : NULL;
	to->copying = strcmp(shown->state, "copying") == 0;
	if (to->copying)
		shown->rows_expected = table->source.estimated_rows;
}

static void
count_table(struct monitor *m, const struct watched_table *watched)
{
	const struct status_table *shown = &watched->shown;

	metrics_table_set_state(m->metrics, watched->oid, shown->source, shown->state);
	metrics_table_set(m->metrics, watched->oid, shown->source, METRIC_TABLE_COPIED_ROWS, 0,
					  (double) shown->rows_copied);
	if (watched->copying)
		metrics_table_set(m->metrics, watched->oid, shown->source, METRIC_TABLE_EXPECTED_ROWS, 0,
						  (double) shown->rows_expected);
}

static void
count_states(struct monitor *m)
{
	static const char *const states[] = {"waiting", "copying", "catching_up", "streaming", "held"};

	for (unsigned state = 0; state < sizeof states / sizeof *states; state++) {
		unsigned count = 0;

		for (unsigned i = 0; i < m->list.count; i++)
			count += strcmp(m->list.shown[i].state, states[state]) == 0;
		metrics_set(m->metrics, METRIC_TABLES, state, count);
	}
}

/* While no copy writes rows, the phase waits for the step of the first one. */
static void
tell_what_copies_do(struct monitor *m)
{
	const struct status_table *first = NULL;
	char *text;

	if (!m->view.phase || strcmp(m->view.phase, "copying") != 0)
		return;
	for (unsigned i = 0; i < m->list.count; i++) {
		const struct status_table *shown = &m->list.shown[i];

		if (strcmp(shown->state, "copying") != 0)
			continue;
		if (!shown->step) {
			first = NULL;
			break;
		}
		first = first ? first : shown;
	}
	text = first ? memory_printf("the copy of %s: %s", first->source, first->step) : NULL;
	monitor_waiting(m, text, 0);
	free(text);
}

void
monitor_tables(struct monitor *m, const struct catalog *catalog)
{
	struct watched_list before;

	if (!m)
		return;
	before = m->list;
	m->list = (struct watched_list){.count = catalog->count};
	arena_init(&m->list.memory, LIST_BLOCK_BYTES);
	m->list.tables = arena_alloc_zero(&m->list.memory, catalog->count * sizeof *m->list.tables);
	m->list.shown = arena_alloc_zero(&m->list.memory, catalog->count * sizeof *m->list.shown);
	for (unsigned i = 0; i < catalog->count; i++) {
		struct watched_table *watched = &m->list.tables[i];

		watch_table(watched, &catalog->tables[i], &m->list.memory);
		watched->place = i;
		keep_comparison(&watched->shown, find_watched(&before, watched->oid));
		if (watched->copying)
			keep_progress(&watched->shown, find_watched(&before, watched->oid), &m->list.memory);
		m->list.shown[i] = watched->shown;
		count_table(m, watched);
	}
	qsort(m->list.tables, m->list.count, sizeof *m->list.tables, compare_oids);
	metrics_sweep_tables(m->metrics);
	count_states(m);
	tell_what_copies_do(m);
	arena_fini(&before.memory);
}

void
monitor_copied(struct monitor *m, uint32_t oid, int64_t rows, int64_t ms, const char *step)
{
	struct watched_table *watched = m ? find_watched(&m->list, oid) : NULL;
	struct status_table *shown = watched ? &watched->shown : NULL;
	bool moving;

	if (!shown || !watched->copying)
		return;
	moving = rows > shown->rows_copied;
	shown->rows_copied = rows;
	shown->rows_per_s = ms > 0 ? (double) rows * 1000 / (double) ms : -1;
	shown->step = step ? arena_strdup(&m->list.memory, step) : NULL;
	shown->left_s = -1;
	if (moving && shown->rows_per_s > 0 && shown->rows_expected >= rows)
		shown->left_s = (double) (shown->rows_expected - rows) / shown->rows_per_s;
	m->list.shown[watched->place] = *shown;
	count_table(m, watched);
}

void
monitor_compared(struct monitor *m, const struct comparisons *comparisons)
{
	for (unsigned i = 0; m && i < comparisons->count; i++) {
		const struct comparison *item = &comparisons->items[i];
		struct watched_table *watched = find_watched(&m->list, item->oid);

		if (item->at > m->compared_until)
			m->compared_until = item->at;
		if (!watched)
			continue;
		watched->shown.compared_at = item->at;
		watched->shown.compared_lsn = item->lsn;
		watched->shown.compared_equal = item->equal;
		m->list.shown[watched->place] = watched->shown;
		metrics_table_set(m->metrics, item->oid, NULL, METRIC_TABLE_COMPARED_TIME, 0,
						  monitor_seconds(item->at));
		metrics_table_set(m->metrics, item->oid, NULL, METRIC_TABLE_COMPARED_EQUAL, 0, item->equal);
	}
}

int64_t
monitor_compared_until(const struct monitor *m)
{
	return m ? m->compared_until : 0;
}
