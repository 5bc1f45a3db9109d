#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "compare/compare_rows.h"

/* Digests whose second half is a small number. */
#define DIGEST(letter, number) letter "aaaaaaaaaaaaaaa000000000000000" number

static const char one[] = DIGEST("1", "1"), two[] = DIGEST("2", "2"), three[] = DIGEST("3", "3");

struct verdict {
	char text[1000];
	size_t len;
	int limit;
};

static bool
note(void *arg, const struct compare_difference *d)
{
	struct verdict *verdict = arg;
	char kind = "-+!"[d->kind], source = d->source_digest ? *d->source_digest : '.';
	char target = d->target_digest ? *d->target_digest : '.';
	int image = d->image == COMPARE_NO_IMAGE ? -1 : (int) d->image;

	verdict->len +=
		(size_t) snprintf(verdict->text + verdict->len, sizeof verdict->text - verdict->len,
						  "%c%s %c %c x%d %d;", kind, d->key, source, target, (int) d->times, image);
	return --verdict->limit > 0;
}

struct row {
	char side; /* 's', 't', 'o': the source, the target, laid over */
	const char *key;
	const char *digest;
	int weight;
};

static void
fill(struct compare_rows *rows, const struct row *from)
{
	compare_rows_init(rows);
	for (uint32_t i = 0; from[i].side; i++)
		compare_rows_add(rows, &(struct compare_row){
								   .key = from[i].key,
								   .digest = from[i].digest,
								   .target = from[i].side == 't',
								   .weight = from[i].weight ? from[i].weight : 1,
								   .image = from[i].side == 'o' ? i : COMPARE_NO_IMAGE,
							   });
}

static void
check(const struct row *from, bool keyed, const char *expected)
{
	struct verdict verdict = {.limit = 100};
	struct compare_rows rows;

	fill(&rows, from);
	compare_rows_judge(&rows, keyed, note, &verdict);
	assert_string_equal(verdict.text, expected);
	compare_rows_fini(&rows);
}

static void
test_equal_rows(void **state)
{
	static const struct row rows[] = {
		{'s', "b", two, 0}, {'s', "a", one, 0}, {'t', "a", one, 0}, {'t', "b", two, 0}, {0}};
	static const struct row none[] = {{0}};

	(void) state;
	check(rows, true, "");
	check(rows, false, "");
	check(none, true, "");
}

static void
test_each_kind_of_difference(void **state)
{
	static const struct row rows[] = {
		{'s', "a", one, 0}, {'t', "b", two, 0}, {'s', "c", one, 0}, {'t', "c", three, 0}, {0}};

	(void) state;
	check(rows, true, "-a 1 . x1 -1;+b . 2 x1 -1;!c 1 3 x1 -1;");
}

static void
test_without_a_key_rows_are_counted(void **state)
{
	static const struct row rows[] = {{'s', "", one, 0},
									  {'s', "", one, 0},
									  {'s', "", one, 0},
									  {'t', "", one, 0},
									  {'t', "", two, 0},
									  {'t', "", two, 0},
									  {0}};

	(void) state;
	check(rows, false, "- 1 . x2 -1;+ . 2 x2 -1;");
}

static void
test_a_key_twice(void **state)
{
	static const struct row rows[] = {{'s', "a", two, 0}, {'t', "a", one, 0}, {'t', "a", three, 0}, {0}};
	static const struct row doubled[] = {{'s', "a", two, 0}, {'t', "a", two, 0}, {'t', "a", two, 0}, {0}};

	(void) state;
	check(rows, true, "!a 2 1 x1 -1;+a . 3 x1 -1;");
	check(doubled, true, "+a . 2 x1 -1;");
}

/* The source's row a was replaced, b deleted, c inserted and d put back as it was. */
static void
test_rows_that_are_laid_over(void **state)
{
	static const struct row rows[] = {{'s', "a", one, 0},
									  {'s', "b", one, 0},
									  {'s', "d", one, 0},
									  {'o', "a", one, -1},
									  {'o', "a", two, 1},
									  {'o', "b", one, -1},
									  {'o', "c", three, 1},
									  {'o', "d", one, -1},
									  {'o', "d", one, 1},
									  {'t', "a", two, 0},
									  {'t', "c", three, 0},
									  {'t', "d", one, 0},
									  {0}};
	static const struct row late[] = {
		{'s', "a", one, 0}, {'o', "a", one, -1}, {'o', "a", two, 1}, {'t', "a", one, 0}, {0}};

	(void) state;
	check(rows, true, "");
	check(late, true, "!a 2 1 x1 2;");
}

static void
test_the_taker_may_have_enough(void **state)
{
	static const struct row rows[] = {{'s', "a", one, 0}, {'s', "b", two, 0}, {'s', "c", three, 0}, {0}};

	(void) state;
	for (int keyed = 0; keyed < 2; keyed++) {
		struct verdict verdict = {.limit = 2};
		struct compare_rows list;

		fill(&list, rows);
		compare_rows_judge(&list, keyed, note, &verdict);
		assert_string_equal(verdict.text, "-a 1 . x1 -1;-b 2 . x1 -1;");
		compare_rows_fini(&list);
	}
}

static void
test_sums_wrap_around(void **state)
{
	(void) state;
	assert_int_equal(compare_parse_sum("0"), 0);
	assert_int_equal(compare_parse_sum("18446744073709551617"), 1);
	assert_int_equal(compare_parse_sum("-1"), UINT64_MAX);
	assert_int_equal(compare_parse_sum("-18446744073709551617"), UINT64_MAX);
	assert_int_equal(compare_digest_value(three), 3);
	assert_int_equal(compare_digest_value(""), 0);
}

static void
test_laying_over_sums(void **state)
{
	struct compare_bucket buckets[2] = {{.rows = 5, .sum = 10}, {.rows = 0, .sum = 0}};
	struct compare_rows rows;

	(void) state;
	compare_rows_init(&rows);
	compare_rows_add(&rows, &(struct compare_row){.bucket = 0, .key = "a", .digest = three, .weight = -2});
	compare_rows_add(&rows, &(struct compare_row){.bucket = 1, .key = "a", .digest = two, .weight = 1});
	compare_lay_over(buckets, &rows);
	assert_int_equal(buckets[0].rows, 3);
	assert_int_equal(buckets[0].sum, 4);
	assert_int_equal(buckets[1].rows, 1);
	assert_int_equal(buckets[1].sum, 2);
	compare_rows_fini(&rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_rows),
		cmocka_unit_test(test_each_kind_of_difference),
		cmocka_unit_test(test_without_a_key_rows_are_counted),
		cmocka_unit_test(test_a_key_twice),
		cmocka_unit_test(test_rows_that_are_laid_over),
		cmocka_unit_test(test_the_taker_may_have_enough),
		cmocka_unit_test(test_sums_wrap_around),
		cmocka_unit_test(test_laying_over_sums),
	};

	return cmocka_run_group_tests_name("compare_rows", tests, NULL, NULL);
}
