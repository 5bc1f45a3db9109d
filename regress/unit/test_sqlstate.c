#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sqlstate.h"
#include "io/connection_parts.h"

/* ---- the table */

static void
test_classes(void **state)
{
	static const struct {
		const char *sqlstate;
		enum sqlstate_class postgresql, greenplum;
	} cases[] = {
		{"08006", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"40001", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"40P01", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"53100", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"53200", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"55006", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"55P03", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"57014", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"57P01", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"58030", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"58M01", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"25P03", SQLSTATE_RETRY, SQLSTATE_RETRY},
		{"XX000", SQLSTATE_TABLE, SQLSTATE_RETRY},
		{"XX001", SQLSTATE_TABLE, SQLSTATE_TABLE},
		{"22P02", SQLSTATE_TABLE, SQLSTATE_TABLE},
		{"23505", SQLSTATE_TABLE, SQLSTATE_TABLE},
		{"42P01", SQLSTATE_TABLE, SQLSTATE_RETRY},
		{"P0001", SQLSTATE_TABLE, SQLSTATE_TABLE},
		{"42501", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"28P01", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"3D000", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"55000", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"57P04", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"58P01", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"42601", SQLSTATE_BUG, SQLSTATE_BUG},
		{"25P02", SQLSTATE_BUG, SQLSTATE_BUG},
		{"ZZ999", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
		{"", SQLSTATE_CONFIGURATION, SQLSTATE_CONFIGURATION},
	};

	(void) state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(sqlstate_class(cases[i].sqlstate, false), cases[i].postgresql);
		assert_int_equal(sqlstate_class(cases[i].sqlstate, true), cases[i].greenplum);
	}
}

static void
test_no_prefix_is_there_twice(void **state)
{
	(void) state;
	for (unsigned i = 0; *sqlstate_prefix(i); i++)
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(sqlstate_prefix(i), sqlstate_prefix(j));
}

static void
test_server_trouble(void **state)
{
	(void) state;
	assert_true(sqlstate_is_server_trouble("53100"));
	assert_true(sqlstate_is_server_trouble("57014"));
	assert_false(sqlstate_is_server_trouble("57P01"));
	assert_false(sqlstate_is_server_trouble("08006"));
	assert_false(sqlstate_is_server_trouble(""));
}

/* ---- the row of a COPY, in the languages that servers speak */

static void
test_copy_rows(void **state)
{
	static const struct {
		const char *context;
		const char *sql;
		int64_t row;
	} cases[] = {
		{"COPY t, line 5, column b: \"17\"", "COPY \"public\".\"t\" (\"a\") FROM STDIN", 5},
		{"COPY t, Zeile 5, Spalte b: »17«", "COPY \"public\".\"t\" (\"a\") FROM STDIN", 5},
		{"テーブルt2のCOPY、行 12、列 b: \"17\"", "COPY \"public\".\"t2\" FROM STDIN", 12},
		{"t2 복사, 12번째 줄, b 열: \"17\"", "COPY \"public\".\"t2\" FROM STDIN", 12},
		{"COPY t2, 第 12 行, 列 b: \"17\"", "COPY \"public\".\"t2\" FROM STDIN", 12},
		{"COPY 3, line 7", "COPY \"4\".\"3\" FROM STDIN", 7},
		{"COPY a\"1.b, line 7", "COPY \"s\".\"a\"\"1.b\" FROM STDIN", 7},
		{"COPY 2024 orders, line 99", "COPY \"2024 orders\" FROM STDIN", 99},
		{"COPY t", "COPY \"t\" FROM STDIN", 0},
		{"", "COPY \"t\" FROM STDIN", 0},
	};

	(void) state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_int_equal(result_copy_row(cases[i].context, cases[i].sql), cases[i].row);
}

/* ---- logins that are refused */

static const struct connection_identity identity = {.user = "lo\"ader", .database = "dw"};

static void
explain(const char *message, enum connection_kind kind, struct error *err)
{
	const struct connection_login login = {.name = "destination", .kind = kind};

	error_clear(err);
	connection_explain_refusal(message, &login, &identity, err);
}

static void
test_a_refused_password_in_any_language(void **state)
{
	static const char *const messages[] = {
		"connection to server at \"h\", port 1 failed: FATAL:  28P01: password authentication failed\n"
		"LOCATION:  auth_failed, auth.c:338\n",
		"connection to server at \"h\", port 1 failed: SCHWERWIEGEND:  28P01: Passwort falsch: does not "
		"exist\n"
		"LOCATION:  auth_failed, auth.c:338\n",
		"connection to server at \"g\", port 1 failed: Connection refused\n"
		"\tIs the server running on that host and accepting TCP/IP connections?\n"
		"connection to server at \"h\", port 1 failed: 致命的エラー:  28P01: パスワード\n",
	};
	struct error err;

	(void) state;
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		explain(messages[i], CONNECTION_SQL, &err);
		assert_int_equal(err.class, ERROR_REFUSED);
		assert_string_equal(err.sqlstate, "28P01");
		assert_non_null(
			strstr(err.message, "cannot connect to the destination: user or password is wrong (28P01: "));
		assert_null(strstr(err.message, "LOCATION"));
		assert_non_null(strstr(err.hint, "passfile"));
	}
}

static void
test_remedies_name_roles_and_databases(void **state)
{
	struct error err;

	(void) state;
	explain("x failed: FATAL:  42501: permission denied for database \"dw\"\n", CONNECTION_SQL, &err);
	assert_int_equal(err.class, ERROR_REFUSED);
	assert_string_equal(err.hint, "GRANT CONNECT ON DATABASE \"dw\" TO \"lo\"\"ader\" there.");
	explain("x failed: FATAL:  42501: must be superuser\n", CONNECTION_REPLICATION, &err);
	assert_string_equal(err.hint, "ALTER ROLE \"lo\"\"ader\" REPLICATION there.");
	explain("x failed: FATAL:  3D000: Datenbank »dw« existiert nicht\n", CONNECTION_SQL, &err);
	assert_string_equal(err.hint, "Correct the conninfo, or CREATE DATABASE \"dw\" there.");
}

static void
test_what_may_pass_is_tried_again(void **state)
{
	static const char *const messages[] = {
		"x failed: FATAL:  57P03: das Datenbanksystem startet\n",
		"x failed: FATAL:  53300: tut uns leid, schon zu viele Verbindungen\n",
		"connection to server at \"h\", port 1 failed: Connection refused\n",
		"could not create socket: Too many open files\n",
		"something that nobody has foreseen\n",
	};
	struct error err;

	(void) state;
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		explain(messages[i], CONNECTION_SQL, &err);
		assert_int_equal(err.class, ERROR_RETRY);
	}
}

static void
test_words_of_the_server_decide_nothing(void **state)
{
	struct error err;

	(void) state;
	explain("x failed: FATAL:  57P03: password authentication failed, role does not exist, not permitted\n",
			CONNECTION_SQL, &err);
	assert_int_equal(err.class, ERROR_RETRY);
	explain("x failed: FATAL:  28000: Connection refused: timeout expired\n", CONNECTION_SQL, &err);
	assert_int_equal(err.class, ERROR_REFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_no_prefix_is_there_twice),
		cmocka_unit_test(test_server_trouble),
		cmocka_unit_test(test_copy_rows),
		cmocka_unit_test(test_a_refused_password_in_any_language),
		cmocka_unit_test(test_remedies_name_roles_and_databases),
		cmocka_unit_test(test_what_may_pass_is_tried_again),
		cmocka_unit_test(test_words_of_the_server_decide_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
