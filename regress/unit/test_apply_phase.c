#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream/apply_phase.h"

/* By phase, those that may follow it, in the enum's order. */
static const struct {
	enum apply_phase from;
	const char *next;
} legal[] = {
	/*               idle . merging . dropping . written . tidying . discarding
	 *                 beginning . holding . advancing . committing . rolling back . failed */
	{APPLY_IDLE, ".y.........."},		{APPLY_BEGINNING, "..y........y"},
	{APPLY_MERGING, "...y.....y.y"},	{APPLY_HOLDING, "....y.y..y.y"},
	{APPLY_DROPPING, ".....y...y.y"},	{APPLY_ADVANCING, "......y..y.y"},
	{APPLY_WRITTEN, "y......y.y.y"},	{APPLY_COMMITTING, "........yy.y"},
	{APPLY_TIDYING, "y..........y"},	{APPLY_ROLLING_BACK, "..........yy"},
	{APPLY_DISCARDING, ".y.........y"}, {APPLY_FAILED, "...........y"},
};

static void
test_transitions(void **state)
{
	(void) state;
	assert_int_equal(sizeof legal / sizeof *legal, APPLY_PHASES);
	for (size_t i = 0; i < sizeof legal / sizeof *legal; i++)
		for (int to = 0; to < APPLY_PHASES; to++)
			assert_int_equal(apply_phase_may_follow(legal[i].from, (enum apply_phase) to),
							 legal[i].next[to] == 'y');
}

/* A batch that is not done fails or is done again; nothing follows a failure. */
static void
test_every_phase_is_named_and_may_fail(void **state)
{
	(void) state;
	for (int from = 0; from < APPLY_PHASES; from++) {
		assert_non_null(apply_phase_name((enum apply_phase) from));
		assert_int_equal(apply_phase_may_follow((enum apply_phase) from, APPLY_FAILED), from != APPLY_IDLE);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_every_phase_is_named_and_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
