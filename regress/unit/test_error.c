#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/log.h"

static const char *
sentence(const struct error *err)
{
	static char text[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	error_sentence(err, text, sizeof(text));
	return text;
}

static void
test_set_replaces_everything(void **state)
{
	struct error err;

	(void) state;
	memset(&err, 'x', sizeof(err));
	assert_false(error_set(&err, ERROR_DATA, "table %s is gone", "a.b"));
	assert_int_equal(err.class, ERROR_DATA);
	assert_string_equal(err.message, "table a.b is gone");
	assert_string_equal(err.hint, "");
	assert_string_equal(err.sqlstate, "");
	error_clear(&err);
	assert_int_equal(err.class, ERROR_NONE);
	assert_string_equal(err.message, "");
}

static void
test_context_and_own_text_as_argument(void **state)
{
	struct error err;

	(void) state;
	error_set(&err, ERROR_DATA, "no room");
	strcpy(err.sqlstate, "53100");
	assert_false(error_hint(&err, "Make %s.", "room"));
	assert_false(error_context(&err, "merging into %s", "dw.orders"));
	assert_false(error_context(&err, "at LSN %s", "0/1"));
	assert_string_equal(err.message, "at LSN 0/1: merging into dw.orders: no room");
	assert_string_equal(err.hint, "Make room.");
	assert_string_equal(err.sqlstate, "53100");
	error_set(&err, ERROR_BUG, "again: %s", err.message);
	assert_string_equal(err.message, "again: at LSN 0/1: merging into dw.orders: no room");
}

/* 2,000 two-byte characters do not fit; the last one must not be cut in two. */
static void
test_long_text_is_cut_between_characters(void **state)
{
	char text[6001] = "";
	struct error err;

	(void) state;
	for (int i = 0; i < 3000; i++)
		memcpy(text + 2 * i, "\xC3\xA9", 2);
	error_set(&err, ERROR_DATA, "x%s", text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 1);
	error_set(&err, ERROR_DATA, "%s", text);
	assert_int_equal(strlen(err.message), ERROR_MESSAGE_MAX - 2);
	error_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), ERROR_HINT_MAX - 2);
	error_context(&err, "table %s", text);
	assert_int_equal(strncmp(err.message, "table \xC3\xA9", 8), 0);
	assert_true(strlen(err.message) < ERROR_MESSAGE_MAX);
}

static void
test_sentence(void **state)
{
	char clause[64];
	char tiny[8];
	struct error err;

	(void) state;
	error_set(&err, ERROR_DATA, "first\nsecond\tthird");
	assert_string_equal(sentence(&err), "first second third");
	error_hint(&err, "Set wal_level.");
	assert_string_equal(sentence(&err), "first second third; set wal_level.");
	error_hint(&err, "PostgreSQL 14 has it.");
	assert_string_equal(sentence(&err), "first second third; PostgreSQL 14 has it.");
	error_hint(&err, "Greenplum 6 lacks it.");
	assert_string_equal(sentence(&err), "first second third; Greenplum 6 lacks it.");
	error_hint(&err, "DROP it.");
	assert_string_equal(sentence(&err), "first second third; DROP it.");
	error_clause(&err, clause, sizeof(clause));
	assert_string_equal(clause, "first second third; DROP it");
	error_sentence(&err, tiny, sizeof(tiny));
	assert_string_equal(tiny, "first s");
}

static void
test_exit_status(void **state)
{
	static const int expected[] = {
		[ERROR_NONE] = 0,	 [ERROR_RETRY] = 1,	  [ERROR_CONFIG] = 2,	[ERROR_PRECONDITION] = 3,
		[ERROR_DATA] = 1,	 [ERROR_BUG] = 1,	  [ERROR_REPLACED] = 1, [ERROR_STOPPED] = 1,
		[ERROR_RESTART] = 1, [ERROR_REFUSED] = 1,
	};
	struct error err = {0};

	(void) state;
	for (int class = ERROR_NONE; class <= ERROR_STOPPED; class ++) {
		err.class = (enum error_class) class;
		assert_int_equal(error_exit_status(&err), expected[class]);
	}
}

/* 2026-03-01 03:00:12.345678 UTC */
static const struct timespec moment = {1772334012, 345678000};

static void
check_line(enum log_level level, enum log_format format, const char *message, const char *expected)
{
	char *line = log_line(level, format, &moment, NULL, message);

	assert_string_equal(line, expected);
	free(line);
}

static void
test_text_lines(void **state)
{
	(void) state;
	check_line(LOG_INFO, LOG_TEXT, "copied a", "2026-03-01 03:00:12.345 UTC info    copied a\n");
	check_line(LOG_WARNING, LOG_TEXT, "a\nb\"\\", "2026-03-01 03:00:12.345 UTC warning a b\"\\\n");
	check_line(LOG_ERROR, LOG_TEXT, "\xE2\x82\xAC \xFF.",
			   "2026-03-01 03:00:12.345 UTC error   \xE2\x82\xAC \xEF\xBF\xBD.\n");
}

static void
test_json_lines(void **state)
{
	(void) state;
	check_line(LOG_DEBUG, LOG_JSON, "a \"b\" \\ \n\x01\x7F \xE2\x82\xAC \xE2\x82",
			   "{\"time\":\"2026-03-01T03:00:12.345Z\",\"level\":\"debug\",\"message\":"
			   "\"a \\\"b\\\" \\\\ \\u000a\\u0001\\u007f \xE2\x82\xAC \xEF\xBF\xBD\xEF\xBF\xBD\"}\n");
	check_line(LOG_ERROR, LOG_JSON, "",
			   "{\"time\":\"2026-03-01T03:00:12.345Z\",\"level\":\"error\",\"message\":\"\"}\n");
}

static void
check_about(const struct log_about *about, const char *expected)
{
	char *line = log_line(LOG_INFO, LOG_JSON, &moment, about, "m");
	char *text = log_line(LOG_INFO, LOG_TEXT, &moment, about, "m");

	assert_non_null(strstr(line, expected));
	assert_string_equal(text, "2026-03-01 03:00:12.345 UTC info    m\n");
	free(line);
	free(text);
}

static void
test_what_a_line_is_about(void **state)
{
	struct log_about about = {.schema = "public", .table = "or\"ders", .lsn = UINT64_C(0x100000010)};
	struct error err;

	(void) state;
	check_about(&about,
				"\"level\":\"info\",\"table\":\"public.or\\\"ders\",\"lsn\":\"1/10\",\"message\":\"m\"}");
	error_set(&err, ERROR_DATA, "x");
	about = log_about_error(&err);
	check_about(&about, "\"level\":\"info\",\"message\":\"m\"}");
	strcpy(err.sqlstate, "23505");
	error_about_table(&err, "sales", "returns");
	error_about_table(&err, "an", "outer");
	error_about_lsn(&err, 16);
	error_about_lsn(&err, 17);
	about = log_about_error(&err);
	check_about(&about, ",\"table\":\"sales.returns\",\"lsn\":\"0/10\",\"sqlstate\":\"23505\",");
	error_set(&err, ERROR_DATA, "another");
	assert_string_equal(err.about, "");
	assert_true(err.lsn == 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set_replaces_everything),
		cmocka_unit_test(test_context_and_own_text_as_argument),
		cmocka_unit_test(test_long_text_is_cut_between_characters),
		cmocka_unit_test(test_sentence),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_text_lines),
		cmocka_unit_test(test_json_lines),
		cmocka_unit_test(test_what_a_line_is_about),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
