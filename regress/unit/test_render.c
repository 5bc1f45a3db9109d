#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/quote.h"
#include "common/render.h"
#include "common/value_text.h"
#include "sample.h"

#define BUFFER_BYTES (1 << 22)

struct fixture {
	struct buffer in;
	struct buffer out;
};

static int
setup(void **state)
{
	static struct fixture fixture;

	buffer_init(&fixture.in, BUFFER_BYTES, NULL, NULL);
	buffer_init(&fixture.out, BUFFER_BYTES, NULL, NULL);
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	buffer_fini(&f->in);
	buffer_fini(&f->out);
	return 0;
}

static void
assert_line(const struct buffer *out, const char *expected)
{
	assert_false(out->failed);
	if (out->len != strlen(expected) || (out->len > 0 && memcmp(out->data, expected, out->len) != 0))
		fail_msg("expected <%s>, got <%.*s>", expected, (int) out->len, (const char *) out->data);
}

/* ---- messages */

static void
test_every_message_has_its_line(void **state)
{
	struct fixture *f = *state;
	struct change_decoder d;
	struct change change;
	struct reader r;

	assert_true(change_decoder_init(&d));
	sample_put_all(&f->in);
	reader_init(&r, f->in.data, f->in.len);
	for (const struct sample *s = samples; s->name; s++) {
		assert_true(change_decode(&d, &r, &change));
		buffer_reset(&f->out);
		render_change(&f->out, &d, &change);
		assert_line(&f->out, s->line);
	}
	assert_int_equal(reader_left(&r), 0);
	change_decoder_fini(&d);
}

/* The example of docs/change-format.md. */
static const char example[] =
	"53 00 00000090 48 02 849409 0455544638 0473686f70 01 0973747265616d696e67 036f6666"
	"42 dd05 90ddd916 e0aefbb1b797f502"
	"52 01 808001 067075626c6963 0174 64 00 02"
	"01 026964 17 17 01 62 07 04 0a70675f636174616c6f67 04696e7434"
	"02 046e6f7465 19 19 01 62 00 00 0a70675f636174616c6f67 0474657874 00 00"
	"49 01 00 00000001 026869"
	"55 01 01 00 00000001 01 02 00000002"
	"43 38";

static const char *const example_lines[] = {
	"startup: version: 2 server: 150020 encoding: 'UTF8' database: 'shop' options: streaming='off'",
	"BEGIN 733 (commit at 0/16B3748, 2026-01-02 03:04:05.678+00)",
	"relation public.t: number: 1 oid: 16384 identity: default values: binary columns: id[integer] (attnum: "
	"1 "
	"type: pg_catalog.int4 23 base: 23 typmod: -1 kind: b width: 4 key primary not-null), note[text] "
	"(attnum: 2 "
	"type: pg_catalog.text 25 base: 25 typmod: -1 kind: b width: 0)",
	"table public.t: INSERT: id[integer]:1 note[text]:'hi'",
	"table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 note[text]:null",
	"COMMIT (end 0/16B3780)",
};

static void
test_the_documented_example(void **state)
{
	struct fixture *f = *state;
	struct change_decoder d;
	struct change change;
	struct frame frame;
	struct reader r;

	assert_true(change_decoder_init(&d));
	sample_put_hex(&f->in, example);
	reader_init(&r, f->in.data, f->in.len);
	assert_int_equal(change_frame_read(&r, &frame), FRAME_READ);
	assert_int_equal(reader_left(&r), 0);
	reader_init(&r, frame.body.data, frame.body.len);
	for (size_t i = 0; i < sizeof example_lines / sizeof *example_lines; i++) {
		assert_true(change_decode(&d, &r, &change));
		buffer_reset(&f->out);
		render_change(&f->out, &d, &change);
		assert_line(&f->out, example_lines[i]);
	}
	assert_int_equal(reader_left(&r), 0);
	change_decoder_fini(&d);
}

static void
test_a_line_is_appended(void **state)
{
	struct fixture *f = *state;
	struct change_decoder d = {.started = true};
	struct change change = {.kind = CHANGE_STREAM_STOP};

	buffer_put(&f->out, "x ", 2);
	render_change(&f->out, &d, &change);
	assert_line(&f->out, "x stream stop");
}

