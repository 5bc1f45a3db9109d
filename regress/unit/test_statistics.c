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
	return statistics_put_query(&f->statistics, &f->batch, &f->sql);
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
test_one_that_stays_outgrown_is_looked_at_ever_less(void **state)
{
	struct fixture *f = *state;

	assert_true(looks(f, STATISTICS_ROWS));
	statistics_take(&f->statistics, 4711, 0, true);
	assert_true(looks(f, STATISTICS_ROWS));
	statistics_take(&f->statistics, 4711, 0, true);
	assert_false(looks(f, STATISTICS_ROWS));
	assert_true(looks(f, STATISTICS_ROWS));
}

/* Those that find no room come with the next batch. */
static void
test_a_batch_does_not_look_at_very_many(void **state)
{
	enum { TABLES = 800 };
	struct fixture *f = *state;
	struct table *tables = calloc(TABLES, sizeof *tables);
	struct shape *shapes = calloc(TABLES, sizeof *shapes);
	struct net_change *nets = calloc(TABLES, sizeof *nets);
	struct net_change *all[TABLES];
	unsigned looked = 0;

	for (unsigned i = 0; i < TABLES; i++) {
		tables[i].target.oid = 20000 + i;
		shapes[i].table = &tables[i];
		nets[i].shape = &shapes[i];
		nets[i].changes = 1;
		all[i] = &nets[i];
	}
	f->batch.nets = all;
	f->batch.net_count = TABLES;
	for (int batch = 0; batch < 2; batch++) {
		char *at;

		buffer_reset(&f->sql);
		assert_true(statistics_put_query(&f->statistics, &f->batch, &f->sql));
		buffer_put_u8(&f->sql, '\0');
		at = strstr((char *) f->sql.data, " IN (") + strlen(" IN (");
		for (; *at != '\0'; at += strspn(at, ", )"), looked++)
			statistics_take(&f->statistics, (uint32_t) strtoul(at, &at, 10), 0, false);
		assert_int_equal(looked, batch == 0 ? 500 : TABLES);
	}
	assert_false(statistics_put_query(&f->statistics, &f->batch, &f->sql));
	free(nets);
	free(shapes);
	free(tables);
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
		cmocka_unit_test_setup_teardown(test_one_that_stays_outgrown_is_looked_at_ever_less, set_up,
										tear_down),
		cmocka_unit_test_setup_teardown(test_a_batch_does_not_look_at_very_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_partitioned_tables_are_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("statistics", tests, NULL, NULL);
}
