#include "monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "history.h"
#include "io/http.h"
#include "page.h"
#include "status_view.h"

#define LIST_BLOCK_BYTES ((size_t) 16 * 1024)
#define MICROSECONDS_1970_TO_2000 INT64_C(946684800000000)

/* A table as it was when it was last told of. */
struct watched_table {
	uint32_t oid;
	struct status_table shown; /* strings in the list's arena */
	bool copying;
	unsigned place; /* in the catalog's order */
};

struct watched_list {
	struct arena memory;
	struct watched_table *tables; /* by OID */
	struct status_table *shown;	  /* in the catalog's order */
	unsigned count;
};

/* How far it was at the last sample, for rates. */
struct counted {
	int64_t at_ms;
	double transactions;
	double changes;
	double bytes;
};

struct monitor {
	struct loop *loop;
	const struct config *config;
	struct http *http;		  /* NULL: off, or the port is taken */
	char *listen;			  /* what it is to listen at; NULL: off */
	struct loop_timer *timer; /* at every wal.heartbeat */
	bool warned;			  /* that it cannot listen */
	struct metrics *metrics;
	struct history history;
	struct status_view view; /* strings are the monitor's own */
	struct watched_list list;
	struct counted counted;
	int64_t compared_until;	   /* the latest comparison that it was told of, since 1970 */
	int64_t applied_commit_us; /* of what is durable, since 1970; 0: not known */
};

/* ---- time */

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static double
seconds(int64_t us)
{
	return (double) us / 1000000;
}

/* Replaces a string of the view. */
static void
keep(const char **place, const char *text)
{
	if (*place && text && strcmp(*place, text) == 0)
		return;
	free((char *) *place);
	*place = text ? memory_strdup(text) : NULL;
}

/* ---- what is computed when it is asked for */

/* The destination is level, or shows the source as of its last commit. */
static double
lag_s(const struct monitor *m)
{
	if (m->view.lag_bytes == 0)
		return 0;
	return m->applied_commit_us ? seconds(now_us() - m->applied_commit_us) : -1;
}

static bool
is_ready(const struct monitor *m)
{
	return m->view.phase &&
		   (strcmp(m->view.phase, "copying") == 0 || strcmp(m->view.phase, "streaming") == 0);
}

_Static_assert((int) METRIC_COMMIT == (int) BATCH_COMMIT && (int) METRIC_STEPS == (int) BATCH_STEPS,
			   "the steps of a batch are the metric's");

static void
measure_lag(struct monitor *m)
{
	struct status_view *view = &m->view;

	if (!view->applied_lsn || !view->source_lsn)
		return;
	view->lag_bytes =
		view->source_lsn > view->applied_lsn ? (int64_t) (view->source_lsn - view->applied_lsn) : 0;
	metrics_set(m->metrics, METRIC_LAG_BYTES, 0, (double) view->lag_bytes);
}

static double
total(const struct monitor *m, enum metric metric)
{
	double number = metrics_get(m->metrics, metric, 0);

	return number > 0 ? number : 0;
}

static void
measure_rates(struct monitor *m)
{
	struct counted now = {loop_now_ms(m->loop), total(m, METRIC_TRANSACTIONS), total(m, METRIC_CHANGES),
						  total(m, METRIC_RECEIVED_BYTES)};
	double passed_s = (double) (now.at_ms - m->counted.at_ms) / 1000;

	if (passed_s <= 0)
		return;
	m->view.transactions_per_s = (now.transactions - m->counted.transactions) / passed_s;
	m->view.changes_per_s = (now.changes - m->counted.changes) / passed_s;
	m->view.received_bytes_per_s = (now.bytes - m->counted.bytes) / passed_s;
	m->counted = now;
}

/* ---- HTTP */

static void
put_status(struct monitor *m, struct buffer *out)
{
	m->view.at = now_us();
	m->view.lag_s = lag_s(m);
	m->view.tables = m->list.shown;
	m->view.table_count = m->list.count;
	m->view.transactions_total = total(m, METRIC_TRANSACTIONS);
	m->view.changes_total = total(m, METRIC_CHANGES);
	status_view_put_json(&m->view, out);
}

static void
put_readiness(const struct monitor *m, struct http_answer *answer)
{
	if (is_ready(m)) {
		buffer_printf(&answer->body, "%s\n", m->view.phase);
		return;
	}
	answer->status = 503;
	buffer_printf(&answer->body, "%s%s%s\n", m->view.phase ? m->view.phase : "starting",
				  m->view.last_error ? ": " : "", m->view.last_error ? m->view.last_error : "");
}

