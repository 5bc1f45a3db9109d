#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed.h"
#include "merge/copy_rows.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define UNCHANGED feed_unchanged
#define HEAD "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0"
#define END "\377\377"

static const struct sketch_column keyed[] = {
	{"id", &sketch_int4, SKETCH_KEY},
	{"note", &sketch_text, 0},
	{"body", &sketch_text, 0},
};

static const struct sketch_column keyless[] = {
	{"a", &sketch_int4, 0},
	{"b", &sketch_text, 0},
};

/* All that a walk writes, piece by piece of so many bytes. */
static void
walk(struct feed *f, enum copy_content content, const uint8_t *groups, size_t piece, struct buffer *out)
{
	uint8_t actions[64];
	struct copy_walk walk;
	bool more = true;

	assert_true(net_change_count(&f->net) <= COUNT(actions));
	net_change_decide(&f->net, actions);
	copy_walk_init(&walk, &f->net, content, actions, groups, NULL, &f->arena);
	buffer_init(out, (size_t) 1 << 20, NULL, NULL);
	while (more) {
		size_t before = out->len;

		more = copy_walk_next(&walk, out, piece);
		assert_true(!more || out->len > before);
		assert_false(walk.broken);
	}
}

static void
check(struct feed *f, enum copy_content content, const char *expected, size_t len)
{
	static const uint8_t groups[] = {0, 1, 2, 3};

	for (size_t piece = 0; piece < 100; piece += 33) {
		struct buffer out;

		walk(f, content, groups, piece, &out);
		assert_int_equal(out.len, len);
		if (len > 0)
			assert_memory_equal(out.data, expected, len);
		buffer_fini(&out);
	}
	feed_close(f);
}

#define CHECK(f, content, expected) check(f, content, expected, sizeof(expected) - 1)

static void
open_keyed(struct feed *f, bool text)
{
	feed_init(f, 'd', text, keyed, COUNT(keyed));
	assert_true(feed_open(f, false));
}

static void
test_text_rows(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, true);
	assert_true(feed_insert(&f, ROW("1", NULL, "")));
	assert_true(feed_insert(&f, ROW("2", "\\.", "\\N")));
	assert_true(feed_insert(&f, ROW("3", "a\tb\nc\rd\\e", "\x01\x08\x0b\x0c\x7f")));
	CHECK(&f, COPY_INSERTS,
		  "1\t\\N\t\n"
		  "2\t\\\\.\t\\\\N\n"
		  "3\ta\\tb\\nc\\rd\\\\e\t\x01\x08\x0b\x0c\x7f\n");
}

static void
test_binary_rows(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, false);
	assert_true(feed_insert(&f, ROW("1", NULL, "")));
	assert_true(feed_insert(&f, ROW("258", "a\n", "b")));
	CHECK(&f, COPY_INSERTS,
		  HEAD "\0\3\0\0\0\4\0\0\0\1\377\377\377\377\0\0\0\0"
			   "\0\3\0\0\0\4\0\0\1\2\0\0\0\2a\n\0\0\0\1b" END);
}

static void
test_no_rows(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, true);
	check(&f, COPY_INSERTS, "", 0);
	open_keyed(&f, false);
	CHECK(&f, COPY_INSERTS, HEAD END);
}

static void
test_keys(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, true);
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	assert_true(feed_insert(&f, ROW("2", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("3", NULL, NULL), ROW("4", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("5", "a", "b")));
	CHECK(&f, COPY_KEYS, "1\n3\n");
	open_keyed(&f, false);
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	CHECK(&f, COPY_KEYS, HEAD "\0\1\0\0\0\4\0\0\0\1" END);
}

static void
test_staged_rows(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, true);
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", UNCHANGED, NULL)));
	/* Entry 2 is key 3, whose row stands under key 2. */
	CHECK(&f, COPY_STAGED,
		  "1\t0\t\\\\x04\t1\ta\t\\N\n"
		  "2\t2\t\\\\x02\t3\t\\N\t\\N\n");
	open_keyed(&f, false);
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	CHECK(&f, COPY_STAGED,
		  HEAD "\0\6\0\0\0\4\0\0\0\1\0\0\0\10\0\0\0\0\0\0\0\0\0\0\0\1\4"
			   "\0\0\0\4\0\0\0\1\0\0\0\1a\377\377\377\377" END);
}

static void
test_counted_rows(void **state)
{
	struct feed f;

	(void) state;
	for (int text = 0; text < 2; text++) {
		feed_init(&f, 'f', text, keyless, COUNT(keyless));
		assert_true(feed_open(&f, false));
		for (int i = 0; i < 3; i++) {
			assert_true(feed_insert(&f, ROW("1", NULL)));
			assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW("2", "x")));
		}
		if (text)
			CHECK(&f, COPY_COUNTS, "2\tx\t3\n");
		else
			CHECK(&f, COPY_COUNTS, HEAD "\0\3\0\0\0\4\0\0\0\2\0\0\0\1x\0\0\0\10\0\0\0\0\0\0\0\3" END);
	}
}

static void
test_equal_rows_are_copied_so_many_times(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'f', true, keyless, COUNT(keyless));
	assert_true(feed_open(&f, false));
	for (int i = 0; i < 3; i++)
		assert_true(feed_insert(&f, ROW("1", NULL)));
	assert_true(feed_insert(&f, ROW("2", "x")));
	CHECK(&f, COPY_INSERTS, "1\t\\N\n1\t\\N\n1\t\\N\n2\tx\n");
}

/* A buffer that cannot take the data says so, and the walk comes to an end. */
static void
test_full_buffer(void **state)
{
	static const uint8_t actions[] = {NET_INSERT};
	struct copy_walk walk;
	struct buffer out;
	struct feed f;

	(void) state;
	open_keyed(&f, true);
	assert_true(feed_insert(&f, ROW("1", "a value that does not fit", "b")));
	copy_walk_init(&walk, &f.net, COPY_INSERTS, actions, NULL, NULL, &f.arena);
	buffer_init(&out, 8, NULL, NULL);
	(void) copy_walk_next(&walk, &out, 1000);
	assert_true(out.failed);
	buffer_fini(&out);
	feed_close(&f);
}

/* Never copied as a NULL. */
static void
test_missing_value_breaks_the_walk(void **state)
{
	static const uint8_t actions[] = {NET_INSERT};
	struct copy_walk walk;
	struct buffer out;
	struct feed f;

	(void) state;
	open_keyed(&f, true);
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	copy_walk_init(&walk, &f.net, COPY_INSERTS, actions, NULL, NULL, &f.arena);
	buffer_init(&out, 1000, NULL, NULL);
	while (copy_walk_next(&walk, &out, 1000))
		;
	assert_true(walk.broken);
	buffer_fini(&out);
	feed_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_rows),
		cmocka_unit_test(test_binary_rows),
		cmocka_unit_test(test_no_rows),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_staged_rows),
		cmocka_unit_test(test_counted_rows),
		cmocka_unit_test(test_equal_rows_are_copied_so_many_times),
		cmocka_unit_test(test_full_buffer),
		cmocka_unit_test(test_missing_value_breaks_the_walk),
	};

	return cmocka_run_group_tests_name("copy_rows", tests, NULL, NULL);
}
