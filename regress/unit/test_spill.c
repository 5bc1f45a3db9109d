/* Spill files and the open transactions that wait in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "merge/open_transactions.h"

#define PIECE_BYTES 1000

static const char *
folder(void)
{
	const char *folder = getenv("TMPDIR");

	return folder ? folder : "/tmp";
}

static void
append_pieces(struct spill *spill, unsigned count)
{
	uint8_t piece[PIECE_BYTES];
	struct error err;

	for (unsigned i = 0; i < count; i++) {
		memset(piece, (int) (i % 251), sizeof piece);
		assert_true(spill_append(spill, piece, sizeof piece, &err));
	}
}

/* Every piece comes back whole, in order, and then the end. */
static void
expect_pieces(struct spill *spill, unsigned count)
{
	struct bytes chunk;
	struct error err;
	unsigned seen = 0;

	for (;;) {
		assert_true(spill_read(spill, &chunk, &err));
		if (chunk.len == 0)
			break;
		assert_int_equal(chunk.len % PIECE_BYTES, 0);
		for (size_t at = 0; at < chunk.len; at += PIECE_BYTES, seen++)
			for (size_t i = 0; i < PIECE_BYTES; i++)
				assert_int_equal(chunk.data[at + i], seen % 251);
	}
	assert_int_equal(seen, count);
	assert_true(spill_read(spill, &chunk, &err));
	assert_int_equal(chunk.len, 0);
}

static void
pieces_come_back_in_order(void **state)
{
	static const unsigned counts[] = {0, 1, 262, 263, 5000};

	(void) state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct spill *spill = spill_create(folder());

		append_pieces(spill, counts[i]);
		assert_int_equal(spill_bytes(spill), (uint64_t) counts[i] * PIECE_BYTES);
		assert_true(spill_memory(spill) < ((size_t) 2 << 20));
		expect_pieces(spill, counts[i]);
		spill_destroy(spill);
	}
}

static void
a_large_piece_is_one_chunk(void **state)
{
	size_t len = (size_t) 5 << 20;
	uint8_t *piece = malloc(len);
	struct spill *spill = spill_create(folder());
	struct bytes chunk;
	struct error err;

	(void) state;
	for (size_t i = 0; i < len; i++)
		piece[i] = (uint8_t) (i * 2654435761u >> 24);
	append_pieces(spill, 1);
	assert_true(spill_append(spill, piece, len, &err));
	append_pieces(spill, 300);
	assert_true(spill_read(spill, &chunk, &err));
	assert_int_equal(chunk.len, PIECE_BYTES);
	assert_true(spill_read(spill, &chunk, &err));
	assert_int_equal(chunk.len, len);
	assert_memory_equal(chunk.data, piece, len);
	spill_destroy(spill);
	free(piece);
}

static void
a_folder_that_is_not_there_is_named(void **state)
{
	struct spill *spill = spill_create("/nowhere/at/all");
	uint8_t piece[PIECE_BYTES] = {0};
	struct error err = {0};
	bool ok = true;

	(void) state;
	for (int i = 0; i < 1000 && ok; i++)
		ok = spill_append(spill, piece, sizeof piece, &err);
	assert_false(ok);
	assert_int_equal(err.class, ERROR_DATA);
	assert_non_null(strstr(err.message, "/nowhere/at/all"));
	spill_destroy(spill);
}

/* What is released in between comes back all the same, and holds no memory. */
static void
released_pieces_come_back_in_order(void **state)
{
	struct spill *spill = spill_create(folder());
	struct error err;
	uint8_t piece[PIECE_BYTES];

	(void) state;
	assert_true(spill_release(spill, &err));
	for (unsigned i = 0; i < 1000; i++) {
		memset(piece, (int) (i % 251), sizeof piece);
		assert_true(spill_append(spill, piece, sizeof piece, &err));
		if (i % 300 == 7) {
			assert_true(spill_release(spill, &err));
			assert_int_equal(spill_memory(spill), 0);
		}
	}
	expect_pieces(spill, 1000);
	spill_destroy(spill);
}

static void
a_huge_piece_leaves_no_memory_behind(void **state)
{
	size_t len = (size_t) 20 << 20;
	uint8_t *piece = calloc(1, len);
	struct spill *spill = spill_create(folder());
	struct error err;

	(void) state;
	assert_true(spill_append(spill, piece, len, &err));
	append_pieces(spill, 1);
	assert_true(spill_memory(spill) < ((size_t) 2 << 20));
	spill_destroy(spill);
	free(piece);
}