/* Whatever does not fit fails the buffer, and nothing is written past the limit. */
static void
test_lines_that_do_not_fit(void **state)
{
	struct fixture *f = *state;
	struct change_decoder d;
	struct change change;
	struct reader r;

	assert_true(change_decoder_init(&d));
	sample_put_all(&f->in);
	reader_init(&r, f->in.data, f->in.len);
	for (const struct sample *s = samples; s->name; s++) {
		assert_true(change_decode(&d, &r, &change));
		for (size_t limit = 0; limit < strlen(s->line); limit++) {
			struct buffer small;

			buffer_init(&small, limit, NULL, NULL);
			render_change(&small, &d, &change);
			assert_true(small.failed);
			assert_true(small.len <= limit);
			buffer_fini(&small);
		}
	}
	change_decoder_fini(&d);
}

/* ---- values */

struct value_case {
	uint32_t type;
	char typtype;
	const char *hex;
	const char *text;
};

static const struct value_case values[] = {
	{16, 'b', "01", "t"},
	{16, 'b', "00", "f"},
	{21, 'b', "8000", "-32768"},
	{23, 'b', "7fffffff", "2147483647"},
	{20, 'b', "8000000000000000", "-9223372036854775808"},
	{26, 'b', "ffffffff", "4294967295"},
	{5069, 'b', "ffffffffffffffff", "18446744073709551615"},
	{700, 'b', "3dcccccd", "0.1"},
	{700, 'b', "00000001", "1e-45"},
	{700, 'b', "49742400", "1e+06"},
	{701, 'b', "3fb999999999999a", "0.1"},
	{701, 'b', "8000000000000000", "-0"},
	{701, 'b', "0000000000000001", "5e-324"},
	{701, 'b', "7fefffffffffffff", "1.7976931348623157e+308"},
	{701, 'b', "7ff8000000000000", "NaN"},
	{701, 'b', "fff0000000000000", "-Infinity"},
	{701, 'b', "42d6bcc41e900000", "100000000000000"},
	{701, 'b', "430c6bf526340000", "1e+15"},
	/* 2^54 + 4: 1.801439850948199e16 is half-way to the next number and not written */
	{701, 'b', "4350000000000001", "1.8014398509481988e+16"},
	/* 2^-44, a power of two, whose shortest decimal is above it */
	{701, 'b', "3d30000000000000", "5.684341886080802e-14"},
	{1700, 'b', "0000 0000 0000 0000", "0"},
	{1700, 'b', "0000 0000 0000 0003", "0.000"},
	{1700, 'b', "0001 0000 4000 0000 0001", "-1"},
	{1700, 'b', "0003 0001 0000 0005 04d2 162e 2328", "12345678.90000"},
	{1700, 'b', "0001 fffe 0000 0008 0001", "0.00000001"},
	{1700, 'b', "0001 0002 0000 0000 0001", "100000000"},
	{1700, 'b', "0000 0000 c000 0000", "NaN"},
	{1700, 'b', "0000 0000 d000 0000", "Infinity"},
	{1700, 'b', "0000 0000 f000 0000", "-Infinity"},
	{790, 'b', "000000000001e23a", "$1,234.50"},
	{790, 'b', "8000000000000000", "-$92,233,720,368,547,758.08"},
	{1082, 'b', "00000000", "2000-01-01"},
	{1082, 'b', "fff4dbf9", "0001-01-01"},
	{1082, 'b', "fff4dbf8", "0001-12-31 BC"},
	{1082, 'b', "7fffffff", "infinity"},
	{1082, 'b', "80000000", "-infinity"},
	{1083, 'b', "000000141dd76000", "24:00:00"},
	{1083, 'b', "000000000000000a", "00:00:00.00001"},
	{1266, 'b', "0000000000000000 ffffe3e0", "00:00:00+02"},
	{1266, 'b', "0000000000000000 00000001", "00:00:00-00:00:01"},
	{1114, 'b', "ffffffffffffffff", "1999-12-31 23:59:59.999999"},
	{1184, 'b', "0000000000000001", "2000-01-01 00:00:00.000001+00"},
	{1184, 'b', "7fffffffffffffff", "infinity"},
	{1186, 'b', "0000000000000000 00000000 00000000", "00:00:00"},
	{1186, 'b', "ffffffffffffffff 00000001 fffffff3", "-1 years -1 mons +1 day -00:00:00.000001"},
	{1186, 'b', "7fffffffffffffff 7fffffff 7fffffff", "infinity"},
	{1186, 'b', "8000000000000000 80000000 80000000", "-infinity"},
	{17, 'b', "", "\\x"},
	{17, 'b', "00ff5c", "\\x00ff5c"},
	{18, 'b', "00", ""},
	{18, 'b', "41", "A"},
	{25, 'b', "", ""},
	{25, 'b', "c3a9", "é"},
	{3802, 'b', "017b7d", "{}"},
	{1560, 'b', "0000000a aac0", "1010101011"},
	{1562, 'b', "00000000", ""},
	{2950, 'b', "a0eebc999c0b4ef8bb6d6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	{829, 'b', "08002b010203", "08:00:2b:01:02:03"},
	{869, 'b', "02200004 01020304", "1.2.3.4"},
	{869, 'b', "02180004 01020304", "1.2.3.4/24"},
	{650, 'b', "02200104 01020304", "1.2.3.4/32"},
	{869, 'b', "03800010 00000000000000000000ffff01020304", "::ffff:1.2.3.4"},
	{869, 'b', "03800010 20010db8000000010000000000000001", "2001:db8:0:1::1"},
	{3220, 'b', "00000016b374d848", "16/B374D848"},
	{27, 'b', "ffffffffffff", "(4294967295,65535)"},
	{2970, 'b', "00000002 000000000000000a 0000000000000014 000000000000000a 000000000000000e",
	 "10:20:10,14"},
	{600, 'b', "3ff0000000000000 bfe0000000000000", "(1,-0.5)"},
	{602, 'b', "00 00000001 3ff0000000000000 bfe0000000000000", "[(1,-0.5)]"},
	{3614, 'b', "00000002 61 00 0002 c001 0002 27 5c 00 0000", "'a':1A,2 '''\\\\'"},
	{3615, 'b', "00000003 02 02 01 00 01 6200 01 08 00 6100", "'a':A & 'b':*"},
	{3615, 'b', "00000000", ""},
	{3904, 'b', "01", "empty"},
	{3904, 'b', "02 00000004 00000001 00000004 00000005", "[1,5)"},
	{3904, 'b', "18", "(,)"},
	{3908, 'b', "12 00000008 0000000000000000", "[\"2000-01-01 00:00:00\",)"},
	{4451, 'b', "00000001 0000000a 00", "\\x000000010000000a00"},
	{4451, 'b', "00000001 00000011 02 00000004 00000001 00000004 00000005", "{[1,5)}"},
	{1007, 'A', "00000000 00000000 00000017", "{}"},
	{1007, 'A', "00000001 00000001 00000017 00000002 00000001 00000004 00000007 ffffffff", "{7,NULL}"},
	{1007, 'A', "00000001 00000000 00000017 00000001 fffffffe 00000004 00000007", "[-2:-2]={7}"},
	{1009, 'A', "00000001 00000000 00000019 00000003 00000001 00000000 00000004 6e756c6c 00000003 61 22 5c",
	 "{\"\",\"null\",\"a\\\"\\\\\"}"},
	{1007, 'A',
	 "00000002 00000000 00000017 00000002 00000001 00000001 00000001 00000004 00000007 00000004 00000008",
	 "{{7},{8}}"},
	{22, 'b', "00000001 00000000 00000015 00000002 00000000 00000002 0001 00000002 0002", "1 2"},
	{16400, 'e', "736164", "sad"},
	/* types that nobody here knows */
	{16400, 'b', "736164", "\\x736164"},
	{16400, 'c', "", "\\x"},
};

static void
put_value(struct fixture *f, const struct value_case *v)
{
	uint8_t *data;

	buffer_reset(&f->in);
	buffer_reset(&f->out);
	sample_put_hex(&f->in, v->hex);
	data = malloc(f->in.len ? f->in.len : 1);
	assert_non_null(data);
	if (f->in.len > 0)
		memcpy(data, f->in.data, f->in.len);
	value_text_put(&f->out, v->type, v->typtype, data, f->in.len);
	free(data);
}

static void
test_values(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		put_value(f, &values[i]);
		assert_line(&f->out, values[i].text);
	}
}

