/*
 * The statements of merge plans, word by word.  test_model shows what they do;
 * MODEL_SERVER has it do so on a server.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed.h"
#include "merge/merge_plan.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define UNCHANGED feed_unchanged
#define MANY (MERGE_FEW_KEYS + 1)

static const struct sketch_column orders[] = {
	{"id", &sketch_int4, SKETCH_KEY | SKETCH_DISTRIBUTES},
	{"note", &sketch_text, 0},
	{"body", &sketch_text, 0},
};

static const struct sketch_column orders_with_extra[] = {
	{"id", &sketch_int4, SKETCH_KEY | SKETCH_DISTRIBUTES},
	{"note", &sketch_text, 0},
	{"body", &sketch_text, 0},
	{"extra", &sketch_numeric, SKETCH_TARGET_ONLY},
};

/* ---- plans as text: a line for each step, and what the apply checks of it */

static void
put_step(struct buffer *out, const struct merge_step *step)
{
	if (step->kind == MERGE_PREPARED)
		buffer_printf(out, "%s, %u parameters: ", step->name, step->param_count);
	buffer_put(out, step->sql, strlen(step->sql));
	if (step->awaited)
		buffer_printf(out, " (awaits %+d)", step->awaits);
	if (step->count && step->count->last == step && step->count->most > step->count->least)
		buffer_printf(out, " -> %" PRId64 " to", step->count->least);
	else if (step->count && step->count->last == step)
		buffer_printf(out, " ->");
	if (step->count && step->count->last == step)
		buffer_printf(out, " %" PRId64, step->count->most);
	buffer_put_u8(out, '\n');
}

/* Whether plans are made in MERGE_NAMING. */
static bool naming;

static void
check_plan_with(struct feed *f, const struct dialect *dialect, struct staging *staging, const char *expected)
{
	struct merge_plan plan;
	struct buffer out;

	buffer_init(&out, (size_t) 1 << 20, NULL, NULL);
	assert_true(merge_plan_build(&plan, &f->net, dialect, naming ? MERGE_NAMING : MERGE_FAST, staging,
								 &f->arena, &f->err));
	for (unsigned phase = 0; phase < MERGE_PHASES; phase++)
		for (struct merge_step *step = plan.phases[phase].first; step; step = step->next)
			put_step(&out, step);
	buffer_put_u8(&out, '\0');
	assert_string_equal((const char *) out.data, expected);
	buffer_fini(&out);
}

/* The dialect with the statements for more than a handful of rows, so that a test need not have so many. */
static struct dialect
in_bulk(const struct dialect *dialect)
{
	struct dialect copy = *dialect;

	copy.few_rows = 0;
	return copy;
}

static void
check_plan(struct feed *f, const struct dialect *dialect, const char *expected)
{
	struct dialect bulk = in_bulk(dialect);
	struct staging staging = {0};

	check_plan_with(f, &bulk, &staging, expected);
	feed_close(f);
}

static void
check_small_plan(struct feed *f, const struct dialect *dialect, const char *expected)
{
	struct staging staging = {0};

	check_plan_with(f, dialect, &staging, expected);
	feed_close(f);
}

static void
open_orders(struct feed *f, bool text)
{
	feed_init(f, 'd', text, orders, COUNT(orders));
	assert_true(feed_open(f, false));
}

static void
update_many(struct feed *f)
{
	char id[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(id, sizeof id, "%d", i);
		assert_true(feed_update(f, CHANGE_OLD_SAME, NULL, ROW(id, "a", "b")));
	}
}

/* ---- inserts and deletes */

#define COPY_ORDERS "COPY \"public\".\"orders\" (\"id\", \"note\", \"body\") FROM STDIN"

static void
test_nothing_to_do(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, false);
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	check_plan(&f, &dialect_postgresql, "");
}

static void
test_inserts_alone(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, false);
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	check_plan(&f, &dialect_postgresql, COPY_ORDERS " WITH BINARY\n");
	open_orders(&f, true);
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	check_plan(&f, &dialect_greenplum6, COPY_ORDERS "\n");
}

static void
test_few_keys(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, false);
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL)));
	check_plan(&f, &dialect_postgresql,

			   "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t USING"
			   " unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1 -> 1\n"
			   "sluice_update_1, 3 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2,"
			   " \"body\" = s.c3 FROM unnest($1::integer[], $2::\"pg_catalog\".\"text\"[],"
			   " $3::\"pg_catalog\".\"text\"[]) AS s(k1, c2, c3) WHERE t.\"id\" = s.k1 -> 1\n");
}

#define DELETE_ORDER                                                                                         \
	"sluice_delete_one_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t WHERE t.\"id\" = "       \
	"$1::integer -> 1\n"
#define UPDATE_ORDER                                                                                         \
	"sluice_update_one_1, 3 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = $2,"           \
	" \"body\" = $3 WHERE t.\"id\" = $1::integer -> 1\n"
#define INSERT_ORDER                                                                                         \
	"sluice_insert_one_1, 3 parameters: INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\")"      \
	" VALUES ($1, $2, $3) -> 1\n"

static void
delete_some(struct feed *f, int count)
{
	char id[16];

	for (int i = 0; i < count; i++) {
		snprintf(id, sizeof id, "%d", i);
		assert_true(feed_delete(f, CHANGE_OLD_KEY, ROW(id, NULL, NULL)));
	}
}