static void
on_request(void *arg, const char *path, struct http_answer *answer)
{
	struct monitor *m = arg;

	if (strcmp(path, "/") == 0) {
		answer->content_type = "text/html; charset=utf-8";
		/* One object for the linker, which these are the ends of. */
		/* cppcheck-suppress [comparePointers, subtractPointers] */
		buffer_put(&answer->body, page_html, (size_t) (page_html_end - page_html));
	} else if (strcmp(path, "/status") == 0) {
		answer->content_type = "application/json";
		put_status(m, &answer->body);
	} else if (strcmp(path, "/history") == 0) {
		answer->content_type = "application/json";
		history_put_json(&m->history, &answer->body);
	} else if (strcmp(path, "/metrics") == 0) {
		answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_put(m->metrics, &answer->body);
	} else if (strcmp(path, "/healthz") == 0) {
		buffer_printf(&answer->body, "ok\n");
	} else if (strcmp(path, "/readyz") == 0) {
		put_readiness(m, answer);
	} else {
		answer->status = 404;
	}
}

/* A port that is taken is no reason to stand still: it is tried again. */
static void
listen_if_due(struct monitor *m)
{
	struct error err;
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (m->http || !m->listen)
		return;
	m->http = http_open(m->loop, m->listen, on_request, m, &err);
	if (m->http) {
		log_info("status page on http://%s/", m->listen);
		m->warned = false;
	} else if (!m->warned) {
		error_clause(&err, sentence, sizeof sentence);
		log_warning("%s; trying again every %.0f s", sentence, (double) m->config->wal.heartbeat_ms / 1000);
		m->warned = true;
	}
}

/* ---- its own turn */

static void
on_heartbeat(void *arg)
{
	struct monitor *m = arg;
	struct history_point point;

	listen_if_due(m);
	measure_rates(m);
	point = (struct history_point){now_us() / 1000000, lag_s(m), (double) m->view.lag_bytes,
								   m->view.changes_per_s};
	history_add(&m->history, &point);
	loop_timer_arm(m->timer, m->config->wal.heartbeat_ms);
}

struct monitor *
monitor_create(struct loop *loop, const struct config *config)
{
	struct monitor *m = memory_alloc_zero(1, sizeof *m);

	m->loop = loop;
	m->config = config;
	m->listen = config->http_listen ? memory_strdup(config->http_listen) : NULL;
	m->metrics = metrics_create(config->task);
	status_view_init(&m->view, config->task);
	m->view.daemon_pid = getpid();
	arena_init(&m->list.memory, LIST_BLOCK_BYTES);
	m->counted.at_ms = loop_now_ms(loop);
	metrics_set(m->metrics, METRIC_BUILD_INFO, 0, 1);
	metrics_set(m->metrics, METRIC_START_TIME, 0, seconds(now_us()));
	metrics_set(m->metrics, METRIC_UP, 0, 0);
	m->timer = loop_timer_create(loop, on_heartbeat, m);
	loop_timer_arm(m->timer, config->wal.heartbeat_ms);
	listen_if_due(m);
	return m;
}

void
monitor_destroy(struct monitor *m)
{
	if (!m)
		return;
	http_close(m->http);
	loop_timer_destroy(m->timer);
	metrics_destroy(m->metrics);
	arena_fini(&m->list.memory);
	free(m->listen);
	free((char *) m->view.phase);
	free((char *) m->view.waiting_for);
	free((char *) m->view.wal_status);
	free((char *) m->view.oldest);
	free((char *) m->view.source_version);
	free((char *) m->view.destination_version);
	free((char *) m->view.last_error);
	free(m);
}

void
monitor_reconfigure(struct monitor *m, const struct config *config)
{
	if (!m)
		return;
	m->config = config;
	if (strcmp(m->listen ? m->listen : "", config->http_listen ? config->http_listen : "") != 0) {
		http_close(m->http);
		m->http = NULL;
		m->warned = false;
		free(m->listen);
		m->listen = config->http_listen ? memory_strdup(config->http_listen) : NULL;
	}
	listen_if_due(m);
}

struct metrics *
monitor_metrics(struct monitor *m)
{
	return m ? m->metrics : NULL;
}

/* ---- what it is told */

void
monitor_phase(struct monitor *m, const char *phase, const char *cause)
{
	bool phase_changes;

	if (!m)
		return;
	if (!phase)
		phase = m->view.phase && strcmp(m->view.phase, "retrying") == 0 ? "retrying" : "starting";
	phase_changes = !m->view.phase || strcmp(m->view.phase, phase) != 0;
	if (phase_changes)
		m->view.phase_since = now_us();
	if (phase_changes)
		keep(&m->view.waiting_for, NULL);
	keep(&m->view.phase, phase);
	if (cause)
		history_note(&m->history.errors, now_us(), "", cause);
	if (cause || is_ready(m))
		keep(&m->view.last_error, cause);
	metrics_set_state(m->metrics, METRIC_PHASE, phase);
	metrics_set(m->metrics, METRIC_UP, 0, is_ready(m));
}