static const struct value_case malformed[] = {
	{16, 'b', "", "\\x"},
	{16, 'b', "02", "\\x02"},
	{23, 'b', "000001", "\\x000001"},
	{23, 'b', "0000000001", "\\x0000000001"},
	{701, 'b', "3ff0", "\\x3ff0"},
	/* a group of digits beyond 9999; a sign that is none; fewer groups than promised */
	{1700, 'b', "0001 0000 0000 0000 2710", "\\x00010000000000002710"},
	{1700, 'b', "0000 0000 1000 0000", "\\x0000000010000000"},
	{1700, 'b', "0002 0000 0000 0000 0001", "\\x00020000000000000001"},
	{1083, 'b', "000000141dd76001", "\\x000000141dd76001"},
	{1083, 'b', "ffffffffffffffff", "\\xffffffffffffffff"},
	{1266, 'b', "0000000000000000 80000000", "\\x000000000000000080000000"},
	{1560, 'b', "ffffffff aa", "\\xffffffffaa"},
	{3802, 'b', "027b7d", "\\x027b7d"},
	{869, 'b', "02210004 01020304", "\\x0221000401020304"},
	{869, 'b', "02200010 01020304", "\\x0220001001020304"},
	{829, 'b', "08002b0102", "\\x08002b0102"},
	{2970, 'b', "ffffffff 000000000000000a 0000000000000014", "\\xffffffff000000000000000a0000000000000014"},
	{604, 'b', "ffffffff", "\\xffffffff"},
	{3614, 'b', "00000001 61", "\\x0000000161"},
	{3614, 'b', "ffffffff", "\\xffffffff"},
	{3615, 'b', "00000001 02 07 01 00 00 6100",
	 "\\x000000010207010000"
	 "6100"},
	{3615, 'b', "00000002 02 01", "\\x000000020201"},
	/* arrays: seven dimensions; a negative length; more elements than bytes; an unknown element type */
	{1007, 'A', "00000007 00000000 00000017", "\\x000000070000000000000017"},
	{1007, 'A', "00000001 00000000 00000017 ffffffff 00000001",
	 "\\x000000010000000000000017ffffffff00000001"},
	{1007, 'A', "00000001 00000000 00000017 7fffffff 00000001",
	 "\\x0000000100000000000000177fffffff00000001"},
	{1007, 'A', "00000001 00000000 00004010 00000001 00000001 00000000",
	 "\\x000000010000000000004010000000010000000100000000"},
	{3904, 'b', "02 00000004 00000001", "\\x020000000400000001"},
};

