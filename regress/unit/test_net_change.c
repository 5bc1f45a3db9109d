#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed.h"

static const struct sketch_column keyed[] = {
	{"id", &sketch_int4, SKETCH_KEY},
	{"note", &sketch_text, 0},
	{"body", &sketch_text, 0},
};

static const struct sketch_column keyless[] = {
	{"a", &sketch_int4, 0},
	{"b", &sketch_text, 0},
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define UNCHANGED feed_unchanged

static void
open_keyed(struct feed *f, char identity)
{
	feed_init(f, identity, true, keyed, COUNT(keyed));
	assert_true(feed_open(f, false));
}

/* The actions for every entry, as one hexadecimal digit each. */
static const char *
decide(struct feed *f)
{
	static char text[64];
	uint8_t actions[COUNT(text)];
	uint32_t count = net_change_count(&f->net);

	assert_true(count < COUNT(text));
	net_change_decide(&f->net, actions);
	for (uint32_t i = 0; i < count; i++)
		text[i] = "0123456789abcdef"[actions[i] & 15];
	text[count] = '\0';
	return text;
}

/* 1 insert, 2 patch, 4 fill, 8 delete; 9: delete and insert. */
static void
check(struct feed *f, const char *expected)
{
	assert_string_equal(decide(f), expected);
	feed_close(f);
}

/* The values of an entry's row, joined by commas. */
static void
check_row(const struct feed *f, uint32_t index, const char *expected)
{
	struct value values[SKETCH_COLUMNS];
	char text[256] = "";
	struct reader r;

	reader_init(&r, f->net.rows[index].row.data, f->net.rows[index].row.len);
	assert_true(change_decode_row(f->shape.relation, false, &r, values));
	for (unsigned i = 0; i < f->shape.relation->column_count; i++) {
		strcat(text, i ? "," : "");
		if (values[i].kind == VALUE_PRESENT)
			strncat(text, (const char *) values[i].data, values[i].len);
		else
			strcat(text, values[i].kind == VALUE_NULL ? "NULL" : "?");
	}
	assert_string_equal(text, expected);
}

/* ---- what is left of a history */

static void
test_insert_is_a_row(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	check_row(&f, 0, "1,a,b");
	check(&f, "1");
}

static void
test_insert_and_delete_is_nothing(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	check(&f, "0");
}

static void
test_update_is_in_place(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	check(&f, "2");
}

static void
test_delete_and_insert_replaces(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	check(&f, "9");
}

static void
test_insert_after_a_move_keeps_both(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL), ROW("2", "a", "b")));
	assert_true(feed_insert(&f, ROW("1", "c", "d")));
	check_row(&f, 0, "1,c,d");
	check_row(&f, 1, "2,a,b");
	check(&f, "91");
}

static void
test_chain_of_moves_keeps_the_origin(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL), ROW("2", "a", UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", UNCHANGED, UNCHANGED)));
	assert_int_equal(f.net.rows[2].origin, 0);
	check_row(&f, 2, "3,a,?");
	/* 2 was never in the target. */
	check(&f, "804");
}

static void
test_swap_deletes_both_first(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL), ROW("3", "one", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("1", "two", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("3", NULL, NULL), ROW("2", "one", "b")));
	check_row(&f, 0, "1,two,b");
	check_row(&f, 2, "2,one,b");
	check(&f, "909");
}

static void
test_unchanged_values_come_from_the_batch(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_insert(&f, ROW("1", "a", "long")));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "b", UNCHANGED)));
	check_row(&f, 0, "1,b,long");
	assert_false(f.net.rows[0].partial);
	check(&f, "1");
}

static void
test_unchanged_values_stay_missing_where_nobody_has_them(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", NULL, UNCHANGED)));
	check_row(&f, 0, "1,NULL,?");
	check(&f, "2");
}

static void
test_unchanged_key_comes_with_the_old_one(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL), ROW("1", "a", "b")));
	check(&f, "2");
}

static void
test_truncate_forgets(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	net_change_truncate(&f.net);
	assert_true(f.net.truncated);
	assert_true(feed_insert(&f, ROW("2", "a", "b")));
	check_row(&f, 0, "2,a,b");
	check(&f, "1");
}

/* ---- what the target restricts */