/* Deletes come first, here as everywhere. */
static void
test_one_by_one(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, false);
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("2", "a", "b")));
	check_small_plan(
		&f, &dialect_postgresql,
		"sluice_update_one_1, 3 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = $2,"
		" \"body\" = $3 WHERE t.\"id\" = $1::integer -> 1\n"
		"sluice_insert_one_1, 3 parameters: INSERT INTO \"public\".\"orders\" (\"id\", \"note\","
		" \"body\") VALUES ($1, $2, $3) -> 1\n");
	open_orders(&f, true);
	delete_some(&f, dialect_greenplum6.few_rows + 1);
	check_small_plan(&f, &dialect_greenplum6,
					 "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t"
					 " USING unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1 -> 3\n");
}

/* Without an index each would read the whole target. */
static void
test_one_by_one_needs_an_index(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	f.sketch.target[0].key_position = 0;
	delete_some(&f, 2);
	check_small_plan(&f, &dialect_postgresql,

					 "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t USING"
					 " unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1 -> 2\n");
	open_orders(&f, true);
	f.sketch.target[0].key_position = 0;
	delete_some(&f, 1);
	check_small_plan(&f, &dialect_postgresql, DELETE_ORDER);
}

static void
check_inserted(bool text, const void *id, size_t id_bytes)
{
	struct staging staging = {0};
	const struct merge_step *step;
	struct merge_plan plan;
	struct feed f;

	open_orders(&f, text);
	assert_true(feed_insert(&f, ROW("7", NULL, "body")));
	assert_true(merge_plan_build(&plan, &f.net, &dialect_postgresql, MERGE_FAST, &staging, &f.arena, &f.err));
	step = plan.phases[MERGE_INSERT].first;
	assert_int_equal(step->param_count, 3);
	assert_int_equal(step->params[0].binary, !text);
	assert_memory_equal(step->params[0].data, id, id_bytes);
	assert_null(step->params[1].data);
	/* A text ends where its string ends. */
	assert_memory_equal(step->params[2].data, "body", text ? 5 : 4);
	assert_true(text || step->params[2].len == 4);
	feed_close(&f);
}

static void
test_parameters_of_one(void **state)
{
	(void) state;
	check_inserted(true, "7", 2);
	check_inserted(false, "\0\0\0\7", 4);
}

static void
test_many_keys(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, false);
	update_many(&f);
	check_plan(
		&f, &dialect_postgresql,

		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text) ON"
		" COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN WITH BINARY\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1 -> 501\n");
}

static void
test_many_keys_on_greenplum(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	f.sketch.table.target.storage = TARGET_AO_COLUMN;
	update_many(&f);
	check_plan(
		&f, &dialect_greenplum7,

		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text) ON"
		" COMMIT DELETE ROWS DISTRIBUTED BY (\"k1\")\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"ANALYZE pg_temp.sluice_rows_1\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1 -> 501\n");
}

/* A staging table makes each commit slower there. */
static void
test_more_by_arrays_on_greenplum(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	f.sketch.target[2].key_position = 1;
	update_many(&f);
	check_plan(&f, &dialect_greenplum6,
			   "sluice_update_1, 3 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2,"
			   " \"body\" = s.c3 FROM unnest($1::integer[], $2::\"pg_catalog\".\"text\"[],"
			   " $3::\"pg_catalog\".\"text\"[]) AS s(k1, c2, c3) WHERE t.\"id\" = s.k1 -> 501\n");
}

static void
test_distribution_outside_the_key(void **state)
{
	static const struct sketch_column columns[] = {
		{"id", &sketch_int4, SKETCH_KEY},
		{"note", &sketch_text, SKETCH_DISTRIBUTES},
		{"body", &sketch_text, 0},
	};
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, columns, COUNT(columns));
	assert_true(feed_open(&f, false));
	update_many(&f);
	check_plan(
		&f, &dialect_greenplum6,

		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text,"
		" differs boolean) ON COMMIT DELETE ROWS DISTRIBUTED RANDOMLY\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"UPDATE pg_temp.sluice_rows_1 AS s SET differs = true FROM ONLY \"public\".\"orders\" AS t"
		" WHERE s.g = 0 AND t.\"id\" = s.k1 AND ROW(t.\"note\")::record *<> ROW(s.c2)::record (awaits +1)\n"
		"DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_rows_1 AS s WHERE s.differs"
		" AND t.\"id\" = s.k1\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"body\" = s.c3 FROM pg_temp.sluice_rows_1 AS s"
		" WHERE s.g = 0 AND t.\"id\" = s.k1 AND s.differs IS NULL -> 501\n"
		"INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\") SELECT s.c1, s.c2, s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.differs -> 0 to 501\n");
}

/* ---- rows of which it is not known whether the target holds them */

static void
test_rows_that_the_target_may_lack(void **state)
{
	static const struct table_override override = {.where = "note = 'a'"};
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, orders_with_extra, COUNT(orders_with_extra));
	f.sketch.table.override = &override;
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("2", "a", UNCHANGED)));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("3", NULL, NULL)));
	check_plan(&f, &dialect_postgresql,
			   "CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text,"
			   " x1 numeric(10,2), found boolean) ON COMMIT DELETE ROWS\n"
			   "COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
			   "UPDATE pg_temp.sluice_rows_1 AS s SET found = true FROM ONLY \"public\".\"orders\" AS t"
			   " WHERE t.\"id\" = s.k1 (awaits -1)\n"
			   "SELECT 1 FROM pg_temp.sluice_rows_1 AS s WHERE s.found IS NULL AND s.g IN (1) -> 0\n"
			   "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t"
			   " USING unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1\n"
			   "UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3"
			   " FROM pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1\n"
			   "UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2"
			   " FROM pg_temp.sluice_rows_1 AS s WHERE s.g = 1 AND t.\"id\" = s.k1\n"
			   "INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\") SELECT s.c1, s.c2, s.c3"
			   " FROM pg_temp.sluice_rows_1 AS s WHERE s.found IS NULL -> 2\n");
}