static void
test_malformed_values_become_hex(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
		put_value(f, &malformed[i]);
		assert_line(&f->out, malformed[i].text);
	}
}

/* Every value of the table above, cut at every length and damaged: any text, but no read outside. */
static void
test_damaged_values(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		uint8_t *data;
		size_t len;

		put_value(f, &values[i]);
		for (len = 0; len < f->in.len; len++) {
			data = malloc(len ? len : 1);
			assert_non_null(data);
			memcpy(data, f->in.data, len);
			buffer_reset(&f->out);
			value_text_put(&f->out, values[i].type, values[i].typtype, data, len);
			assert_false(f->out.failed);
			for (size_t at = 0; at < len; at++) {
				data[at] ^= 0xff;
				buffer_reset(&f->out);
				value_text_put(&f->out, values[i].type, values[i].typtype, data, len);
				assert_false(f->out.failed);
				data[at] ^= 0xff;
			}
			free(data);
		}
	}
}

/* A tsquery of nothing but negations, deeper than any stack. */
static void
test_deep_nesting_ends(void **state)
{
	struct fixture *f = *state;

	buffer_put_u32(&f->in, 1000000);
	for (int i = 0; i < 1000000; i++)
		buffer_put_u16(&f->in, 0x0201);
	value_text_put(&f->out, 3615, 'b', f->in.data, f->in.len);
	assert_false(f->out.failed);
	assert_int_equal(f->out.len, 2 + 2 * f->in.len);
	assert_memory_equal(f->out.data, "\\x000f4240", 10);
}

/* ---- quotes */

