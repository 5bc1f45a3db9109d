#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sketch.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct sketch_column columns[] = {
	{"id", &sketch_int4, SKETCH_KEY},
	{"line", &sketch_int4, SKETCH_KEY},
	{"note", &sketch_text, 0},
	{"computed", &sketch_text, SKETCH_COMPUTED},
	{"extra", &sketch_text, SKETCH_TARGET_ONLY},
};

static void
init(struct sketch *sketch, char identity)
{
	sketch_init(sketch, "public", "orders", identity, true, columns, COUNT(columns));
}

static void
make(struct sketch *sketch, struct shape *shape)
{
	struct error err;

	assert_true(shape_init(shape, 1, &sketch->relation, &sketch->table, true, &err));
}

static void
refuses(struct sketch *sketch, const char *why)
{
	struct shape shape;
	struct error err;

	assert_false(shape_init(&shape, 1, &sketch->relation, &sketch->table, true, &err));
	assert_int_equal(err.class, ERROR_DATA);
	if (!strstr(err.message, why))
		fail_msg("\"%s\" does not say \"%s\"", err.message, why);
	shape_fini(&shape);
}

/* Names of the key's columns, joined by commas. */
static void
check_key(const struct shape *shape, const char *expected)
{
	char text[256] = "";

	for (unsigned i = 0; i < shape->key_count; i++) {
		strcat(text, i ? "," : "");
		strcat(text, shape->fed[shape->key[i]].target->name);
	}
	assert_string_equal(text, expected);
}

static void
test_columns_are_found_by_name(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'd');
	make(&sketch, &shape);
	assert_int_equal(shape.fed_count, 3);
	for (unsigned i = 0; i < shape.fed_count; i++) {
		assert_int_equal(shape.fed[i].source, i);
		assert_string_equal(shape.fed[i].target->name, columns[i].name);
	}
	assert_int_equal(shape.unfed_count, 1);
	assert_string_equal(shape.unfed[0]->name, "extra");
	shape_fini(&shape);
}

static void
test_missing_column(void **state)
{
	struct sketch sketch;

	(void) state;
	init(&sketch, 'd');
	sketch.columns[2].name = "Note";
	refuses(&sketch, "column \"Note\" of public.orders has no counterpart");
}

static void
test_key_of_the_identity(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'd');
	/* The index that the relation names, whatever the table's primary key is. */
	sketch.columns[0].flags = 0;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_KEY);
	check_key(&shape, "line");
	shape_fini(&shape);
}

static void
test_key_of_the_table_under_full(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'f');
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_KEY);
	check_key(&shape, "id,line");
	shape_fini(&shape);
	/* The order is the index's. */
	sketch.source[0].primary_position = 2;
	sketch.source[1].primary_position = 1;
	make(&sketch, &shape);
	check_key(&shape, "line,id");
	shape_fini(&shape);
}

/* The catalog is of another time than the description. */
static void
test_key_that_was_none_when_described(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'f');
	sketch.columns[1].flags = COLUMN_NOT_NULL;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_ROW);
	shape_fini(&shape);
	/* What was the whole primary key is a part of it. */
	init(&sketch, 'f');
	sketch.columns[2].flags = COLUMN_PRIMARY | COLUMN_NOT_NULL;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_ROW);
	shape_fini(&shape);
	/* A unique index over a column that may be NULL is no key. */
	init(&sketch, 'f');
	sketch.source[0].primary_position = sketch.source[1].primary_position = 0;
	sketch.source[2].unique_position = 1;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_ROW);
	shape_fini(&shape);
	sketch.columns[2].flags = COLUMN_NOT_NULL;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_KEY);
	check_key(&shape, "note");
	shape_fini(&shape);
}

static void
test_configured_key_under_full(void **state)
{
	static char *names[] = {(char *) "note"};
	const struct table_override override = {.key = {.items = names, .count = 1}};
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'f');
	sketch.table.override = &override;
	make(&sketch, &shape);
	check_key(&shape, "note");
	shape_fini(&shape);
}

static void
test_without_a_key(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'f');
	sketch.source[0].primary_position = sketch.source[1].primary_position = 0;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_ROW);
	shape_fini(&shape);
	init(&sketch, 'n');
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_NOTHING);
	shape_fini(&shape);
}

static void
test_key_that_the_target_computes(void **state)
{
	struct sketch sketch;

	(void) state;
	init(&sketch, 'd');
	sketch.columns[3].flags = COLUMN_KEY;
	refuses(&sketch, "key column \"computed\" of public.orders is not among the columns");
}

