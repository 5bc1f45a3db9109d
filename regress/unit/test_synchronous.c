#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "servers/synchronous.h"

static const char *const others[] = {"s1", "S2", "walreceiver", "sluice"};

static void
check(const char *setting, enum synchronous expected)
{
	enum synchronous judged = synchronous_judge(setting, "sluice", others, 4);

	if (judged != expected)
		fail_msg("%s: %d instead of %d", setting, judged, expected);
}

static void
test_others_are_meant(void **state)
{
	(void) state;
	check("", SYNCHRONOUS_NOT);
	check("  ", SYNCHRONOUS_NOT);
	check("s1", SYNCHRONOUS_NOT);
	check("FIRST 2 (s1, s2)", SYNCHRONOUS_NOT);
	check("any 1 (s1, \"s l u i c e\")", SYNCHRONOUS_NOT);
	check("2 (sluice2, sluic)", SYNCHRONOUS_NOT);
	check("\"sluice\"\"\"", SYNCHRONOUS_NOT);
}

static void
test_we_are_meant(void **state)
{
	(void) state;
	check("*", SYNCHRONOUS_AWAITED);
	check("\"*\"", SYNCHRONOUS_AWAITED);
	check("sluice", SYNCHRONOUS_AWAITED);
	check("SLUICE,s1", SYNCHRONOUS_AWAITED);
	check("\"Sluice\"", SYNCHRONOUS_AWAITED);
	check("1(*)", SYNCHRONOUS_AWAITED);
	check("first 2 (s1, sluice)", SYNCHRONOUS_AWAITED);
	check("ANY 3 (sluice, s1, s2)", SYNCHRONOUS_AWAITED);
	/* Not connected: no help. */
	check("s9, sluice", SYNCHRONOUS_AWAITED);
	check("ANY 1 (s9, sluice)", SYNCHRONOUS_AWAITED);
	/* The same standby twice is one. */
	check("FIRST 2 (s1, s1, *)", SYNCHRONOUS_AWAITED);
	/* Words that elsewhere have a meaning. */
	check("\"any\", \"first\", sluice", SYNCHRONOUS_AWAITED);
	check("2, sluice", SYNCHRONOUS_AWAITED);
}

static void
test_others_are_enough(void **state)
{
	(void) state;
	check("s1, sluice", SYNCHRONOUS_POSSIBLE);
	check("s1,*", SYNCHRONOUS_POSSIBLE);
	check("FIRST 2 (s1, \"s2\", sluice)", SYNCHRONOUS_POSSIBLE);
	check("ANY 2 (sluice, s1, s2)", SYNCHRONOUS_POSSIBLE);
	check("ANY 1 (*)", SYNCHRONOUS_POSSIBLE);
	check("ANY 3 (*)", SYNCHRONOUS_POSSIBLE);
	check("ANY 4 (*)", SYNCHRONOUS_AWAITED);
}

static void
test_what_is_no_setting(void **state)
{
	static const char *const settings[] = {"sluice,",	",sluice",		"ANY (sluice)",	   "FIRST 1 sluice",
										   "1 (sluice", "1 (sluice) x", "\"sluice",		   "a-b",
										   "()",		"any, sluice",	"FIRST x (sluice)"};

	(void) state;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
		check(settings[i], SYNCHRONOUS_UNREADABLE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_are_meant),
		cmocka_unit_test(test_we_are_meant),
		cmocka_unit_test(test_others_are_enough),
		cmocka_unit_test(test_what_is_no_setting),
	};

	return cmocka_run_group_tests_name("synchronous", tests, NULL, NULL);
}
