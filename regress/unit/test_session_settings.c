#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sql.h"
#include "dialect/session_settings.h"

static const int versions[] = {90426, 120012, 130000, 150000, 180000};

#define VERSION_COUNT (sizeof versions / sizeof *versions)

static unsigned
count_of(const char *text, const char *what)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
		count++;
	return count;
}

static void
check_both(void (*check)(const char *sql))
{
	for (size_t i = 0; i < VERSION_COUNT; i++)
		for (int end = SESSION_SOURCE; end <= SESSION_DESTINATION; end++) {
			struct buffer sql;

			sql_init(&sql);
			session_settings_put(&sql, (enum session_end) end, versions[i]);
			check(sql_text(&sql));
			buffer_fini(&sql);
		}
}

/* Outside of constants: those may hold anything. */
static void
drop_constants(const char *sql, char *out)
{
	bool within = false;

	for (; *sql; sql++) {
		if (*sql == '\'')
			within = !within;
		else if (!within)
			*out++ = *sql;
	}
	*out = '\0';
}

/* A walsender takes no more. */
static void
check_single(const char *sql)
{
	assert_null(strchr(sql, ';'));
	assert_null(strchr(sql, '\\'));
}

static void
test_is_a_single_command(void **state)
{
	(void) state;
	check_both(check_single);
}

static void
check_qualified(const char *sql)
{
	static const char *const operators[] = {"=", "<>", "~~", "<"};
	static const char *const functions[] = {"set_config(", "version(", "has_parameter_privilege("};
	char *bare = malloc(strlen(sql) + 1);

	drop_constants(sql, bare);
	for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
		char plain[8];

		snprintf(plain, sizeof plain, " %s ", operators[i]);
		assert_int_equal(count_of(bare, plain), 0);
	}
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		char qualified[64];

		snprintf(qualified, sizeof qualified, "pg_catalog.%s", functions[i]);
		assert_int_equal(count_of(bare, functions[i]), count_of(bare, qualified));
	}
	assert_int_equal(count_of(bare, "pg_settings"), count_of(bare, "pg_catalog.pg_settings"));
	assert_int_equal(count_of(bare, "pg_roles"), count_of(bare, "pg_catalog.pg_roles"));
	free(bare);
}

/* Before the search path is pinned. */
static void
test_names_are_qualified(void **state)
{
	(void) state;
	check_both(check_qualified);
}

static void
check_pinned(const char *sql)
{
	static const char *const names[] = {
		"search_path",	 "standard_conforming_strings",	 "statement_timeout",
		"lock_timeout",	 "transaction_timeout",			 "DateStyle",
		"IntervalStyle", "extra_float_digits",			 "quote_all_identifiers",
		"row_security",	 "default_transaction_read_only"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char entry[64];

		snprintf(entry, sizeof entry, "('%s', ", names[i]);
		assert_int_equal(count_of(sql, entry), 1);
	}
}

static void
test_both_ends_pin_what_changes_text(void **state)
{
	(void) state;
	check_both(check_pinned);
}

static void
test_rights_are_asked_for_as_the_version_can(void **state)
{
	struct buffer sql;

	(void) state;
	sql_init(&sql);
	session_settings_put_may_set(&sql, "session_replication_role", 150000);
	assert_string_equal(sql_text(&sql),
						"pg_catalog.has_parameter_privilege('session_replication_role', 'SET')");
	buffer_fini(&sql);
	sql_init(&sql);
	session_settings_put_may_set(&sql, "session_replication_role", 140000);
	assert_non_null(strstr(sql_text(&sql), "rolsuper"));
	buffer_fini(&sql);
}

/* Whatever a value's text or a query's rows depend on. */
static void
test_what_values_depend_on_is_never_left_out(void **state)
{
	static const char *const needed[] = {"search_path",		  "standard_conforming_strings",
										 "DateStyle",		  "IntervalStyle",
										 "TimeZone",		  "extra_float_digits",
										 "bytea_output",	  "lc_monetary",
										 "row_security",	  "default_transaction_isolation",
										 "synchronous_commit"};
	static const char *const optional[] = {"optimizer", "random_page_cost", "statement_timeout",
										   "lc_messages"};
	unsigned found = 0;
	const char *name;

	(void) state;
	for (unsigned i = 0; (name = session_settings_name(i)) != NULL; i++) {
		for (size_t j = 0; j < sizeof needed / sizeof *needed; j++)
			if (strcmp(name, needed[j]) == 0 && ++found)
				assert_false(session_settings_is_optional(i));
		for (size_t j = 0; j < sizeof optional / sizeof *optional; j++)
			if (strcmp(name, optional[j]) == 0 && ++found)
				assert_true(session_settings_is_optional(i));
	}
	assert_int_equal(found, sizeof needed / sizeof *needed + sizeof optional / sizeof *optional);
}

static void
test_each_stands_alone(void **state)
{
	(void) state;
	for (unsigned i = 0; session_settings_name(i); i++) {
		struct buffer sql;

		sql_init(&sql);
		if (session_settings_put_single(&sql, i, SESSION_DESTINATION, 150000)) {
			assert_int_equal(count_of(sql_text(&sql), "VALUES ('"), 1);
			assert_non_null(strstr(sql_text(&sql), session_settings_name(i)));
			check_single(sql_text(&sql));
			check_qualified(sql_text(&sql));
		}
		buffer_fini(&sql);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_a_single_command),
		cmocka_unit_test(test_names_are_qualified),
		cmocka_unit_test(test_both_ends_pin_what_changes_text),
		cmocka_unit_test(test_rights_are_asked_for_as_the_version_can),
		cmocka_unit_test(test_what_values_depend_on_is_never_left_out),
		cmocka_unit_test(test_each_stands_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
