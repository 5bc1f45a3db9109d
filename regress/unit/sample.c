#include "sample.h"

#include <stdio.h>

#define COMMIT_LSN UINT64_C(0x16B3748)
#define END_LSN UINT64_C(0x16B3780)
#define STREAM_COMMIT_LSN UINT64_C(0x1000000A0)
/* 2026-01-02 03:04:05.678 */
#define COMMIT_TIME INT64_C(820638245678000)

static struct bytes
text(const char *s)
{
	return (struct bytes){(const uint8_t *) s, strlen(s)};
}

static void
put_startup(struct buffer *b, struct change_base *base)
{
	const struct change_option options[] = {
		{text("format"), text("binary")},
		{text("tables"), text("public.*")},
	};

	change_put_startup(b, base, 150020, "UTF8", "shop", options, 2);
}

/* ---- relations */

static void
put_orders(struct buffer *b, struct change_base *base)
{
	struct change_column columns[] = {
		{.attnum = 1,
		 .name = "id",
		 .type = 23,
		 .base_type = 23,
		 .typmod = -1,
		 .typtype = 'b',
		 .flags = COLUMN_KEY | COLUMN_PRIMARY | COLUMN_NOT_NULL,
		 .width = 4,
		 .type_schema = "pg_catalog",
		 .type_name = "int4"},
		{.attnum = 2,
		 .name = "note",
		 .type = 25,
		 .base_type = 25,
		 .typmod = -1,
		 .typtype = 'b',
		 .type_schema = "pg_catalog",
		 .type_name = "text"},
		{.attnum = 4,
		 .name = "total",
		 .type = 1700,
		 .base_type = 1700,
		 .typmod = 655366,
		 .typtype = 'b',
		 .type_schema = "pg_catalog",
		 .type_name = "numeric"},
	};
	const struct change_relation rel = {.number = 1,
										.oid = 16390,
										.schema = "public",
										.name = "orders",
										.identity = 'd',
										.column_count = 3,
										.columns = columns};

	(void) base;
	change_put_relation(b, &rel);
}

static void
put_odd_names(struct buffer *b, struct change_base *base)
{
	struct change_column columns[] = {
		{.attnum = 1,
		 .name = "select",
		 .type = 16400,
		 .base_type = 16400,
		 .typmod = -1,
		 .typtype = 'e',
		 .type_schema = "public",
		 .type_name = "Mood"},
		{.attnum = 2,
		 .name = "na\"me",
		 .type = 16405,
		 .base_type = 16405,
		 .typmod = -1,
		 .typtype = 'A',
		 .type_schema = "public",
		 .type_name = "_Mood"},
		{.attnum = 3,
		 .name = "ok",
		 .type = 16,
		 .base_type = 16,
		 .typmod = -1,
		 .typtype = 'b',
		 .type_schema = "pg_catalog",
		 .type_name = "bool"},
	};
	const struct change_relation rel = {.number = 2,
										.oid = 16410,
										.schema = "My Schema",
										.name = "two\nlines",
										.identity = 'f',
										.flags = RELATION_TEXT,
										.column_count = 3,
										.columns = columns};

	(void) base;
	change_put_relation(b, &rel);
}

static void
put_partitioned(struct buffer *b, struct change_base *base)
{
	struct change_column columns[] = {
		{.attnum = 1,
		 .name = "day",
		 .type = 1082,
		 .base_type = 1082,
		 .typmod = -1,
		 .typtype = 'b',
		 .flags = COLUMN_NOT_NULL | COLUMN_IDENTITY,
		 .width = 4,
		 .type_schema = "pg_catalog",
		 .type_name = "date"},
		{.attnum = 2,
		 .name = "price",
		 .type = 16420,
		 .base_type = 701,
		 .typmod = -1,
		 .typtype = 'b',
		 .flags = COLUMN_GENERATED,
		 .width = 8,
		 .type_schema = "public",
		 .type_name = "amount"},
	};
	uint32_t leaves[] = {16431, 16434};
	const struct change_relation rel = {.number = 3,
										.oid = 16428,
										.schema = "public",
										.name = "sales",
										.identity = 'n',
										.flags = RELATION_PARTITIONED,
										.column_count = 2,
										.columns = columns,
										.leaf_count = 2,
										.leaves = leaves};

	(void) base;
	change_put_relation(b, &rel);
}

