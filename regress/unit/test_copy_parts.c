#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "copy/copy_parts.h"

#define MB ((int64_t) 1 << 20)

/* Every block is in exactly one part, and so is whatever comes after the last. */
static void
assert_covers(const struct copy_part *parts, unsigned count, const struct copy_leaf *leaf)
{
	uint32_t next = 0;

	for (unsigned i = 0; i < count; i++) {
		assert_ptr_equal(parts[i].leaf, leaf);
		assert_int_equal(parts[i].first, next);
		if (i + 1 < count)
			assert_true(parts[i].end > parts[i].first);
		next = parts[i].end;
	}
	assert_int_equal(next, 0);
}

static void
test_ranges_cover_a_table(void **state)
{
	static const int64_t blocks[] = {2, 3, 7, 8, 100, 1023, 16384, 4294967294};

	(void) state;
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
		struct copy_leaf leaf = {.blocks = blocks[i], .bytes = blocks[i] * 8192};
		struct copy_parts parts;

		copy_parts_init(&parts, &leaf, 1, leaf.bytes / 5);
		assert_true(parts.count >= 2 && parts.count <= 6);
		assert_covers(parts.parts, parts.count, &leaf);
		assert_true(parts.parts[parts.count - 1].first < blocks[i]);
		copy_parts_fini(&parts);
	}
}

/* Most of its bytes are elsewhere: the few blocks refer to them. */
static void
test_toast_counts(void **state)
{
	struct copy_leaf leaf = {.blocks = 20, .bytes = 100 * MB};
	struct copy_parts parts;

	(void) state;
	copy_parts_init(&parts, &leaf, 1, 10 * MB);
	assert_int_equal(parts.count, 10);
	assert_covers(parts.parts, parts.count, &leaf);
	copy_parts_fini(&parts);
	copy_parts_init(&parts, &leaf, 1, MB);
	assert_int_equal(parts.count, 20);
	assert_covers(parts.parts, parts.count, &leaf);
	copy_parts_fini(&parts);
}

static void
test_what_cannot_be_divided_is_one_part(void **state)
{
	struct copy_leaf leaves[] = {
		{.blocks = -1, .bytes = 100 * MB},	{.blocks = 0, .bytes = 0},
		{.blocks = 1, .bytes = 30 * MB},	{.blocks = 128, .bytes = MB},
		{.blocks = 1280, .bytes = 10 * MB},
	};
	struct copy_parts parts;

	(void) state;
	copy_parts_init(&parts, leaves, 5, 5 * MB);
	assert_int_equal(parts.count, 6);
	for (unsigned i = 0; i < 4; i++)
		assert_covers(&parts.parts[i], 1, &leaves[i]);
	assert_covers(&parts.parts[4], 2, &leaves[4]);
	copy_parts_fini(&parts);
}

static void
test_part_size(void **state)
{
	(void) state;
	assert_int_equal(copy_part_bytes(100 * MB, 4, 32 * MB), 32 * MB);
	assert_int_equal(copy_part_bytes(3200 * MB, 4, 32 * MB), 100 * MB);
	assert_int_equal(copy_part_bytes(10000000 * MB, 4, 32 * MB), 1024 * MB);
	assert_int_equal(copy_part_bytes(10000000 * MB, 4, 2048 * MB), 2048 * MB);
}

static void
test_only_large_tables_are_divided(void **state)
{
	(void) state;
	assert_true(copy_is_divisible(100 * MB, 120 * MB, 4, 32 * MB));
	assert_true(copy_is_divisible(40 * MB, 120 * MB, 4, 32 * MB));
	assert_false(copy_is_divisible(30 * MB, 120 * MB, 4, 32 * MB));
	assert_false(copy_is_divisible(20 * MB, 20 * MB, 4, 32 * MB));
	assert_false(copy_is_divisible(100 * MB, 120 * MB, 1, 32 * MB));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_cover_a_table),
		cmocka_unit_test(test_toast_counts),
		cmocka_unit_test(test_what_cannot_be_divided_is_one_part),
		cmocka_unit_test(test_part_size),
		cmocka_unit_test(test_only_large_tables_are_divided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
