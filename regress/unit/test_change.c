#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/change.h"
#include "common/frame.h"
#include "sample.h"

#define BUFFER_BYTES (1 << 20)

/* ---- helpers */

/* Exactly as much memory as there are bytes, so that a sanitizer sees a read past the end. */
static uint8_t *
copy(const uint8_t *data, size_t len)
{
	uint8_t *result = malloc(len ? len : 1);

	assert_non_null(result);
	if (len > 0)
		memcpy(result, data, len);
	return result;
}

struct fixture {
	struct buffer buffer;
	struct change_base base;
	struct change_decoder decoder;
	struct reader reader;
	struct change change;
};

static int
setup(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof fixture);
	buffer_init(&fixture.buffer, BUFFER_BYTES, NULL, NULL);
	assert_true(change_decoder_init(&fixture.decoder));
	*state = &fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	change_decoder_fini(&f->decoder);
	buffer_fini(&f->buffer);
	return 0;
}

/* Decodes the next message of what is in the buffer. */
static void
next(struct fixture *f, enum change_kind kind)
{
	size_t pos = f->reader.pos;

	reader_init(&f->reader, f->buffer.data, f->buffer.len);
	f->reader.pos = pos;
	if (!change_decode(&f->decoder, &f->reader, &f->change))
		fail_msg("%s", f->decoder.problem);
	assert_int_equal(f->change.kind, kind);
}

static const char *
refuse(struct fixture *f)
{
	size_t pos = f->reader.pos;

	reader_init(&f->reader, f->buffer.data, f->buffer.len);
	f->reader.pos = pos;
	assert_false(change_decode(&f->decoder, &f->reader, &f->change));
	return f->decoder.problem;
}

static void
put_startup(struct fixture *f)
{
	change_put_startup(&f->buffer, &f->base, 150020, "UTF8", "shop", NULL, 0);
}

static void
assert_text(struct bytes actual, const char *expected)
{
	assert_int_equal(actual.len, strlen(expected));
	assert_memory_equal(actual.data, expected, actual.len);
}

static void
assert_value(const struct value *value, const void *expected, size_t len)
{
	assert_int_equal(value->kind, VALUE_PRESENT);
	assert_int_equal(value->len, len);
	assert_memory_equal(value->data, expected, len);
}

/* ---- the fixed bytes */

static void
test_every_message_has_its_bytes(void **state)
{
	struct fixture *f = *state;
	struct buffer expected;

	buffer_init(&expected, BUFFER_BYTES, NULL, NULL);
	for (const struct sample *s = samples; s->name; s++) {
		buffer_reset(&expected);
		buffer_reset(&f->buffer);
		sample_put_hex(&expected, s->hex);
		s->put(&f->buffer, &f->base);
		assert_false(f->buffer.failed);
		if (f->buffer.len != expected.len || memcmp(f->buffer.data, expected.data, expected.len) != 0)
			fail_msg("the bytes of \"%s\" have changed", s->name);
	}
	buffer_fini(&expected);
}

static void
test_startup(void **state)
{
	struct fixture *f = *state;
	struct change_option option;
	size_t at = 0;

	sample_put_all(&f->buffer);
	next(f, CHANGE_STARTUP);
	assert_int_equal(f->change.version, 2);
	assert_int_equal(f->change.server_version_num, 150020);
	assert_text(f->change.encoding, "UTF8");
	assert_text(f->change.database, "shop");
	assert_int_equal(f->change.option_count, 2);
	assert_true(change_next_option(&f->change, &at, &option));
	assert_text(option.name, "format");
	assert_text(option.value, "binary");
	assert_true(change_next_option(&f->change, &at, &option));
	assert_text(option.name, "tables");
	assert_text(option.value, "public.*");
	assert_false(change_next_option(&f->change, &at, &option));
}

static void
check_column(const struct change_column *column, int attnum, const char *name, uint32_t type, unsigned flags)
{
	assert_int_equal(column->attnum, attnum);
	assert_string_equal(column->name, name);
	assert_int_equal(column->type, type);
	assert_int_equal(column->flags, flags);
}

static void
check_relations(struct fixture *f)
{
	const struct change_relation *rel;

	next(f, CHANGE_RELATION);
	rel = f->change.relation;
	assert_int_equal(rel->number, 1);
	assert_int_equal(rel->oid, 16390);
	assert_string_equal(rel->schema, "public");
	assert_string_equal(rel->name, "orders");
	assert_int_equal(rel->identity, 'd');
	assert_int_equal(rel->flags, 0);
	assert_int_equal(rel->column_count, 3);
	assert_int_equal(rel->key_count, 1);
	check_column(&rel->columns[0], 1, "id", 23, COLUMN_KEY | COLUMN_PRIMARY | COLUMN_NOT_NULL);
	check_column(&rel->columns[2], 4, "total", 1700, 0);
	assert_int_equal(rel->columns[0].width, 4);
	assert_int_equal(rel->columns[0].typmod, -1);
	assert_int_equal(rel->columns[2].typmod, 655366);
	assert_string_equal(rel->columns[2].type_schema, "pg_catalog");
	assert_string_equal(rel->columns[2].type_name, "numeric");

	next(f, CHANGE_RELATION);
	rel = f->change.relation;
	assert_int_equal(rel->flags, RELATION_TEXT);
	assert_string_equal(rel->name, "two\nlines");
	assert_int_equal(rel->columns[1].typtype, 'A');

	next(f, CHANGE_RELATION);
	rel = f->change.relation;
	assert_int_equal(rel->flags, RELATION_PARTITIONED);
	assert_int_equal(rel->leaf_count, 2);
	assert_int_equal(rel->leaves[0], 16431);
	assert_int_equal(rel->leaves[1], 16434);
	assert_int_equal(rel->columns[1].type, 16420);
	assert_int_equal(rel->columns[1].base_type, 701);

	next(f, CHANGE_RELATION);
	assert_int_equal(f->change.relation->key_count, 2);
	assert_int_equal(f->change.relation->identity, 'i');
}

