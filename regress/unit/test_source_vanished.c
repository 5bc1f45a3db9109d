#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "servers/source_vanished.h"

static void
fail_with(struct error *err, const char *sqlstate)
{
	error_set(err, ERROR_DATA, "source: cache lookup failed for type 16400");
	memcpy(err->sqlstate, sqlstate, 6);
}

static void
test_what_vanished_leads_to_a_restart(void **state)
{
	struct error err;

	(void) state;
	fail_with(&err, "XX000");
	source_restart_if_vanished(&err);
	assert_int_equal(err.class, ERROR_RESTART);
	assert_string_equal(err.message,
						"tables or types were dropped while the catalogs were read: starting over");
	assert_string_equal(err.hint, "The server said: source: cache lookup failed for type 16400.");
}

static void
test_other_errors_stay(void **state)
{
	struct error err;

	(void) state;
	fail_with(&err, "42501");
	source_restart_if_vanished(&err);
	assert_int_equal(err.class, ERROR_DATA);
	assert_string_equal(err.message, "source: cache lookup failed for type 16400");
	fail_with(&err, "XX000");
	err.class = ERROR_RETRY;
	source_restart_if_vanished(&err);
	assert_int_equal(err.class, ERROR_RETRY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_vanished_leads_to_a_restart),
		cmocka_unit_test(test_other_errors_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
