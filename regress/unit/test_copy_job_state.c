#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "copy/copy_job_state.h"

/* By state, those that may follow it, in the enum's order. */
static const struct {
	enum copy_job_state from;
	const char *next;
} legal[] = {
	/*                 idle . measuring . preparing . opening . copying part . ending . failed
	 *                   checking . claiming . copying . claiming part . claiming end . analyzing */
	{COPY_JOB_IDLE, ".y.....y....y"},		  {COPY_JOB_CHECKING, "y.yy........y"},
	{COPY_JOB_MEASURING, "...y........y"},	  {COPY_JOB_CLAIMING, "....y.......y"},
	{COPY_JOB_PREPARING, ".....yy.....y"},	  {COPY_JOB_COPYING, "..........y.y"},
	{COPY_JOB_OPENING, "y...........y"},	  {COPY_JOB_CLAIMING_PART, "........y...y"},
	{COPY_JOB_COPYING_PART, "y........y..y"}, {COPY_JOB_CLAIMING_END, "..........y.y"},
	{COPY_JOB_ENDING, "...........yy"},		  {COPY_JOB_ANALYZING, "y...........y"},
	{COPY_JOB_FAILED, "............."},
};

static void
test_transitions(void **state)
{
	(void) state;
	assert_int_equal(sizeof legal / sizeof *legal, COPY_JOB_STATES);
	for (size_t i = 0; i < sizeof legal / sizeof *legal; i++)
		for (int to = 0; to < COPY_JOB_STATES; to++)
			assert_int_equal(copy_job_may_follow(legal[i].from, (enum copy_job_state) to),
							 legal[i].next[to] == 'y');
}

/* A job never ends in a state that nothing leads out of, but for a failure, and none of them is without a name. */
static void
test_every_state_is_named_and_leads_back_to_idle(void **state)
{
	(void) state;
	for (int from = 0; from < COPY_JOB_STATES; from++) {
		bool reached[COPY_JOB_STATES] = {false};

		reached[from] = true;
		for (int round = 0; round < COPY_JOB_STATES; round++)
			for (int a = 0; a < COPY_JOB_STATES; a++)
				for (int b = 0; b < COPY_JOB_STATES; b++)
					reached[b] |=
						reached[a] && copy_job_may_follow((enum copy_job_state) a, (enum copy_job_state) b);
		assert_int_equal(reached[COPY_JOB_IDLE], from != COPY_JOB_FAILED);
		assert_non_null(copy_job_state_name((enum copy_job_state) from));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_every_state_is_named_and_leads_back_to_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