static void
check_inserts(struct fixture *f)
{
	static const uint8_t one_and_a_half[] = {0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88};

	next(f, CHANGE_INSERT);
	assert_int_equal(f->change.relation->number, 1);
	assert_value(&f->change.new.values[0], "\0\0\0\1", 4);
	assert_value(&f->change.new.values[1], "it's", 4);
	assert_value(&f->change.new.values[2], one_and_a_half, sizeof one_and_a_half);
	/* The raw row: a byte of flags, 4, 1 + 4, 1 + 12 bytes. */
	assert_int_equal(f->change.new.raw.len, 23);
	assert_int_equal(f->change.new.raw.data[0], 0);

	next(f, CHANGE_INSERT);
	assert_value(&f->change.new.values[0], "\xff\xff\xff\xff", 4);
	assert_int_equal(f->change.new.values[2].kind, VALUE_NULL);
}

static void
check_updates(struct fixture *f)
{
	next(f, CHANGE_UPDATE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_SAME);
	assert_value(&f->change.new.values[0], "\0\0\0\1", 4);
	assert_int_equal(f->change.new.values[1].kind, VALUE_UNCHANGED);
	assert_int_equal(f->change.new.values[2].kind, VALUE_NULL);

	next(f, CHANGE_UPDATE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_KEY);
	assert_int_equal(f->change.old.values[0].kind, VALUE_UNCHANGED);
	assert_value(&f->change.old.values[1], "", 0);
	assert_value(&f->change.old.values[2], "\1", 1);
	assert_value(&f->change.new.values[1], "x", 1);
	assert_value(&f->change.new.values[2], "\0", 1);
	assert_int_equal(f->change.old.raw.len, 3);

	next(f, CHANGE_UPDATE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_FULL);
	assert_value(&f->change.old.values[0], "sad", 3);
	assert_int_equal(f->change.old.values[1].kind, VALUE_NULL);
	assert_value(&f->change.new.values[1], "{sad,happy}", 11);

	next(f, CHANGE_UPDATE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_NONE);
	assert_null(f->change.old.values);
	assert_int_equal(f->change.new.values[1].len, 8);
}

static void
check_deletes(struct fixture *f)
{
	next(f, CHANGE_DELETE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_KEY);
	assert_value(&f->change.old.values[0], "\0\0\0\1", 4);
	assert_null(f->change.new.values);
	next(f, CHANGE_DELETE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_FULL);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(f->change.old.values[i].kind, VALUE_NULL);
	next(f, CHANGE_DELETE);
	assert_int_equal(f->change.old_kind, CHANGE_OLD_NONE);
}

static void
check_truncate(struct fixture *f)
{
	const struct change_relation *rel;
	struct bytes leaf;
	size_t at = 0;

	next(f, CHANGE_TRUNCATE);
	assert_int_equal(f->change.flags, TRUNCATE_CASCADE | TRUNCATE_RESTART);
	assert_int_equal(f->change.truncated_count, 2);
	assert_true(change_next_truncated(&f->decoder, &f->change, &at, &rel, &leaf));
	assert_string_equal(rel->name, "orders");
	assert_int_equal(leaf.len, 0);
	assert_true(change_next_truncated(&f->decoder, &f->change, &at, &rel, &leaf));
	assert_string_equal(rel->name, "sales");
	assert_text(leaf, "public.sales_1");
	assert_false(change_next_truncated(&f->decoder, &f->change, &at, &rel, &leaf));
	next(f, CHANGE_TRUNCATE);
	assert_int_equal(f->change.flags, 0);
}

static void
check_message(struct fixture *f, unsigned flags, uint64_t lsn, const char *prefix, size_t content_len)
{
	next(f, CHANGE_MESSAGE);
	assert_int_equal(f->change.flags, flags);
	assert_true(f->change.message_lsn == lsn);
	assert_text(f->change.prefix, prefix);
	assert_int_equal(f->change.content.len, content_len);
}

static void
check_definition(const struct change *change, size_t *at, uint32_t oid, enum definition_kind kind,
				 uint32_t relation)
{
	struct change_definition definition;

	assert_true(change_next_definition(change, at, &definition));
	assert_true(definition.oid == oid);
	assert_int_equal(definition.kind, kind);
	assert_int_equal(definition.relation, relation);
}

static void
check_definitions(struct fixture *f)
{
	struct change_definition definition;
	size_t at = 0;

	next(f, CHANGE_DEFINITIONS);
	assert_int_equal(f->change.flags, DEFINITIONS_TYPES | DEFINITIONS_MORE);
	assert_int_equal(f->change.definition_count, 6);
	check_definition(&f->change, &at, 16390, DEFINITION_DESCRIBED, 1);
	check_definition(&f->change, &at, 16397, DEFINITION_DROPPED, 0);
	check_definition(&f->change, &at, 16398, DEFINITION_UNKNOWN, 0);
	check_definition(&f->change, &at, 16399, DEFINITION_UNLOGGED, 0);
	check_definition(&f->change, &at, UINT32_MAX, DEFINITION_REWRITTEN, 0);
	check_definition(&f->change, &at, 16401, DEFINITION_MISSED, 0);
	assert_false(change_next_definition(&f->change, &at, &definition));
	next(f, CHANGE_DEFINITIONS);
	assert_int_equal(f->change.flags, DEFINITIONS_TYPES);
	assert_int_equal(f->change.definition_count, 0);
}

