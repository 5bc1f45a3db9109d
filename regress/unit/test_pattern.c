#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/pattern.h"

static bool
matches(const char *text, const char *schema, const char *table)
{
	struct pattern pattern;
	bool result;

	assert_null(pattern_parse(text, &pattern));
	result = pattern_matches(&pattern, schema, table);
	pattern_free(&pattern);
	return result;
}

static void
test_plain_names_fold(void **state)
{
	(void) state;
	assert_true(matches("public.orders", "public", "orders"));
	assert_true(matches("PUBLIC.Orders", "public", "orders"));
	assert_false(matches("public.Orders", "public", "Orders"));
	assert_false(matches("public.orders", "public", "orders2"));
	assert_false(matches("public.orders2", "public", "orders"));
	assert_false(matches("public.orders", "sales", "orders"));
	/* Only ASCII letters fold. */
	assert_true(matches("public.ŻÓŁW", "public", "ŻÓŁw"));
}

static void
test_quoted_names_are_literal(void **state)
{
	(void) state;
	assert_true(matches("\"My Schema\".\"Order\"", "My Schema", "Order"));
	assert_false(matches("\"My Schema\".\"Order\"", "my schema", "order"));
	assert_true(matches("public.\"a\"\"b\"", "public", "a\"b"));
	assert_true(matches("public.\"a.b\"", "public", "a.b"));
	assert_true(matches("public.\"*\"", "public", "*"));
	assert_false(matches("public.\"*\"", "public", "orders"));
	assert_true(matches("*.\"Order\"", "anything", "Order"));
	assert_true(matches("  public.orders\t", "public", "orders"));
}

static void
test_stars(void **state)
{
	(void) state;
	assert_true(matches("public.*", "public", "orders"));
	assert_true(matches("public.*", "public", ""));
	assert_false(matches("public.*", "publica", "orders"));
	assert_true(matches("*.*", "a", "b"));
	assert_true(matches("public.tmp_*", "public", "tmp_"));
	assert_false(matches("public.tmp_*", "public", "tmp"));
	assert_true(matches("public.*_log", "public", "a_log_log"));
	assert_false(matches("public.*_log", "public", "a_log_"));
	assert_true(matches("public.a*b*c", "public", "aXbXbXc"));
	assert_false(matches("public.a*b*c", "public", "aXcXb"));
	assert_true(matches("public.**", "public", "x"));
	assert_true(matches("public.a*a", "public", "aa"));
	assert_false(matches("public.a*a", "public", "a"));
}

static void
test_question_marks_stand_for_characters(void **state)
{
	(void) state;
	assert_true(matches("sales.order_20??", "sales", "order_2024"));
	assert_false(matches("sales.order_20??", "sales", "order_202"));
	assert_false(matches("sales.order_20??", "sales", "order_20244"));
	assert_true(matches("public.?", "public", "é"));
	assert_true(matches("public.?", "public", "本"));
	assert_true(matches("public.?", "public", "😀"));
	assert_false(matches("public.?", "public", "éa"));
	assert_true(matches("public.*?", "public", "é"));
	assert_false(matches("public.*??", "public", "é"));
	assert_true(matches("public.?*?", "public", "日本"));
}

/* A pattern of many stars must not take exponential time. */
static void
test_many_stars_end(void **state)
{
	char name[2001];

	(void) state;
	memset(name, 'a', 2000);
	name[2000] = '\0';
	assert_false(matches("public.*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "public", name));
	assert_true(matches("public.*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*", "public", name));
}

static void
test_literal_patterns_are_told(void **state)
{
	static const struct {
		const char *text;
		bool literal;
	} cases[] = {
		{"public.orders", true},  {"public.*", false},	 {"*.orders", false},
		{"public.ord?rs", false}, {"\"*\".\"?\"", true}, {"public.\"a*\"", true},
	};

	(void) state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct pattern pattern;

		assert_null(pattern_parse(cases[i].text, &pattern));
		assert_int_equal(pattern_is_literal(&pattern), cases[i].literal);
		pattern_free(&pattern);
	}
}

static void
test_what_is_no_pattern(void **state)
{
	static const char *const texts[] = {
		"",
		"orders",
		"public.",
		".orders",
		"public.orders.x",
		"public.orders x",
		"public.\"a",
		"\"a.b",
		"\"\".a",
		"public.\"\"",
		"public .orders",
		"public. orders",
		"public.a,public.b",
	};
	struct pattern pattern;

	(void) state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const char *problem = pattern_parse(texts[i], &pattern);

		assert_non_null(problem);
		assert_true(strlen(problem) > 5);
	}
}