static void
update_and_move(struct feed *f)
{
	assert_true(feed_update(f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_update(f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", "a", "b")));
	assert_true(feed_delete(f, CHANGE_OLD_KEY, ROW("4", NULL, NULL)));
}

static void
test_triggers_see_updates(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, keyed, COUNT(keyed));
	f.sketch.table.target.has_triggers = true;
	assert_true(feed_open(&f, true));
	update_and_move(&f);
	/* Neither 1 nor 2 is deleted: both are updated where they are. */
	check(&f, "2028");
}

static void
test_triggers_that_do_not_fire_are_no_matter(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, keyed, COUNT(keyed));
	f.sketch.table.target.has_triggers = true;
	assert_true(feed_open(&f, false));
	update_and_move(&f);
	check(&f, "2818");
}

static void
open_with_extra(struct feed *f, void (*adapt)(struct table *))
{
	static const struct sketch_column columns[] = {
		{"id", &sketch_int4, SKETCH_KEY},
		{"note", &sketch_text, 0},
		{"body", &sketch_text, 0},
		{"extra", &sketch_text, SKETCH_TARGET_ONLY},
	};

	feed_init(f, 'd', true, columns, COUNT(columns));
	adapt(&f->sketch.table);
	assert_true(feed_open(f, false));
	update_and_move(f);
}

static void
leave(struct table *table)
{
	(void) table;
}

static void
add_unique(struct table *table)
{
	table->target.columns[2].guarded = true;
}

static void
append_only(struct table *table)
{
	table->target.storage = TARGET_AO_ROW;
}

static void
append_only_by_note(struct table *table)
{
	append_only(table);
	table->target.columns[2].distribution_position = 1;
}

static void
distribute_by_note(struct table *table)
{
	/* The target's columns stand in the opposite order. */
	table->target.columns[2].distribution_position = 1;
}

static void
leave_out_inserts(struct table *table)
{
	table->operations &= ~(unsigned) OPERATION_INSERT;
}

static void
test_columns_of_the_target_are_kept(void **state)
{
	struct feed f;

	(void) state;
	open_with_extra(&f, leave);
	check(&f, "2848");
	/* Where the guarded column differs from the target's is asked of the target. */
	open_with_extra(&f, add_unique);
	check(&f, "2848");
	open_with_extra(&f, distribute_by_note);
	check(&f, "2848");
	open_with_extra(&f, append_only);
	check(&f, "2848");
	open_with_extra(&f, append_only_by_note);
	check(&f, "c848");
}

static void
test_without_inserts_nothing_appears(void **state)
{
	struct feed f;

	(void) state;
	open_with_extra(&f, leave_out_inserts);
	check(&f, "28c8");
	feed_init(&f, 'd', true, keyed, COUNT(keyed));
	leave_out_inserts(&f.sketch.table);
	assert_true(feed_open(&f, false));
	update_and_move(&f);
	check(&f, "28c8");
}

static void
test_left_out_operations_leave_rows_behind(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, keyed, COUNT(keyed));
	f.sketch.table.operations = OPERATION_INSERT;
	assert_true(feed_open(&f, false));
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	assert_true(feed_insert(&f, ROW("1", "c", "d")));
	check_row(&f, 0, "1,c,d");
	check(&f, "9");
}

static void
test_another_sources_row_is_not_replaced(void **state)
{
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, keyed, COUNT(keyed));
	f.sketch.table.operations = OPERATION_ALL & ~(unsigned) OPERATION_TRUNCATE;
	f.sketch.table.shared_with = (char *) "two.orders and public.orders";
	assert_true(feed_open(&f, false));
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL), ROW("3", "a", "b")));
	check(&f, "181");
}

/* ---- rows that come to match a condition, and cease to */

static const struct table_override with_condition = {.where = "note = 'a'"};

static void
open_with_condition(struct feed *f)
{
	feed_init(f, 'd', true, keyed, COUNT(keyed));
	f->sketch.table.override = &with_condition;
	assert_true(feed_open(f, false));
}

static void
test_rows_come_and_go(void **state)
{
	struct feed f;

	(void) state;
	open_with_condition(&f);
	/* Was it there? */
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", "b")));
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("2", NULL, NULL)));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("2", "a", "b")));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("3", "a", UNCHANGED)));
	check(&f, "292");
}