static void
check_streams(struct fixture *f)
{
	next(f, CHANGE_STREAM_START);
	assert_int_equal(f->change.xid, 734);
	next(f, CHANGE_SUBTRANSACTION);
	assert_int_equal(f->change.xid, 735);
	next(f, CHANGE_STREAM_STOP);
	next(f, CHANGE_STREAM_ABORT);
	assert_int_equal(f->change.xid, 734);
	assert_int_equal(f->change.subxid, 735);
	next(f, CHANGE_STREAM_COMMIT);
	assert_int_equal(f->change.xid, 734);
	assert_true(f->change.commit_lsn == UINT64_C(0x1000000A0));
	assert_true(f->change.end_lsn == UINT64_C(0x1000000D0));
	assert_true(f->change.commit_time == INT64_C(820638244678000));
	next(f, CHANGE_STREAM_ABORT);
	assert_true(f->change.xid == UINT32_MAX && f->change.subxid == UINT32_MAX);
}

static void
test_the_whole_stream(void **state)
{
	struct fixture *f = *state;

	sample_put_all(&f->buffer);
	next(f, CHANGE_STARTUP);
	check_relations(f);
	next(f, CHANGE_BEGIN);
	assert_int_equal(f->change.xid, 733);
	assert_true(f->change.commit_lsn == UINT64_C(0x16B3748));
	assert_true(f->change.commit_time == INT64_C(820638245678000));
	check_inserts(f);
	check_updates(f);
	check_deletes(f);
	check_truncate(f);
	check_message(f, MESSAGE_TRANSACTIONAL, UINT64_C(0x16B3700), "audit", 7);
	check_definitions(f);
	next(f, CHANGE_COMMIT);
	assert_true(f->change.end_lsn == UINT64_C(0x16B3780));
	check_message(f, 0, UINT64_MAX, "", 5);
	check_streams(f);
	assert_int_equal(reader_left(&f->reader), 0);
}

/* ---- what is malformed */

/* Decodes all messages of the data; returns whether each was whole. */
static bool
decode_all(const uint8_t *data, size_t len)
{
	struct change_decoder d;
	struct change change;
	struct reader r;
	bool ok = true;

	assert_true(change_decoder_init(&d));
	reader_init(&r, data, len);
	while (ok && reader_left(&r) > 0) {
		ok = change_decode(&d, &r, &change);
		assert_true(ok || strlen(d.problem) > 5);
	}
	change_decoder_fini(&d);
	return ok;
}

/* Whether a message ends after `len` bytes of the stream. */
static bool
is_boundary(size_t len)
{
	size_t end = 0;

	for (const struct sample *s = samples; s->name && end < len; s++)
		end += strlen(s->hex) / 2;
	return end == len;
}

static void
test_truncated_at_every_length(void **state)
{
	struct fixture *f = *state;

	sample_put_all(&f->buffer);
	for (size_t len = 0; len <= f->buffer.len; len++) {
		uint8_t *data = copy(f->buffer.data, len);

		assert_int_equal(decode_all(data, len), is_boundary(len));
		free(data);
	}
}

/* xorshift: the same sequence everywhere. */
static uint32_t
random_number(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (uint32_t) (*seed >> 32);
}

static void
test_random_damage(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 20260102;
	unsigned refused = 0;

	sample_put_all(&f->buffer);
	for (int i = 0; i < 20000; i++) {
		uint8_t *data = copy(f->buffer.data, f->buffer.len);

		for (uint32_t n = 1 + random_number(&seed) % 4; n > 0; n--)
			data[random_number(&seed) % f->buffer.len] = (uint8_t) random_number(&seed);
		refused += !decode_all(data, f->buffer.len);
		free(data);
	}
	assert_in_range(refused, 2000, 20000);
}

static void
test_random_garbage(void **state)
{
	static const char kinds[] = "HRBCIUDTMNsxeca";
	uint64_t seed = 4711;
	uint8_t data[64];

	(void) state;
	for (int i = 0; i < 20000; i++) {
		uint8_t *exact;

		for (size_t j = 0; j < sizeof data; j++)
			data[j] = (uint8_t) random_number(&seed);
		data[0] = (uint8_t) kinds[random_number(&seed) % (sizeof kinds - 1)];
		exact = copy(data, sizeof data);
		assert_false(decode_all(exact, sizeof data));
		free(exact);
	}
}

static void
test_the_stream_begins_with_a_startup(void **state)
{
	struct fixture *f = *state;

	change_put_begin(&f->buffer, &f->base, 1, 1, 1);
	assert_string_equal(refuse(f), "the stream does not begin with a startup message");
}

static void
test_another_version_is_refused(void **state)
{
	struct fixture *f = *state;

	sample_put_hex(&f->buffer, "48 00 00 00 00 00");
	assert_non_null(strstr(refuse(f), "version"));
	buffer_reset(&f->buffer);
	f->reader.pos = 0;
	sample_put_hex(&f->buffer, "48 03 00 00 00 00");
	assert_non_null(strstr(refuse(f), "version"));
	/* Nothing that follows is believed either. */
	buffer_reset(&f->buffer);
	f->reader.pos = 0;
	change_put_begin(&f->buffer, &f->base, 1, 1, 1);
	assert_non_null(refuse(f));
}

static void
test_the_first_version_is_still_read(void **state)
{
	struct fixture *f = *state;

	sample_put_hex(&f->buffer, "48 01 00 00 00 00");
	next(f, CHANGE_STARTUP);
	assert_int_equal(f->change.version, 1);
}