static void
test_lists(void **state)
{
	struct pattern_list list = {0};

	(void) state;
	assert_false(pattern_list_matches(&list, "public", "a"));
	assert_null(pattern_list_add_all(&list, " public.a , public.\"b,c\",s.* "));
	assert_int_equal(list.count, 3);
	assert_null(pattern_list_add(&list, "x.y"));
	assert_int_equal(list.count, 4);
	assert_true(pattern_list_matches(&list, "public", "a"));
	assert_true(pattern_list_matches(&list, "public", "b,c"));
	assert_true(pattern_list_matches(&list, "s", "anything"));
	assert_true(pattern_list_matches(&list, "x", "y"));
	assert_false(pattern_list_matches(&list, "public", "b"));
	pattern_list_free(&list);
	assert_int_equal(list.count, 0);
}

/* Its time and memory grow with its length: of another power this would take hours. */
static void
test_a_long_list(void **state)
{
	enum { COUNT = 200000 };
	char *text = malloc(COUNT * 32), *at = text;
	struct pattern_list list = {0};
	char name[32];

	(void) state;
	assert_non_null(text);
	for (int i = 0; i < COUNT; i++)
		at += sprintf(at, "%s%s.table_%d", i ? "," : "", i % 2 ? "public" : "\"Sales\"", i);
	assert_null(pattern_list_add_all(&list, text));
	assert_int_equal(list.count, COUNT);
	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof name, "table_%u", i);
		assert_int_equal(pattern_list_find(&list, i % 2 ? "public" : "Sales", name), i);
		assert_false(pattern_list_matches(&list, i % 2 ? "Sales" : "public", name));
	}
	pattern_list_free(&list);
	free(text);
}

static void
test_a_name_stands_there_once(void **state)
{
	struct pattern_list list = {0};
	char text[32];

	(void) state;
	assert_int_equal(pattern_list_find(&list, "public", "a"), PATTERN_NONE);
	assert_null(pattern_list_add(&list, "public.*"));
	assert_int_equal(pattern_list_find(&list, "public", "a"), PATTERN_NONE);
	assert_null(pattern_list_add(&list, "public.b"));
	assert_null(pattern_list_add(&list, "public.a"));
	assert_null(pattern_list_add(&list, "Public.\"a\""));
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "s.t%d", i);
		assert_null(pattern_list_add(&list, text));
	}
	assert_int_equal(pattern_list_find(&list, "public", "a"), 1);
	assert_int_equal(list.count, 103);
	/* The names run on into each other: what stands before the point counts. */
	assert_int_equal(pattern_list_find(&list, "publica", ""), PATTERN_NONE);
	pattern_list_free(&list);
}

static void
test_a_list_taken_one_by_one(void **state)
{
	const char *text = " public.a , s.* ,x", *at = text;
	struct pattern_list list = {0};

	(void) state;
	assert_null(pattern_list_take(&list, &at));
	assert_ptr_equal(at, text + 11);
	assert_null(pattern_list_take(&list, &at));
	assert_non_null(pattern_list_take(&list, &at));
	assert_ptr_equal(at, text + 17);
	assert_int_equal(list.count, 2);
	assert_null(pattern_list_take(&list, &(const char *){"x.y"}));
	pattern_list_free(&list);
}

static void
test_malformed_lists(void **state)
{
	static const char *const texts[] = {
		"", ",", "public.a,", ",public.a", "public.a public.b", "public.a,,public.b"};

	(void) state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct pattern_list list = {0};

		assert_non_null(pattern_list_add_all(&list, texts[i]));
		pattern_list_free(&list);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_names_fold),
		cmocka_unit_test(test_quoted_names_are_literal),
		cmocka_unit_test(test_stars),
		cmocka_unit_test(test_question_marks_stand_for_characters),
		cmocka_unit_test(test_many_stars_end),
		cmocka_unit_test(test_literal_patterns_are_told),
		cmocka_unit_test(test_what_is_no_pattern),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_a_long_list),
		cmocka_unit_test(test_a_name_stands_there_once),
		cmocka_unit_test(test_a_list_taken_one_by_one),
		cmocka_unit_test(test_malformed_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
