#include "metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define VALUES_MAX 8 /* of a label of a table; a task has one more */
#define BUCKETS 12

#define PHASES "starting copying streaming paused retrying standby stopped failed"
#define OPERATIONS "insert update delete truncate"
#define ERRORS "retry restart refused configuration precondition data bug"
#define STEPS "receive fold stage merge commit"

/* clang-format off */
const struct metric_spec metric_specs[METRIC_COUNT] = {
	[METRIC_BUILD_INFO] = {"sluice_build_info", METRIC_GAUGE, "1, with the version of the program", "version", NULL, false},
	[METRIC_UP] = {"sluice_up", METRIC_GAUGE, "1 while the daemon copies or streams, otherwise 0", NULL, NULL, false},
	[METRIC_START_TIME] = {"sluice_start_time_seconds", METRIC_GAUGE, "When the process started", NULL, NULL, false},
	[METRIC_PHASE] = {"sluice_phase", METRIC_GAUGE, "1 for the phase that the task is in", "phase", PHASES, false},
	[METRIC_SOURCE_LSN] = {"sluice_source_lsn_bytes", METRIC_GAUGE, "Position of the source's log", NULL, NULL, false},
	[METRIC_RECEIVED_LSN] = {"sluice_received_lsn_bytes", METRIC_GAUGE, "Position up to which the source has sent", NULL, NULL, false},
	[METRIC_APPLIED_LSN] = {"sluice_applied_lsn_bytes", METRIC_GAUGE, "Position up to which all is durable at the destination", NULL, NULL, false},
	[METRIC_CONFIRMED_LSN] = {"sluice_confirmed_lsn_bytes", METRIC_GAUGE, "Position up to which the slot is confirmed", NULL, NULL, false},
	[METRIC_LAG_BYTES] = {"sluice_lag_bytes", METRIC_GAUGE, "Log of the source that is not durable at the destination", NULL, NULL, false},
	[METRIC_APPLIED_COMMIT_TIME] = {"sluice_applied_commit_timestamp_seconds", METRIC_GAUGE, "When the source committed what the destination shows", NULL, NULL, false},
	[METRIC_RECEIVED_COMMIT_TIME] = {"sluice_received_commit_timestamp_seconds", METRIC_GAUGE, "When the source committed what was received last", NULL, NULL, false},
	[METRIC_SAMPLE_TIME] = {"sluice_sample_timestamp_seconds", METRIC_GAUGE, "When the source's position and slot were last read", NULL, NULL, false},
	[METRIC_SLOT_RETAINED_BYTES] = {"sluice_slot_retained_bytes", METRIC_GAUGE, "Log that the slot keeps the source from removing", NULL, NULL, false},
	[METRIC_SLOT_SAFE_BYTES] = {"sluice_slot_safe_bytes", METRIC_GAUGE, "Log that can still be written before the source gives the slot up; absent without max_slot_wal_keep_size", NULL, NULL, false},
	[METRIC_SLOT_STATUS] = {"sluice_slot_status", METRIC_GAUGE, "1 for the slot's wal_status", "status", "reserved extended unreserved lost", false},
	[METRIC_OLDEST_TRANSACTION_TIME] = {"sluice_oldest_transaction_start_timestamp_seconds", METRIC_GAUGE, "Start of the oldest transaction that is open at the source; absent without one", NULL, NULL, false},
	[METRIC_TRANSACTIONS] = {"sluice_transactions_total", METRIC_COUNTER, "Transactions of the source that were applied", NULL, NULL, false},
	[METRIC_CHANGES] = {"sluice_changes_total", METRIC_COUNTER, "Changes of the source that were applied", NULL, NULL, false},
	[METRIC_RECEIVED_BYTES] = {"sluice_received_bytes_total", METRIC_COUNTER, "Bytes of the stream that were received", NULL, NULL, false},
	[METRIC_UNPACKED_BYTES] = {"sluice_unpacked_bytes_total", METRIC_COUNTER, "Bytes of changes in them, after decompression", NULL, NULL, false},
	[METRIC_BATCHES] = {"sluice_batches_total", METRIC_COUNTER, "Batches that were applied", NULL, NULL, false},
	[METRIC_BATCH_ROWS] = {"sluice_batch_rows_total", METRIC_COUNTER, "Rows that batches wrote, after folding", NULL, NULL, false},
	[METRIC_BATCH_DURATION] = {"sluice_batch_duration_seconds", METRIC_HISTOGRAM, "Time that batches took at their steps: receive until they were closed, fold in it, then stage, merge, commit", "step", STEPS, false},
	[METRIC_MEMORY_BYTES] = {"sluice_memory_bytes", METRIC_GAUGE, "Memory held of apply.memory, at the last sample", NULL, NULL, false},
	[METRIC_SPILLED_BYTES] = {"sluice_spilled_bytes", METRIC_GAUGE, "Changes of open transactions that wait in files, before compression, at the last sample", NULL, NULL, false},
	[METRIC_ERRORS] = {"sluice_errors_total", METRIC_COUNTER, "Errors that ended an attempt, by class", "class", ERRORS, false},
	[METRIC_RETRIES] = {"sluice_retries_total", METRIC_COUNTER, "Attempts that were made after an error, those excepted that were planned", NULL, NULL, false},
	[METRIC_RECONNECTS] = {"sluice_connections_total", METRIC_COUNTER, "Sessions that the daemon has opened, those of copies excepted, by server", "server", "source destination", false},
	[METRIC_DEFINITIONS] = {"sluice_definitions_followed_total", METRIC_COUNTER, "Changed definitions of tables that were followed", NULL, NULL, false},
	[METRIC_VACUUMS] = {"sluice_vacuums_total", METRIC_COUNTER, "VACUUMs of targets where the server does none itself, by outcome", "outcome", "done cancelled failed", false},
	[METRIC_TABLES] = {"sluice_tables", METRIC_GAUGE, "Tables of the task, by state", "state", "waiting copying catching_up streaming held", false},
	[METRIC_TABLE_STATE] = {"sluice_table_state", METRIC_GAUGE, "1 for the state that the table is in", "state", "waiting copying catching_up streaming held", true},
	[METRIC_TABLE_ROWS] = {"sluice_table_rows_total", METRIC_COUNTER, "Rows that were written to the table's target, by operation", "operation", OPERATIONS, true},
	[METRIC_TABLE_COPIED_ROWS] = {"sluice_table_copied_rows", METRIC_GAUGE, "Rows that the table's last copy has written", NULL, NULL, true},
	[METRIC_TABLE_EXPECTED_ROWS] = {"sluice_table_expected_rows", METRIC_GAUGE, "Rows that the source estimates the table to have, while it is copied", NULL, NULL, true},
	[METRIC_TABLE_DEAD_ROWS] = {"sluice_table_dead_rows", METRIC_GAUGE, "Rows of the table's target that were updated or deleted since its last VACUUM, where the server does none itself", NULL, NULL, true},
	[METRIC_TABLE_COMPARED_TIME] = {"sluice_table_compared_timestamp_seconds", METRIC_GAUGE, "When the table was last compared with compare --record", NULL, NULL, true},
	[METRIC_TABLE_COMPARED_EQUAL] = {"sluice_table_compared_equal", METRIC_GAUGE, "1 when that comparison found both sides equal, otherwise 0", NULL, NULL, true},
};
/* clang-format on */

