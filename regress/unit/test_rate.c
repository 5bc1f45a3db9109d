#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/rate.h"

#define MB (1024 * 1024)

/* How many bytes pass in `ms`, in pieces, by one who looks at every millisecond. */
static int64_t
passed(struct rate *rate, int64_t bytes_per_s, size_t piece, int64_t from_ms, int64_t ms)
{
	int64_t bytes = 0;

	for (int64_t now = from_ms; now < from_ms + ms; now++)
		while (rate_wait_ms(rate, bytes_per_s, now) == 0) {
			rate_take(rate, bytes_per_s, piece, now);
			bytes += (int64_t) piece;
		}
	return bytes;
}

static void
test_holds_the_rate(void **state)
{
	static const size_t pieces[] = {1, 100, 8192, 300 * 1024};

	(void) state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		struct rate rate = {0};
		int64_t bytes = passed(&rate, MB, pieces[i], 1000, 10000);

		/* What may come at once, and the last piece. */
		assert_in_range((uint64_t) bytes, 10 * MB - MB / 10,
						10 * MB + MB / 10 + (int64_t) pieces[i] + MB / 1000);
	}
}

static void
test_a_rest_gives_no_more_than_a_tenth(void **state)
{
	struct rate rate = {0};

	(void) state;
	(void) passed(&rate, MB, 1000, 0, 1000);
	assert_in_range((uint64_t) passed(&rate, MB, 1000, 3600 * 1000, 1), MB / 10 - 1000, MB / 10 + 2000);
}

static void
test_a_piece_that_is_too_large_is_paid_for_afterwards(void **state)
{
	struct rate rate = {0};

	(void) state;
	assert_int_equal(rate_wait_ms(&rate, MB, 0), 0);
	rate_take(&rate, MB, 10 * MB, 0);
	assert_in_range((uint64_t) rate_wait_ms(&rate, MB, 0), 9800, 10000);
	assert_in_range((uint64_t) rate_wait_ms(&rate, MB, 9000), 800, 1000);
	assert_int_equal(rate_wait_ms(&rate, MB, 10000), 0);
}

/* A change of the rate counts from then on, also for what is owed. */
static void
test_the_rate_changes(void **state)
{
	struct rate rate = {0};

	(void) state;
	rate_take(&rate, MB, 10 * MB, 0);
	assert_in_range((uint64_t) rate_wait_ms(&rate, 100 * MB, 0), 90, 110);
	assert_int_equal(rate_wait_ms(&rate, 0, 0), 0);
	assert_int_equal(rate_wait_ms(&rate, MB, 0), 0);
}

static void
test_unlimited_owes_nothing(void **state)
{
	struct rate rate = {0};

	(void) state;
	for (int i = 0; i < 100; i++)
		rate_take(&rate, 0, 1000 * MB, i);
	assert_int_equal(rate_wait_ms(&rate, 0, 100), 0);
	/* … nor when a limit comes. */
	assert_int_equal(rate_wait_ms(&rate, 1024, 100), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holds_the_rate),
		cmocka_unit_test(test_a_rest_gives_no_more_than_a_tenth),
		cmocka_unit_test(test_a_piece_that_is_too_large_is_paid_for_afterwards),
		cmocka_unit_test(test_the_rate_changes),
		cmocka_unit_test(test_unlimited_owes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
