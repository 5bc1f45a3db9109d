#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/session_state.h"

/* By state, those that may follow it, in the enum's order. */
static const struct {
	enum session_state from;
	const char *next;
} legal[] = {
	/*                      connecting standby preparing copying streaming paused retrying stopped failed */
	{SESSION_CONNECTING, "yyy...yyy"}, {SESSION_STANDBY, "y.....yyy"},	 {SESSION_PREPARING, "y..yy.yyy"},
	{SESSION_COPYING, "y...y.yyy"},	   {SESSION_STREAMING, "y....yyyy"}, {SESSION_PAUSED, "y...y.yyy"},
	{SESSION_RETRYING, "y......yy"},   {SESSION_STOPPED, "........."},	 {SESSION_FAILED, "........."},
};

static void
test_transitions(void **state)
{
	(void) state;
	assert_int_equal(sizeof legal / sizeof *legal, SESSION_STATES);
	for (size_t i = 0; i < sizeof legal / sizeof *legal; i++)
		for (int to = 0; to < SESSION_STATES; to++)
			assert_int_equal(session_may_follow(legal[i].from, (enum session_state) to),
							 legal[i].next[to] == 'y');
}

/* Whatever goes wrong can be said of it, and none of them is without a name. */
static void
test_every_state_is_left_and_named(void **state)
{
	(void) state;
	for (int from = 0; from < SESSION_STATES; from++) {
		bool over = from == SESSION_STOPPED || from == SESSION_FAILED;

		assert_non_null(session_state_name((enum session_state) from));
		assert_int_equal(session_may_follow((enum session_state) from, SESSION_FAILED), !over);
		assert_int_equal(session_may_follow((enum session_state) from, SESSION_STOPPED), !over);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_transitions),
		cmocka_unit_test(test_every_state_is_left_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