static void
check_refused_after_startup(struct fixture *f, const char *hex, const char *problem)
{
	buffer_reset(&f->buffer);
	put_startup(f);
	sample_put_hex(&f->buffer, hex);
	f->reader.pos = 0;
	next(f, CHANGE_STARTUP);
	assert_non_null(strstr(refuse(f), problem));
}

static void
test_malformed_messages(void **state)
{
	struct fixture *f = *state;

	check_refused_after_startup(f, "5a", "unknown kind");
	check_refused_after_startup(f, "49 01 00", "not described");
	check_refused_after_startup(f, "49 00 00", "not described");
	check_refused_after_startup(f, "54 00 01 01 00", "not described");
	/* relations: number 2 before 1; identity 'x'; a NUL in the name; column
	 * number 32768; 1665 columns; more leaves than bytes */
	check_refused_after_startup(f, "52 02 01 0161 0162 64 00 00 00 00", "out of turn");
	check_refused_after_startup(f, "52 01 01 0161 0162 78 00 00 00 00", "identity");
	check_refused_after_startup(f, "52 01 01 0161 026200 64 00 00 00 00", "malformed");
	check_refused_after_startup(f, "52 01 01 0161 0162 64 00 01 808002 0161 17 17 01 62 00 04 00 00 00 00",
								"malformed");
	check_refused_after_startup(f, "52 01 01 0161 0162 64 00 810d", "malformed");
	check_refused_after_startup(f, "52 01 01 0161 0162 64 00 00 ffffffff0f 01", "malformed");
	/* definitions: a relation that was not described, one of an unknown kind, an OID beyond 32 bits, more than bytes */
	check_refused_after_startup(f, "4e 00 01 868001 00 01", "not described");
	check_refused_after_startup(f, "4e 00 01 868001 06", "malformed");
	check_refused_after_startup(f, "4e 00 01 8080808010 01 00", "malformed");
	check_refused_after_startup(f, "4e 00 ffffffff0f 01 01", "malformed");
	/* a transaction number beyond 32 bits */
	check_refused_after_startup(f, "42 8080808010 00 00", "malformed");
}

static void
put_small_relation(struct buffer *b, uint32_t number)
{
	struct change_column column = {.attnum = 1,
								   .name = "id",
								   .type = 23,
								   .base_type = 23,
								   .typmod = -1,
								   .typtype = 'b',
								   .flags = COLUMN_KEY,
								   .width = 4,
								   .type_schema = "pg_catalog",
								   .type_name = "int4"};
	struct change_relation rel = {.number = number,
								  .oid = 1,
								  .schema = "s",
								  .name = "t",
								  .identity = 'd',
								  .column_count = 1,
								  .columns = &column};

	change_put_relation(b, &rel);
}

static void
check_refused_row(struct fixture *f, const char *hex)
{
	buffer_reset(&f->buffer);
	put_startup(f);
	put_small_relation(&f->buffer, 1);
	sample_put_hex(&f->buffer, hex);
	f->reader.pos = 0;
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_RELATION);
	assert_non_null(refuse(f));
}

static void
test_malformed_rows(void **state)
{
	struct fixture *f = *state;

	/* flags that nobody knows; a value cut short; a delete without an old row; an old kind 4 */
	check_refused_row(f, "49 01 04 00000001");
	check_refused_row(f, "49 01 00 000001");
	check_refused_row(f, "44 01 00");
	check_refused_row(f, "55 01 04 00 00000001");
	check_refused_row(f, "49 02 00 00000001");
}

/* ---- relations by their numbers */

static void
test_a_new_startup_numbers_again(void **state)
{
	struct fixture *f = *state;
	const struct change_relation *first;

	put_startup(f);
	put_small_relation(&f->buffer, 1);
	put_small_relation(&f->buffer, 2);
	put_startup(f);
	put_small_relation(&f->buffer, 1);
	sample_put_hex(&f->buffer, "49 01 00 00000001 49 02 00 00000001");
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_RELATION);
	first = f->change.relation;
	next(f, CHANGE_RELATION);
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_RELATION);
	assert_ptr_not_equal(f->change.relation, first);
	next(f, CHANGE_INSERT);
	assert_ptr_not_equal(f->change.relation, first);
	/* The description of before is still there for those who hold it. */
	assert_string_equal(first->name, "t");
	assert_non_null(strstr(refuse(f), "not described"));
}

static void
test_a_forgotten_relation(void **state)
{
	struct fixture *f = *state;

	put_startup(f);
	put_small_relation(&f->buffer, 1);
	put_small_relation(&f->buffer, 2);
	sample_put_hex(&f->buffer, "49 02 00 00000001 49 01 00 00000001");
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_RELATION);
	next(f, CHANGE_RELATION);
	change_decoder_forget(&f->decoder, 1);
	change_decoder_forget(&f->decoder, 1);
	change_decoder_forget(&f->decoder, 3);
	next(f, CHANGE_INSERT);
	assert_non_null(strstr(refuse(f), "not described"));
}

static void
test_lsn_and_time_start_at_zero(void **state)
{
	struct fixture *f = *state;

	put_startup(f);
	change_put_begin(&f->buffer, &f->base, 1, UINT64_MAX, INT64_MIN);
	change_put_begin(&f->buffer, &f->base, 1, 0, INT64_MAX);
	put_startup(f);
	change_put_begin(&f->buffer, &f->base, 1, 5, -5);
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_BEGIN);
	assert_true(f->change.commit_lsn == UINT64_MAX && f->change.commit_time == INT64_MIN);
	next(f, CHANGE_BEGIN);
	assert_true(f->change.commit_lsn == 0 && f->change.commit_time == INT64_MAX);
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_BEGIN);
	assert_true(f->change.commit_lsn == 5 && f->change.commit_time == -5);
}

