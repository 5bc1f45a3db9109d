#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "compare/compare_sql.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))

struct fixture {
	struct source_column sources[3];
	struct target_column targets[3];
	struct table_override override;
	struct table table;
	struct compare_plan plan;
	struct buffer sql;
};

static struct source_column
source(const char *name, const char *type, const char *formatted)
{
	return (struct source_column){
		.name = TEXT(name),
		.typtype = 'b',
		.base_typtype = 'b',
		.type_schema = TEXT("pg_catalog"),
		.type_name = TEXT(type),
		.formatted = TEXT(formatted),
		.base_schema = TEXT("pg_catalog"),
		.base_name = TEXT(type),
		.base_formatted = TEXT(formatted),
		.builtin = true,
	};
}

static struct target_column
target(const char *name, const char *type, const char *formatted)
{
	return (struct target_column){
		.name = TEXT(name),
		.type_schema = TEXT("pg_catalog"),
		.type_name = TEXT(type),
		.formatted = TEXT(formatted),
		.base_schema = TEXT("pg_catalog"),
		.base_name = TEXT(type),
	};
}

/* s.t (id int primary key, v text, f float8) into d.t */
static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){0};
	f.sources[0] = source("id", "int4", "integer");
	f.sources[0].primary_position = 1;
	f.sources[1] = source("v", "text", "text");
	f.sources[2] = source("f", "float8", "double precision");
	f.targets[0] = target("id", "int4", "integer");
	f.targets[1] = target("v", "text", "text");
	f.targets[2] = target("f", "float8", "double precision");
	f.table.source = (struct source_table){
		.schema = TEXT("s"), .name = TEXT("t"), .identity = 'd', .columns = f.sources, .column_count = 3};
	f.table.target_schema = TEXT("d");
	f.table.target_name = TEXT("t");
	f.table.target = (struct target_table){.exists = true, .columns = f.targets, .column_count = 3};
	buffer_init(&f.sql, 1 << 20, NULL, NULL);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	compare_plan_fini(&f->plan);
	buffer_fini(&f->sql);
	return 0;
}

static void
plan(struct fixture *f)
{
	compare_plan_init(&f->plan, &f->table, true, 150000);
}

static void
assert_sums(struct fixture *f, enum compare_from from, const char *expected)
{
	buffer_reset(&f->sql);
	compare_put_sums(&f->sql, &f->plan, from);
	assert_false(f->sql.failed);
	assert_string_equal((const char *) f->sql.data, expected);
}

/* The values of the only column, as they stand in the whole row. */
static void
assert_values(struct fixture *f, const char *at_source, const char *at_target)
{
	f->table.source.column_count = 1;
	f->sources[0].primary_position = 0;
	compare_plan_fini(&f->plan);
	plan(f);
	for (int side = 0; side < 2; side++) {
		const char *expected = side ? at_target : at_source;
		char *row, *end;

		buffer_reset(&f->sql);
		compare_put_sums(&f->sql, &f->plan, side ? COMPARE_TARGET : COMPARE_SOURCE);
		row = strstr((char *) f->sql.data, "ROW(");
		assert_non_null(row);
		end = strstr(row, ")::text AS r");
		assert_non_null(end);
		*end = '\0';
		assert_string_equal(row + 4, expected);
	}
}

static void
test_sums_by_key(void **state)
{
	struct fixture *f = *state;

	plan(f);
	assert_sums(f, COMPARE_SOURCE,
				"SELECT b, count(*), sum(h) FROM (SELECT ('x' || substr(md5(k), 1, 2))::bit(8)::int AS b,"
				" ('x' || substr(md5(r), 17))::bit(64)::bigint AS h FROM (SELECT 0 AS \"sluice number\","
				" ROW(\"t\".\"id\")::text AS k, ROW(\"t\".\"id\", \"t\".\"v\", "
				"encode(float8send(\"t\".\"f\"), 'hex'))::text AS r"
				" FROM ONLY \"s\".\"t\" AS \"t\" WHERE true) AS texts) AS hashes GROUP BY b");
}