void
monitor_versions(struct monitor *m, const char *source, const char *destination)
{
	if (!m)
		return;
	keep(&m->view.source_version, source);
	keep(&m->view.destination_version, destination);
}

void
monitor_connected(struct monitor *m, enum metric_server server)
{
	metrics_add(monitor_metrics(m), METRIC_RECONNECTS, server, 1);
}

/* By the label's values. */
static const unsigned error_values[] = {
	[ERROR_RETRY] = 0,		  [ERROR_RESTART] = 1, [ERROR_REFUSED] = 2, [ERROR_CONFIG] = 3,
	[ERROR_PRECONDITION] = 4, [ERROR_DATA] = 5,	   [ERROR_BUG] = 6,
};

void
monitor_error(struct monitor *m, const struct error *err, bool again)
{
	if (!m || err->class == ERROR_NONE || err->class > ERROR_BUG)
		return;
	metrics_add(m->metrics, METRIC_ERRORS, error_values[err->class], 1);
	if (again && err->class != ERROR_RESTART)
		metrics_add(m->metrics, METRIC_RETRIES, 0, 1);
}

void
monitor_waiting(struct monitor *m, const char *what)
{
	if (m)
		keep(&m->view.waiting_for, what);
}

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

/* The progress of the copy is kept until the next report. */
static void
keep_progress(struct status_table *shown, const struct watched_table *before)
{
	if (!before || !before->copying)
		return;
	shown->rows_copied = before->shown.rows_copied;
	shown->rows_per_s = before->shown.rows_per_s;
	shown->left_s = before->shown.left_s;
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
			keep_progress(&watched->shown, find_watched(&before, watched->oid));
		m->list.shown[i] = watched->shown;
		count_table(m, watched);
	}
	qsort(m->list.tables, m->list.count, sizeof *m->list.tables, compare_oids);
	metrics_sweep_tables(m->metrics);
	count_states(m);
	arena_fini(&before.memory);
}

void
monitor_copied(struct monitor *m, uint32_t oid, int64_t rows, int64_t ms)
{
	struct watched_table *watched = m ? find_watched(&m->list, oid) : NULL;
	struct status_table *shown = watched ? &watched->shown : NULL;

	if (!shown || !watched->copying)
		return;
	shown->rows_copied = rows;
	shown->rows_per_s = ms > 0 ? (double) rows * 1000 / (double) ms : -1;
	shown->left_s = -1;
	if (shown->rows_per_s > 0 && shown->rows_expected >= rows)
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
		metrics_table_set(m->metrics, item->oid, NULL, METRIC_TABLE_COMPARED_TIME, 0, seconds(item->at));
		metrics_table_set(m->metrics, item->oid, NULL, METRIC_TABLE_COMPARED_EQUAL, 0, item->equal);
	}
}

int64_t
monitor_compared_until(const struct monitor *m)
{
	return m ? m->compared_until : 0;
}

void
monitor_position(struct monitor *m, uint64_t lsn)
{
	if (!m || !lsn)
		return;
	m->view.applied_lsn = lsn;
	metrics_set(m->metrics, METRIC_APPLIED_LSN, 0, (double) lsn);
	measure_lag(m);
}

void
monitor_slot(struct monitor *m, const struct source_slot *slot, const struct oldest_transaction *oldest)
{
	if (!m)
		return;
	m->view.sampled_at = now_us();
	m->view.source_lsn = slot->current_lsn;
	m->view.confirmed_lsn = slot->confirmed_flush_lsn;
	m->view.retained_bytes = slot->exists ? slot->retained_bytes : -1;
	m->view.safe_bytes = slot->exists ? slot->safe_bytes : -1;
	m->view.retention_warning = retention_judge(slot, m->config->wal.warn_bytes) != RETENTION_MODEST;
	keep(&m->view.wal_status, slot->exists ? slot->wal_status : NULL);
	keep(&m->view.oldest, oldest->exists ? oldest->who : NULL);
	m->view.oldest_s = oldest->age_s;
	metrics_set(m->metrics, METRIC_SAMPLE_TIME, 0, seconds(m->view.sampled_at));
	metrics_set(m->metrics, METRIC_SOURCE_LSN, 0, (double) slot->current_lsn);
	metrics_set(m->metrics, METRIC_CONFIRMED_LSN, 0, (double) slot->confirmed_flush_lsn);
	metrics_set(m->metrics, METRIC_SLOT_RETAINED_BYTES, 0, (double) slot->retained_bytes);
	metrics_set_state(m->metrics, METRIC_SLOT_STATUS, slot->wal_status);
	metrics_forget(m->metrics, METRIC_SLOT_SAFE_BYTES);
	if (slot->safe_bytes >= 0)
		metrics_set(m->metrics, METRIC_SLOT_SAFE_BYTES, 0, (double) slot->safe_bytes);
	metrics_forget(m->metrics, METRIC_OLDEST_TRANSACTION_TIME);
	if (oldest->exists)
		metrics_set(m->metrics, METRIC_OLDEST_TRANSACTION_TIME, 0,
					seconds(m->view.sampled_at) - oldest->age_s);
	measure_lag(m);
}

