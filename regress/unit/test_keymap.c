#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "base/keymap.h"

struct fixture {
	struct arena arena;
	struct keymap map;
};

static int
setup(void **state)
{
	static struct fixture fixture;

	arena_init(&fixture.arena, 1 << 16);
	keymap_init(&fixture.map);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	keymap_fini(&f->map);
	arena_fini(&f->arena);
	return 0;
}

static uint32_t
insert(struct fixture *f, const void *key, uint32_t len, bool expect_found)
{
	bool found = !expect_found;
	uint32_t index = keymap_insert(&f->map, &f->arena, key, len, &found);

	assert_int_equal(found, expect_found);
	return index;
}

static void
test_empty_map_finds_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(keymap_find(&f->map, "a", 1), KEYMAP_NONE);
	assert_int_equal(keymap_find(&f->map, NULL, 0), KEYMAP_NONE);
	assert_int_equal(keymap_count(&f->map), 0);
	assert_int_equal(keymap_bytes(&f->map), 0);
	keymap_clear(&f->map);
}

static void
test_indexes_follow_insertion(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(insert(f, "b", 1, false), 0);
	assert_int_equal(insert(f, "a", 1, false), 1);
	assert_int_equal(insert(f, "b", 1, true), 0);
	assert_int_equal(insert(f, "c", 1, false), 2);
	assert_int_equal(keymap_count(&f->map), 3);
	assert_int_equal(keymap_find(&f->map, "a", 1), 1);
	assert_int_equal(keymap_find(&f->map, "d", 1), KEYMAP_NONE);
	assert_int_equal(keymap_key(&f->map, 2)->len, 1);
	assert_memory_equal(keymap_key(&f->map, 2)->ptr, "c", 1);
}

static void
test_zero_length_key_is_a_key(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(insert(f, "\0", 1, false), 0);
	assert_int_equal(insert(f, NULL, 0, false), 1);
	assert_int_equal(insert(f, "", 0, true), 1);
	assert_int_equal(keymap_find(&f->map, NULL, 0), 1);
	assert_int_equal(keymap_find(&f->map, "\0", 1), 0);
	assert_int_equal(keymap_find(&f->map, "\0\0", 2), KEYMAP_NONE);
	assert_int_equal(keymap_key(&f->map, 1)->len, 0);
}

/* The key's bytes must be copied: the caller's buffer is used again. */
static void
test_prefixes_differ_and_bytes_are_copied(void **state)
{
	struct fixture *f = *state;
	char key[301];

	for (uint32_t len = 0; len < sizeof(key); len++) {
		memset(key, 'k', len);
		assert_int_equal(insert(f, key, len, false), len);
	}
	memset(key, 'z', sizeof(key));
	for (uint32_t len = 1; len < sizeof(key); len++)
		assert_int_equal(keymap_find(&f->map, key, len), KEYMAP_NONE);
	memset(key, 'k', sizeof(key));
	for (uint32_t len = 0; len < sizeof(key); len++)
		assert_int_equal(keymap_find(&f->map, key, len), len);
}

static int
compare_uint32(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

/* How many keys 0 .. count-1 share the 32 bits of hash that the map keeps. */
static unsigned
collisions(uint32_t count)
{
	uint32_t *hashes = malloc(count * sizeof(*hashes));
	unsigned found = 0;

	assert_non_null(hashes);
	for (uint32_t i = 0; i < count; i++) {
		XXH64_hash_t hash = XXH3_64bits(&i, sizeof(i));

		hashes[i] = (uint32_t) (hash ^ hash >> 32);
	}
	qsort(hashes, count, sizeof(*hashes), compare_uint32);
	for (uint32_t i = 1; i < count; i++)
		found += hashes[i] == hashes[i - 1];
	free(hashes);
	return found;
}

static void
test_a_million_keys_with_collisions(void **state)
{
	struct fixture *f = *state;
	const uint32_t count = 1000000;

	/* Without any the test would not show that bytes are compared. */
	assert_true(collisions(count) > 10);
	for (uint32_t i = 0; i < count; i++)
		if (insert(f, &i, sizeof(i), false) != i)
			fail_msg("key %u got another index", i);
	for (uint32_t i = 0; i < count; i++)
		if (keymap_find(&f->map, &i, sizeof(i)) != i ||
			memcmp(keymap_key(&f->map, i)->ptr, &i, sizeof(i)) != 0)
			fail_msg("key %u is lost", i);
	for (uint32_t i = count; i < 2 * count; i++)
		if (keymap_find(&f->map, &i, sizeof(i)) != KEYMAP_NONE)
			fail_msg("key %u was never inserted", i);
	assert_int_equal(keymap_count(&f->map), count);
	assert_true(keymap_bytes(&f->map) >= count * (8 + sizeof(struct keymap_key)));
	assert_true(keymap_bytes(&f->map) <= count * 64);
}

static void
test_clear_keeps_memory_that_was_used(void **state)
{
	struct fixture *f = *state;
	size_t bytes;

	for (uint32_t i = 0; i < 100000; i++)
		insert(f, &i, sizeof(i), false);
	bytes = keymap_bytes(&f->map);
	keymap_clear(&f->map);
	arena_reset(&f->arena);
	assert_int_equal(keymap_count(&f->map), 0);
	assert_int_equal(keymap_bytes(&f->map), bytes);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(keymap_find(&f->map, &i, sizeof(i)), KEYMAP_NONE);
	assert_int_equal(insert(f, "x", 1, false), 0);
}

static void
test_clear_gives_back_memory_that_was_not(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 0; i < 100000; i++)
		insert(f, &i, sizeof(i), false);
	keymap_clear(&f->map);
	for (uint32_t i = 0; i < 10; i++)
		insert(f, &i, sizeof(i), false);
	keymap_clear(&f->map);
	assert_int_equal(keymap_bytes(&f->map), 0);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(insert(f, &i, sizeof(i), false), i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty_map_finds_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_indexes_follow_insertion, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zero_length_key_is_a_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prefixes_differ_and_bytes_are_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_million_keys_with_collisions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear_keeps_memory_that_was_used, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clear_gives_back_memory_that_was_not, setup, teardown),
	};

	return cmocka_run_group_tests_name("keymap", tests, NULL, NULL);
}