/* ---- guarded columns */

static const struct sketch_column guarded_orders[] = {
	{"id", &sketch_int4, SKETCH_KEY | SKETCH_DISTRIBUTES},
	{"note", &sketch_text, SKETCH_GUARDED},
	{"body", &sketch_text, 0},
};

/* Whether the guarded column differs is asked of the target; what it lacks is fetched then. */
static void
test_guarded_columns(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, guarded_orders, COUNT(guarded_orders));
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("2", UNCHANGED, "b")));
	check_plan(&f, &dialect_postgresql,
			   "CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text,"
			   " differs boolean) ON COMMIT DELETE ROWS\n"
			   "COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
			   "UPDATE pg_temp.sluice_rows_1 AS s SET differs = true, c3 = t.\"body\" FROM ONLY"
			   " \"public\".\"orders\" AS t WHERE s.g = 0 AND t.\"id\" = s.k1 AND ROW(t.\"note\")::record *<>"
			   " ROW(s.c2)::record (awaits +1)\n"
			   "DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_rows_1 AS s WHERE s.differs"
			   " AND t.\"id\" = s.k1\n"
			   "UPDATE ONLY \"public\".\"orders\" AS t SET \"body\" = s.c3 FROM pg_temp.sluice_rows_1 AS s"
			   " WHERE s.g = 1 AND t.\"id\" = s.k1 AND s.differs IS NULL -> 1 to 2\n"
			   "INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\") SELECT s.c1, s.c2, s.c3 FROM"
			   " pg_temp.sluice_rows_1 AS s WHERE s.differs -> 0 to 2\n");
}

/* The statement for the row where it differs, then the others. */
static void
test_one_with_guarded_columns(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, guarded_orders, COUNT(guarded_orders));
	assert_true(feed_open(&f, false));
	f.sketch.target[2].key_position = 1;
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	check_small_plan(
		&f, &dialect_postgresql,
		"sluice_delete_differing_1, 2 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t WHERE"
		" t.\"id\" = $1::integer AND ROW(t.\"note\"::\"pg_catalog\".\"text\")::record *<>"
		" ROW($2::\"pg_catalog\".\"text\")::record\n"
		"sluice_update_one_1, 2 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"body\" = $2"
		" WHERE t.\"id\" = $1::integer (awaits -1) -> 1\n"
		"sluice_insert_missing_1, 3 parameters: INSERT INTO \"public\".\"orders\" (\"id\", \"note\","
		" \"body\") SELECT $1::\"pg_catalog\".\"int4\", $2::\"pg_catalog\".\"text\","
		" $3::\"pg_catalog\".\"text\" WHERE NOT EXISTS (SELECT 1 FROM ONLY \"public\".\"orders\" AS t"
		" WHERE t.\"id\" = $1::\"pg_catalog\".\"int4\") -> 1\n");
}

static void
test_one_that_may_be_absent(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, orders, COUNT(orders));
	f.sketch.table.rows_may_be_absent = true;
	assert_true(feed_open(&f, false));
	f.sketch.target[2].key_position = 1;
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL)));
	check_small_plan(
		&f, &dialect_postgresql,
		"sluice_delete_one_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t WHERE t.\"id\""
		" = $1::integer\n"
		"sluice_update_one_1, 3 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = $2,"
		" \"body\" = $3 WHERE t.\"id\" = $1::integer (awaits -1)\n"
		"sluice_insert_missing_1, 3 parameters: INSERT INTO \"public\".\"orders\" (\"id\", \"note\","
		" \"body\") SELECT $1::\"pg_catalog\".\"int4\", $2::\"pg_catalog\".\"text\","
		" $3::\"pg_catalog\".\"text\" WHERE NOT EXISTS (SELECT 1 FROM ONLY \"public\".\"orders\" AS t"
		" WHERE t.\"id\" = $1::\"pg_catalog\".\"int4\") -> 1\n");
}

/* In the name of the statement stands which columns came. */
static void
test_one_that_lacks_values(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	f.sketch.target[2].key_position = 1;
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	check_small_plan(
		&f, &dialect_postgresql,
		"sluice_update_one_4_1, 2 parameters: UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = $2"
		" WHERE t.\"id\" = $1::integer -> 1\n");
}

/* An operation that is not followed may have left a row behind. */
static void
test_deletes_of_rows_that_may_be_there(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, orders, COUNT(orders));
	f.sketch.table.operations &= ~(unsigned) OPERATION_DELETE;
	assert_true(feed_open(&f, false));
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", "a", "b")));
	check_plan(&f, &dialect_postgresql,
			   "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t USING"
			   " unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1 -> 1 to 3\n"
			   "COPY \"public\".\"orders\" (\"id\", \"note\", \"body\") FROM STDIN\n");
}

/* A batch that was refused asks for what the target lacks before it changes anything. */
static void
test_naming_what_is_absent(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	naming = true;
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL)));
	check_plan(
		&f, &dialect_postgresql,
		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text) ON"
		" COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"SELECT s.k1::text FROM pg_temp.sluice_rows_1 AS s WHERE NOT EXISTS (SELECT 1 FROM ONLY"
		" \"public\".\"orders\" AS t WHERE t.\"id\" = s.k1) LIMIT 1 -> 0\n"
		"CREATE TEMP TABLE sluice_keys_1 (k1 integer) ON COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_keys_1 FROM STDIN\n"
		"SELECT s.k1::text FROM pg_temp.sluice_keys_1 AS s WHERE NOT EXISTS (SELECT 1 FROM ONLY"
		" \"public\".\"orders\" AS t WHERE t.\"id\" = s.k1) LIMIT 1 -> 0\n"
		"DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_keys_1 AS s WHERE t.\"id\" ="
		" s.k1 -> 1\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1 -> 1\n");
	naming = false;
}

