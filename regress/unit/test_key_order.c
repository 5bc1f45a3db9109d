/* The order in which rows are looked up at the destination. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feed.h"
#include "merge/key_order.h"
#include "merge/merge_plan.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define MANY (MERGE_FEW_KEYS + 100)

static const struct sketch_column numbered[] = {{"id", &sketch_int8, SKETCH_KEY}, {"note", &sketch_text, 0}};
static const struct sketch_column named[] = {{"name", &sketch_text, SKETCH_KEY}, {"note", &sketch_text, 0}};
static const struct sketch_column pair[] = {
	{"part", &sketch_int4, SKETCH_KEY},
	{"name", &sketch_text, SKETCH_KEY},
	{"note", &sketch_text, 0},
};

/* Updates the rows with these keys, and checks in which order they are looked up; `expected` NULL: in their own. */
static void
check_order(struct feed *f, const char *const *const *rows, unsigned count, const uint32_t *expected)
{
	uint32_t *order;

	assert_true(feed_open(f, false));
	for (unsigned i = 0; i < count; i++)
		assert_true(feed_update(f, CHANGE_OLD_SAME, NULL, rows[i]));
	order = key_order(&f->net, &f->arena);
	if (!expected)
		assert_null(order);
	for (unsigned i = 0; expected && i < count; i++)
		assert_int_equal(order[i], expected[i]);
	feed_close(f);
}

#define CHECK_ORDER(columns, text, expected, ...)                                                            \
	do {                                                                                                     \
		const char *const *const rows[] = {__VA_ARGS__};                                                     \
		struct feed f;                                                                                       \
                                                                                                             \
		feed_init(&f, 'd', text, columns, COUNT(columns));                                                   \
		check_order(&f, rows, COUNT(rows), expected);                                                        \
	} while (0)

#define ORDER(...) ((const uint32_t[]){__VA_ARGS__})

static void
test_numbers(void **state)
{
	(void) state;
	for (int text = 0; text < 2; text++) {
		CHECK_ORDER(numbered, text, NULL, ROW("9", "a"), ROW("10", "a"), ROW("300", "a"), ROW("70000", "a"));
		CHECK_ORDER(numbered, text, ORDER(2, 0, 3, 1), ROW("10", "a"), ROW("70000", "a"), ROW("9", "a"),
					ROW("300", "a"));
	}
}

static void
test_names(void **state)
{
	(void) state;
	CHECK_ORDER(named, false, NULL, ROW("a", "a"), ROW("ab", "a"), ROW("b", "a"));
	CHECK_ORDER(named, false, ORDER(3, 1, 0, 2), ROW("customer-0002", "a"), ROW("customer-0001", "a"),
				ROW("customer-00020", "a"), ROW("a much longer one than all others", "a"));
}

static void
test_pairs(void **state)
{
	(void) state;
	CHECK_ORDER(pair, false, ORDER(1, 3, 0, 2), ROW("2", "b", "x"), ROW("1", "z", "x"), ROW("3", "a", "x"),
				ROW("2", "a", "x"));
}

/* ---- what plans make of it */

static struct merge_step *
find_step(struct merge_plan *plan, enum merge_step_kind kind)
{
	for (unsigned phase = 0; phase < MERGE_PHASES; phase++)
		for (struct merge_step *step = plan->phases[phase].first; step; step = step->next)
			if (step->kind == kind)
				return step;
	fail();
	return NULL;
}

/* Rows 1 to `count`, the last one first: row n has the note n. */
static void
plan_backwards(struct feed *f, struct merge_plan *plan, bool triggers, int count)
{
	struct staging staging = {0};
	char id[16];

	feed_init(f, 'd', true, numbered, COUNT(numbered));
	f->sketch.table.target.has_triggers = triggers;
	assert_true(feed_open(f, triggers));
	for (int i = count; i > 0; i--) {
		snprintf(id, sizeof id, "%d", i);
		assert_true(feed_update(f, CHANGE_OLD_SAME, NULL, ROW(id, id)));
	}
	assert_true(
		merge_plan_build(plan, &f->net, &dialect_postgresql, MERGE_FAST, &staging, &f->arena, &f->err));
}

static void
check_staged(bool triggers, int first, int step)
{
	struct merge_plan plan;
	struct copy_walk *walk;
	struct buffer out;
	struct feed f;
	char *line, *rest;

	plan_backwards(&f, &plan, triggers, MANY);
	walk = &find_step(&plan, MERGE_COPY)->walk;
	buffer_init(&out, (size_t) 1 << 20, NULL, NULL);
	while (copy_walk_next(walk, &out, 100))
		;
	buffer_put_u8(&out, '\0');
	line = strtok_r((char *) out.data, "\n", &rest);
	for (int i = 0, id = first; i < MANY; i++, id += step, line = strtok_r(NULL, "\n", &rest)) {
		char expected[64];

		snprintf(expected, sizeof expected, "%d\t0\t\\N\t%d\t%d", id, id, id);
		assert_string_equal(line, expected);
	}
	buffer_reset(&out);
	copy_walk_put_key(walk, 2, &out);
	buffer_put_u8(&out, '\0');
	assert_int_equal(atoi((const char *) out.data + strlen("id = ")), first + step);
	buffer_fini(&out);
	feed_close(&f);
}

static void
test_staged(void **state)
{
	(void) state;
	check_staged(false, 1, 1);
}

/* A trigger may see in which order the rows change: it stays that of the changes. */
static void
test_triggers(void **state)
{
	(void) state;
	check_staged(true, MANY, -1);
}

/* The arrays of the keys and of the values are in the same order. */
static void
test_arrays(void **state)
{
	struct merge_plan plan;
	struct merge_step *step;
	struct feed f;

	(void) state;
	plan_backwards(&f, &plan, false, 99);
	step = find_step(&plan, MERGE_PREPARED);
	assert_int_equal(step->param_count, 2);
	for (unsigned i = 0; i < 2; i++)
		assert_memory_equal(step->params[i].data, "{ \"1\",\"2\",\"3\",", 13);
	feed_close(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers), cmocka_unit_test(test_names),	 cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_staged),	cmocka_unit_test(test_triggers), cmocka_unit_test(test_arrays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
