#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "merge/stagings.h"

/* A transaction that uses the staging tables of the shapes from..to; what it drops. */
static void
check_transaction(struct stagings *s, unsigned from, unsigned to, const char *expected)
{
	struct buffer sql;

	buffer_init(&sql, 65536, NULL, NULL);
	for (unsigned number = from; number <= to; number++) {
		struct staging *staging = stagings_of(s, number);

		staging->keys_made = staging->keys_used = true;
	}
	assert_int_equal(stagings_put_drop(s, 100, &sql), expected[0] != '\0');
	buffer_put_u8(&sql, '\0');
	assert_string_equal((const char *) sql.data, expected);
	stagings_committed(s);
	buffer_fini(&sql);
}

static void
test_the_oldest_go(void **state)
{
	struct stagings s;

	(void) state;
	stagings_init(&s);
	check_transaction(&s, 1, STAGINGS_KEPT, "");
	check_transaction(&s, 1, 3, "");
	/* Not the first three, which were used again. */
	check_transaction(&s, 100, 100, "DROP TABLE pg_temp.sluice_keys_4");
	assert_false(stagings_of(&s, 4)->keys_made);
	assert_true(stagings_of(&s, 1)->keys_made);
	assert_false(stagings_of(&s, 1)->keys_used);
	/* A shape that came back is the youngest. */
	check_transaction(&s, 4, 4, "DROP TABLE pg_temp.sluice_keys_5");
	stagings_fini(&s);
}

static void
test_more_than_are_kept_in_one_transaction(void **state)
{
	struct stagings s;

	(void) state;
	stagings_init(&s);
	for (int i = 0; i < 3; i++) {
		struct buffer sql;
		unsigned dropped = 0;

		buffer_init(&sql, 65536, NULL, NULL);
		for (unsigned number = 1; number <= 5 * STAGINGS_KEPT; number++) {
			struct staging *staging = stagings_of(&s, number);

			staging->rows_made = staging->rows_used = true;
			staging->counts_made = staging->counts_used = true;
		}
		assert_true(stagings_put_drop(&s, 100, &sql));
		stagings_committed(&s);
		for (unsigned number = 1; number <= 5 * STAGINGS_KEPT; number++)
			dropped += !s.all[number].rows_made && !s.all[number].counts_made;
		assert_int_equal(dropped, 4 * STAGINGS_KEPT);
		assert_int_equal(s.made_count, STAGINGS_KEPT);
		buffer_fini(&sql);
	}
	stagings_fini(&s);
}

/* Merges that need none, and so most of them, are not to be remembered. */
static void
test_none_made(void **state)
{
	struct stagings s;
	struct buffer sql;

	(void) state;
	stagings_init(&s);
	buffer_init(&sql, 65536, NULL, NULL);
	for (unsigned number = 1; number < 1000; number++)
		stagings_of(&s, number);
	assert_false(stagings_put_drop(&s, 100, &sql));
	assert_int_equal(sql.len, 0);
	assert_int_equal(s.made_count, 0);
	buffer_fini(&sql);
	stagings_fini(&s);
}

/* Also one that every transaction uses. */
static void
test_none_lives_long(void **state)
{
	struct stagings s;
	struct buffer sql;

	(void) state;
	stagings_init(&s);
	buffer_init(&sql, 65536, NULL, NULL);
	for (int64_t now_s = 100; now_s < 100 + 2 * STAGING_LIFE_S; now_s += 60) {
		struct staging *staging = stagings_of(&s, 7);

		staging->rows_made = staging->rows_used = true;
		assert_int_equal(stagings_put_drop(&s, now_s, &sql), now_s == 100 + STAGING_LIFE_S);
		stagings_committed(&s);
		assert_int_equal(stagings_of(&s, 7)->rows_made, now_s != 100 + STAGING_LIFE_S);
		assert_int_equal(s.made_count, now_s != 100 + STAGING_LIFE_S);
	}
	buffer_put_u8(&sql, '\0');
	assert_string_equal((const char *) sql.data, "DROP TABLE pg_temp.sluice_rows_7");
	buffer_fini(&sql);
	stagings_fini(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_go),
		cmocka_unit_test(test_more_than_are_kept_in_one_transaction),
		cmocka_unit_test(test_none_made),
		cmocka_unit_test(test_none_lives_long),
	};

	return cmocka_run_group_tests_name("stagings", tests, NULL, NULL);
}