/* Large values that identity FULL brings along although they did not change. */
static void
test_large_values_that_did_not_change(void **state)
{
	char large[700];
	struct feed f;

	(void) state;
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	feed_init(&f, 'f', true, orders, COUNT(orders));
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_FULL, ROW("1", "a", large), ROW("1", "b", large)));
	check_plan(
		&f, &dialect_postgresql,
		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text) ON"
		" COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2 FROM pg_temp.sluice_rows_1 AS s"
		" WHERE s.g = 0 AND t.\"id\" = s.k1 -> 1\n");
}

/* ---- staging tables in the course of a session */

static void
test_staging_is_made_once(void **state)
{
	static const char again[] = "COPY pg_temp.sluice_keys_1 FROM STDIN\n"
								"DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_keys_1 AS s"
								" WHERE t.\"id\" = s.k1 -> 501\n";
	struct staging staging = {0};
	char first[512], round[512];
	struct feed f;

	(void) state;
	snprintf(first, sizeof first, "CREATE TEMP TABLE sluice_keys_1 (k1 integer) ON COMMIT DELETE ROWS\n%s",
			 again);
	snprintf(round, sizeof round, "TRUNCATE pg_temp.sluice_keys_1\n%s", again);
	open_orders(&f, true);
	delete_some(&f, MANY);
	check_plan_with(&f, &dialect_postgresql, &staging, first);
	check_plan_with(&f, &dialect_postgresql, &staging, round);
	staging_committed(&staging);
	check_plan_with(&f, &dialect_postgresql, &staging, again);
	feed_close(&f);
}

/* ---- keys */

static void
test_names_are_quoted(void **state)
{
	static const struct sketch_column columns[] = {
		{"Order \"Id\"", &sketch_int4, SKETCH_KEY},
		{"select", &sketch_text, SKETCH_KEY},
	};
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, columns, COUNT(columns));
	f.sketch.table.target_schema = (char *) "d\"w";
	f.sketch.table.target_name = (char *) "my orders; DROP";
	assert_true(feed_open(&f, false));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", "a")));
	assert_true(feed_insert(&f, ROW("2", "a")));
	check_plan(&f, &dialect_postgresql,
			   "sluice_delete_1, 2 parameters: DELETE FROM ONLY \"d\"\"w\".\"my orders; DROP\" AS t"
			   " USING unnest($1::integer[], $2::text[]) AS k(k1, k2)"
			   " WHERE t.\"Order \"\"Id\"\"\" = k.k1 AND t.\"select\" = k.k2 -> 1\n"
			   "COPY \"d\"\"w\".\"my orders; DROP\" (\"Order \"\"Id\"\"\", \"select\") FROM STDIN\n");
}

/* The plan for one deleted key of that type. */
static void
check_key(const struct sketch_type *type, bool text, const char *expected)
{
	const struct sketch_column columns[] = {{"k", type, SKETCH_KEY}};
	struct feed f;

	feed_init(&f, 'd', text, columns, 1);
	assert_true(feed_open(&f, false));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1")));
	check_plan(&f, &dialect_postgresql, expected);
}

static void
test_domains_by_their_base(void **state)
{
	static const struct sketch_type type = {.oid = 99999,
											.schema = "public",
											.name = "order_id",
											.formatted = "public.order_id",
											.base_schema = "pg_catalog",
											.base_name = "varchar"};

	(void) state;
	check_key(&type, true,
			  "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t"
			  " USING unnest($1::\"pg_catalog\".\"varchar\"[]) AS k(k1) WHERE t.\"k\" = k.k1 -> 1\n");
	check_key(&type, false,
			  "CREATE TEMP TABLE sluice_keys_1 (k1 \"pg_catalog\".\"varchar\") ON COMMIT DELETE ROWS\n"
			  "COPY pg_temp.sluice_keys_1 FROM STDIN WITH BINARY\n"
			  "DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_keys_1 AS s WHERE t.\"k\" = "
			  "s.k1 -> 1\n");
}

static void
test_enums_travel_as_arrays_of_text(void **state)
{
	static const struct sketch_type type = {
		.oid = 99999, .schema = "public", .name = "mood", .formatted = "public.mood", .base_typtype = 'e'};

	(void) state;
	check_key(&type, true,
			  "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t"
			  " USING unnest($1::public.mood[]) AS k(k1) WHERE t.\"k\" = k.k1 -> 1\n");
	check_key(&type, false,
			  "CREATE TEMP TABLE sluice_keys_1 (k1 public.mood) ON COMMIT DELETE ROWS\n"
			  "COPY pg_temp.sluice_keys_1 FROM STDIN WITH BINARY\n"
			  "DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_keys_1 AS s WHERE t.\"k\" = "
			  "s.k1 -> 1\n");
}

static void
test_arrays_and_composites_are_not_unnested(void **state)
{
	static const struct sketch_type array = {
		.oid = 1007, .schema = "pg_catalog", .name = "_int4", .formatted = "integer[]"};
	static const struct sketch_type composite = {
		.oid = 99999, .schema = "public", .name = "pair", .formatted = "public.pair", .base_typtype = 'c'};

	(void) state;
	check_key(&array, true,
			  "CREATE TEMP TABLE sluice_keys_1 (k1 integer[]) ON COMMIT DELETE ROWS\n"
			  "COPY pg_temp.sluice_keys_1 FROM STDIN\n"
			  "DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_keys_1 AS s WHERE t.\"k\" = "
			  "s.k1 -> 1\n");
	check_key(&composite, true,
			  "CREATE TEMP TABLE sluice_keys_1 (k1 public.pair) ON COMMIT DELETE ROWS\n"
			  "COPY pg_temp.sluice_keys_1 FROM STDIN\n"
			  "DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_keys_1 AS s WHERE t.\"k\" = "
			  "s.k1 -> 1\n");
}

