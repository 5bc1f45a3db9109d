/*
 * The numbers that the daemon shows to a monitoring system, in Prometheus'
 * text format.  One table of metrics makes output, documentation
 * (docs/monitoring.md) and test; adding one is a line there and a call where
 * the thing happens.
 *
 * Names follow Prometheus' conventions: the prefix sluice_, base units
 * (seconds, bytes), _total for counters, points in time as seconds since 1970
 * and not as ages.  `table` is the only label whose values the source decides.
 */
#ifndef SLUICE_METRICS_H
#define SLUICE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"

enum metric {
	METRIC_BUILD_INFO,
	METRIC_UP,
	METRIC_START_TIME,
	METRIC_PHASE,
	METRIC_SOURCE_LSN,
	METRIC_RECEIVED_LSN,
	METRIC_APPLIED_LSN,
	METRIC_CONFIRMED_LSN,
	METRIC_LAG_BYTES,
	METRIC_APPLIED_COMMIT_TIME,
	METRIC_RECEIVED_COMMIT_TIME,
	METRIC_SAMPLE_TIME,
	METRIC_SLOT_RETAINED_BYTES,
	METRIC_SLOT_SAFE_BYTES,
	METRIC_SLOT_STATUS,
	METRIC_OLDEST_TRANSACTION_TIME,
	METRIC_TRANSACTIONS,
	METRIC_CHANGES,
	METRIC_RECEIVED_BYTES,
	METRIC_UNPACKED_BYTES,
	METRIC_BATCHES,
	METRIC_BATCH_ROWS,
	METRIC_BATCH_DURATION,
	METRIC_MEMORY_BYTES,
	METRIC_SPILLED_BYTES,
	METRIC_ERRORS,
	METRIC_RETRIES,
	METRIC_RECONNECTS,
	METRIC_DEFINITIONS,
	METRIC_VACUUMS,
	METRIC_TABLES,
	/* with label `table` */
	METRIC_TABLE_STATE,
	METRIC_TABLE_ROWS,
	METRIC_TABLE_COPIED_ROWS,
	METRIC_TABLE_EXPECTED_ROWS,
	METRIC_TABLE_DEAD_ROWS,
	METRIC_TABLE_COMPARED_TIME,
	METRIC_TABLE_COMPARED_EQUAL,
	METRIC_COUNT,
};

/* Values of labels; their names are in metrics.c. */
enum metric_operation { METRIC_INSERT, METRIC_UPDATE, METRIC_DELETE, METRIC_TRUNCATE, METRIC_OPERATIONS };
enum metric_vacuum { METRIC_VACUUM_DONE, METRIC_VACUUM_CANCELLED, METRIC_VACUUM_FAILED };
enum metric_server { METRIC_SOURCE, METRIC_DESTINATION };
/* For batches: the values of enum batch_step. */
enum metric_step { METRIC_RECEIVE, METRIC_FOLD, METRIC_STAGE, METRIC_MERGE, METRIC_COMMIT, METRIC_STEPS };

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct metric_spec {
	const char *name; /* with prefix and unit, without the suffixes of a histogram */
	enum metric_kind kind;
	const char *help;	/* a sentence without full stop */
	const char *label;	/* NULL: none; metrics of tables have the label `table`, too */
	const char *values; /* the label's values, separated by spaces; NULL: any (METRIC_BUILD_INFO) */
	bool by_table;
};

/* Indexed by enum metric. */
extern const struct metric_spec metric_specs[METRIC_COUNT];

struct metrics;

struct metrics *metrics_create(const char *task);
void metrics_destroy(struct metrics *metrics);

/* A metric that was never set is not shown. `value` is the position in the label's list of values (0 without a
 * label). These functions accept NULL for `metrics` and then do nothing: short-lived verbs have none. */
void metrics_set(struct metrics *metrics, enum metric metric, unsigned value, double number);
void metrics_add(struct metrics *metrics, enum metric metric, unsigned value, double number);
void metrics_forget(struct metrics *metrics, enum metric metric);
/* For a label that has states: sets 1 for `value`, 0 for the others. */
void metrics_set_state(struct metrics *metrics, enum metric metric, const char *value);
void metrics_observe(struct metrics *metrics, enum metric metric, unsigned value, double seconds);
double metrics_get(const struct metrics *metrics, enum metric metric, unsigned value);

/* For a table, found by its pg_class.oid at the source; `name` is shown and may change; NULL: the known one. */
void metrics_table_set(struct metrics *metrics, uint32_t oid, const char *name, enum metric metric,
					   unsigned value, double number);
void metrics_table_add(struct metrics *metrics, uint32_t oid, const char *name, enum metric metric,
					   unsigned value, double number);
void metrics_table_set_state(struct metrics *metrics, uint32_t oid, const char *name, const char *state);
bool metrics_knows_table(const struct metrics *metrics, uint32_t oid);
double metrics_table_get(const struct metrics *metrics, uint32_t oid, enum metric metric, unsigned value);
/* Forgets the tables that were not set since the last call. */
void metrics_sweep_tables(struct metrics *metrics);

/* Appends the text format, version 0.0.4. */
void metrics_put(const struct metrics *metrics, struct buffer *out);

#endif
