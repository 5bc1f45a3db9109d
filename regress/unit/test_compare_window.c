#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compare/compare_window.h"
#include "sketch.h"

#define LIMIT ((size_t) 1 << 20)

static const struct sketch_column columns[] = {
	{"id", &sketch_int4, SKETCH_KEY},
	{"note", &sketch_text, 0},
};

struct fixture {
	struct sketch sketch;
	struct catalog catalog;
	bool wanted;
	struct change_base base;
	struct buffer frame;
	size_t start;
	struct compare_window window;
};

static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){.wanted = true};
	sketch_init(&f.sketch, "public", "orders", 'd', true, columns, 2);
	f.catalog = (struct catalog){.tables = &f.sketch.table, .count = 1};
	f.sketch.table.operations = OPERATION_ALL;
	buffer_init(&f.frame, (size_t) 1 << 26, NULL, NULL);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	compare_window_fini(&f->window);
	buffer_fini(&f->frame);
	return 0;
}

/* A frame in the making, with the description of the table. */
static void
begin(struct fixture *f, uint64_t from, uint64_t until, size_t limit)
{
	compare_window_init(&f->window, &f->catalog, &f->wanted, from, until, limit);
	f->start = change_frame_start(&f->frame);
	change_put_startup(&f->frame, &f->base, 150000, "UTF8", "shop", NULL, 0);
	change_put_relation(&f->frame, &f->sketch.relation);
}

static void
put_value(struct fixture *f, const char *value)
{
	buffer_put_string(&f->frame, value, strlen(value));
}

static void
put_insert(struct fixture *f, const char *id, const char *note)
{
	static const bool nulls[2];

	change_put_insert(&f->frame, f->sketch.relation.number);
	change_put_row_head(&f->frame, 2, nulls, NULL);
	put_value(f, id);
	put_value(f, note);
}

/* A transaction of one insert. */
static void
put_transaction(struct fixture *f, uint64_t commit_lsn, const char *id, const char *note)
{
	change_put_begin(&f->frame, &f->base, 7, commit_lsn, 0);
	put_insert(f, id, note);
	change_put_commit(&f->frame, &f->base, commit_lsn + 8);
}

static void
take(struct fixture *f)
{
	struct error err = {0};

	change_frame_end(&f->frame, f->start, 0);
	assert_true(compare_window_frame(&f->window, (struct bytes){f->frame.data, f->frame.len}, &err));
}

static uint32_t
count_net(const struct fixture *f)
{
	const struct net_change *net = compare_window_net(&f->window, &f->sketch.table);

	return net ? net_change_count(net) : 0;
}

static void
test_what_committed_between_the_positions(void **state)
{
	struct fixture *f = *state;

	begin(f, 100, 200, LIMIT);
	put_transaction(f, 92, "1", "before");
	put_transaction(f, 100, "2", "the first");
	put_transaction(f, 192, "3", "the last");
	put_transaction(f, 200, "4", "after");
	take(f);
	assert_int_equal(count_net(f), 2);
	assert_null(compare_window_problem(&f->window, &f->sketch.table));
}

static void
test_without_an_end(void **state)
{
	struct fixture *f = *state;

	begin(f, 100, 0, LIMIT);
	put_transaction(f, 92, "1", "before");
	put_transaction(f, UINT32_MAX, "2", "late");
	take(f);
	assert_int_equal(count_net(f), 1);
}

static void
test_a_table_that_nobody_touched(void **state)
{
	struct fixture *f = *state;

	begin(f, 100, 200, LIMIT);
	put_transaction(f, 50, "1", "before");
	take(f);
	assert_null(compare_window_net(&f->window, &f->sketch.table));
}

static void
test_tables_that_are_not_compared(void **state)
{
	struct fixture *f = *state;

	f->wanted = false;
	begin(f, 100, 200, LIMIT);
	put_transaction(f, 150, "1", "x");
	take(f);
	assert_int_equal(count_net(f), 0);
}

static void
test_operations_that_are_left_out(void **state)
{
	struct fixture *f = *state;

	f->sketch.table.operations = OPERATION_ALL & ~OPERATION_INSERT;
	begin(f, 100, 200, LIMIT);
	put_transaction(f, 150, "1", "x");
	take(f);
	assert_int_equal(count_net(f), 0);
}

static void
test_a_truncate_is_a_problem(void **state)
{
	struct fixture *f = *state;

	begin(f, 100, 200, LIMIT);
	change_put_begin(&f->frame, &f->base, 7, 150, 0);
	change_put_truncate(&f->frame, 0, 1);
	change_put_truncated(&f->frame, f->sketch.relation.number, "");
	change_put_commit(&f->frame, &f->base, 158);
	take(f);
	assert_string_equal(compare_window_problem(&f->window, &f->sketch.table), "it was truncated meanwhile");
}

static void
test_a_truncate_before_is_none(void **state)
{
	struct fixture *f = *state;

	begin(f, 100, 200, LIMIT);
	change_put_begin(&f->frame, &f->base, 7, 50, 0);
	change_put_truncate(&f->frame, 0, 1);
	change_put_truncated(&f->frame, f->sketch.relation.number, "");
	change_put_commit(&f->frame, &f->base, 58);
	take(f);
	assert_null(compare_window_problem(&f->window, &f->sketch.table));
}

static void
test_columns_that_change_are_a_problem(void **state)
{
	struct fixture *f = *state;

	begin(f, 100, 200, LIMIT);
	put_transaction(f, 150, "1", "x");
	f->sketch.relation.number = 2;
	f->sketch.relation.columns[1].attnum = 9;
	change_put_relation(&f->frame, &f->sketch.relation);
	put_transaction(f, 160, "2", "x");
	take(f);
	assert_string_equal(compare_window_problem(&f->window, &f->sketch.table), "it was altered meanwhile");
}

static void
test_too_many_changes_are_a_problem(void **state)
{
	struct fixture *f = *state;
	char *large = calloc(1, LIMIT + 1);

	memset(large, 'x', LIMIT);
	begin(f, 100, 200, LIMIT);
	put_transaction(f, 150, "1", large);
	take(f);
	free(large);
	assert_string_equal(compare_window_problem(&f->window, &f->sketch.table),
						"too much of it was changed meanwhile");
}

static void
test_a_damaged_frame(void **state)
{
	struct fixture *f = *state;
	struct error err = {0};

	begin(f, 100, 200, LIMIT);
	put_transaction(f, 150, "1", "x");
	change_frame_end(&f->frame, f->start, 0);
	assert_false(compare_window_frame(&f->window, (struct bytes){f->frame.data, f->frame.len - 1}, &err));
	assert_int_equal(err.class, ERROR_BUG);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_committed_between_the_positions),
		TEST(test_without_an_end),
		TEST(test_a_table_that_nobody_touched),
		TEST(test_tables_that_are_not_compared),
		TEST(test_operations_that_are_left_out),
		TEST(test_a_truncate_is_a_problem),
		TEST(test_a_truncate_before_is_none),
		TEST(test_columns_that_change_are_a_problem),
		TEST(test_too_many_changes_are_a_problem),
		TEST(test_a_damaged_frame),
	};

	return cmocka_run_group_tests_name("compare_window", tests, NULL, NULL);
}