static void
test_unknown_additions_are_skipped(void **state)
{
	struct fixture *f = *state;

	put_startup(f);
	sample_put_hex(&f->buffer, "52 01 01 0173 0174 6e 00 00 00 02 07 03616263 8001 00 65");
	next(f, CHANGE_STARTUP);
	next(f, CHANGE_RELATION);
	assert_string_equal(f->change.relation->name, "t");
	next(f, CHANGE_STREAM_STOP);
}

static void
test_many_relations(void **state)
{
	struct fixture *f = *state;

	put_startup(f);
	for (uint32_t i = 1; i <= 1000; i++)
		put_small_relation(&f->buffer, i);
	sample_put_hex(&f->buffer, "49 e807 00 00000001");
	next(f, CHANGE_STARTUP);
	for (uint32_t i = 1; i <= 1000; i++)
		next(f, CHANGE_RELATION);
	next(f, CHANGE_INSERT);
	assert_int_equal(f->change.relation->number, 1000);
}

/* ---- random rows */

#define WIDE_COLUMNS 1600

struct wide {
	struct change_column columns[WIDE_COLUMNS];
	struct change_relation rel;
	bool nulls[WIDE_COLUMNS];
	bool unchanged[WIDE_COLUMNS];
};

static void
init_wide(struct wide *w, unsigned count, uint64_t *seed)
{
	memset(w, 0, sizeof *w);
	for (unsigned i = 0; i < count; i++)
		w->columns[i] = (struct change_column){.attnum = (int16_t) (i + 1),
											   .name = "c",
											   .typmod = -1,
											   .typtype = 'b',
											   .flags = random_number(seed) % 3 == 0 ? COLUMN_KEY : 0,
											   .width = (uint16_t) (random_number(seed) % 3),
											   .type_schema = "s",
											   .type_name = "t"};
	w->rel = (struct change_relation){.number = 1,
									  .schema = "s",
									  .name = "t",
									  .identity = 'i',
									  .column_count = count,
									  .columns = w->columns};
	for (unsigned i = 0; i < count; i++)
		w->rel.key_count += w->columns[i].flags & COLUMN_KEY;
}

/* Writes the row and leaves in nulls and unchanged what it chose; values are the column's number. */
static void
put_random_row(struct buffer *b, struct wide *w, bool key_only, uint64_t *seed)
{
	bool nulls[WIDE_COLUMNS], unchanged[WIDE_COLUMNS];
	unsigned n = 0, rate = random_number(seed) % 5;

	for (unsigned i = 0; i < w->rel.column_count; i++) {
		w->nulls[i] = rate && random_number(seed) % (3 * rate) == 0;
		w->unchanged[i] = rate > 2 && !w->nulls[i] && random_number(seed) % 4 == 0;
		if (key_only && !(w->columns[i].flags & COLUMN_KEY))
			continue;
		nulls[n] = w->nulls[i];
		unchanged[n++] = w->unchanged[i];
	}
	change_put_row_head(b, n, nulls, unchanged);
	for (unsigned i = 0; i < w->rel.column_count; i++) {
		char text[8] = {(char) i, (char) (i >> 8), 'x'};

		if ((key_only && !(w->columns[i].flags & COLUMN_KEY)) || w->nulls[i] || w->unchanged[i])
			continue;
		if (w->columns[i].width)
			buffer_put(b, text, w->columns[i].width);
		else
			buffer_put_string(b, text, 3);
	}
}

static void
check_random_row(const struct wide *w, bool key_only, const struct value *values)
{
	for (unsigned i = 0; i < w->rel.column_count; i++) {
		char text[8] = {(char) i, (char) (i >> 8), 'x'};

		if (key_only && !(w->columns[i].flags & COLUMN_KEY))
			assert_int_equal(values[i].kind, VALUE_UNCHANGED);
		else if (w->nulls[i])
			assert_int_equal(values[i].kind, VALUE_NULL);
		else if (w->unchanged[i])
			assert_int_equal(values[i].kind, VALUE_UNCHANGED);
		else
			assert_value(&values[i], text, w->columns[i].width ? w->columns[i].width : 3);
	}
}

static void
test_random_rows(void **state)
{
	struct fixture *f = *state;
	static struct wide w;
	static struct value values[WIDE_COLUMNS];
	uint64_t seed = 99;

	for (int i = 0; i < 2000; i++) {
		bool key_only = random_number(&seed) % 2;
		struct reader r;
		uint8_t *data;

		init_wide(&w, i < 20 ? WIDE_COLUMNS : random_number(&seed) % 40, &seed);
		buffer_reset(&f->buffer);
		put_random_row(&f->buffer, &w, key_only, &seed);
		data = copy(f->buffer.data, f->buffer.len);
		reader_init(&r, data, f->buffer.len);
		assert_true(change_decode_row(&w.rel, key_only, &r, values));
		assert_int_equal(reader_left(&r), 0);
		check_random_row(&w, key_only, values);
		free(data);
	}
}

/* ---- frames */