static void
test_the_equality_of_an_extension(void **state)
{
	static const struct sketch_type type = {.oid = 99999,
											.schema = "Ext",
											.name = "citext",
											.formatted = "\"Ext\".citext",
											.equality = "OPERATOR(\"Ops\".==)"};

	(void) state;
	check_key(&type, true,
			  "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t"
			  " USING unnest($1::\"Ext\".citext[]) AS k(k1) WHERE t.\"k\" OPERATOR(\"Ops\".==) k.k1 -> 1\n");
}

/* Whoever may create an operator in the type's schema does not decide what is equal. */
static void
test_no_operator_of_a_schema_is_guessed(void **state)
{
	static const struct sketch_type type = {
		.oid = 99998, .schema = "Ext", .name = "odd", .formatted = "\"Ext\".odd"};

	(void) state;
	check_key(&type, true,
			  "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t"
			  " USING unnest($1::\"Ext\".odd[]) AS k(k1) WHERE t.\"k\" = k.k1 -> 1\n");
}

/* ---- arrays */

static struct param
only_param(struct feed *f)
{
	struct dialect bulk = in_bulk(&dialect_postgresql);
	struct staging staging = {0};
	const struct merge_step *step;
	struct merge_plan plan;

	assert_true(merge_plan_build(&plan, &f->net, &bulk, MERGE_FAST, &staging, &f->arena, &f->err));
	step = plan.phases[MERGE_DELETE].first;
	assert_int_equal(step->kind, MERGE_PREPARED);
	return step->params[0];
}

static void
test_binary_array(void **state)
{
	static const uint8_t expected[] = {
		0, 0, 0, 1, 0,	 0,	  0,   0,	0, 0, 0, 23, 0, 0, 0, 2, 0, 0, 0, 1, /* head */
		0, 0, 0, 4, 0,	 0,	  0,   7,										 /* 7 */
		0, 0, 0, 4, 255, 255, 255, 255,										 /* -1 */
	};
	struct feed f;
	struct param param;

	(void) state;
	open_orders(&f, false);
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("7", NULL, NULL)));
	assert_true(feed_insert(&f, ROW("8", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("-1", NULL, NULL)));
	param = only_param(&f);
	assert_true(param.binary);
	assert_int_equal(param.len, sizeof expected);
	assert_memory_equal(param.data, expected, sizeof expected);
	feed_close(&f);
}

static void
test_text_array(void **state)
{
	static const struct sketch_column columns[] = {{"k", &sketch_text, SKETCH_KEY}};
	struct feed f;
	struct param param;

	(void) state;
	feed_init(&f, 'd', true, columns, 1);
	assert_true(feed_open(&f, false));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("NULL")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("a\"b\\")));
	param = only_param(&f);
	assert_false(param.binary);
	assert_string_equal(param.data, "{ \"\",\"NULL\",\"a\\\"b\\\\\"}");
	feed_close(&f);
}

/* ---- rows whose values only the target has */

#define ROWS_STAGING                                                                                         \
	"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text)"            \
	" ON COMMIT DELETE ROWS\n"                                                                               \
	"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"

static void
test_patch(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("2", UNCHANGED, "b")));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("3", NULL, UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("4", "a", "b")));
	check_plan(
		&f, &dialect_postgresql,

		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text) ON"
		" COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2 FROM pg_temp.sluice_rows_1 AS s"
		" WHERE s.g = 0 AND t.\"id\" = s.k1\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"body\" = s.c3 FROM pg_temp.sluice_rows_1 AS s"
		" WHERE s.g = 1 AND t.\"id\" = s.k1\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.g = 2 AND t.\"id\" = s.k1 -> 4\n");
}

static void
test_fill(void **state)
{
	struct feed f;

	(void) state;
	open_orders(&f, true);
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL), ROW("2", "a", UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("3", NULL, NULL), ROW("4", UNCHANGED, UNCHANGED)));
	check_plan(
		&f, &dialect_postgresql,

		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text) ON"
		" COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"UPDATE pg_temp.sluice_rows_1 AS s SET c3 = t.\"body\" FROM ONLY \"public\".\"orders\" AS t"
		" WHERE s.g = 0 AND t.\"id\" = s.k1 -> 1\n"
		"UPDATE pg_temp.sluice_rows_1 AS s SET c2 = t.\"note\", c3 = t.\"body\" FROM ONLY"
		" \"public\".\"orders\" AS t WHERE s.g = 1 AND t.\"id\" = s.k1 -> 1\n"
		"sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t USING"
		" unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1 -> 2\n"
		"INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\") SELECT s.c1, s.c2, s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.g IN (0, 1) -> 2\n");
}

static void
test_columns_of_the_target(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, orders_with_extra, COUNT(orders_with_extra));
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", "a", "b")));
	assert_true(feed_insert(&f, ROW("4", "a", "b")));
	check_plan(
		&f, &dialect_greenplum6,

		"CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text, x1"
		" numeric(10,2)) ON COMMIT DELETE ROWS DISTRIBUTED BY (\"k1\")\n"
		"COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
		"UPDATE pg_temp.sluice_rows_1 AS s SET x1 = t.\"extra\" FROM ONLY \"public\".\"orders\" AS t"
		" WHERE s.g = 1 AND t.\"id\" = s.k1 -> 1\n"
		"sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t USING"
		" unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1 -> 1\n"
		"UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3 FROM"
		" pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1 -> 1\n"
		"INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\", \"extra\") SELECT s.c1, s.c2,"
		" s.c3, s.x1 FROM pg_temp.sluice_rows_1 AS s WHERE s.g IN (1) -> 1 to 2\n"
		"COPY \"public\".\"orders\" (\"id\", \"note\", \"body\") FROM STDIN\n");
}