/* Upper bounds in seconds; the last bucket has no bound. */
static const double bounds[BUCKETS - 1] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30};

struct histogram {
	uint64_t count[BUCKETS];
	double sum;
};

struct table {
	uint32_t oid;
	bool mentioned; /* since the last sweep */
	char *name;
	double numbers[METRIC_COUNT - METRIC_TABLE_STATE][VALUES_MAX];
};

struct metrics {
	char *task;
	double numbers[METRIC_TABLE_STATE][VALUES_MAX + 1]; /* NaN: not known */
	struct histogram histograms[METRIC_STEPS];
	struct table *tables; /* by OID */
	unsigned table_count;
	unsigned table_capacity;
};

static void
forget(double *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = NAN;
}

/* The position of a word in a list; the length of the list if the word is not in it. */
static unsigned
find_value(const char *values, const char *word)
{
	size_t len = strlen(word);
	unsigned position = 0;

	for (const char *at = values; *at; position++) {
		size_t its = strcspn(at, " ");

		if (its == len && memcmp(at, word, len) == 0)
			return position;
		at += its + (at[its] == ' ');
	}
	return position;
}

static unsigned
count_values(enum metric metric)
{
	return metric_specs[metric].values ? find_value(metric_specs[metric].values, "") : 1;
}

/* Counters start at 0: one that appears only with its first event would hide that increase from rate(). */
static void
begin_counters(struct metrics *metrics)
{
	for (enum metric metric = 0; metric < METRIC_TABLE_STATE; metric++)
		for (unsigned i = 0; metric_specs[metric].kind == METRIC_COUNTER && i < count_values(metric); i++)
			metrics->numbers[metric][i] = 0;
}

struct metrics *
metrics_create(const char *task)
{
	struct metrics *metrics = memory_alloc_zero(1, sizeof *metrics);

	metrics->task = memory_strdup(task);
	forget(metrics->numbers[0], sizeof metrics->numbers / sizeof(double));
	begin_counters(metrics);
	return metrics;
}