static void
test_sums_by_row(void **state)
{
	struct fixture *f = *state;

	f->sources[0].primary_position = 0;
	f->table.source.column_count = 2;
	f->table.source.partitioned = true;
	plan(f);
	f->plan.convert = true;
	assert_sums(f, COMPARE_SOURCE,
				"SELECT b, count(*), sum(h) FROM (SELECT ('x' || substr(md5(convert_to(r, 'UTF8')), 1, "
				"2))::bit(8)::int"
				" AS b, ('x' || substr(md5(convert_to(r, 'UTF8')), 17))::bit(64)::bigint AS h FROM (SELECT 0 "
				"AS \"sluice number\","
				" ''::text AS k, ROW(\"t\".\"id\", \"t\".\"v\")::text AS r"
				" FROM \"s\".\"t\" AS \"t\" WHERE true) AS texts) AS hashes GROUP BY b");
	f->plan.convert = false;
	assert_sums(
		f, COMPARE_TARGET,
		"SELECT b, count(*), sum(h) FROM (SELECT ('x' || substr(md5(r), 1, 2))::bit(8)::int AS b,"
		" ('x' || substr(md5(r), 17))::bit(64)::bigint AS h FROM (SELECT 0 AS \"sluice number\", "
		"''::text AS k,"
		" ROW(\"t\".\"id\", \"t\".\"v\")::text AS r FROM ONLY \"d\".\"t\" AS \"t\" WHERE true) AS texts) "
		"AS hashes "
		"GROUP BY b");
}

static void
test_buckets_follow_the_size(void **state)
{
	struct fixture *f = *state;

	plan(f);
	assert_int_equal(compare_plan_buckets(&f->plan), 256);
	compare_plan_fini(&f->plan);
	f->table.source.estimated_rows = 1000000;
	plan(f);
	assert_int_equal(compare_plan_buckets(&f->plan), 4096);
	compare_plan_fini(&f->plan);
	f->table.source.estimated_rows = INT64_C(1) << 40;
	plan(f);
	assert_int_equal(compare_plan_buckets(&f->plan), 65536);
}

static void
test_values_of_types_that_differ(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = source("a", "int4", "integer");
	f->targets[0] = target("a", "int8", "bigint");
	assert_values(f, "(\"t\".\"a\"::text)::bigint", "\"t\".\"a\"");
	f->sources[0] = source("a", "numeric", "numeric");
	f->targets[0] = target("a", "numeric", "numeric(10,2)");
	assert_values(f, "(\"t\".\"a\")::numeric(10,2)", "\"t\".\"a\"");
	f->sources[0] = source("a", "bool", "boolean");
	f->targets[0] = target("a", "text", "text");
	assert_values(f, "(CASE WHEN \"t\".\"a\" IS NOT NULL THEN concat(\"t\".\"a\") END)::text", "\"t\".\"a\"");
	f->sources[0] = source("a", "float4", "real");
	f->targets[0] = target("a", "float8", "double precision");
	assert_values(f, "encode(float8send((\"t\".\"a\"::text)::double precision), 'hex')",
				  "encode(float8send(\"t\".\"a\"), 'hex')");
	f->sources[0] = source("a", "_float8", "double precision[]");
	f->targets[0] = target("a", "_float8", "double precision[]");
	assert_values(f, "encode(array_send(\"t\".\"a\"), 'hex')", "encode(array_send(\"t\".\"a\"), 'hex')");
	f->sources[0] = source("a", "bytea", "bytea");
	f->targets[0] = target("a", "bytea", "bytea");
	assert_values(f, "md5(\"t\".\"a\")", "md5(\"t\".\"a\")");
}

/* A value of a type of users as the type itself writes it: its cast to text may be a function of anybody's. */
#define WRITTEN(column)                                                                                      \
	"CASE WHEN pg_column_size(\"t\".\"" column "\") IS NOT NULL THEN concat(\"t\".\"" column "\") END"

static void
test_types_that_one_side_lacks(void **state)
{
	struct fixture *f = *state;

	/* an enum of the source that is text at the target, and the other way round */
	f->sources[0] = source("a", "mood", "public.mood");
	f->sources[0].base_schema = f->sources[0].type_schema = TEXT("public");
	f->targets[0] = target("a", "text", "text");
	assert_values(f, "(" WRITTEN("a") ")::text", "\"t\".\"a\"");
	f->sources[0] = source("a", "text", "text");
	f->targets[0] = target("a", "mood", "public.mood");
	f->targets[0].base_schema = f->targets[0].type_schema = TEXT("public");
	assert_values(f, "(\"t\".\"a\"::text)", WRITTEN("a"));
	/* a domain at the target: the type below it */
	f->targets[0] = target("a", "name_of", "public.name_of");
	f->targets[0].type_schema = TEXT("public");
	f->targets[0].base_name = TEXT("text");
	assert_values(f, "(\"t\".\"a\")::\"pg_catalog\".\"text\"", "\"t\".\"a\"");
}