static void
test_frames(void **state)
{
	struct fixture *f = *state;
	struct reader r;
	struct frame frame;
	size_t start;

	buffer_put_u8(&f->buffer, 0xee);
	start = change_frame_start(&f->buffer);
	buffer_put(&f->buffer, "abc", 3);
	change_frame_end(&f->buffer, start, FRAME_OPEN);
	start = change_frame_start(&f->buffer);
	change_frame_end(&f->buffer, start, 0);
	reader_init(&r, f->buffer.data, f->buffer.len);
	assert_int_equal(reader_get_u8(&r), 0xee);
	assert_memory_equal(r.data + 1, "S\2\0\0\0\3abcS\0\0\0\0\0", 15);
	assert_int_equal(change_frame_read(&r, &frame), FRAME_READ);
	assert_int_equal(frame.flags, FRAME_OPEN);
	assert_text(frame.body, "abc");
	assert_int_equal(frame.raw_len, 3);
	assert_int_equal(change_frame_read(&r, &frame), FRAME_READ);
	assert_int_equal(frame.flags, 0);
	assert_int_equal(frame.body.len, 0);
	assert_int_equal(change_frame_read(&r, &frame), FRAME_INCOMPLETE);
	assert_int_equal(reader_left(&r), 0);
	assert_false(r.failed);
}

static void
check_frame(const char *hex, enum frame_result expected)
{
	struct buffer b;
	struct reader r;
	struct frame frame;
	uint8_t *data;

	buffer_init(&b, 100, NULL, NULL);
	sample_put_hex(&b, hex);
	data = copy(b.data, b.len);
	reader_init(&r, data, b.len);
	assert_int_equal(change_frame_read(&r, &frame), expected);
	assert_int_equal(reader_left(&r), expected == FRAME_READ ? 0 : b.len);
	free(data);
	buffer_fini(&b);
}

static void
test_incomplete_and_malformed_frames(void **state)
{
	(void) state;
	check_frame("", FRAME_INCOMPLETE);
	check_frame("53", FRAME_INCOMPLETE);
	check_frame("53 00 00 00 00", FRAME_INCOMPLETE);
	check_frame("53 00 00000002 61", FRAME_INCOMPLETE);
	check_frame("53 00 ffffffff 61", FRAME_INCOMPLETE);
	check_frame("53 00 00000002 6161", FRAME_READ);
	check_frame("53 03 00000002 00000005 6161", FRAME_READ);
	check_frame("53 01 00000002 00000005 61", FRAME_INCOMPLETE);
	check_frame("53 01 00000002 6161", FRAME_INCOMPLETE);
	check_frame("00", FRAME_MALFORMED);
	check_frame("0a53 00 00000000", FRAME_MALFORMED);
	/* unknown flags, seen before the body is there */
	check_frame("53 10", FRAME_MALFORMED);
	check_frame("53 08", FRAME_MALFORMED);
	check_frame("53 09 00000001 00000001 61", FRAME_READ);
	check_frame("53 84 00000001", FRAME_MALFORMED);
}

static void
test_a_full_buffer_makes_no_frame(void **state)
{
	struct buffer b;
	struct change_base base = {0};
	size_t start;

	(void) state;
	buffer_init(&b, 64, NULL, NULL);
	start = change_frame_start(&b);
	for (int i = 0; i < 20; i++)
		change_put_begin(&b, &base, 1, 0, 0);
	assert_true(b.failed);
	change_frame_end(&b, start, 0);
	assert_memory_equal(b.data + start, "S\0\0\0\0\0", 6);
	buffer_fini(&b);
}

/* ---- compressed frames */

/* Puts a frame of `len` bytes, of which `cycle` are different. */
static void
put_frame(struct buffer *b, size_t len, size_t cycle, uint8_t flags)
{
	size_t start = change_frame_start(b);
	uint32_t random = 1;

	for (size_t i = 0; i < len; i++) {
		random = i % cycle == 0 ? 1 : random * 1664525u + 1013904223u;
		buffer_put_u8(b, (uint8_t) (random >> 24));
	}
	change_frame_end(b, start, flags);
	assert_false(b->failed);
}

/* A packer and its reader, as on a connection. */
struct wire {
	struct frame_packer packer;
	struct frame_parts parts;
	struct buffer packed;
	struct frame frame; /* what was read last */
	uint8_t *data;
};

static void
open_wire(struct wire *w)
{
	*w = (struct wire){0};
	buffer_init(&w->packer.stream, BUFFER_BYTES, NULL, NULL);
	buffer_init(&w->packer.ring, BUFFER_BYTES, NULL, NULL);
	buffer_init(&w->parts.unpacked, BUFFER_BYTES, NULL, NULL);
	buffer_init(&w->parts.joined, BUFFER_BYTES, NULL, NULL);
	buffer_init(&w->packed, BUFFER_BYTES, NULL, NULL);
}

static void
close_wire(struct wire *w)
{
	buffer_fini(&w->packer.stream);
	buffer_fini(&w->packer.ring);
	buffer_fini(&w->packed);
	frame_parts_fini(&w->parts);
	free(w->data);
}

/* Compresses a frame and reads it again, from memory of exactly its size; false where it is not to be compressed. */
static bool
pass(struct wire *w, const struct buffer *plain)
{
	struct reader r;
	struct bytes body;

	if (!frame_pack(&w->packer, plain, &w->packed))
		return false;
	free(w->data);
	w->data = copy(w->packed.data, w->packed.len);
	reader_init(&r, w->data, w->packed.len);
	assert_int_equal(change_frame_read(&r, &w->frame), FRAME_READ);
	assert_int_equal(reader_left(&r), 0);
	assert_int_equal(w->frame.raw_len, plain->len - FRAME_HEADER_BYTES);
	assert_true(frame_parts_take(&w->parts, &w->frame, &body));
	assert_int_equal(body.len, plain->len - FRAME_HEADER_BYTES);
	assert_memory_equal(body.data, plain->data + FRAME_HEADER_BYTES, body.len);
	frame_parts_done(&w->parts, &w->frame);
	return true;
}

/* A body of 16 letters a: one literal, a copy of 10, and 5 literals, which every block ends with. */
#define PACKED_A "16 61 0100 50 6161616161"