/* Its key is not in front. */
static void
put_index_identity(struct buffer *b, struct change_base *base)
{
	struct change_column columns[] = {
		{.attnum = 1,
		 .name = "a",
		 .type = 20,
		 .base_type = 20,
		 .typmod = -1,
		 .typtype = 'b',
		 .width = 8,
		 .type_schema = "pg_catalog",
		 .type_name = "int8"},
		{.attnum = 2,
		 .name = "b",
		 .type = 1043,
		 .base_type = 1043,
		 .typmod = 14,
		 .typtype = 'b',
		 .flags = COLUMN_KEY | COLUMN_NOT_NULL,
		 .type_schema = "pg_catalog",
		 .type_name = "varchar"},
		{.attnum = 3,
		 .name = "c",
		 .type = 16,
		 .base_type = 16,
		 .typmod = -1,
		 .typtype = 'b',
		 .flags = COLUMN_KEY | COLUMN_NOT_NULL,
		 .width = 1,
		 .type_schema = "pg_catalog",
		 .type_name = "bool"},
	};
	const struct change_relation rel = {.number = 4,
										.oid = 16440,
										.schema = "public",
										.name = "pairs",
										.identity = 'i',
										.column_count = 3,
										.columns = columns};

	(void) base;
	change_put_relation(b, &rel);
}

/* ---- a transaction */

static void
put_begin(struct buffer *b, struct change_base *base)
{
	change_put_begin(b, base, 733, COMMIT_LSN, COMMIT_TIME);
}

static void
put_int4(struct buffer *b, uint32_t value)
{
	buffer_put_u32(b, value);
}

/* 1.50, as numeric_send writes it. */
static void
put_one_and_a_half(struct buffer *b)
{
	static const uint8_t sent[] = {0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0x13, 0x88};

	buffer_put_string(b, sent, sizeof sent);
}

static void
put_insert(struct buffer *b, struct change_base *base)
{
	const bool nulls[3] = {false, false, false};

	(void) base;
	change_put_insert(b, 1);
	change_put_row_head(b, 3, nulls, NULL);
	put_int4(b, 1);
	buffer_put_text(b, "it's");
	put_one_and_a_half(b);
}

static void
put_insert_null(struct buffer *b, struct change_base *base)
{
	const bool nulls[3] = {false, false, true};

	(void) base;
	change_put_insert(b, 1);
	change_put_row_head(b, 3, nulls, NULL);
	put_int4(b, UINT32_MAX);
	buffer_put_text(b, "two\nlines, a back\\slash");
}

static void
put_update(struct buffer *b, struct change_base *base)
{
	const bool nulls[3] = {false, false, true}, unchanged[3] = {false, true, false};

	(void) base;
	change_put_update(b, 1, CHANGE_OLD_SAME);
	change_put_row_head(b, 3, nulls, unchanged);
	put_int4(b, 1);
}

static void
put_update_key(struct buffer *b, struct change_base *base)
{
	const bool nulls[3] = {false, false, false};

	(void) base;
	change_put_update(b, 4, CHANGE_OLD_KEY);
	change_put_row_head(b, 2, nulls, NULL);
	buffer_put_text(b, "");
	buffer_put_u8(b, 1);
	change_put_row_head(b, 3, nulls, NULL);
	buffer_put_u64(b, UINT64_MAX);
	buffer_put_text(b, "x");
	buffer_put_u8(b, 0);
}

static void
put_update_full(struct buffer *b, struct change_base *base)
{
	const bool nulls[3] = {false, true, false}, no_nulls[3] = {false, false, false};

	(void) base;
	change_put_update(b, 2, CHANGE_OLD_FULL);
	change_put_row_head(b, 3, nulls, NULL);
	buffer_put_text(b, "sad");
	buffer_put_text(b, "t");
	change_put_row_head(b, 3, no_nulls, NULL);
	buffer_put_text(b, "happy");
	buffer_put_text(b, "{sad,happy}");
	buffer_put_text(b, "f");
}

