/* The fuzzer's seeds, without the fuzzer: what once broke a reader stays fixed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <glob.h>

#include "regress/fuzz/fuzz_change.c"

static void
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data, *exact;
	size_t len;

	assert_non_null(file);
	data = malloc(LINE_BYTES);
	assert_non_null(data);
	len = fread(data, 1, LINE_BYTES, file);
	assert_int_equal(ferror(file), 0);
	fclose(file);
	exact = malloc(len ? len : 1);
	assert_non_null(exact);
	memcpy(exact, data, len);
	free(data);
	assert_int_equal(LLVMFuzzerTestOneInput(exact, len), 0);
	free(exact);
}

static void
test_seeds(void **state)
{
	glob_t seeds;

	(void) state;
	assert_int_equal(glob("regress/fuzz/seeds/change/*", 0, NULL, &seeds), 0);
	assert_true(seeds.gl_pathc >= 10);
	for (size_t i = 0; i < seeds.gl_pathc; i++)
		replay(seeds.gl_pathv[i]);
	globfree(&seeds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_seeds)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
