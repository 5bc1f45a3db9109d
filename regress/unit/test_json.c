#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static void
assert_json(const char *text, const char *expected)
{
	struct buffer out;

	buffer_init(&out, 4096, NULL, NULL);
	json_string(&out, text);
	buffer_put_u8(&out, '\0');
	assert_string_equal((const char *) out.data, expected);
	buffer_fini(&out);
}

static void
test_plain_text_stands_between_quotes(void **state)
{
	(void) state;
	assert_json("", "\"\"");
	assert_json("public.orders", "\"public.orders\"");
	assert_json("é 漢 😀", "\"é 漢 😀\"");
}

static void
test_missing_text_is_null(void **state)
{
	(void) state;
	assert_json(NULL, "null");
}

static void
test_what_would_end_a_string_is_escaped(void **state)
{
	(void) state;
	assert_json("a\"b\\c", "\"a\\\"b\\\\c\"");
	assert_json("a\nb\tc\x01\x7f", "\"a\\u000ab\\u0009c\\u0001\\u007f\"");
}

static void
test_bytes_that_are_no_text_are_replaced(void **state)
{
	(void) state;
	assert_json("a\xff"
				"b",
				"\"a\xEF\xBF\xBD"
				"b\"");
	assert_json("cut \xE6\xBC", "\"cut \xEF\xBF\xBD\xEF\xBF\xBD\"");
	assert_json("\xC0\xAF", "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");				 /* overlong */
	assert_json("\xED\xA0\x80", "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""); /* a surrogate */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_text_stands_between_quotes),
		cmocka_unit_test(test_missing_text_is_null),
		cmocka_unit_test(test_what_would_end_a_string_is_escaped),
		cmocka_unit_test(test_bytes_that_are_no_text_are_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
