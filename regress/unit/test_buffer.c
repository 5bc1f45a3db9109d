#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "sample.h"

static void
assert_bytes(const struct buffer *b, const char *hex)
{
	struct buffer expected;

	buffer_init(&expected, 1 << 16, NULL, NULL);
	sample_put_hex(&expected, hex);
	assert_false(b->failed);
	assert_int_equal(b->len, expected.len);
	if (b->len > 0)
		assert_memory_equal(b->data, expected.data, b->len);
	buffer_fini(&expected);
}

static void
test_numbers_are_big_endian(void **state)
{
	struct buffer b;

	(void) state;
	buffer_init(&b, 1024, NULL, NULL);
	buffer_put_u8(&b, 0x01);
	buffer_put_u16(&b, 0x0203);
	buffer_put_u32(&b, 0x04050607);
	buffer_put_u64(&b, UINT64_C(0x08090a0b0c0d0e0f));
	assert_bytes(&b, "01 0203 04050607 08090a0b0c0d0e0f");
	buffer_patch_u32(&b, 3, 0xfffefdfc);
	assert_bytes(&b, "01 0203 fffefdfc 08090a0b0c0d0e0f");
	buffer_fini(&b);
}

static void
test_numbers_read_back(void **state)
{
	static const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct reader r;

	(void) state;
	reader_init(&r, data, sizeof data);
	assert_int_equal(reader_get_u8(&r), 1);
	assert_int_equal(reader_get_u16(&r), 0x0203);
	assert_int_equal(reader_get_u32(&r), 0x04050607);
	assert_true(reader_get_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

/* ---- varints */

static const struct {
	uint64_t value;
	const char *hex;
} varints[] = {
	{0, "00"},
	{1, "01"},
	{127, "7f"},
	{128, "8001"},
	{300, "ac02"},
	{16383, "ff7f"},
	{16384, "808001"},
	{UINT32_MAX, "ffffffff0f"},
	{UINT64_C(1) << 63, "80808080808080808001"},
	{UINT64_MAX, "ffffffffffffffffff01"},
};

static void
test_varints(void **state)
{
	struct buffer b;
	struct reader r;

	(void) state;
	buffer_init(&b, 1024, NULL, NULL);
	for (size_t i = 0; i < sizeof varints / sizeof *varints; i++) {
		buffer_reset(&b);
		buffer_put_varint(&b, varints[i].value);
		assert_bytes(&b, varints[i].hex);
		reader_init(&r, b.data, b.len);
		assert_true(reader_get_varint(&r) == varints[i].value);
		assert_false(r.failed);
		assert_int_equal(reader_left(&r), 0);
	}
	buffer_fini(&b);
}

static const struct {
	int64_t value;
	const char *hex;
} signed_numbers[] = {
	{0, "00"},
	{-1, "01"},
	{1, "02"},
	{-64, "7f"},
	{64, "8001"},
	{INT64_MAX, "feffffffffffffffff01"},
	{INT64_MIN, "ffffffffffffffffff01"},
};

static void
test_signed_numbers_are_folded(void **state)
{
	struct buffer b;
	struct reader r;

	(void) state;
	buffer_init(&b, 1024, NULL, NULL);
	for (size_t i = 0; i < sizeof signed_numbers / sizeof *signed_numbers; i++) {
		buffer_reset(&b);
		buffer_put_signed(&b, signed_numbers[i].value);
		assert_bytes(&b, signed_numbers[i].hex);
		reader_init(&r, b.data, b.len);
		assert_true(reader_get_signed(&r) == signed_numbers[i].value);
		assert_false(r.failed);
	}
	buffer_fini(&b);
}

static void
assert_varint_fails(const char *hex)
{
	struct buffer b;
	struct reader r;

	buffer_init(&b, 1024, NULL, NULL);
	sample_put_hex(&b, hex);
	reader_init(&r, b.data, b.len);
	assert_true(reader_get_varint(&r) == 0);
	assert_true(r.failed);
	buffer_fini(&b);
}

static void
test_malformed_varints_fail(void **state)
{
	(void) state;
	assert_varint_fails("");
	assert_varint_fails("80");
	assert_varint_fails("ffffffffffffffffff");
	/* more than 64 bits */
	assert_varint_fails("ffffffffffffffffff02");
	assert_varint_fails("ffffffffffffffffff81 00");
	assert_varint_fails("8080808080808080808000");
}

static void
test_bounded_numbers(void **state)
{
	static const uint8_t data[] = {0xac, 0x02, 0xac, 0x02, 0x01};
	struct reader r;

	(void) state;
	reader_init(&r, data, sizeof data);
	assert_int_equal(reader_get_bounded(&r, 300), 300);
	assert_int_equal(reader_get_bounded(&r, 299), 0);
	assert_true(r.failed);
	/* A failure sticks, though a number follows. */
	assert_int_equal(reader_get_varint(&r), 0);
}

/* ---- strings */

static void
test_strings(void **state)
{
	struct buffer b;
	struct reader r;
	struct bytes s;

	(void) state;
	buffer_init(&b, 1024, NULL, NULL);
	buffer_put_text(&b, "abc");
	buffer_put_string(&b, NULL, 0);
	buffer_put_string(&b, "d\0e", 3);
	assert_bytes(&b, "03616263 00 03640065");
	reader_init(&r, b.data, b.len);
	s = reader_get_string(&r);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "abc", 3);
	s = reader_get_string(&r);
	assert_int_equal(s.len, 0);
	s = reader_get_string(&r);
	assert_int_equal(s.len, 3);
	assert_memory_equal(s.data, "d\0e", 3);
	assert_false(r.failed);
	buffer_fini(&b);
}

static void
test_a_string_longer_than_the_rest_fails(void **state)
{
	static const uint8_t data[] = {0x04, 'a', 'b', 'c'};
	static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'};
	struct reader r;

	(void) state;
	reader_init(&r, data, sizeof data);
	assert_int_equal(reader_get_string(&r).len, 0);
	assert_true(r.failed);
	reader_init(&r, huge, sizeof huge);
	assert_null(reader_get_string(&r).data);
	assert_true(r.failed);
}

static void
test_reading_past_the_end_sticks(void **state)
{
	static const uint8_t data[] = {1, 2, 3};
	struct reader r;

	(void) state;
	reader_init(&r, data, sizeof data);
	assert_int_equal(reader_get_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_get_u8(&r), 0);
	assert_int_equal(reader_get_u16(&r), 0);
	assert_true(reader_get_u64(&r) == 0);
	assert_null(reader_get(&r, 1));
}

/* ---- limits */

static void
test_the_limit_holds(void **state)
{
	struct buffer b;

	(void) state;
	buffer_init(&b, 10, NULL, NULL);
	buffer_put(&b, "0123456789", 10);
	assert_false(b.failed);
	buffer_put_u8(&b, 'x');
	assert_true(b.failed);
	assert_int_equal(b.len, 10);
	assert_true(b.cap <= 10);
	/* Sticks, also for what would fit. */
	b.len = 0;
	buffer_put_u8(&b, 'x');
	assert_int_equal(b.len, 0);
	buffer_reset(&b);
	buffer_put_u8(&b, 'x');
	assert_false(b.failed);
	assert_int_equal(b.len, 1);
	assert_false(buffer_reserve(&b, SIZE_MAX));
	buffer_fini(&b);
}

static void
test_growing_keeps_the_content(void **state)
{
	struct buffer b;

	(void) state;
	buffer_init(&b, 1 << 20, NULL, NULL);
	for (uint32_t i = 0; i < 50000; i++)
		buffer_put_u32(&b, i);
	assert_false(b.failed);
	for (uint32_t i = 0; i < 50000; i++) {
		uint8_t expected[4] = {(uint8_t) (i >> 24), (uint8_t) (i >> 16), (uint8_t) (i >> 8), (uint8_t) i};

		assert_memory_equal(b.data + 4 * (size_t) i, expected, 4);
	}
	buffer_fini(&b);
}

struct pool {
	uint8_t bytes[1024];
	int calls;
};

static void *
resize_in_pool(void *context, void *data, size_t bytes)
{
	struct pool *pool = context;

	assert_true(data == NULL || data == pool->bytes);
	pool->calls++;
	return bytes <= sizeof pool->bytes ? pool->bytes : NULL;
}

static void
test_a_resizer_of_its_own(void **state)
{
	struct pool pool = {.calls = 0};
	struct buffer b;

	(void) state;
	buffer_init(&b, 1 << 20, resize_in_pool, &pool);
	for (int i = 0; i < 1024; i++)
		buffer_put_u8(&b, (uint8_t) i);
	assert_false(b.failed);
	assert_ptr_equal(b.data, pool.bytes);
	assert_true(pool.calls > 0);
	buffer_put_u8(&b, 0);
	assert_true(b.failed);
	assert_int_equal(b.len, 1024);
	buffer_fini(&b);
}

static void
test_printf(void **state)
{
	struct buffer b;

	(void) state;
	buffer_init(&b, 400, NULL, NULL);
	buffer_printf(&b, "%d-%s", 42, "abc");
	buffer_printf(&b, "%s", "");
	assert_int_equal(b.len, 6);
	assert_memory_equal(b.data, "42-abc", 6);
	buffer_printf(&b, "%0300d", 7);
	assert_int_equal(b.len, 306);
	assert_int_equal(b.data[305], '7');
	buffer_printf(&b, "%0300d", 7);
	assert_true(b.failed);
	assert_int_equal(b.len, 306);
	buffer_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_are_big_endian),
		cmocka_unit_test(test_numbers_read_back),
		cmocka_unit_test(test_varints),
		cmocka_unit_test(test_signed_numbers_are_folded),
		cmocka_unit_test(test_malformed_varints_fail),
		cmocka_unit_test(test_bounded_numbers),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_a_string_longer_than_the_rest_fails),
		cmocka_unit_test(test_reading_past_the_end_sticks),
		cmocka_unit_test(test_the_limit_holds),
		cmocka_unit_test(test_growing_keeps_the_content),
		cmocka_unit_test(test_a_resizer_of_its_own),
		cmocka_unit_test(test_printf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
