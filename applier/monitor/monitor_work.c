#include "monitor_parts.h"

#include <stdlib.h>

#include "base/sql.h"

#define MICROSECONDS_1970_TO_2000 INT64_C(946684800000000)

_Static_assert((int) METRIC_COMMIT == (int) BATCH_COMMIT && (int) METRIC_STEPS == (int) BATCH_STEPS,
			   "the steps of a batch are the metric's");
/* ---- lag and rates */

double
monitor_lag_s(const struct monitor *m)
{
	if (m->view.lag_bytes == 0)
		return 0;
	return m->applied_commit_us ? monitor_seconds(monitor_now_us() - m->applied_commit_us) : -1;
}

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

void
monitor_measure_rates(struct monitor *m)
{
	struct counted now = {loop_now_ms(m->loop), monitor_total(m, METRIC_TRANSACTIONS),
						  monitor_total(m, METRIC_CHANGES), monitor_total(m, METRIC_RECEIVED_BYTES)};
	double passed_s = (double) (now.at_ms - m->counted.at_ms) / 1000;

	if (passed_s <= 0)
		return;
	m->view.transactions_per_s = (now.transactions - m->counted.transactions) / passed_s;
	m->view.changes_per_s = (now.changes - m->counted.changes) / passed_s;
	m->view.received_bytes_per_s = (now.bytes - m->counted.bytes) / passed_s;
	m->counted = now;
}

/* ---- reports */

void
monitor_position(struct monitor *m, uint64_t lsn, int64_t commit_us)
{
	if (!m || !lsn)
		return;
	m->view.applied_lsn = lsn;
	metrics_set(m->metrics, METRIC_APPLIED_LSN, 0, (double) lsn);
	if (commit_us) {
		m->applied_commit_us = commit_us;
		metrics_set(m->metrics, METRIC_APPLIED_COMMIT_TIME, 0, monitor_seconds(commit_us));
	}
	measure_lag(m);
}

void
monitor_slot(struct monitor *m, const struct source_slot *slot, const struct oldest_transaction *oldest)
{
	if (!m)
		return;
	m->view.sampled_at = monitor_now_us();
	m->view.source_lsn = slot->current_lsn;
	m->view.confirmed_lsn = slot->confirmed_flush_lsn;
	m->view.retained_bytes = slot->exists ? slot->retained_bytes : -1;
	m->view.safe_bytes = slot->exists ? slot->safe_bytes : -1;
	m->view.retention_warning = retention_judge(slot, m->config->wal.warn_bytes) != RETENTION_MODEST;
	monitor_keep(&m->view.wal_status, slot->exists ? slot->wal_status : NULL);
	monitor_keep(&m->view.oldest, oldest->exists ? oldest->who : NULL);
	m->view.oldest_s = oldest->age_s;
	metrics_set(m->metrics, METRIC_SAMPLE_TIME, 0, monitor_seconds(m->view.sampled_at));
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
					monitor_seconds(m->view.sampled_at) - oldest->age_s);
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
	/* The source has written at least what was received. */
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
					monitor_seconds(commit_time + MICROSECONDS_1970_TO_2000));
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
	/* The table was added after the last report. */
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
			metrics_observe(m->metrics, METRIC_BATCH_DURATION, step, monitor_seconds(batch->spent_us[step]));
	if (!lsn)
		return;
	m->view.applied_lsn = lsn;
	metrics_set(m->metrics, METRIC_APPLIED_LSN, 0, (double) lsn);
	/* The position moved without a transaction: the destination shows the source as of now. */
	m->applied_commit_us =
		batch->commit_time ? batch->commit_time + MICROSECONDS_1970_TO_2000 : monitor_now_us();
	metrics_set(m->metrics, METRIC_APPLIED_COMMIT_TIME, 0, monitor_seconds(m->applied_commit_us));
	measure_lag(m);
}

void
monitor_definition(struct monitor *m, const char *table, const char *what)
{
	if (!m)
		return;
	metrics_add(m->metrics, METRIC_DEFINITIONS, 0, 1);
	history_note(&m->history.definitions, monitor_now_us(), table, what);
}