static void
put_update_none(struct buffer *b, struct change_base *base)
{
	const bool nulls[2] = {false, false};

	(void) base;
	change_put_update(b, 3, CHANGE_OLD_NONE);
	change_put_row_head(b, 2, nulls, NULL);
	put_int4(b, 9498);
	buffer_put_u64(b, UINT64_C(0x3FB999999999999A));
}

static void
put_delete(struct buffer *b, struct change_base *base)
{
	const bool nulls[1] = {false};

	(void) base;
	change_put_delete(b, 1, CHANGE_OLD_KEY);
	change_put_row_head(b, 1, nulls, NULL);
	put_int4(b, 1);
}

static void
put_delete_full(struct buffer *b, struct change_base *base)
{
	const bool nulls[3] = {true, true, true};

	(void) base;
	change_put_delete(b, 2, CHANGE_OLD_FULL);
	change_put_row_head(b, 3, nulls, NULL);
}

static void
put_delete_none(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_delete(b, 3, CHANGE_OLD_NONE);
}

static void
put_truncate(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_truncate(b, TRUNCATE_CASCADE | TRUNCATE_RESTART, 2);
	change_put_truncated(b, 1, "");
	change_put_truncated(b, 3, "public.sales_1");
}

static void
put_plain_truncate(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_truncate(b, 0, 1);
	change_put_truncated(b, 2, "");
}

static void
put_message(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_message(b, MESSAGE_TRANSACTIONAL, UINT64_C(0x16B3700), "audit", "żółw", strlen("żółw"));
}

static void
put_definitions(struct buffer *b, struct change_base *base)
{
	static const struct change_definition definitions[] = {
		{.oid = 16390, .kind = DEFINITION_DESCRIBED, .relation = 1},
		{.oid = 16397, .kind = DEFINITION_DROPPED},
		{.oid = 16398, .kind = DEFINITION_UNKNOWN},
		{.oid = 16399, .kind = DEFINITION_UNLOGGED},
		{.oid = UINT32_MAX, .kind = DEFINITION_REWRITTEN},
		{.oid = 16401, .kind = DEFINITION_MISSED},
	};

	(void) base;
	change_put_definitions(b, DEFINITIONS_TYPES | DEFINITIONS_MORE, 6);
	for (int i = 0; i < 6; i++)
		change_put_definition(b, &definitions[i]);
}

static void
put_no_definitions(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_definitions(b, DEFINITIONS_TYPES, 0);
}

static void
put_commit(struct buffer *b, struct change_base *base)
{
	change_put_commit(b, base, END_LSN);
}

static void
put_binary_message(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_message(b, 0, UINT64_C(0xFFFFFFFFFFFFFFFF), "", "a\0\xff\n'", 5);
}

/* ---- a transaction in progress */

static void
put_stream_start(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_stream_start(b, 734);
}

static void
put_subtransaction(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_subtransaction(b, 735);
}

static void
put_stream_stop(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_stream_stop(b);
}

static void
put_abort_subtransaction(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_stream_abort(b, 734, 735);
}

static void
put_stream_commit(struct buffer *b, struct change_base *base)
{
	change_put_stream_commit(b, base, 734, STREAM_COMMIT_LSN, STREAM_COMMIT_LSN + 48, COMMIT_TIME - 1000000);
}

static void
put_abort(struct buffer *b, struct change_base *base)
{
	(void) base;
	change_put_stream_abort(b, UINT32_MAX, UINT32_MAX);
}