void
monitor_received(struct monitor *m, uint64_t lsn, size_t bytes)
{
	if (!m)
		return;
	metrics_add(m->metrics, METRIC_RECEIVED_BYTES, 0, (double) bytes);
	if (lsn <= m->view.received_lsn)
		return;
	m->view.received_lsn = lsn;
	metrics_set(m->metrics, METRIC_RECEIVED_LSN, 0, (double) lsn);
	/* The source is there at least. */
	if (lsn > m->view.source_lsn)
		m->view.source_lsn = lsn;
	measure_lag(m);
}

void
monitor_unpacked(struct monitor *m, size_t bytes)
{
	if (m)
		metrics_add(m->metrics, METRIC_UNPACKED_BYTES, 0, (double) bytes);
}

void
monitor_received_commit(struct monitor *m, int64_t commit_time)
{
	if (m && commit_time)
		metrics_set(m->metrics, METRIC_RECEIVED_COMMIT_TIME, 0,
					seconds(commit_time + MICROSECONDS_1970_TO_2000));
}

void
monitor_held(struct monitor *m, size_t memory_bytes, size_t spilled_bytes)
{
	if (!m)
		return;
	metrics_set(m->metrics, METRIC_MEMORY_BYTES, 0, (double) memory_bytes);
	metrics_set(m->metrics, METRIC_SPILLED_BYTES, 0, (double) spilled_bytes);
}

static void
count_rows(struct monitor *m, const struct net_change *net)
{
	const struct source_table *source = &net->shape->table->source;
	/* A table that came since it was told of. */
	const char *name = metrics_knows_table(m->metrics, source->oid)
						   ? NULL
						   : sql_table_name(net->arena, source->schema, source->name);
	double rows[METRIC_OPERATIONS] = {0};

	for (uint32_t i = 0; i < net_change_count(net); i++) {
		const struct net_row *row = &net->rows[i];

		if (net->shape->match == MATCH_ROW)
			rows[row->count < 0 ? METRIC_DELETE : METRIC_INSERT] += (double) llabs(row->count);
		else if (row->row.data)
			rows[row->existed ? METRIC_UPDATE : METRIC_INSERT]++;
		else
			rows[METRIC_DELETE] += row->existed;
	}
	rows[METRIC_TRUNCATE] = net->truncated;
	for (unsigned i = 0; i < METRIC_OPERATIONS; i++) {
		if (rows[i] > 0)
			metrics_table_add(m->metrics, source->oid, name, METRIC_TABLE_ROWS, i, rows[i]);
		if (i != METRIC_TRUNCATE)
			metrics_add(m->metrics, METRIC_BATCH_ROWS, 0, rows[i]);
	}
}

void
monitor_batch(struct monitor *m, const struct batch *batch, uint64_t lsn)
{
	if (!m)
		return;
	metrics_add(m->metrics, METRIC_BATCHES, 0, 1);
	metrics_add(m->metrics, METRIC_TRANSACTIONS, 0, (double) batch->transactions);
	metrics_add(m->metrics, METRIC_CHANGES, 0, (double) batch->changes);
	for (unsigned i = 0; i < batch->net_count; i++)
		count_rows(m, batch->nets[i]);
	for (unsigned step = 0; step < METRIC_STEPS; step++)
		if (step != METRIC_COMMIT || batch->final)
			metrics_observe(m->metrics, METRIC_BATCH_DURATION, step, seconds(batch->spent_us[step]));
	if (!lsn)
		return;
	m->view.applied_lsn = lsn;
	metrics_set(m->metrics, METRIC_APPLIED_LSN, 0, (double) lsn);
	/* A position that moved without a transaction: the source is known to be as of now. */
	m->applied_commit_us = batch->commit_time ? batch->commit_time + MICROSECONDS_1970_TO_2000 : now_us();
	metrics_set(m->metrics, METRIC_APPLIED_COMMIT_TIME, 0, seconds(m->applied_commit_us));
	measure_lag(m);
}

void
monitor_definition(struct monitor *m, const char *table, const char *what)
{
	if (!m)
		return;
	metrics_add(m->metrics, METRIC_DEFINITIONS, 0, 1);
	history_note(&m->history.definitions, now_us(), table, what);
}