/* Two parts, one of them compressed, and what follows; then a frame by itself. */
static void
test_frames_in_parts(void **state)
{
	static const char hex[] =
		"53 06 00000003 616263  53 07 0000000a 00000010 " PACKED_A " 53 00 00000002 6465  53 00 00000001 66";
	static const char *const expected[] = {"", "", "abcaaaaaaaaaaaaaaaade", "f"};
	struct frame_parts parts;
	struct frame frame;
	struct buffer b;
	struct reader r;

	(void) state;
	buffer_init(&b, 200, NULL, NULL);
	buffer_init(&parts.unpacked, 100, NULL, NULL);
	buffer_init(&parts.joined, 100, NULL, NULL);
	sample_put_hex(&b, hex);
	reader_init(&r, b.data, b.len);
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		struct bytes body;

		assert_int_equal(change_frame_read(&r, &frame), FRAME_READ);
		assert_true(frame_parts_take(&parts, &frame, &body));
		assert_int_equal(body.len, strlen(expected[i]));
		assert_memory_equal(body.data, expected[i], body.len);
		frame_parts_done(&parts, &frame);
	}
	assert_int_equal(reader_left(&r), 0);
	frame_parts_fini(&parts);
	buffer_fini(&b);
}

/* The parts together are bounded as a frame is. */
static void
test_parts_that_are_too_large(void **state)
{
	struct frame_parts parts;
	struct frame frame = {
		.flags = FRAME_OPEN | FRAME_PART, .body = {(const uint8_t *) "abcdefgh", 8}, .raw_len = 8};
	struct bytes body;

	(void) state;
	buffer_init(&parts.unpacked, 20, NULL, NULL);
	buffer_init(&parts.joined, 20, NULL, NULL);
	for (int i = 0; i < 2; i++) {
		assert_true(frame_parts_take(&parts, &frame, &body));
		frame_parts_done(&parts, &frame);
	}
	assert_false(frame_parts_take(&parts, &frame, &body));
	assert_true(parts.joined.failed);
	frame_parts_fini(&parts);
}

static void
test_compressed_frames(void **state)
{
	static const size_t lengths[] = {
		1, 16, 70000, FRAME_PACKED_MAX, 3, FRAME_PACKED_MAX, FRAME_PACKED_MAX, 300, 65536, 65535};
	struct buffer plain;
	struct wire w;

	(void) state;
	open_wire(&w);
	buffer_init(&plain, BUFFER_BYTES, NULL, NULL);
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		/* What does not become smaller is a part of the window all the same. */
		for (size_t cycle = 1; cycle < 1000000; cycle *= 100) {
			bool first = i == 0 && cycle == 1;

			buffer_reset(&plain);
			put_frame(&plain, lengths[i], cycle, FRAME_OPEN);
			assert_true(pass(&w, &plain));
			assert_int_equal(w.frame.flags, FRAME_OPEN | FRAME_LZ4 | (first ? 0 : FRAME_LINKED));
		}
	}
	buffer_fini(&plain);
	close_wire(&w);
}

/* Bodies of many lengths, made of pieces of those before them, so that each begins at another place of both buffers. */
static void
test_compressed_frames_of_all_lengths(void **state)
{
	struct buffer plain;
	struct wire w;
	uint32_t random = 4711;
	size_t raw = 0, packed = 0;

	(void) state;
	open_wire(&w);
	buffer_init(&plain, BUFFER_BYTES, NULL, NULL);
	for (unsigned i = 0; i < 3000; i++) {
		random = random * 1664525u + 1013904223u;
		buffer_reset(&plain);
		put_frame(&plain, 1 + (random >> 8) % (i % 100 == 0 ? FRAME_PACKED_MAX : 900), 1 + random % 9000, 0);
		assert_true(pass(&w, &plain));
		raw += plain.len;
		packed += w.packed.len;
	}
	assert_true(packed < raw / 2);
	buffer_fini(&plain);
	close_wire(&w);
}

/* What a packer refuses is sent as it is, and makes no difference to what follows. */
static void
test_frames_that_are_not_compressed(void **state)
{
	struct buffer plain;
	struct wire w;

	(void) state;
	open_wire(&w);
	buffer_init(&plain, BUFFER_BYTES, NULL, NULL);
	put_frame(&plain, 500, 500, 0);
	assert_true(pass(&w, &plain));
	for (size_t i = 0; i < 2; i++) {
		buffer_reset(&plain);
		put_frame(&plain, i == 0 ? 0 : FRAME_PACKED_MAX + 1, 1, 0);
		assert_false(pass(&w, &plain));
	}
	buffer_reset(&plain);
	put_frame(&plain, 500, 500, 0);
	plain.failed = true;
	assert_false(pass(&w, &plain));
	plain.failed = false;
	assert_true(pass(&w, &plain));
	assert_int_equal(w.frame.flags, FRAME_LZ4 | FRAME_LINKED);
	/* It was there before. */
	assert_true(w.packed.len < 30);
	buffer_fini(&plain);
	close_wire(&w);
}

/*
 * What comes of the last of the frames in hexadecimal digits: the text of its body, or, with a ! in front, the problem
 * with it.  The others can be read.
 */
static void
check_bodies(const char *hex, size_t limit, const char *expected)
{
	struct frame_parts parts;
	struct buffer b;
	struct reader r;
	struct frame frame;
	struct bytes body = {NULL, 0};
	uint8_t *data;
	bool taken = true;

	buffer_init(&b, 200, NULL, NULL);
	buffer_init(&parts.unpacked, limit, NULL, NULL);
	buffer_init(&parts.joined, limit, NULL, NULL);
	sample_put_hex(&b, hex);
	data = copy(b.data, b.len);
	reader_init(&r, data, b.len);
	while (reader_left(&r) > 0) {
		assert_true(taken);
		assert_int_equal(change_frame_read(&r, &frame), FRAME_READ);
		taken = frame_parts_take(&parts, &frame, &body);
	}
	assert_int_equal(taken, expected[0] != '!');
	if (taken)
		assert_text(body, expected);
	else
		assert_string_equal(parts.problem, expected + 1);
	free(data);
	buffer_fini(&b);
	frame_parts_fini(&parts);
}