static void
test_triggers_and_moved_keys(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, orders, COUNT(orders));
	f.sketch.table.target.has_triggers = true;
	assert_true(feed_open(&f, true));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL), ROW("2", "a", UNCHANGED)));
	check_plan(&f, &dialect_postgresql,
			   ROWS_STAGING "UPDATE ONLY \"public\".\"orders\" AS t SET \"id\" = s.c1, \"note\" = s.c2"
							" FROM pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1 -> 1\n");
}

static void
test_without_inserts(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, orders, COUNT(orders));
	f.sketch.table.operations = OPERATION_UPDATE;
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", "a", UNCHANGED)));
	check_plan(&f, &dialect_postgresql,

			   "CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 text, c3 text,"
			   " found boolean) ON COMMIT DELETE ROWS\n"
			   "COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
			   "UPDATE pg_temp.sluice_rows_1 AS s SET found = true FROM ONLY \"public\".\"orders\" AS t WHERE"
			   " t.\"id\" = s.k1 AND s.g IN (1) (awaits +1)\n"
			   "UPDATE pg_temp.sluice_rows_1 AS s SET c3 = t.\"body\" FROM ONLY \"public\".\"orders\" AS t"
			   " WHERE s.g = 1 AND t.\"id\" = s.k1\n"
			   "sluice_delete_1, 1 parameters: DELETE FROM ONLY \"public\".\"orders\" AS t USING"
			   " unnest($1::integer[]) AS k(k1) WHERE t.\"id\" = k.k1\n"
			   "UPDATE ONLY \"public\".\"orders\" AS t SET \"note\" = s.c2, \"body\" = s.c3 FROM"
			   " pg_temp.sluice_rows_1 AS s WHERE s.g = 0 AND t.\"id\" = s.k1\n"
			   "INSERT INTO \"public\".\"orders\" (\"id\", \"note\", \"body\") SELECT s.c1, s.c2, s.c3 FROM"
			   " pg_temp.sluice_rows_1 AS s WHERE s.g IN (1) AND s.found -> 0 to 2\n");
}

static void
test_identity_columns(void **state)
{
	static const struct sketch_column columns[] = {
		{"id", &sketch_int4, SKETCH_KEY},
		{"number", &sketch_int8, SKETCH_ALWAYS},
		{"body", &sketch_text, 0},
	};
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, columns, COUNT(columns));
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "7", UNCHANGED)));
	check_plan(&f, &dialect_postgresql,

			   "CREATE TEMP TABLE sluice_rows_1 (k1 integer, g int8, u bytea, c1 integer, c2 bigint, c3 text,"
			   " differs boolean) ON COMMIT DELETE ROWS\n"
			   "COPY pg_temp.sluice_rows_1 (k1, g, u, c1, c2, c3) FROM STDIN\n"
			   "UPDATE pg_temp.sluice_rows_1 AS s SET differs = true, c3 = t.\"body\" FROM ONLY"
			   " \"public\".\"orders\" AS t WHERE s.g = 0 AND t.\"id\" = s.k1 AND ROW(t.\"number\")::record"
			   " *<> ROW(s.c2)::record (awaits +1)\n"
			   "DELETE FROM ONLY \"public\".\"orders\" AS t USING pg_temp.sluice_rows_1 AS s WHERE s.differs"
			   " AND t.\"id\" = s.k1 -> 0 to 1\n"
			   "INSERT INTO \"public\".\"orders\" (\"id\", \"number\", \"body\") OVERRIDING SYSTEM VALUE"
			   " SELECT s.c1, s.c2, s.c3 FROM pg_temp.sluice_rows_1 AS s WHERE s.differs -> 0 to 1\n");
}

/* Fifteen sets of missing columns, and no more statements than for three. */
static void
test_many_sets_of_missing_columns(void **state)
{
	static const struct sketch_column columns[] = {
		{"id", &sketch_int4, SKETCH_KEY}, {"a", &sketch_text, 0}, {"b", &sketch_text, 0},
		{"c", &sketch_text, 0},			  {"d", &sketch_text, 0},
	};
	struct staging staging = {0};
	struct merge_plan plan;
	struct merge_step *last = NULL;
	unsigned steps = 0;
	int64_t rows = 0;
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, columns, COUNT(columns));
	assert_true(feed_open(&f, false));
	for (int i = 1; i < 16; i++) {
		char id[16];

		snprintf(id, sizeof id, "%d", i);
		assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL,
								ROW(id, i & 1 ? UNCHANGED : "x", i & 2 ? UNCHANGED : "x",
									i & 4 ? UNCHANGED : "x", i & 8 ? UNCHANGED : "x")));
	}
	assert_true(merge_plan_build(&plan, &f.net, &dialect_postgresql, MERGE_FAST, &staging, &f.arena, &f.err));
	for (struct merge_step *step = plan.phases[MERGE_UPDATE].first; step; step = step->next) {
		steps++;
		rows += step->count && step->count->last == step ? step->count->most : 0;
		last = step;
	}
	assert_int_equal(steps, 3);
	assert_int_equal(rows, 15);
	assert_string_equal(last->sql, "UPDATE ONLY \"public\".\"orders\" AS t SET"
								   " \"a\" = CASE WHEN get_bit(s.u, 1) = 1 THEN t.\"a\" ELSE s.c2 END,"
								   " \"b\" = CASE WHEN get_bit(s.u, 2) = 1 THEN t.\"b\" ELSE s.c3 END,"
								   " \"c\" = CASE WHEN get_bit(s.u, 3) = 1 THEN t.\"c\" ELSE s.c4 END,"
								   " \"d\" = CASE WHEN get_bit(s.u, 4) = 1 THEN t.\"d\" ELSE s.c5 END"
								   " FROM pg_temp.sluice_rows_1 AS s WHERE s.g = 2 AND t.\"id\" = s.k1");
	feed_close(&f);
}

