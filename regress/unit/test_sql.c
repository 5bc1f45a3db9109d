#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sql.h"

/* Ends the buffer's text, compares it and frees it. */
static void
check(struct buffer *sql, const char *expected)
{
	buffer_put_u8(sql, '\0');
	assert_false(sql->failed);
	assert_string_equal((const char *) sql->data, expected);
	buffer_fini(sql);
}

static void
check_each(void (*put)(struct buffer *, const char *), const char *const (*cases)[2])
{
	for (; (*cases)[0]; cases++) {
		struct buffer sql;

		buffer_init(&sql, 1000, NULL, NULL);
		put(&sql, (*cases)[0]);
		check(&sql, (*cases)[1]);
	}
}

static void
test_identifiers(void **state)
{
	static const char *const cases[][2] = {
		{"orders", "\"orders\""},
		{"Orders", "\"Orders\""},
		{"select", "\"select\""},
		{"a\"b\"\"", "\"a\"\"b\"\"\"\"\""},
		{"a'b\\c", "\"a'b\\c\""},
		{"größe", "\"größe\""},
		{"", "\"\""},
		{NULL, NULL},
	};

	(void) state;
	check_each(sql_identifier, cases);
}

static void
test_qualified_names(void **state)
{
	struct buffer sql;

	(void) state;
	buffer_init(&sql, 1000, NULL, NULL);
	sql_qualified(&sql, "my.schema", "a\"; DROP TABLE b; --");
	check(&sql, "\"my.schema\".\"a\"\"; DROP TABLE b; --\"");
}

static void
test_literals(void **state)
{
	static const char *const cases[][2] = {
		{"a", "'a'"},
		{"", "''"},
		{"it's", "'it''s'"},
		{"C:\\x", " E'C:\\\\x'"},
		{"\\'; --", " E'\\\\''; --'"},
		{"\"", "'\"'"},
		{NULL, NULL},
	};

	(void) state;
	check_each(sql_literal, cases);
}

static void
test_replication_literals(void **state)
{
	static const char *const cases[][2] = {
		{"it's", "'it''s'"},
		{"C:\\x", "'C:\\x'"},
		{NULL, NULL},
	};

	(void) state;
	check_each(sql_replication_literal, cases);
}

static void
test_arrays(void **state)
{
	static const char *const elements[] = {"a", "", "NULL", "x,y", "{\"\\}"};
	struct buffer array;

	(void) state;
	buffer_init(&array, 1000, NULL, NULL);
	for (size_t i = 0; i < sizeof(elements) / sizeof(*elements); i++)
		sql_array_element(&array, elements[i]);
	sql_array_end(&array);
	assert_string_equal((const char *) array.data, "{\"a\",\"\",\"NULL\",\"x,y\",\"{\\\"\\\\}\"}");
	buffer_reset(&array);
	sql_array_end(&array);
	assert_string_equal((const char *) array.data, "{}");
	buffer_fini(&array);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identifiers), cmocka_unit_test(test_qualified_names),
		cmocka_unit_test(test_literals),	cmocka_unit_test(test_replication_literals),
		cmocka_unit_test(test_arrays),
	};

	return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}
