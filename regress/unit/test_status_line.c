#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "monitor/status_line.h"

static char *
line_of(const struct status_view *view, size_t most)
{
	struct buffer out;

	memory_buffer_init(&out);
	status_line_put(view, most, &out);
	buffer_put_u8(&out, '\0');
	return (char *) out.data;
}

static void
test_what_is_put_is_taken(void **state)
{
	struct status_table tables[2];
	struct status_view view, taken;
	struct arena memory;
	char *line;

	(void) state;
	status_view_init(&view, "orders");
	view.daemon_pid = 4711;
	view.phase = "copying";
	view.waiting_for = "a lock\theld by\nprocess 1 = somebody";
	view.waiting_since = INT64_C(1800000000000000);
	view.applied_lsn = UINT64_C(0xFFFFFFFF00000010);
	view.transactions_per_s = 12.5;
	status_table_init(&tables[0]);
	tables[0].source = "public.streams";
	status_table_init(&tables[1]);
	tables[1].source = "public.\"a=b\"";
	tables[1].rows_copied = 400000;
	tables[1].rows_expected = 1000000;
	tables[1].left_s = 12;
	tables[1].step = "building indexes";
	view.tables = tables;
	view.table_count = 2;
	line = line_of(&view, 10000);
	assert_null(strchr(line, '\n'));

	arena_init(&memory, 1000);
	status_line_take(line, "orders", &memory, &taken);
	free(line);
	assert_string_equal(taken.task, "orders");
	assert_int_equal(taken.daemon_pid, 4711);
	assert_string_equal(taken.phase, "copying");
	assert_string_equal(taken.waiting_for, "a lock held by process 1 = somebody");
	assert_int_equal(taken.waiting_since, INT64_C(1800000000000000));
	assert_true(taken.applied_lsn == UINT64_C(0xFFFFFFFF00000010));
	assert_true(taken.transactions_per_s > 12.4 && taken.transactions_per_s < 12.6);
	assert_true(taken.changes_per_s < 0);
	assert_null(taken.last_error);
	/* Only the table that is copied. */
	assert_int_equal(taken.table_count, 1);
	assert_string_equal(taken.tables[0].source, "public.\"a=b\"");
	assert_int_equal(taken.tables[0].rows_copied, 400000);
	assert_int_equal(taken.tables[0].rows_expected, 1000000);
	assert_true(taken.tables[0].rows_per_s < 0);
	assert_string_equal(taken.tables[0].step, "building indexes");
	arena_fini(&memory);
}

static void
test_a_line_has_an_end(void **state)
{
	struct status_table tables[100];
	struct status_view view, taken;
	struct arena memory;
	char *line;

	(void) state;
	status_view_init(&view, "orders");
	for (unsigned i = 0; i < 100; i++) {
		status_table_init(&tables[i]);
		tables[i].source = "public.some_table";
		tables[i].rows_expected = i;
	}
	view.tables = tables;
	view.table_count = 100;
	line = line_of(&view, 500);
	assert_true(strlen(line) <= 500);
	arena_init(&memory, 1000);
	status_line_take(line, "orders", &memory, &taken);
	assert_in_range(taken.table_count, 5, 20);
	assert_string_equal(taken.tables[taken.table_count - 1].source, "public.some_table");
	free(line);
	arena_fini(&memory);
}

/* Of a newer program, or of none. */
static void
test_what_is_not_known_is_skipped(void **state)
{
	struct status_view taken;
	struct arena memory;

	(void) state;
	arena_init(&memory, 1000);
	status_line_take("\tnews=1\tphase=paused\trows_copied=7\tword\t\t=x", "orders", &memory, &taken);
	assert_string_equal(taken.phase, "paused");
	assert_int_equal(taken.table_count, 0);
	status_line_take("", "orders", &memory, &taken);
	assert_null(taken.phase);
	arena_fini(&memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_put_is_taken),
		cmocka_unit_test(test_a_line_has_an_end),
		cmocka_unit_test(test_what_is_not_known_is_skipped),
	};

	return cmocka_run_group_tests_name("status_line", tests, NULL, NULL);
}
