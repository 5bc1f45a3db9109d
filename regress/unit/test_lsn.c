#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/lsn.h"

static const struct {
	uint64_t lsn;
	const char *text;
} lsns[] = {
	{0, "0/0"},
	{1, "0/1"},
	{UINT64_C(0x16B374D848), "16/B374D848"},
	{UINT64_C(0x100000000), "1/0"},
	{UINT64_MAX, "FFFFFFFF/FFFFFFFF"},
};

static void
test_both_ways(void **state)
{
	char text[LSN_TEXT_BYTES];
	uint64_t lsn;

	(void) state;
	for (size_t i = 0; i < sizeof lsns / sizeof *lsns; i++) {
		assert_ptr_equal(lsn_format(lsns[i].lsn, text), text);
		assert_string_equal(text, lsns[i].text);
		lsn = ~lsns[i].lsn;
		assert_true(lsn_parse(lsns[i].text, &lsn));
		assert_true(lsn == lsns[i].lsn);
	}
}

static void
test_other_notations(void **state)
{
	uint64_t lsn;

	(void) state;
	assert_true(lsn_parse("0000000a/0b", &lsn));
	assert_true(lsn == UINT64_C(0xA0000000B));
	assert_true(lsn_parse("abcDEF01/00000000", &lsn));
	assert_true(lsn == UINT64_C(0xABCDEF0100000000));
}

static void
test_what_is_no_lsn(void **state)
{
	static const char *const texts[] = {
		"",	   "/",			  "0",			 "0/",	 "/0",	 "0/0 ",  " 0/0", "0/0/0", "0/x",
		"x/0", "000000000/0", "0/000000000", "-1/0", "0/-1", "0x1/0", "+1/0", "1 /0",  "current",
	};
	uint64_t lsn = 77;

	(void) state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_false(lsn_parse(texts[i], &lsn));
		assert_true(lsn == 77);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_other_notations),
		cmocka_unit_test(test_what_is_no_lsn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