/* ---- rows without a key */

static const struct sketch_column keyless[] = {
	{"a", &sketch_int4, 0},
	{"b", &sketch_text, 0},
};

static void
count_rows(struct feed *f, bool partitioned)
{
	feed_init(f, 'f', true, keyless, COUNT(keyless));
	f->sketch.table.target.partitioned = partitioned;
	assert_true(feed_open(f, false));
	assert_true(feed_delete(f, CHANGE_OLD_FULL, ROW("1", NULL)));
	assert_true(feed_delete(f, CHANGE_OLD_FULL, ROW("1", NULL)));
	assert_true(feed_update(f, CHANGE_OLD_FULL, ROW("2", "x"), ROW("2", "y")));
}

static void
test_counted_deletes(void **state)
{
	struct feed f;

	(void) state;
	count_rows(&f, false);
	check_plan(
		&f, &dialect_postgresql,
		"CREATE TEMP TABLE sluice_counts_1 (c1 integer, c2 text, n int8) ON COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_counts_1 FROM STDIN\n"
		"ANALYZE pg_temp.sluice_counts_1\n"
		"DELETE FROM ONLY \"public\".\"orders\" AS t USING (SELECT d.n,"
		" row_number() OVER (PARTITION BY d.image) AS number, t.c"
		" FROM (SELECT row(s.c1, s.c2)::text AS image, sum(s.n)::int8 AS n"
		" FROM pg_temp.sluice_counts_1 AS s GROUP BY 1) AS d"
		" JOIN (SELECT row(t.\"a\", t.\"b\")::text AS image, t.ctid AS c FROM ONLY \"public\".\"orders\" AS t"
		/* a row has NULL in b */
		" WHERE EXISTS (SELECT 1 FROM pg_temp.sluice_counts_1 AS s WHERE t.\"a\" = s.c1) OFFSET 0) AS t"
		" ON d.image = t.image) AS x"
		" WHERE x.number <= x.n AND t.ctid = x.c -> 3\n"
		"COPY \"public\".\"orders\" (\"a\", \"b\") FROM STDIN\n");
}

/* Without a column that all rows have a value in. */
static void
test_counted_deletes_by_image_alone(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'f', true, keyless, COUNT(keyless));
	assert_true(feed_open(&f, false));
	assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW("1", NULL)));
	assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW(NULL, "x")));
	check_plan(
		&f, &dialect_postgresql,
		"CREATE TEMP TABLE sluice_counts_1 (c1 integer, c2 text, n int8) ON COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_counts_1 FROM STDIN\n"
		"ANALYZE pg_temp.sluice_counts_1\n"
		"DELETE FROM ONLY \"public\".\"orders\" AS t USING (SELECT d.n,"
		" row_number() OVER (PARTITION BY d.image) AS number, t.c"
		" FROM (SELECT row(s.c1, s.c2)::text AS image, sum(s.n)::int8 AS n"
		" FROM pg_temp.sluice_counts_1 AS s GROUP BY 1) AS d"
		" JOIN (SELECT row(t.\"a\", t.\"b\")::text AS image, t.ctid AS c FROM ONLY \"public\".\"orders\" AS "
		"t) AS t"
		" ON d.image = t.image) AS x WHERE x.number <= x.n AND t.ctid = x.c -> 2\n");
}

/* More than a nested loop may meet. */
static void
test_many_counted_deletes(void **state)
{
	struct feed f;
	char number[16];

	(void) state;
	feed_init(&f, 'f', true, keyless, COUNT(keyless));
	assert_true(feed_open(&f, false));
	for (int i = 0; i < 1001; i++) {
		snprintf(number, sizeof number, "%d", i);
		assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW(number, i ? "x" : NULL)));
	}
	check_plan(
		&f, &dialect_postgresql,
		"CREATE TEMP TABLE sluice_counts_1 (c1 integer, c2 text, n int8) ON COMMIT DELETE ROWS\n"
		"COPY pg_temp.sluice_counts_1 FROM STDIN\n"
		"ANALYZE pg_temp.sluice_counts_1\n"
		"SET LOCAL enable_nestloop = off\n"
		"DELETE FROM ONLY \"public\".\"orders\" AS t USING (SELECT d.n,"
		" row_number() OVER (PARTITION BY d.image) AS number, t.c"
		" FROM (SELECT row(s.c1, s.c2)::text AS image, sum(s.n)::int8 AS n"
		" FROM pg_temp.sluice_counts_1 AS s GROUP BY 1) AS d"
		" JOIN (SELECT row(t.\"a\", t.\"b\")::text AS image, t.ctid AS c FROM ONLY \"public\".\"orders\" AS t"
		" WHERE EXISTS (SELECT 1 FROM pg_temp.sluice_counts_1 AS s WHERE t.\"a\" = s.c1) OFFSET 0) AS t"
		" ON d.image = t.image) AS x WHERE x.number <= x.n AND t.ctid = x.c -> 1001\n"
		"SET LOCAL enable_nestloop = on\n");
}