void
metrics_destroy(struct metrics *metrics)
{
	if (!metrics)
		return;
	for (unsigned i = 0; i < metrics->table_count; i++)
		free(metrics->tables[i].name);
	free(metrics->tables);
	free(metrics->task);
	free(metrics);
}

/* ---- values */

static void
add(double *number, double more)
{
	*number = isnan(*number) ? more : *number + more;
}

void
metrics_set(struct metrics *metrics, enum metric metric, unsigned value, double number)
{
	if (!metrics)
		return;
	assert(!metric_specs[metric].by_table && value < count_values(metric));
	metrics->numbers[metric][value] = number;
}

void
metrics_add(struct metrics *metrics, enum metric metric, unsigned value, double number)
{
	if (!metrics)
		return;
	assert(!metric_specs[metric].by_table && value < count_values(metric));
	add(&metrics->numbers[metric][value], number);
}

void
metrics_forget(struct metrics *metrics, enum metric metric)
{
	if (metrics)
		forget(metrics->numbers[metric], VALUES_MAX + 1);
}

void
metrics_set_state(struct metrics *metrics, enum metric metric, const char *value)
{
	unsigned position;

	if (!metrics)
		return;
	position = find_value(metric_specs[metric].values, value);
	for (unsigned i = 0; i < count_values(metric); i++)
		metrics->numbers[metric][i] = i == position;
}

double
metrics_get(const struct metrics *metrics, enum metric metric, unsigned value)
{
	return metrics->numbers[metric][value];
}

void
metrics_observe(struct metrics *metrics, enum metric metric, unsigned value, double seconds)
{
	struct histogram *histogram;
	unsigned bucket = 0;

	if (!metrics)
		return;
	assert(metric_specs[metric].kind == METRIC_HISTOGRAM && value < METRIC_STEPS);
	histogram = &metrics->histograms[value];
	while (bucket < BUCKETS - 1 && seconds > bounds[bucket])
		bucket++;
	histogram->count[bucket]++;
	histogram->sum += seconds;
}

/* ---- tables */