static void
test_values_that_nobody_has(void **state)
{
	struct feed f;

	(void) state;
	open_with_condition(&f);
	assert_true(feed_delete(&f, CHANGE_OLD_KEY, ROW("1", NULL, NULL)));
	assert_false(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	assert_non_null(strstr(f.err.message, "came to match the table's condition"));
	assert_non_null(strstr(f.err.hint, "REPLICA IDENTITY FULL"));
	assert_false(feed_insert(&f, ROW("2", "a", UNCHANGED)));
	feed_close(&f);
}

static void
test_what_the_target_computes_is_not_missed(void **state)
{
	static const struct sketch_column columns[] = {
		{"id", &sketch_int4, SKETCH_KEY},
		{"note", &sketch_text, 0},
		{"body", &sketch_text, SKETCH_COMPUTED},
	};
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, columns, COUNT(columns));
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a", UNCHANGED)));
	check(&f, "2");
}

/* ---- tables without a key */

static void
open_keyless(struct feed *f, char identity)
{
	feed_init(f, identity, true, keyless, COUNT(keyless));
	assert_true(feed_open(f, false));
}

static void
test_rows_are_counted(void **state)
{
	struct feed f;

	(void) state;
	open_keyless(&f, 'f');
	for (int i = 0; i < 3; i++)
		assert_true(feed_insert(&f, ROW("1", NULL)));
	assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW("1", NULL)));
	assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW("1", "")));
	assert_true(feed_update(&f, CHANGE_OLD_FULL, ROW("2", "a"), ROW("2", "a")));
	assert_true(feed_update(&f, CHANGE_OLD_FULL, ROW("3", "a"), ROW("3", "b")));
	assert_int_equal(f.net.rows[0].count, 2);
	assert_int_equal(f.net.rows[1].count, -1);
	assert_int_equal(f.net.rows[2].count, 0);
	check(&f, "18081");
}

static void
test_rows_that_differ_in_what_is_left_out(void **state)
{
	static char *subset[] = {"a"};
	static const struct table_override override = {.columns = {subset, 1}};
	struct feed f;

	(void) state;
	feed_init(&f, 'f', true, keyless, COUNT(keyless));
	f.sketch.table.override = &override;
	assert_true(feed_open(&f, false));
	assert_true(feed_insert(&f, ROW("1", "x")));
	assert_true(feed_insert(&f, ROW("1", "y")));
	assert_true(feed_update(&f, CHANGE_OLD_FULL, ROW("2", "x"), ROW("2", "y")));
	assert_true(feed_delete(&f, CHANGE_OLD_FULL, ROW("1", "z")));
	assert_int_equal(net_change_count(&f.net), 2);
	assert_int_equal(f.net.rows[0].count, 1);
	check(&f, "10");
}

static void
test_without_identity_rows_are_only_inserted(void **state)
{
	struct feed f;

	(void) state;
	open_keyless(&f, 'n');
	assert_true(feed_insert(&f, ROW("1", "a")));
	assert_true(feed_insert(&f, ROW("1", "a")));
	check(&f, "11");
}

/* ---- what cannot be followed */

static void
refuses(struct feed *f, bool accepted, const char *why)
{
	assert_false(accepted);
	assert_int_equal(f->err.class, ERROR_DATA);
	if (!strstr(f->err.message, why))
		fail_msg("\"%s\" does not say \"%s\"", f->err.message, why);
	assert_non_null(strstr(f->err.message, "public.orders"));
	feed_close(f);
}

static void
test_without_identity_updates_are_refused(void **state)
{
	struct feed f;

	(void) state;
	open_keyless(&f, 'n');
	refuses(&f, feed_update(&f, CHANGE_OLD_NONE, NULL, ROW("1", "a")), "an update cannot be followed");
	open_keyless(&f, 'd');
	refuses(&f, feed_delete(&f, CHANGE_OLD_NONE, NULL), "a delete cannot be followed");
	open_keyed(&f, 'd');
	refuses(&f, feed_delete(&f, CHANGE_OLD_NONE, NULL), "a delete cannot be followed");
	open_keyless(&f, 'f');
	refuses(&f, feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "a")), "an update cannot be followed");
}

static void
test_incomplete_rows_are_refused(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'd');
	refuses(&f, feed_insert(&f, ROW(NULL, "a", "b")), "a key column is NULL");
	open_keyed(&f, 'd');
	refuses(&f, feed_update(&f, CHANGE_OLD_SAME, NULL, ROW(UNCHANGED, "a", "b")), "without the key's value");
	open_keyless(&f, 'f');
	refuses(&f, feed_insert(&f, ROW("1", UNCHANGED)), "without the whole row");
}

