#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"

#define CHUNK 1024

static int
setup(void **state)
{
	static struct arena arena;

	arena_init(&arena, CHUNK);
	*state = &arena;
	return 0;
}

static int
teardown(void **state)
{
	arena_fini(*state);
	return 0;
}

static void
test_nothing_is_held_before_use(void **state)
{
	assert_int_equal(arena_bytes(*state), 0);
	arena_reset(*state);
	assert_int_equal(arena_bytes(*state), 0);
}

static void
test_alignment(void **state)
{
	for (size_t bytes = 0; bytes < 300; bytes++) {
		assert_non_null(arena_alloc_unaligned(*state, bytes % 7));
		assert_int_equal((uintptr_t) arena_alloc(*state, bytes) % _Alignof(max_align_t), 0);
	}
}

static void
test_unaligned_is_packed(void **state)
{
	char *first = arena_alloc_unaligned(*state, 3);
	char *second = arena_alloc_unaligned(*state, 5);

	assert_ptr_equal(second, first + 3);
	assert_ptr_equal(arena_alloc_unaligned(*state, 1), second + 5);
}

/* Fills allocations of all sizes, then looks whether any overlapped another. */
static void
test_no_overlap(void **state)
{
	enum { COUNT = 2000 };
	static unsigned char *blocks[COUNT];

	for (int i = 0; i < COUNT; i++) {
		blocks[i] = i % 2 ? arena_alloc(*state, (size_t) i) : arena_alloc_unaligned(*state, (size_t) i);
		memset(blocks[i], i & 0xFF, (size_t) i);
	}
	for (int i = 0; i < COUNT; i++)
		for (int j = 0; j < i; j++)
			assert_int_equal(blocks[i][j], i & 0xFF);
}

static void
test_large_allocation_keeps_the_current_chunk_open(void **state)
{
	char *before = arena_alloc_unaligned(*state, 10);
	size_t held = arena_bytes(*state);
	char *large = arena_alloc(*state, 100 * CHUNK);

	memset(large, 'x', 100 * CHUNK);
	assert_true(arena_bytes(*state) >= held + 100 * CHUNK);
	assert_true(arena_bytes(*state) < held + 101 * CHUNK);
	assert_ptr_equal(arena_alloc_unaligned(*state, 10), before + 10);
}

static void
test_large_allocation_first(void **state)
{
	memset(arena_alloc(*state, 10 * CHUNK), 'x', 10 * CHUNK);
	memset(arena_alloc(*state, 10), 'y', 10);
	arena_reset(*state);
	assert_true(arena_bytes(*state) < 2 * CHUNK);
}

static void
test_reset_keeps_one_chunk(void **state)
{
	size_t one_chunk;
	char *first;

	arena_alloc(*state, 16);
	one_chunk = arena_bytes(*state);
	for (int i = 0; i < 1000; i++)
		memset(arena_alloc(*state, 200), 0, 200);
	arena_alloc(*state, 50 * CHUNK);
	assert_true(arena_bytes(*state) > 200 * 1000);
	arena_reset(*state);
	assert_int_equal(arena_bytes(*state), one_chunk);

	/* Filling what was kept takes nothing more from the system. */
	first = arena_alloc(*state, 16);
	assert_non_null(first);
	memset(first, 'x', 16);
	for (int i = 0; i < 4; i++)
		arena_alloc(*state, 200);
	assert_int_equal(arena_bytes(*state), one_chunk);
}

/* A batch of one small transaction is not to count as a quarter of a megabyte. */
static void
test_little_takes_little(void **state)
{
	struct arena arena;
	size_t filled = 0;

	(void) state;
	arena_init(&arena, 256 * CHUNK);
	arena_alloc(&arena, 16);
	assert_true(arena_bytes(&arena) < 8 * CHUNK);
	while (filled < 4096 * CHUNK) {
		memset(arena_alloc(&arena, 512), 'x', 512);
		filled += 512;
		assert_true(arena_bytes(&arena) < 8 * CHUNK + 2 * filled);
	}
	/* The kept one is of full size. */
	arena_reset(&arena);
	assert_true(arena_bytes(&arena) >= 256 * CHUNK);
	assert_true(arena_bytes(&arena) < 257 * CHUNK);
	arena_fini(&arena);
}

static void
test_copies(void **state)
{
	char *empty = arena_copy(*state, NULL, 0);
	char *bytes = arena_copy(*state, "a\0b", 3);
	char *string = arena_strdup(*state, "text");
	unsigned char *zero = arena_alloc_zero(*state, 64);

	assert_non_null(empty);
	assert_memory_equal(bytes, "a\0b", 3);
	assert_string_equal(string, "text");
	for (int i = 0; i < 64; i++)
		assert_int_equal(zero[i], 0);
}

static void
test_out_of_memory_ends_the_process_with_a_message(void **state)
{
	char message[200] = "";
	int fds[2], status;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(fds[1], STDERR_FILENO);
		arena_alloc(*state, SIZE_MAX - 8);
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(read(fds[0], message, sizeof(message) - 1) > 0);
	close(fds[0]);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_non_null(strstr(message, "out of memory"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing_is_held_before_use, setup, teardown),
		cmocka_unit_test_setup_teardown(test_alignment, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unaligned_is_packed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_overlap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_allocation_keeps_the_current_chunk_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large_allocation_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_keeps_one_chunk, setup, teardown),
		cmocka_unit_test(test_little_takes_little),
		cmocka_unit_test_setup_teardown(test_copies, setup, teardown),
		cmocka_unit_test_setup_teardown(test_out_of_memory_ends_the_process_with_a_message, setup, teardown),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