/* A stream that lies must not write beyond the key's places. */
static void
test_too_many_key_columns(void **state)
{
	static struct change_column many[TABLE_MAX_KEY + 1];
	struct sketch sketch;

	(void) state;
	init(&sketch, 'd');
	for (unsigned i = 0; i < COUNT(many); i++) {
		many[i] = sketch.columns[0];
		many[i].flags = COLUMN_KEY;
	}
	sketch.relation.columns = many;
	sketch.relation.column_count = COUNT(many);
	refuses(&sketch, "more than 32 columns");
}

static void
test_triggers_count_where_they_fire(void **state)
{
	struct sketch sketch;
	struct shape shape;
	struct error err;

	(void) state;
	init(&sketch, 'd');
	make(&sketch, &shape);
	assert_false(shape.triggers);
	shape_fini(&shape);
	sketch.table.target.has_triggers = true;
	make(&sketch, &shape);
	assert_true(shape.triggers);
	shape_fini(&shape);
	assert_true(shape_init(&shape, 1, &sketch.relation, &sketch.table, false, &err));
	assert_false(shape.triggers);
	shape_fini(&shape);
}

static void
check_guarded(struct sketch *sketch, const char *name)
{
	struct shape shape;

	make(sketch, &shape);
	assert_int_equal(shape.guarded_count, name ? 1 : 0);
	if (name)
		assert_string_equal(shape.fed[shape.guarded[0]].target->name, name);
	shape_fini(&shape);
}

/* Unique values, and what says where a row lies; the key itself does not change in place. */
static void
test_what_an_update_may_not_set(void **state)
{
	struct sketch sketch;

	(void) state;
	init(&sketch, 'd');
	/* The target has the columns in the opposite order. */
	sketch.target[4].distribution_position = 1;
	sketch.target[4].guarded = true;
	check_guarded(&sketch, NULL);
	sketch.target[2].distribution_position = 2;
	check_guarded(&sketch, sketch.target[2].name);
	init(&sketch, 'd');
	sketch.target[2].guarded = true;
	check_guarded(&sketch, sketch.target[2].name);
	init(&sketch, 'd');
	sketch.target[2].identity_always = true;
	check_guarded(&sketch, sketch.target[2].name);
}

static void
test_whose_rows_may_be_absent(void **state)
{
	static const struct table_override declared = {.rows_may_be_absent = true};
	static const struct {
		bool copied_so;
		unsigned left_out;
		const struct table_override *override;
		bool may;
	} cases[] = {
		{false, 0, NULL, false},
		{false, OPERATION_DELETE | OPERATION_TRUNCATE, NULL, false},
		{false, OPERATION_INSERT, NULL, true},
		{false, OPERATION_UPDATE, NULL, true},
		{true, 0, NULL, true},
		{false, 0, &declared, true},
	};

	(void) state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct sketch sketch;
		struct shape shape;

		init(&sketch, 'd');
		sketch.table.rows_may_be_absent = cases[i].copied_so;
		sketch.table.operations &= ~cases[i].left_out;
		sketch.table.override = cases[i].override;
		make(&sketch, &shape);
		assert_int_equal(shape.rows_may_be_absent, cases[i].may);
		shape_fini(&shape);
	}
}

static void
test_values_must_have_the_target_s_form(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'd');
	make(&sketch, &shape);
	assert_true(shape.text);
	shape_fini(&shape);
	sketch.relation.flags = 0;
	refuses(&sketch, "changed to types that the target public.orders does not have");
	sketch.table.as_text = false;
	make(&sketch, &shape);
	assert_false(shape.text);
	shape_fini(&shape);
}

static void
test_nothing_in_common(void **state)
{
	struct sketch sketch;
	struct shape shape;

	(void) state;
	init(&sketch, 'f');
	sketch.relation.column_count = 0;
	sketch.source[0].primary_position = sketch.source[1].primary_position = 0;
	refuses(&sketch, "no column to replicate");
	sketch.table.target.column_count = 0;
	make(&sketch, &shape);
	assert_int_equal(shape.match, MATCH_ROW);
	shape_fini(&shape);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_are_found_by_name),
		cmocka_unit_test(test_missing_column),
		cmocka_unit_test(test_key_of_the_identity),
		cmocka_unit_test(test_key_of_the_table_under_full),
		cmocka_unit_test(test_key_that_was_none_when_described),
		cmocka_unit_test(test_configured_key_under_full),
		cmocka_unit_test(test_without_a_key),
		cmocka_unit_test(test_key_that_the_target_computes),
		cmocka_unit_test(test_too_many_key_columns),
		cmocka_unit_test(test_triggers_count_where_they_fire),
		cmocka_unit_test(test_what_an_update_may_not_set),
		cmocka_unit_test(test_whose_rows_may_be_absent),
		cmocka_unit_test(test_values_must_have_the_target_s_form),
		cmocka_unit_test(test_nothing_in_common),
	};

	return cmocka_run_group_tests_name("shape", tests, NULL, NULL);
}
