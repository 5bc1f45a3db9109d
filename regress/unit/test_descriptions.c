#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tables/descriptions.h"

static void
add(struct descriptions *d, uint32_t number, uint32_t oid, uint8_t flags)
{
	const struct change_relation relation = {.number = number, .oid = oid, .flags = flags};

	descriptions_add(d, &relation);
}

static void
test_replaced_ones_are_known(void **state)
{
	struct descriptions d;

	(void) state;
	descriptions_init(&d);
	for (uint32_t i = 1; i <= 1000; i++)
		add(&d, i, 16384 + i, 0);
	assert_int_equal(d.replaced_count, 0);
	add(&d, 1001, 16384 + 7, 0);
	add(&d, 1002, 16384 + 7, RELATION_TEXT);
	add(&d, 1003, 16384 + 1000, 0);
	assert_int_equal(d.replaced_count, 3);
	assert_int_equal(d.replaced[0], 7);
	assert_int_equal(d.replaced[1], 1001);
	assert_int_equal(d.replaced[2], 1000);
	descriptions_fini(&d);
}

/* The descriptions of a partitioned table's leaves alternate. */
static void
test_partitioned_tables_keep_theirs(void **state)
{
	struct descriptions d;

	(void) state;
	descriptions_init(&d);
	add(&d, 1, 16384, RELATION_PARTITIONED);
	assert_int_equal(d.kept_bytes, 0);
	add(&d, 2, 16384, RELATION_PARTITIONED);
	assert_int_equal(d.replaced_count, 0);
	assert_int_equal(d.kept_bytes, sizeof(struct change_relation));
	descriptions_add(&d, &(struct change_relation){.number = 3,
												   .oid = 16384,
												   .flags = RELATION_PARTITIONED,
												   .column_count = 10,
												   .leaf_count = 1000});
	assert_true(d.kept_bytes > 4000 + 10 * sizeof(struct change_column));
	descriptions_fini(&d);
}

static bool
is_latest(const struct descriptions *d, uint32_t number, uint32_t oid)
{
	const struct change_relation relation = {.number = number, .oid = oid};

	return descriptions_is_latest(d, &relation);
}

static void
test_the_last_one_of_each_table_is_known(void **state)
{
	struct descriptions d;

	(void) state;
	descriptions_init(&d);
	add(&d, 1, 16384, 0);
	add(&d, 2, 16385, RELATION_PARTITIONED);
	assert_true(is_latest(&d, 1, 16384));
	assert_true(is_latest(&d, 2, 16385));
	add(&d, 3, 16384, 0);
	add(&d, 4, 16385, RELATION_PARTITIONED);
	assert_false(is_latest(&d, 1, 16384));
	assert_true(is_latest(&d, 3, 16384));
	assert_false(is_latest(&d, 2, 16385));
	assert_true(is_latest(&d, 4, 16385));
	assert_false(is_latest(&d, 5, 16386));
	descriptions_fini(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced_ones_are_known),
		cmocka_unit_test(test_partitioned_tables_keep_theirs),
		cmocka_unit_test(test_the_last_one_of_each_table_is_known),
	};

	return cmocka_run_group_tests_name("descriptions", tests, NULL, NULL);
}