#define SIZE "!it cannot have the size before compression that it claims"
#define DAMAGED "!its compressed body is damaged"
#define ALONE "!it refers to compressed frames before it, which did not come"

static void
test_bodies(void **state)
{
	(void) state;
	check_bodies("53 00 00000003 616263", 100, "abc");
	check_bodies("53 00 00000000", 100, "");
	check_bodies("53 01 0000000a 00000010" PACKED_A, 100, "aaaaaaaaaaaaaaaa");
	check_bodies("53 03 0000000a 00000010" PACKED_A, 100, "aaaaaaaaaaaaaaaa");
	/* more or less than announced */
	check_bodies("53 01 0000000a 0000000f" PACKED_A, 100, DAMAGED);
	check_bodies("53 01 0000000a 00000011" PACKED_A, 100, DAMAGED);
	check_bodies("53 01 0000000a 00000000" PACKED_A, 100, SIZE);
	/* cut, and no block at all */
	check_bodies("53 01 00000009 00000010 16 61 0100 50 61616161", 100, DAMAGED);
	check_bodies("53 01 00000000 00000010", 100, DAMAGED);
	/* a copy of what is not there */
	check_bodies("53 01 0000000a 00000010 16 61 0200 50 6161616161", 100, DAMAGED);
	/* so much cannot come of so little; nothing is allocated for it */
	check_bodies("53 01 0000000a 40000000" PACKED_A, SIZE_MAX, SIZE);
	check_bodies("53 01 0000000a 40000001" PACKED_A, SIZE_MAX, SIZE);
	check_bodies("53 01 0000000a ffffffff" PACKED_A, SIZE_MAX, SIZE);
	/* more than the reader has room for */
	check_bodies("53 01 0000000a 00000010" PACKED_A, 15, "!it is too large for this machine's memory");
}

/* abcdefgh and again: one literal z, a copy of 8 from 9 before, five literals. */
#define FIRST "53 01 00000009 00000008 80 6162636465666768"
#define LINK "0000000a 0000000e 14 7a 0900 50 767778797a"

static void
test_linked_bodies(void **state)
{
	(void) state;
	check_bodies(FIRST "53 09 " LINK, 100, "zabcdefghvwxyz");
	check_bodies(FIRST "53 0b " LINK "53 09 " LINK, 100, "zfghvwxyzvwxyz");
	/* frames that are not compressed are not referred to */
	check_bodies(FIRST "53 00 00000001 61 53 09 " LINK, 100, "zabcdefghvwxyz");
	/* without a beginning, and further back than the last one */
	check_bodies("53 09 " LINK, 100, ALONE);
	check_bodies("53 00 00000001 61 53 09 " LINK, 100, ALONE);
	check_bodies(FIRST "53 01 00000002 00000001 10 61 53 09 " LINK, 100, DAMAGED);
	/* larger than any that is sent, and than memory */
	check_bodies(FIRST "53 09 0000000a 00020001 14 7a 0900 50 767778797a", SIZE_MAX, SIZE);
	check_bodies(FIRST "53 09 0000000a 00001000 14 7a 0900 50 767778797a", SIZE_MAX, SIZE);
	check_bodies(FIRST "53 09 " LINK, 21, "!it is too large for this machine's memory");
}

static void
test_a_buffer_too_small_compresses_nothing(void **state)
{
	struct buffer plain;
	struct wire w;

	(void) state;
	buffer_init(&plain, BUFFER_BYTES, NULL, NULL);
	put_frame(&plain, 1000, 1, 0);
	open_wire(&w);
	w.packed.limit = 100;
	assert_false(pass(&w, &plain));
	w.packed.limit = BUFFER_BYTES;
	w.packer.ring.limit = 100;
	assert_false(pass(&w, &plain));
	close_wire(&w);
	buffer_fini(&plain);
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_fixture(test_every_message_has_its_bytes),
		with_fixture(test_startup),
		with_fixture(test_the_whole_stream),
		with_fixture(test_truncated_at_every_length),
		with_fixture(test_random_damage),
		with_fixture(test_random_garbage),
		with_fixture(test_the_stream_begins_with_a_startup),
		with_fixture(test_another_version_is_refused),
		with_fixture(test_the_first_version_is_still_read),
		with_fixture(test_malformed_messages),
		with_fixture(test_malformed_rows),
		with_fixture(test_a_new_startup_numbers_again),
		with_fixture(test_a_forgotten_relation),
		with_fixture(test_lsn_and_time_start_at_zero),
		with_fixture(test_unknown_additions_are_skipped),
		with_fixture(test_many_relations),
		with_fixture(test_random_rows),
		with_fixture(test_frames),
		with_fixture(test_incomplete_and_malformed_frames),
		with_fixture(test_a_full_buffer_makes_no_frame),
		cmocka_unit_test(test_compressed_frames),
		cmocka_unit_test(test_compressed_frames_of_all_lengths),
		cmocka_unit_test(test_frames_that_are_not_compressed),
		cmocka_unit_test(test_frames_in_parts),
		cmocka_unit_test(test_parts_that_are_too_large),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_linked_bodies),
		cmocka_unit_test(test_a_buffer_too_small_compresses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