/* Before PostgreSQL 12, floats within a value are printed with fewer digits, or too many. */
static void
test_floats_within_text_of_old_servers(void **state)
{
	static const char rounded[] =
		"ROW(CASE WHEN set_config('extra_float_digits', '0', true) <> '' THEN " WRITTEN(
			"a") " || left(set_config('extra_float_digits', '3', true), 0) END, (" WRITTEN("b") ")::text, ";
	struct fixture *f = *state;

	f->sources[0] = source("a", "pair", "public.pair");
	f->sources[0].base_schema = f->sources[0].type_schema = TEXT("public");
	f->sources[0].base_typtype = 'c';
	f->sources[1] = f->sources[0];
	f->sources[1].name = TEXT("b");
	f->targets[0] = target("a", "pair", "public.pair");
	f->targets[0].base_schema = f->targets[0].type_schema = TEXT("public");
	f->targets[1] = target("b", "text", "text");
	compare_plan_init(&f->plan, &f->table, true, 90400);
	compare_put_settings(&f->sql, &f->plan, COMPARE_TARGET);
	assert_string_equal((const char *) f->sql.data, "SET extra_float_digits = 0");
	buffer_reset(&f->sql);
	compare_put_settings(&f->sql, &f->plan, COMPARE_SOURCE);
	assert_string_equal((const char *) f->sql.data, "SET extra_float_digits = 3");
	buffer_reset(&f->sql);
	compare_put_sums(&f->sql, &f->plan, COMPARE_SOURCE);
	assert_non_null(strstr((const char *) f->sql.data, rounded));
	compare_plan_fini(&f->plan);
	compare_plan_init(&f->plan, &f->table, true, 120000);
	buffer_reset(&f->sql);
	compare_put_sums(&f->sql, &f->plan, COMPARE_SOURCE);
	assert_null(strstr((const char *) f->sql.data, "set_config"));
}

/* Servers that count characters and bytes pad with blanks to different lengths. */
static void
test_padding_of_other_encodings(void **state)
{
	struct fixture *f = *state;

	f->sources[0] = source("id", "bpchar", "character(3)");
	f->targets[0] = target("id", "bpchar", "character(3)");
	f->table.source.column_count = 1;
	plan(f);
	compare_put_sums(&f->sql, &f->plan, COMPARE_TARGET);
	assert_non_null(strstr((const char *) f->sql.data, "ROW(\"t\".\"id\")::text"));
	compare_plan_fini(&f->plan);
	compare_plan_init(&f->plan, &f->table, false, 150000);
	for (enum compare_from from = COMPARE_SOURCE; from <= COMPARE_TARGET; from++) {
		buffer_reset(&f->sql);
		compare_put_sums(&f->sql, &f->plan, from);
		assert_non_null(strstr((const char *) f->sql.data, "ROW((\"t\".\"id\")::text)::text"));
	}
}

static void
test_columns_that_are_left_out(void **state)
{
	static char *selected[] = {TEXT("id")};
	struct fixture *f = *state;

	f->override = (struct table_override){.columns = {selected, 1}, .where = TEXT("v = 'x' -- why")};
	f->table.override = &f->override;
	plan(f);
	assert_int_equal(f->plan.pair_count, 1);
	assert_int_equal(f->plan.carried_count, 3);
	assert_sums(f, COMPARE_IMAGES,
				"SELECT b, count(*), sum(h) FROM (SELECT ('x' || substr(md5(k), 1, 2))::bit(8)::int AS b,"
				" ('x' || substr(md5(r), 17))::bit(64)::bigint AS h FROM (SELECT \"sluice number\","
				" ROW(\"t\".\"id\")::text AS k, ROW(\"t\".\"id\")::text AS r FROM (SELECT \"sluice "
				"sent\".\"sluice number\", \"sluice sent\".c1::integer AS \"id\","
				" \"sluice sent\".c2::text AS \"v\", \"sluice sent\".c3::double precision AS \"f\" FROM "
				"unnest($1::text[], $2::text[], "
				"$3::text[])"
				" WITH ORDINALITY AS \"sluice sent\" (c1, c2, c3, \"sluice number\")) AS \"t\" WHERE (v = "
				"'x' -- why\n)) AS texts) AS hashes"
				" GROUP BY b");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sums_by_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sums_by_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_buckets_follow_the_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values_of_types_that_differ, setup, teardown),
		cmocka_unit_test_setup_teardown(test_types_that_one_side_lacks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_floats_within_text_of_old_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_padding_of_other_encodings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_columns_that_are_left_out, setup, teardown),
	};

	return cmocka_run_group_tests_name("compare_sql", tests, NULL, NULL);
}
