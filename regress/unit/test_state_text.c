#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/sql.h"
#include "state/state_text.h"

static int
setup(void **state)
{
	static struct arena memory;

	arena_init(&memory, 1024);
	*state = &memory;
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(*state);
	return 0;
}

static void
check(void **state, const char *text, const char *stored)
{
	assert_string_equal(state_text_stored(*state, text), stored);
	assert_string_equal(state_text_read(*state, stored), text);
}

static void
test_letters_beyond_ascii(void **state)
{
	state_text_use("LATIN1");
	check(state, "plain \\ text {}", "plain \\ text {}");
	check(state, "\xc2\x80 \xc3\xa4", "\\u{80} \\u{e4}");
	check(state, "\xe6\x97\xa5x", "\\u{65e5}x");
	check(state, "\xf0\x9f\x98\x80", "\\u{1f600}");
	check(state, "\xef\xbf\xbf\xf4\x8f\xbf\xbf", "\\u{ffff}\\u{10ffff}");
	assert_null(state_text_stored(*state, NULL));
	assert_null(state_text_read(*state, NULL));
}

static void
test_a_text_that_looks_stored(void **state)
{
	state_text_use("LATIN1");
	check(state, "\\u{e4}", "\\u{5c}u{e4}");
	check(state, "\\u{", "\\u{5c}u{");
	check(state, "\\\\u{5c}", "\\\\u{5c}u{5c}");
}

/* By an earlier version, or by hand. */
static void
test_other_texts_are_read_as_they_are(void **state)
{
	static const char *const others[] = {"\xe4",   "\xc3\xa4", "\\u{}",		  "\\u{0}",
										 "\\u{e4", "\\u{E4}",  "\\u{110000}", "\\u{1234567}"};

	state_text_use("LATIN1");
	for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
		assert_string_equal(state_text_read(*state, others[i]), others[i]);
	assert_string_equal(state_text_stored(*state, "a\xe4z"), "a\xe4z");
}

static void
test_encodings_that_take_everything(void **state)
{
	static const char *const encodings[] = {"UTF8", "SQL_ASCII"};

	for (unsigned i = 0; i < 2; i++) {
		state_text_use(encodings[i]);
		check(state, "\xc3\xa4", "\xc3\xa4");
		check(state, "\\u{e4}", "\\u{e4}");
	}
}

static void
test_literals(void **state)
{
	struct buffer sql;

	(void) state;
	sql_init(&sql);
	state_text_use("WIN1252");
	state_text_put(&sql, "\xc3\xa4'");
	state_text_put(&sql, NULL);
	assert_string_equal(sql_text(&sql), " E'\\\\u{e4}'''NULL");
	buffer_fini(&sql);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_letters_beyond_ascii, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_text_that_looks_stored, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_texts_are_read_as_they_are, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encodings_that_take_everything, setup, teardown),
		cmocka_unit_test_setup_teardown(test_literals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