static void
test_identifiers(void **state)
{
	static const char *const names[][2] = {
		{"orders", "orders"},
		{"_a1", "_a1"},
		{"1a", "\"1a\""},
		{"Mixed", "\"Mixed\""},
		{"with blank", "\"with blank\""},
		{"qu\"ote", "\"qu\"\"ote\""},
		{"", "\"\""},
		{"żółw", "\"żółw\""},
		{"select", "\"select\""},
		{"all", "\"all\""},
		{"xmltable", "\"xmltable\""},
		{"name", "name"},
		{"a\nb", "U&\"a\\000Ab\""},
		{"\\\"\t", "U&\"\\\\\"\"\\0009\""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		buffer_reset(&f->out);
		quote_identifier(&f->out, names[i][0]);
		assert_line(&f->out, names[i][1]);
	}
}

static void
check_literal(struct fixture *f, const char *text, size_t len, const char *literal, const char *bytes)
{
	buffer_reset(&f->out);
	buffer_put(&f->out, text, len);
	quote_literal_tail(&f->out, 0);
	assert_line(&f->out, literal);
	buffer_reset(&f->out);
	buffer_put(&f->out, text, len);
	quote_bytes_tail(&f->out, 0);
	assert_line(&f->out, bytes);
}

static void
test_literals(void **state)
{
	struct fixture *f = *state;

	check_literal(f, "", 0, "''", "''");
	check_literal(f, "it's", 4, "'it''s'", "'it''s'");
	check_literal(f, "a\\b", 3, "'a\\b'", "'a\\b'");
	check_literal(f, "a\nb'\\", 5, "E'a\\nb''\\\\'", "E'a\\nb''\\\\'");
	check_literal(f, "\b\f\r\t\0\x7f", 6, "E'\\b\\f\\r\\t\\x00\\x7F'", "E'\\b\\f\\r\\t\\x00\\x7F'");
	check_literal(f, "é", 2, "'é'", "'é'");
	check_literal(f, "\xff\\", 2, "'\xff\\'", "E'\\xFF\\\\'");
	/* no UTF-8: overlong, a surrogate, beyond the last, cut */
	check_literal(f, "\xc0\x80", 2, "'\xc0\x80'", "E'\\xC0\\x80'");
	check_literal(f, "\xed\xa0\x80", 3, "'\xed\xa0\x80'", "E'\\xED\\xA0\\x80'");
	check_literal(f, "\xf4\x90\x80\x80", 4, "'\xf4\x90\x80\x80'", "E'\\xF4\\x90\\x80\\x80'");
	check_literal(f, "\xe2\x82", 2, "'\xe2\x82'", "E'\\xE2\\x82'");
}

/* A number is written without quotes only while it looks like one. */
static void
test_text_values_cannot_break_the_line(void **state)
{
	struct fixture *f = *state;
	struct change_column column = {.attnum = 1,
								   .name = "n",
								   .type = 23,
								   .base_type = 23,
								   .typtype = 'b',
								   .type_schema = "pg_catalog",
								   .type_name = "int4"};
	struct change_relation rel = {.schema = "s",
								  .name = "t",
								  .identity = 'n',
								  .flags = RELATION_TEXT,
								  .column_count = 1,
								  .columns = &column};
	struct value value = {(const uint8_t *) "1\n2", 3, VALUE_PRESENT};
	struct change change = {.kind = CHANGE_INSERT, .relation = &rel, .new = {.values = &value}};
	struct change_decoder d = {.started = true};

	render_change(&f->out, &d, &change);
	assert_line(&f->out, "table s.t: INSERT: n[integer]:E'1\\n2'");
	value.len = 1;
	buffer_reset(&f->out);
	render_change(&f->out, &d, &change);
	assert_line(&f->out, "table s.t: INSERT: n[integer]:1");
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_fixture(test_every_message_has_its_line),
		with_fixture(test_the_documented_example),
		with_fixture(test_a_line_is_appended),
		with_fixture(test_lines_that_do_not_fit),
		with_fixture(test_values),
		with_fixture(test_malformed_values_become_hex),
		with_fixture(test_damaged_values),
		with_fixture(test_deep_nesting_ends),
		with_fixture(test_identifiers),
		with_fixture(test_literals),
		with_fixture(test_text_values_cannot_break_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