/* The index of the table, or where it is to be inserted. */
static unsigned
place_of(const struct metrics *metrics, uint32_t oid)
{
	unsigned low = 0, high = metrics->table_count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (metrics->tables[middle].oid < oid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct table *
find_table(const struct metrics *metrics, uint32_t oid)
{
	unsigned place = place_of(metrics, oid);

	return place < metrics->table_count && metrics->tables[place].oid == oid ? &metrics->tables[place] : NULL;
}

static struct table *
insert_table(struct metrics *metrics, uint32_t oid)
{
	unsigned place = place_of(metrics, oid);

	if (metrics->table_count == metrics->table_capacity) {
		metrics->table_capacity = metrics->table_capacity ? 2 * metrics->table_capacity : 16;
		metrics->tables = memory_resize(metrics->tables, metrics->table_capacity, sizeof *metrics->tables);
	}
	memmove(&metrics->tables[place + 1], &metrics->tables[place],
			(metrics->table_count - place) * sizeof *metrics->tables);
	metrics->table_count++;
	metrics->tables[place] = (struct table){.oid = oid};
	forget(metrics->tables[place].numbers[0], sizeof metrics->tables[place].numbers / sizeof(double));
	return &metrics->tables[place];
}

static double *
number_of(struct metrics *metrics, uint32_t oid, const char *name, enum metric metric, unsigned value)
{
	struct table *table = find_table(metrics, oid);

	assert(metric_specs[metric].by_table && value < count_values(metric));
	if (!table)
		table = insert_table(metrics, oid);
	if (!table->name || (name && strcmp(table->name, name) != 0)) {
		free(table->name);
		table->name = memory_strdup(name);
	}
	table->mentioned = true;
	return &table->numbers[metric - METRIC_TABLE_STATE][value];
}

void
metrics_table_set(struct metrics *metrics, uint32_t oid, const char *name, enum metric metric, unsigned value,
				  double number)
{
	if (metrics)
		*number_of(metrics, oid, name, metric, value) = number;
}

void
metrics_table_add(struct metrics *metrics, uint32_t oid, const char *name, enum metric metric, unsigned value,
				  double number)
{
	if (metrics)
		add(number_of(metrics, oid, name, metric, value), number);
}

void
metrics_table_set_state(struct metrics *metrics, uint32_t oid, const char *name, const char *state)
{
	unsigned position = find_value(metric_specs[METRIC_TABLE_STATE].values, state);

	if (!metrics)
		return;
	for (unsigned i = 0; i < count_values(METRIC_TABLE_STATE); i++)
		*number_of(metrics, oid, name, METRIC_TABLE_STATE, i) = i == position;
}

bool
metrics_knows_table(const struct metrics *metrics, uint32_t oid)
{
	return metrics && find_table(metrics, oid);
}

double
metrics_table_get(const struct metrics *metrics, uint32_t oid, enum metric metric, unsigned value)
{
	const struct table *table = find_table(metrics, oid);

	return table ? table->numbers[metric - METRIC_TABLE_STATE][value] : NAN;
}

void
metrics_sweep_tables(struct metrics *metrics)
{
	unsigned kept = 0;

	if (!metrics)
		return;
	for (unsigned i = 0; i < metrics->table_count; i++) {
		struct table *table = &metrics->tables[i];

		if (!table->mentioned) {
			free(table->name);
			continue;
		}
		table->mentioned = false;
		metrics->tables[kept++] = *table;
	}
	metrics->table_count = kept;
}

/* ---- the text format */

/* A label's value: backslash, quote and new line are escaped. */
static void
put_label(struct buffer *out, const char *label, const char *value, size_t len)
{
	buffer_printf(out, ",%s=\"", label);
	for (size_t i = 0; i < len; i++) {
		if (value[i] == '\n')
			buffer_printf(out, "\\n");
		else if (value[i] == '"' || value[i] == '\\')
			buffer_printf(out, "\\%c", value[i]);
		else
			buffer_put_u8(out, (uint8_t) value[i]);
	}
	buffer_put_u8(out, '"');
}

static void
put_name(const struct metrics *metrics, const struct metric_spec *spec, const char *suffix,
		 struct buffer *out)
{
	buffer_printf(out, "%s%s{task=\"%s\"", spec->name, suffix, metrics->task);
}

/* Whole numbers are written with all digits. */
static void
put_number(struct buffer *out, double number)
{
	buffer_printf(out, number == floor(number) && fabs(number) < 1e18 ? "} %.0f\n" : "} %.17g\n", number);
}

/* Writes one line for each known value of the metric. */
static void
put_numbers(const struct metrics *metrics, const struct metric_spec *spec, const char *table,
			const double *numbers, struct buffer *out)
{
	const char *value = spec->values;

	for (unsigned i = 0; i == 0 || (value && *value); i++) {
		size_t len = value ? strcspn(value, " ") : 0;

		if (!isnan(numbers[i])) {
			put_name(metrics, spec, "", out);
			if (table)
				put_label(out, "table", table, strlen(table));
			if (value)
				put_label(out, spec->label, value, len);
			else if (spec->label)
				put_label(out, spec->label, SLUICE_VERSION, strlen(SLUICE_VERSION));
			put_number(out, numbers[i]);
		}
		if (value)
			value += len + (value[len] == ' ');
	}
}

static void
put_histogram(const struct metrics *metrics, const struct metric_spec *spec,
			  const struct histogram *histogram, const char *step, size_t len, struct buffer *out)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < BUCKETS; i++) {
		count += histogram->count[i];
		put_name(metrics, spec, "_bucket", out);
		put_label(out, spec->label, step, len);
		if (i < BUCKETS - 1)
			buffer_printf(out, ",le=\"%g\"", bounds[i]);
		else
			buffer_printf(out, ",le=\"+Inf\"");
		put_number(out, (double) count);
	}
	put_name(metrics, spec, "_sum", out);
	put_label(out, spec->label, step, len);
	put_number(out, histogram->sum);
	put_name(metrics, spec, "_count", out);
	put_label(out, spec->label, step, len);
	put_number(out, (double) count);
}

static void
put_histograms(const struct metrics *metrics, const struct metric_spec *spec, struct buffer *out)
{
	const char *step = spec->values;

	for (unsigned i = 0; i < METRIC_STEPS; i++) {
		size_t len = strcspn(step, " ");

		put_histogram(metrics, spec, &metrics->histograms[i], step, len, out);
		step += len + (step[len] == ' ');
	}
}

void
metrics_put(const struct metrics *metrics, struct buffer *out)
{
	static const char *const kinds[] = {"gauge", "counter", "histogram"};

	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_spec *spec = &metric_specs[metric];

		buffer_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", spec->name, spec->help, spec->name,
					  kinds[spec->kind]);
		if (spec->kind == METRIC_HISTOGRAM)
			put_histograms(metrics, spec, out);
		else if (!spec->by_table)
			put_numbers(metrics, spec, NULL, metrics->numbers[metric], out);
		/* The metrics of tables have the numbers from METRIC_TABLE_STATE on. */
		for (unsigned i = 0; metric >= METRIC_TABLE_STATE && i < metrics->table_count; i++)
			put_numbers(metrics, spec, metrics->tables[i].name,
						metrics->tables[i].numbers[metric - METRIC_TABLE_STATE], out);
	}
}