static void
test_a_key_of_two_rows_is_refused(void **state)
{
	struct feed f;

	(void) state;
	open_keyed(&f, 'f');
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	refuses(&f, feed_insert(&f, ROW("1", "c", "d")), "two rows have the same key");
	open_keyed(&f, 'f');
	assert_true(feed_insert(&f, ROW("1", "a", "b")));
	refuses(&f, feed_update(&f, CHANGE_OLD_FULL, ROW("2", "c", "d"), ROW("1", "c", "d")),
			"two rows have the same key");
}

/* ---- keys */

static void
test_key_parts_do_not_run_together(void **state)
{
	static const struct sketch_column columns[] = {
		{"a", &sketch_text, SKETCH_KEY},
		{"b", &sketch_text, SKETCH_KEY},
	};
	struct feed f;

	(void) state;
	feed_init(&f, 'd', true, columns, COUNT(columns));
	assert_true(feed_open(&f, false));
	assert_true(feed_insert(&f, ROW("x", "")));
	assert_true(feed_insert(&f, ROW("", "x")));
	assert_true(feed_insert(&f, ROW("", "")));
	assert_int_equal(net_change_count(&f.net), 3);
	feed_close(&f);
}

static void
test_many_rows_and_their_memory(void **state)
{
	struct feed f;
	char id[16];

	(void) state;
	feed_init(&f, 'd', false, keyed, COUNT(keyed));
	assert_true(feed_open(&f, false));
	for (int i = 0; i < 50000; i++) {
		snprintf(id, sizeof id, "%d", i % 20000);
		assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW(id, "a", i % 3 ? UNCHANGED : "b")));
	}
	assert_int_equal(net_change_count(&f.net), 20000);
	assert_int_equal(f.net.changes, 50000);
	assert_true(net_change_bytes(&f.net) >= 20000 * sizeof(struct net_row));
	feed_close(&f);
}

static void
test_a_row_updated_over_and_over_takes_its_place(void **state)
{
	struct feed f;
	size_t bytes;

	(void) state;
	feed_init(&f, 'd', false, keyed, COUNT(keyed));
	assert_true(feed_open(&f, false));
	assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "long note", "body")));
	bytes = arena_bytes(&f.arena);
	for (int i = 0; i < 10000; i++) {
		assert_true(
			feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", i % 2 ? "some note" : "long body", UNCHANGED)));
		assert_true(feed_update(&f, CHANGE_OLD_SAME, NULL, ROW("1", "other one", "body")));
	}
	assert_true(arena_bytes(&f.arena) <= 2 * bytes);
	feed_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insert_is_a_row),
		cmocka_unit_test(test_insert_and_delete_is_nothing),
		cmocka_unit_test(test_update_is_in_place),
		cmocka_unit_test(test_delete_and_insert_replaces),
		cmocka_unit_test(test_insert_after_a_move_keeps_both),
		cmocka_unit_test(test_chain_of_moves_keeps_the_origin),
		cmocka_unit_test(test_swap_deletes_both_first),
		cmocka_unit_test(test_unchanged_values_come_from_the_batch),
		cmocka_unit_test(test_unchanged_values_stay_missing_where_nobody_has_them),
		cmocka_unit_test(test_unchanged_key_comes_with_the_old_one),
		cmocka_unit_test(test_truncate_forgets),
		cmocka_unit_test(test_triggers_see_updates),
		cmocka_unit_test(test_triggers_that_do_not_fire_are_no_matter),
		cmocka_unit_test(test_columns_of_the_target_are_kept),
		cmocka_unit_test(test_without_inserts_nothing_appears),
		cmocka_unit_test(test_left_out_operations_leave_rows_behind),
		cmocka_unit_test(test_another_sources_row_is_not_replaced),
		cmocka_unit_test(test_rows_come_and_go),
		cmocka_unit_test(test_values_that_nobody_has),
		cmocka_unit_test(test_what_the_target_computes_is_not_missed),
		cmocka_unit_test(test_rows_are_counted),
		cmocka_unit_test(test_rows_that_differ_in_what_is_left_out),
		cmocka_unit_test(test_without_identity_rows_are_only_inserted),
		cmocka_unit_test(test_without_identity_updates_are_refused),
		cmocka_unit_test(test_incomplete_rows_are_refused),
		cmocka_unit_test(test_a_key_of_two_rows_is_refused),
		cmocka_unit_test(test_key_parts_do_not_run_together),
		cmocka_unit_test(test_many_rows_and_their_memory),
		cmocka_unit_test(test_a_row_updated_over_and_over_takes_its_place),
	};

	return cmocka_run_group_tests_name("net_change", tests, NULL, NULL);
}
