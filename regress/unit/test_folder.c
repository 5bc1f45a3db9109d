#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"

static void
check_mode(const char *path, mode_t mode, bool safe)
{
	struct error err;

	assert_int_equal(chmod(path, mode), 0);
	assert_int_equal(folder_check(path, &err), safe);
	if (!safe)
		assert_non_null(strstr(err.message, "everybody may replace files"));
}

static void
test_who_may_replace_files(void **state)
{
	char path[] = "/tmp/sluice_folder_XXXXXX";

	(void) state;
	assert_non_null(mkdtemp(path));
	check_mode(path, 0700, true);
	check_mode(path, 0750, true);
	check_mode(path, 01777, true);
	check_mode(path, 0777, false);
	check_mode(path, 0702, false);
	assert_int_equal(rmdir(path), 0);
}

static void
test_a_folder_that_is_not_there(void **state)
{
	struct error err;

	(void) state;
	assert_true(folder_check("/nonexistent/folder", &err));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may_replace_files),
		cmocka_unit_test(test_a_folder_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