/* On servers with segments nothing finds a row by its address; the column that leads an index finds it twice. */
static void
test_counted_deletes_by_index_on_greenplum(void **state)
{
	struct target_index index = {.columns = {2}, .column_count = 1, .plain = true};
	struct feed f;

	(void) state;
	count_rows(&f, false);
	f.sketch.table.target.indexes = &index;
	f.sketch.table.target.index_count = 1;
	check_plan(
		&f, &dialect_greenplum6,
		"CREATE TEMP TABLE sluice_counts_1 (c1 integer, c2 text, n int8) ON COMMIT DELETE ROWS"
		" DISTRIBUTED RANDOMLY\n"
		"COPY pg_temp.sluice_counts_1 FROM STDIN\n"
		"ANALYZE pg_temp.sluice_counts_1\n"
		"DELETE FROM ONLY \"public\".\"orders\" AS t USING (SELECT d.n,"
		" row_number() OVER (PARTITION BY d.image) AS number, t.c, t.g, t.p1"
		" FROM (SELECT row(s.c1, s.c2)::text AS image, sum(s.n)::int8 AS n"
		" FROM pg_temp.sluice_counts_1 AS s GROUP BY 1) AS d"
		" JOIN (SELECT row(t.\"a\", t.\"b\")::text AS image, t.ctid AS c, t.gp_segment_id AS g, t.\"a\" AS p1"
		" FROM ONLY \"public\".\"orders\" AS t"
		" WHERE EXISTS (SELECT 1 FROM pg_temp.sluice_counts_1 AS s WHERE t.\"a\" = s.c1) OFFSET 0) AS t"
		" ON d.image = t.image) AS x"
		" WHERE x.number <= x.n AND t.ctid = x.c AND t.gp_segment_id = x.g AND t.\"a\" = x.p1 -> 3\n"
		"COPY \"public\".\"orders\" (\"a\", \"b\") FROM STDIN\n");
}

static void
test_counted_deletes_of_partitions_and_segments(void **state)
{
	struct feed f;

	(void) state;
	count_rows(&f, true);
	check_plan(
		&f, &dialect_greenplum6,
		"CREATE TEMP TABLE sluice_counts_1 (c1 integer, c2 text, n int8) ON COMMIT DELETE ROWS"
		" DISTRIBUTED RANDOMLY\n"
		"COPY pg_temp.sluice_counts_1 FROM STDIN\n"
		"ANALYZE pg_temp.sluice_counts_1\n"
		"SET LOCAL enable_nestloop = off\n"
		"DELETE FROM \"public\".\"orders\" AS t USING (SELECT d.n,"
		" row_number() OVER (PARTITION BY d.image) AS number,"
		" t.c, t.o, t.g"
		" FROM (SELECT row(s.c1, s.c2)::text AS image, sum(s.n)::int8 AS n"
		" FROM pg_temp.sluice_counts_1 AS s GROUP BY 1) AS d"
		" JOIN (SELECT row(t.\"a\", t.\"b\")::text AS image, t.ctid AS c, t.tableoid AS o, t.gp_segment_id "
		"AS g"
		" FROM \"public\".\"orders\" AS t"
		" WHERE EXISTS (SELECT 1 FROM pg_temp.sluice_counts_1 AS s WHERE t.\"a\" = s.c1) OFFSET 0) AS t"
		" ON d.image = t.image) AS x"
		" WHERE x.number <= x.n AND t.ctid = x.c AND t.tableoid = x.o AND t.gp_segment_id = x.g -> 3\n"
		"SELECT set_config('enable_nestloop', current_setting('sluice.enable_nestloop'), true)\n"
		"COPY \"public\".\"orders\" (\"a\", \"b\") FROM STDIN\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_inserts_alone),
		cmocka_unit_test(test_few_keys),
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_one_by_one_needs_an_index),
		cmocka_unit_test(test_parameters_of_one),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_many_keys_on_greenplum),
		cmocka_unit_test(test_more_by_arrays_on_greenplum),
		cmocka_unit_test(test_distribution_outside_the_key),
		cmocka_unit_test(test_rows_that_the_target_may_lack),
		cmocka_unit_test(test_guarded_columns),
		cmocka_unit_test(test_one_with_guarded_columns),
		cmocka_unit_test(test_one_that_may_be_absent),
		cmocka_unit_test(test_one_that_lacks_values),
		cmocka_unit_test(test_deletes_of_rows_that_may_be_there),
		cmocka_unit_test(test_naming_what_is_absent),
		cmocka_unit_test(test_large_values_that_did_not_change),
		cmocka_unit_test(test_staging_is_made_once),
		cmocka_unit_test(test_names_are_quoted),
		cmocka_unit_test(test_domains_by_their_base),
		cmocka_unit_test(test_enums_travel_as_arrays_of_text),
		cmocka_unit_test(test_arrays_and_composites_are_not_unnested),
		cmocka_unit_test(test_the_equality_of_an_extension),
		cmocka_unit_test(test_no_operator_of_a_schema_is_guessed),
		cmocka_unit_test(test_binary_array),
		cmocka_unit_test(test_text_array),
		cmocka_unit_test(test_patch),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_columns_of_the_target),
		cmocka_unit_test(test_triggers_and_moved_keys),
		cmocka_unit_test(test_without_inserts),
		cmocka_unit_test(test_identity_columns),
		cmocka_unit_test(test_many_sets_of_missing_columns),
		cmocka_unit_test(test_counted_deletes),
		cmocka_unit_test(test_counted_deletes_by_image_alone),
		cmocka_unit_test(test_many_counted_deletes),
		cmocka_unit_test(test_counted_deletes_by_index_on_greenplum),
		cmocka_unit_test(test_counted_deletes_of_partitions_and_segments),
	};

	return cmocka_run_group_tests_name("merge_plan", tests, NULL, NULL);
}
