/* Changes that wait for the copy of their tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "merge/backlog.h"

static const char *
folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder ? folder : "/tmp";
}

static void
add(struct backlog *backlog, uint64_t number)
{
	uint8_t message[2000];
	struct backlog_entry entry = {
		.commit_lsn = number * 10,
		.commit_time = -(int64_t) number,
		.xid = (uint32_t) number,
		.message = {message, number % sizeof message},
	};
	struct error err;

	memset(message, (int) (number % 251), sizeof message);
	assert_true(backlog_add(backlog, &entry, &err));
}

static void
expect(struct backlog *backlog, uint64_t number)
{
	struct backlog_entry entry;
	struct error err;
	bool found;

	assert_true(backlog_take(backlog, &entry, &found, &err));
	assert_true(found);
	assert_int_equal(entry.commit_lsn, number * 10);
	assert_int_equal(entry.commit_time, -(int64_t) number);
	assert_int_equal(entry.xid, number);
	assert_int_equal(entry.message.len, number % 2000);
	for (size_t i = 0; i < entry.message.len; i++)
		assert_int_equal(entry.message.data[i], number % 251);
}

static void
expect_end(struct backlog *backlog)
{
	struct backlog_entry entry;
	struct error err;
	bool found = true;

	assert_true(backlog_take(backlog, &entry, &found, &err));
	assert_false(found);
	assert_int_equal(backlog_count(backlog), 0);
}

static void
test_order(void **state)
{
	struct backlog *backlog = backlog_create(folder());

	(void) state;
	expect_end(backlog);
	for (uint64_t i = 0; i < 3000; i++)
		add(backlog, i);
	assert_int_equal(backlog_count(backlog), 3000);
	for (uint64_t i = 0; i < 3000; i++)
		expect(backlog, i);
	expect_end(backlog);
	backlog_destroy(backlog);
}

/* More comes while some of it is read; the order stays that of adding. */
static void
test_more_comes(void **state)
{
	struct backlog *backlog = backlog_create(folder());
	uint64_t added = 0, taken = 0;

	(void) state;
	srand(7);
	while (taken < 20000) {
		for (int i = rand() % 900; i > 0; i--)
			add(backlog, added++);
		for (int i = rand() % 1000; i > 0 && taken < added; i--)
			expect(backlog, taken++);
		assert_int_equal(backlog_count(backlog), added - taken);
	}
	while (taken < added)
		expect(backlog, taken++);
	expect_end(backlog);
	/* An end is not the end for good. */
	add(backlog, added);
	expect(backlog, added);
	expect_end(backlog);
	backlog_destroy(backlog);
}

/* What waits is in files, not in memory. */
static void
test_memory(void **state)
{
	struct backlog *backlog = backlog_create(folder());

	(void) state;
	for (uint64_t i = 0; i < 50000; i++)
		add(backlog, i);
	assert_true(backlog_memory(backlog) < 2 << 20);
	backlog_destroy(backlog);
}

static void
test_no_folder(void **state)
{
	struct backlog *backlog = backlog_create("/nowhere/at/all");
	struct backlog_entry entry = {.message = {(const uint8_t *) "x", 1}};
	struct error err;
	bool ok = true;

	(void) state;
	for (unsigned i = 0; ok && i < 100000; i++)
		ok = backlog_add(backlog, &entry, &err);
	assert_false(ok);
	assert_int_equal(err.class, ERROR_DATA);
	backlog_destroy(backlog);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_more_comes),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_no_folder),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
