#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/printable.h"

/* NEL, CSI, ALM, RLO, PDI, line separator; and what only looks like them. */
static const char text[] = "a\xC2\x85"
						   "b\xC2\x9B"
						   "c\xD8\x9C"
						   "d\xE2\x80\xAE"
						   "e\xE2\x81\xA9"
						   "f\xE2\x80\xA8"
						   "é…→\xC2\xA0";
static const char escaped[] = "a\\u0085b\\u009bc\\u061cd\\u202ee\\u2069f\\u2028é…→\xC2\xA0";

static void
check(const char *given, const char *expected)
{
	struct buffer out;

	memory_buffer_init(&out);
	printable_put(&out, given, strlen(given));
	buffer_put_u8(&out, '\0');
	assert_string_equal((const char *) out.data, expected);
	buffer_fini(&out);
}

static void
test_output(void **state)
{
	(void) state;
	check(text, escaped);
	check("\033[2Jx\ty\nz\x7F\r", "\\u001b[2Jx\ty\nz\\u007f\\u000d");
	check("cut \xE2\x80", "cut \xE2\x80");
	check("", "");
}

static void
test_log(void **state)
{
	static const struct timespec moment = {0};
	char *line;

	(void) state;
	for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
		line = log_line(LOG_INFO, (enum log_format) format, &moment, NULL, text);
		assert_non_null(strstr(line, escaped));
		free(line);
	}
}

static void
test_sentence(void **state)
{
	struct error err;
	char sentence[ERROR_MESSAGE_MAX];

	(void) state;
	error_set(&err, ERROR_DATA, "%s", text);
	error_sentence(&err, sentence, sizeof sentence);
	assert_string_equal(sentence, escaped);
}

static void
test_json(void **state)
{
	struct buffer out;

	(void) state;
	memory_buffer_init(&out);
	json_string(&out, text);
	buffer_put_u8(&out, '\0');
	assert_non_null(strstr((const char *) out.data, escaped));
	buffer_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_sentence),
		cmocka_unit_test(test_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
