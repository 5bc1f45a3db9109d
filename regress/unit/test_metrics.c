#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "monitor/metrics.h"

/* The caller frees it. */
static char *
text_of(const struct metrics *metrics)
{
	struct buffer out;

	memory_buffer_init(&out);
	metrics_put(metrics, &out);
	buffer_put_u8(&out, '\0');
	return (char *) out.data;
}

static void
assert_shows(const struct metrics *metrics, const char *line)
{
	char *text = text_of(metrics);

	if (!strstr(text, line))
		fail_msg("lacks %s:\n%s", line, text);
	free(text);
}

static void
assert_lacks(const struct metrics *metrics, const char *line)
{
	char *text = text_of(metrics);

	assert_null(strstr(text, line));
	free(text);
}

static void
test_names(void **state)
{
	(void) state;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const struct metric_spec *spec = &metric_specs[i];
		size_t len = strlen(spec->name);
		bool total = len > 6 && strcmp(spec->name + len - 6, "_total") == 0;

		assert_int_equal(strncmp(spec->name, "sluice_", 7), 0);
		assert_int_equal(total, spec->kind == METRIC_COUNTER);
		assert_int_equal(spec->by_table, strncmp(spec->name, "sluice_table_", 13) == 0);
		assert_int_not_equal(spec->help[strlen(spec->help) - 1], '.');
	}
}

static void
test_numbers(void **state)
{
	struct metrics *metrics = metrics_create("orders");

	(void) state;
	assert_lacks(metrics, "\nsluice_lag_bytes");
	assert_shows(metrics, "sluice_errors_total{task=\"orders\",class=\"data\"} 0\n");
	metrics_set(metrics, METRIC_LAG_BYTES, 0, 12345678901234.0);
	metrics_add(metrics, METRIC_TRANSACTIONS, 0, 2);
	metrics_add(metrics, METRIC_TRANSACTIONS, 0, 3);
	metrics_set_state(metrics, METRIC_PHASE, "paused");
	assert_shows(metrics,
				 "# TYPE sluice_lag_bytes gauge\nsluice_lag_bytes{task=\"orders\"} 12345678901234\n");
	assert_shows(metrics, "sluice_transactions_total{task=\"orders\"} 5\n");
	assert_shows(metrics, "sluice_phase{task=\"orders\",phase=\"paused\"} 1\n");
	assert_shows(metrics, "sluice_phase{task=\"orders\",phase=\"streaming\"} 0\n");
	assert_shows(metrics, "sluice_phase{task=\"orders\",phase=\"failed\"} 0\n");
	metrics_forget(metrics, METRIC_LAG_BYTES);
	assert_lacks(metrics, "\nsluice_lag_bytes");
	metrics_destroy(metrics);
}

static void
test_histogram(void **state)
{
	struct metrics *metrics = metrics_create("t");

	(void) state;
	metrics_observe(metrics, METRIC_BATCH_DURATION, METRIC_MERGE, 0.004);
	metrics_observe(metrics, METRIC_BATCH_DURATION, METRIC_MERGE, 0.005);
	metrics_observe(metrics, METRIC_BATCH_DURATION, METRIC_MERGE, 99);
	assert_shows(metrics, "_bucket{task=\"t\",step=\"merge\",le=\"0.0025\"} 0\n");
	assert_shows(metrics, "_bucket{task=\"t\",step=\"merge\",le=\"0.005\"} 2\n");
	assert_shows(metrics, "_bucket{task=\"t\",step=\"merge\",le=\"30\"} 2\n");
	assert_shows(metrics, "_bucket{task=\"t\",step=\"merge\",le=\"+Inf\"} 3\n");
	assert_shows(metrics, "_count{task=\"t\",step=\"merge\"} 3\n");
	assert_shows(metrics, "_count{task=\"t\",step=\"commit\"} 0\n");
	metrics_destroy(metrics);
}

static void
test_tables(void **state)
{
	struct metrics *metrics = metrics_create("t");

	(void) state;
	metrics_table_set_state(metrics, 20, "public.b", "held");
	metrics_table_add(metrics, 10, "public.\"a\\\n", METRIC_TABLE_ROWS, METRIC_UPDATE, 7);
	metrics_table_add(metrics, 10, "public.\"a\\\n", METRIC_TABLE_ROWS, METRIC_UPDATE, 1);
	assert_shows(metrics, "sluice_table_state{task=\"t\",table=\"public.b\",state=\"held\"} 1\n");
	assert_shows(
		metrics,
		"sluice_table_rows_total{task=\"t\",table=\"public.\\\"a\\\\\\n\",operation=\"update\"} 8\n");
	assert_lacks(metrics, "operation=\"insert\"");
	assert_true(metrics_knows_table(metrics, 10));
	assert_false(metrics_knows_table(metrics, 11));
	metrics_table_add(metrics, 10, NULL, METRIC_TABLE_ROWS, METRIC_DELETE, 3);
	assert_shows(metrics, "table=\"public.\\\"a\\\\\\n\",operation=\"delete\"} 3\n");
	metrics_sweep_tables(metrics);
	metrics_table_set_state(metrics, 20, "public.c", "streaming");
	metrics_sweep_tables(metrics);
	assert_lacks(metrics, "public.\\\"a");
	assert_lacks(metrics, "public.b");
	assert_shows(metrics, "sluice_table_state{task=\"t\",table=\"public.c\",state=\"streaming\"} 1\n");
	metrics_destroy(metrics);
}

static void
test_many_tables(void **state)
{
	struct metrics *metrics = metrics_create("t");

	(void) state;
	for (uint32_t oid = 10000; oid > 0; oid--)
		metrics_table_add(metrics, oid * 7919 % 10007, "public.t", METRIC_TABLE_ROWS, METRIC_INSERT, oid);
	for (uint32_t oid = 10000; oid > 0; oid--)
		assert_int_equal(metrics_table_get(metrics, oid * 7919 % 10007, METRIC_TABLE_ROWS, METRIC_INSERT),
						 oid);
	metrics_destroy(metrics);
}

static void
test_none(void **state)
{
	(void) state;
	metrics_set(NULL, METRIC_LAG_BYTES, 0, 1);
	metrics_add(NULL, METRIC_CHANGES, 0, 1);
	metrics_observe(NULL, METRIC_BATCH_DURATION, METRIC_FOLD, 1);
	metrics_table_add(NULL, 1, "t", METRIC_TABLE_ROWS, METRIC_INSERT, 1);
	metrics_sweep_tables(NULL);
	metrics_destroy(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),  cmocka_unit_test(test_numbers),	   cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_tables), cmocka_unit_test(test_many_tables), cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