static void
a_directory_is_made_where_it_can_be(void **state)
{
	char made[4200], below[4300];
	struct error err;

	(void) state;
	snprintf(made, sizeof made, "%s/sluice-test-XXXXXX", folder());
	assert_non_null(mkdtemp(made));
	assert_true(spill_prepare(made, &err));
	snprintf(below, sizeof below, "%s/below", made);
	assert_true(spill_prepare(below, &err));
	assert_true(spill_prepare(below, &err));
	assert_int_equal(rmdir(below), 0);
	assert_int_equal(rmdir(made), 0);
	assert_false(spill_prepare(below, &err));
	assert_int_equal(err.class, ERROR_DATA);
	assert_non_null(strstr(err.message, below));
	assert_non_null(strstr(err.hint, "apply.spill_directory"));
}

static void
put_insert(struct open_transaction *txn, uint32_t xid, uint8_t marker)
{
	uint8_t message[] = {'I', marker, 0};
	struct error err;

	assert_true(open_transaction_own(txn, xid, &err));
	assert_true(open_transaction_add(txn, (struct bytes){message, sizeof message}, &err));
}

/* The markers of the inserts that are left, as a string. */
static void
expect_left(struct open_transaction *txn, const char *expected)
{
	char left[32];
	size_t count = 0;
	struct bytes chunk;
	struct error err;
	struct reader r;

	assert_true(spill_read(txn->spill, &chunk, &err));
	reader_init(&r, chunk.data, chunk.len);
	while (reader_left(&r) > 0) {
		uint8_t kind = reader_get_u8(&r);

		if (kind == CHANGE_SUBTRANSACTION) {
			open_transaction_owner(txn, (uint32_t) reader_get_varint(&r));
			continue;
		}
		assert_int_equal(kind, CHANGE_INSERT);
		if (!open_transaction_skips(txn))
			left[count++] = (char) reader_get_varint(&r);
		else
			(void) reader_get_varint(&r);
		(void) reader_get_u8(&r);
	}
	left[count] = '\0';
	assert_false(r.failed);
	assert_string_equal(left, expected);
}

static void
aborted_subtransactions_are_left_out(void **state)
{
	struct open_transactions all = {.directory = folder()};
	struct open_transaction *txn = open_transactions_find(&all, 100);

	(void) state;
	put_insert(txn, 100, 'a');
	put_insert(txn, 103, 'b');
	put_insert(txn, 101, 'c');
	put_insert(txn, 103, 'd');
	put_insert(txn, 100, 'e');
	put_insert(txn, 102, 'f');
	open_transaction_abort_sub(txn, 103);
	open_transaction_abort_sub(txn, 102);
	open_transaction_abort_sub(txn, 103);
	assert_ptr_equal(open_transactions_take(&all, 100), txn);
	assert_null(open_transactions_take(&all, 100));
	expect_left(txn, "ace");
	open_transaction_destroy(txn);
}

static void
open_transactions_are_bounded(void **state)
{
	struct open_transactions all = {.directory = folder()};
	size_t limit = (size_t) 1 << 20;
	struct error err;

	(void) state;
	for (uint32_t xid = 1; xid <= 100; xid++) {
		struct open_transaction *txn = open_transactions_find(&all, xid);

		append_pieces(txn->spill, 100);
		assert_true(open_transactions_rest(&all, txn, limit, &err));
		assert_true(open_transactions_memory(&all) <= limit);
	}
	for (uint32_t xid = 1; xid <= 100; xid++) {
		struct open_transaction *txn = open_transactions_take(&all, xid);

		expect_pieces(txn->spill, 100);
		open_transaction_destroy(txn);
	}
}

static void
transactions_do_not_mix(void **state)
{
	struct open_transactions all = {.directory = folder()};

	(void) state;
	put_insert(open_transactions_find(&all, 1), 1, 'a');
	put_insert(open_transactions_find(&all, 2), 2, 'b');
	put_insert(open_transactions_find(&all, 1), 1, 'c');
	assert_true(open_transactions_memory(&all) > 0);
	expect_left(open_transactions_find(&all, 1), "ac");
	expect_left(open_transactions_find(&all, 2), "b");
	open_transactions_clear(&all);
	assert_null(all.first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_come_back_in_order),
		cmocka_unit_test(a_large_piece_is_one_chunk),
		cmocka_unit_test(a_folder_that_is_not_there_is_named),
		cmocka_unit_test(released_pieces_come_back_in_order),
		cmocka_unit_test(a_huge_piece_leaves_no_memory_behind),
		cmocka_unit_test(a_directory_is_made_where_it_can_be),
		cmocka_unit_test(open_transactions_are_bounded),
		cmocka_unit_test(aborted_subtransactions_are_left_out),
		cmocka_unit_test(transactions_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