const struct sample samples[] = {
	/* clang-format off */
	{"startup", put_startup,
	 "480284940904555446380473686f700206666f726d61740662696e617279067461626c6573087075626c69632e"
	 "2a",
	 "startup: version: 2 server: 150020 encoding: 'UTF8' database: 'shop' options: "
	 "format='binary', tables='public.*'"},
	{"orders", put_orders,
	 "5201868001067075626c6963066f7264657273640003010269641717016207040a70675f636174616c6f670469"
	 "6e743402046e6f74651919016200000a70675f636174616c6f6704746578740405746f74616ca40da40d8c8050"
	 "6200000a70675f636174616c6f67076e756d657269630000",
	 "relation public.orders: number: 1 oid: 16390 identity: default values: binary columns: "
	 "id[integer] (attnum: 1 type: pg_catalog.int4 23 base: 23 typmod: -1 kind: b width: 4 key "
	 "primary not-null), note[text] (attnum: 2 type: pg_catalog.text 25 base: 25 typmod: -1 kind: "
	 "b width: 0), total[numeric] (attnum: 4 type: pg_catalog.\"numeric\" 1700 base: 1700 typmod: "
	 "655366 kind: b width: 0)"},
	{"odd names", put_odd_names,
	 "52029a8001094d7920536368656d610974776f0a6c696e6573660103010673656c656374908001908001016500"
	 "00067075626c6963044d6f6f6402056e61226d6595800195800101410000067075626c6963055f4d6f6f640302"
	 "6f6b1010016200000a70675f636174616c6f6704626f6f6c0000",
	 "relation \"My Schema\".U&\"two\\000Alines\": number: 2 oid: 16410 identity: full values: "
	 "text columns: \"select\"[public.\"Mood\"] (attnum: 1 type: public.\"Mood\" 16400 base: "
	 "16400 typmod: -1 kind: e width: 0), \"na\"\"me\"[public.\"Mood\"[]] (attnum: 2 type: "
	 "public.\"_Mood\" 16405 base: 16405 typmod: -1 kind: A width: 0), ok[boolean] (attnum: 3 "
	 "type: pg_catalog.bool 16 base: 16 typmod: -1 kind: b width: 0)"},
	{"partitioned", put_partitioned,
	 "5203ac8001067075626c69630573616c65736e02020103646179ba08ba08016214040a70675f636174616c6f67"
	 "046461746502057072696365a48001bd0501620808067075626c696306616d6f756e7402af8001b2800100",
	 "relation public.sales: number: 3 oid: 16428 identity: nothing values: binary partitioned "
	 "columns: day[date] (attnum: 1 type: pg_catalog.date 1082 base: 1082 typmod: -1 kind: b "
	 "width: 4 not-null identity), price[public.amount] (attnum: 2 type: public.amount 16420 "
	 "base: 701 typmod: -1 kind: b width: 8 generated) leaves: 16431, 16434"},
	{"index identity", put_index_identity,
	 "5204b88001067075626c69630570616972736900030101611414016200080a70675f636174616c6f6704696e74"
	 "38020162930893081c6205000a70675f636174616c6f6707766172636861720301631010016205010a70675f63"
	 "6174616c6f6704626f6f6c0000",
	 "relation public.pairs: number: 4 oid: 16440 identity: index values: binary columns: "
	 "a[bigint] (attnum: 1 type: pg_catalog.int8 20 base: 20 typmod: -1 kind: b width: 8), "
	 "b[character varying] (attnum: 2 type: pg_catalog.\"varchar\" 1043 base: 1043 typmod: 14 "
	 "kind: b width: 0 key not-null), c[boolean] (attnum: 3 type: pg_catalog.bool 16 base: 16 "
	 "typmod: -1 kind: b width: 1 key not-null)"},
	{"begin", put_begin,
	 "42dd0590ddd916e0aefbb1b797f502",
	 "BEGIN 733 (commit at 0/16B3748, 2026-01-02 03:04:05.678+00)"},
	{"insert", put_insert,
	 "4901000000000104697427730c000200000000000200011388",
	 "table public.orders: INSERT: id[integer]:1 note[text]:'it''s' total[numeric]:1.50"},
	{"insert null", put_insert_null,
	 "49010104ffffffff1774776f0a6c696e65732c2061206261636b5c736c617368",
	 "table public.orders: INSERT: id[integer]:-1 note[text]:E'two\\nlines, a back\\\\slash' "
	 "total[numeric]:null"},
	{"update", put_update,
	 "55010003040200000001",
	 "table public.orders: UPDATE: id[integer]:1 note[text]:unchanged-toast-datum "
	 "total[numeric]:null"},
	{"update key", put_update_key,
	 "55040100000100ffffffffffffffff017800",
	 "table public.pairs: UPDATE: old-key: b[character varying]:'' c[boolean]:true new-tuple: "
	 "a[bigint]:-1 b[character varying]:'x' c[boolean]:false"},
	{"update full", put_update_full,
	 "5502020102037361640174000568617070790b7b7361642c68617070797d0166",
	 "table \"My Schema\".U&\"two\\000Alines\": UPDATE: old-tuple: "
	 "\"select\"[public.\"Mood\"]:'sad' \"na\"\"me\"[public.\"Mood\"[]]:null ok[boolean]:true "
	 "new-tuple: \"select\"[public.\"Mood\"]:'happy' "
	 "\"na\"\"me\"[public.\"Mood\"[]]:'{sad,happy}' ok[boolean]:false"},
	{"update none", put_update_none,
	 "550303000000251a3fb999999999999a",
	 "table public.sales: UPDATE: (no-identity) new-tuple: day[date]:'2026-01-02' "
	 "price[public.amount]:0.1"},
	{"delete", put_delete,
	 "4401010000000001",
	 "table public.orders: DELETE: old-key: id[integer]:1"},
	{"delete full", put_delete_full,
	 "4402020107",
	 "table \"My Schema\".U&\"two\\000Alines\": DELETE: old-tuple: "
	 "\"select\"[public.\"Mood\"]:null \"na\"\"me\"[public.\"Mood\"[]]:null ok[boolean]:null"},
	{"delete none", put_delete_none,
	 "440303",
	 "table public.sales: DELETE: (no-identity)"},
	{"truncate", put_truncate,
	 "5403020100030e7075626c69632e73616c65735f31",
	 "table public.orders, public.sales (leaf: 'public.sales_1'): TRUNCATE: restart_seqs cascade"},
	{"plain truncate", put_plain_truncate,
	 "5400010200",
	 "table \"My Schema\".U&\"two\\000Alines\": TRUNCATE: (no-flags)"},
	{"message", put_message,
	 "4d0100000000016b370005617564697407c5bcc3b3c58277",
	 "message: transactional: 1 lsn: 0/16B3700 prefix: 'audit' size: 7 content: 'żółw'"},
	{"definitions", put_definitions,
	 "4e03068680010001" "8d800101" "8e800102" "8f800103" "ffffffff0f04" "91800105",
	 "definitions: types more 16390 (relation 1) 16397 (dropped) 16398 (unknown) 16399 (unlogged) "
	 "4294967295 (rewritten) 16401 (missed)"},
	{"no definitions", put_no_definitions,
	 "4e0100",
	 "definitions: types"},
	{"commit", put_commit,
	 "4338",
	 "COMMIT (end 0/16B3780)"},
	{"binary message", put_binary_message,
	 "4d00ffffffffffffffff00056100ff0a27",
	 "message: transactional: 0 lsn: FFFFFFFF/FFFFFFFF prefix: '' size: 5 content: "
	 "E'a\\x00\\xFF\\n'''"},
	{"stream start", put_stream_start,
	 "73de05",
	 "stream start: 734"},
	{"subtransaction", put_subtransaction,
	 "78df05",
	 "stream subtransaction: 735"},
	{"stream stop", put_stream_stop,
	 "65",
	 "stream stop"},
	{"abort subtransaction", put_abort_subtransaction,
	 "61de05df05",
	 "stream abort: 734 (subtransaction 735)"},
	{"stream commit", put_stream_commit,
	 "63de05c0a4a6e91f30ff887a",
	 "stream commit: 734 (commit at 1/A0, end 1/D0, 2026-01-02 03:04:04.678+00)"},
	{"abort", put_abort,
	 "61ffffffff0fffffffff0f",
	 "stream abort: 4294967295 (subtransaction 4294967295)"},
	{NULL, NULL, NULL, NULL},
	/* clang-format on */
};

void
sample_put_hex(struct buffer *b, const char *hex)
{
	unsigned byte;
	int len;

	while (sscanf(hex, " %2x%n", &byte, &len) == 1) {
		buffer_put_u8(b, (uint8_t) byte);
		hex += len;
	}
}

void
sample_put_all(struct buffer *b)
{
	for (const struct sample *s = samples; s->name; s++)
		sample_put_hex(b, s->hex);
}
