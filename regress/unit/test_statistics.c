#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buffer.h"
#include "merge/statistics.h"
#include "tables/shape.h"

struct fixture {
	struct target_column id;
	struct shape_column fed;
	struct table table;
	struct shape shape;
	struct net_change net;
	struct net_change *nets[1];
	struct batch batch;
	struct statistics statistics;
	struct buffer sql;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->id.name = (char *) "id";
	f->fed.target = &f->id;
	f->table.target_schema = (char *) "public";
	f->table.target_name = (char *) "orders";
	f->table.target.oid = 4711;
	f->shape.table = &f->table;
	f->shape.fed = &f->fed;
	f->shape.fed_count = f->shape.key_count = 1;
	f->net.shape = &f->shape;
	f->nets[0] = &f->net;
	f->batch.nets = f->nets;
	f->batch.net_count = 1;
	statistics_init(&f->statistics);
	buffer_init(&f->sql, 65536, NULL, NULL);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	statistics_fini(&f->statistics);
	buffer_fini(&f->sql);
	free(f);
	return 0;
}

/* A batch that writes so many rows: whether the table is looked at before. */
static bool
looks(struct fixture *f, int64_t rows)
{
	buffer_reset(&f->sql);
	f->net.changes = rows;
	return statistics_put_look(&f->statistics, &f->batch, &f->sql);
}

static bool
analyzes(struct fixture *f)
{
	buffer_reset(&f->sql);
	return statistics_put_analyze(&f->statistics, &f->net, &f->sql);
}

static void
test_the_first_batch_looks(void **state)
{
	struct fixture *f = *state;

	assert_true(looks(f, 1));
	buffer_put_u8(&f->sql, '\0');
	assert_non_null(strstr((const char *) f->sql.data, "WHERE c.oid IN (4711)"));
	statistics_take(&f->statistics, 4711, 0, false);
	assert_false(analyzes(f));
	assert_false(looks(f, 1));
}

static void
test_what_a_large_first_batch_writes_counts(void **state)
{
	struct fixture *f = *state;

	assert_true(looks(f, 60000));
	statistics_take(&f->statistics, 4711, 0, false);
	assert_true(looks(f, 1));
}

static void
test_it_looks_again_when_the_table_may_have_doubled(void **state)
{
	struct fixture *f = *state;

	assert_true(looks(f, 1));
	statistics_take(&f->statistics, 4711, 100000, false);
	assert_false(looks(f, 60000));
	assert_false(looks(f, 40000));
	assert_true(looks(f, 1));
	statistics_take(&f->statistics, 4711, 0, false);
	assert_false(looks(f, STATISTICS_ROWS - 2));
	assert_false(looks(f, 1));
	assert_true(looks(f, 1));
}

static void
test_an_outgrown_table_is_analyzed_once(void **state)
{
	struct fixture *f = *state;

	assert_true(looks(f, 1));
	statistics_take(&f->statistics, 4711, 1, true);
	assert_true(analyzes(f));
	buffer_put_u8(&f->sql, '\0');
	assert_string_equal((const char *) f->sql.data, "ANALYZE \"public\".\"orders\" (\"id\")");
	assert_false(analyzes(f));
}

static void
test_partitioned_tables_are_left_alone(void **state)
{
	struct fixture *f = *state;

	f->table.target.partitioned = true;
	assert_false(looks(f, 1000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_first_batch_looks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_a_large_first_batch_writes_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_looks_again_when_the_table_may_have_doubled, set_up,
										tear_down),
		cmocka_unit_test_setup_teardown(test_an_outgrown_table_is_analyzed_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_partitioned_tables_are_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
