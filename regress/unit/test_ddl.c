#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sql.h"
#include "dialect/ddl.h"
#include "dialect/ddl_column.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))

struct fixture {
	struct source_column columns[5];
	struct table_override override;
	struct table table;
	struct buffer sql;
};

/* A column of a type that both sides have. */
static struct source_column
builtin(char *name, char *type)
{
	return (struct source_column){
		.name = name,
		.typtype = 'b',
		.base_typtype = 'b',
		.type_schema = TEXT("pg_catalog"),
		.type_name = type,
		.formatted = type,
		.base_schema = TEXT("pg_catalog"),
		.base_name = type,
		.base_formatted = type,
		.builtin = true,
		.exists_at_target = true,
		.base_exists_at_target = true,
	};
}

/* public.orders (id int primary key, note text, total money) */
static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){0};
	f.columns[0] = builtin(TEXT("id"), TEXT("integer"));
	f.columns[0].not_null = true;
	f.columns[0].primary_position = 1;
	f.columns[1] = builtin(TEXT("note"), TEXT("text"));
	f.columns[2] = builtin(TEXT("total"), TEXT("money"));
	f.table.source = (struct source_table){.identity = 'd', .columns = f.columns, .column_count = 3};
	f.table.target_schema = TEXT("public");
	f.table.target_name = TEXT("orders");
	buffer_init(&f.sql, 1 << 20, NULL, NULL);
	*state = &f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	buffer_fini(&f->sql);
	return 0;
}

static void
assert_sql(struct fixture *f, const char *expected)
{
	buffer_put_u8(&f->sql, '\0');
	assert_false(f->sql.failed);
	assert_string_equal((const char *) f->sql.data, expected);
	buffer_reset(&f->sql);
}

static void
assert_create(struct fixture *f, const struct dialect *dialect, const char *expected)
{
	ddl_put_table_remarks(&f->sql, dialect, &f->table);
	ddl_put_create_table(&f->sql, dialect, &f->table);
	assert_sql(f, expected);
}

static void
override_distribution(struct fixture *f, char **names, unsigned count)
{
	f->override.distributed_by = (struct string_list){.items = names, .count = count};
	f->table.override = &f->override;
}

/* ---- tables */

static void
test_create_table_with_its_primary_key(void **state)
{
	struct fixture *f = *state;

	assert_create(f, &dialect_postgresql,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text,\n"
				  "\t\"total\" money,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ");\n");
}

static void
test_greenplum_distributes_by_the_match_key(void **state)
{
	struct fixture *f = *state;
	const char *expected = "CREATE TABLE \"public\".\"orders\" (\n"
						   "\t\"id\" integer NOT NULL,\n"
						   "\t\"note\" text,\n"
						   "\t\"total\" money,\n"
						   "\tPRIMARY KEY (\"id\")\n"
						   ")\n"
						   "DISTRIBUTED BY (\"id\");\n";

	assert_create(f, &dialect_greenplum6, expected);
	assert_create(f, &dialect_greenplum7, expected);
}

static void
test_the_key_keeps_its_order(void **state)
{
	struct fixture *f = *state;

	f->columns[0].primary_position = 2;
	f->columns[1].primary_position = 1;
	f->table.source.column_count = 2;
	assert_create(f, &dialect_greenplum6,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text,\n"
				  "\tPRIMARY KEY (\"note\", \"id\")\n"
				  ")\n"
				  "DISTRIBUTED BY (\"note\", \"id\");\n");
}

static void
test_a_table_without_a_key(void **state)
{
	struct fixture *f = *state;

	f->columns[0].primary_position = 0;
	f->table.source.column_count = 1;
	assert_create(f, &dialect_postgresql,
				  "CREATE TABLE \"public\".\"orders\" (\n\t\"id\" integer NOT NULL\n);\n");
	assert_create(
		f, &dialect_greenplum6,
		"CREATE TABLE \"public\".\"orders\" (\n\t\"id\" integer NOT NULL\n)\nDISTRIBUTED RANDOMLY;\n");
}

static void
test_a_table_without_columns(void **state)
{
	struct fixture *f = *state;

	f->table.source.column_count = 0;
	assert_create(f, &dialect_postgresql, "CREATE TABLE \"public\".\"orders\" (\n);\n");
}

static void
test_generated_and_identity_columns_become_plain(void **state)
{
	struct fixture *f = *state;

	f->table.source.column_count = 2;
	f->columns[0].identity = 'a';
	f->columns[1].generated = true;
	assert_create(f, &dialect_postgresql,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ");\n");
}

static void
test_names_are_quoted(void **state)
{
	struct fixture *f = *state;

	f->table.source.column_count = 1;
	f->table.target_schema = TEXT("My \"s\"");
	f->table.target_name = TEXT("select");
	f->columns[0].name = TEXT("\xc3\x9c; DROP TABLE x");
	assert_create(f, &dialect_greenplum6,
				  "CREATE TABLE \"My \"\"s\"\"\".\"select\" (\n"
				  "\t\"\xc3\x9c; DROP TABLE x\" integer NOT NULL,\n"
				  "\tPRIMARY KEY (\"\xc3\x9c; DROP TABLE x\")\n"
				  ")\n"
				  "DISTRIBUTED BY (\"\xc3\x9c; DROP TABLE x\");\n");
}

/* ---- keys that are not the primary key */

static void
test_the_match_key_gets_an_index_of_its_own(void **state)
{
	struct fixture *f = *state;

	f->table.source.identity = 'i';
	f->table.source.column_count = 2;
	f->columns[1].identity_position = 1;
	assert_create(f, &dialect_postgresql,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ");\n"
				  "CREATE UNIQUE INDEX ON \"public\".\"orders\" (\"note\");\n");
	/* Unique indexes need the distribution key, so there is no primary key. */
	assert_create(f, &dialect_greenplum6,
				  "-- without its primary key: storage or distribution does not allow it\n"
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text\n"
				  ")\n"
				  "DISTRIBUTED BY (\"note\");\n"
				  "CREATE UNIQUE INDEX ON \"public\".\"orders\" (\"note\");\n");
}

static void
test_what_cannot_be_hashed_is_no_distribution_key(void **state)
{
	struct fixture *f = *state;

	f->columns[2].primary_position = 2;
	f->columns[2].unhashable_at_target = true;
	ddl_put_table_remarks(&f->sql, &dialect_greenplum6, &f->table);
	ddl_put_create_table(&f->sql, &dialect_greenplum6, &f->table);
	assert_sql(f, "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text,\n"
				  "\t\"total\" money,\n"
				  "\tPRIMARY KEY (\"id\", \"total\")\n"
				  ")\n"
				  "DISTRIBUTED BY (\"id\");\n");
}

static void
test_a_key_that_cannot_be_hashed_at_all_gets_a_plain_index(void **state)
{
	struct fixture *f = *state;

	f->columns[0] = builtin(TEXT("id"), TEXT("money"));
	f->columns[0].primary_position = 1;
	f->columns[0].unhashable_at_target = true;
	f->table.source.column_count = 1;
	assert_create(f, &dialect_greenplum6,
				  "-- without its primary key: storage or distribution does not allow it\n"
				  "CREATE TABLE \"public\".\"orders\" (\n\t\"id\" money\n)\n"
				  "DISTRIBUTED RANDOMLY;\n"
				  "CREATE INDEX ON \"public\".\"orders\" (\"id\");\n");
}

/* ---- what the configuration says */

static void
test_the_configured_distribution_prevails(void **state)
{
	struct fixture *f = *state;
	char *names[] = {TEXT("id")};

	f->columns[1].primary_position = 2;
	override_distribution(f, names, 1);
	assert_create(f, &dialect_greenplum7,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text,\n"
				  "\t\"total\" money,\n"
				  "\tPRIMARY KEY (\"id\", \"note\")\n"
				  ")\n"
				  "DISTRIBUTED BY (\"id\");\n");
}

static void
test_a_distribution_outside_of_the_key_leaves_a_plain_index(void **state)
{
	struct fixture *f = *state;
	char *names[] = {TEXT("note")};

	f->table.source.column_count = 2;
	override_distribution(f, names, 1);
	assert_create(f, &dialect_greenplum6,
				  "-- without its primary key: storage or distribution does not allow it\n"
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\t\"note\" text\n"
				  ")\n"
				  "DISTRIBUTED BY (\"note\");\n"
				  "CREATE INDEX ON \"public\".\"orders\" (\"id\");\n");
}

static void
test_storage_in_the_words_of_each_greenplum(void **state)
{
	struct fixture *f = *state;

	f->table.override = &f->override;
	f->override.storage = TABLE_STORAGE_AO_COLUMN;
	dialect_greenplum6.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nWITH (appendonly = true, orientation = column)\nDISTRIBUTED BY (\"id\")");
	dialect_greenplum7.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nUSING ao_column\nDISTRIBUTED BY (\"id\")");
	f->override.storage = TABLE_STORAGE_AO_ROW;
	dialect_greenplum6.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nWITH (appendonly = true, orientation = row)\nDISTRIBUTED BY (\"id\")");
	dialect_greenplum7.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nUSING ao_row\nDISTRIBUTED BY (\"id\")");
	f->override.storage = TABLE_STORAGE_HEAP;
	dialect_greenplum6.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nWITH (appendonly = false)\nDISTRIBUTED BY (\"id\")");
	dialect_greenplum7.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nUSING heap\nDISTRIBUTED BY (\"id\")");
	f->override.storage = TABLE_STORAGE_BEAM;
	dialect_adbpg7.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nUSING beam\nDISTRIBUTED BY (\"id\")");
	f->override.storage = TABLE_STORAGE_PAX;
	dialect_cloudberry.put_table_options(&f->sql, &f->table, 0);
	assert_sql(f, "\nUSING pax\nDISTRIBUTED BY (\"id\")");
}

static void
test_fillfactor_is_for_heap_tables_with_updates(void **state)
{
	struct fixture *f = *state;

	f->table.override = &f->override;
	f->table.source.column_count = 1;
	f->table.operations = OPERATION_INSERT | OPERATION_DELETE;
	assert_int_equal(dialect_fillfactor(&dialect_postgresql, &f->table), 0);
	f->table.operations = OPERATION_ALL;
	assert_create(f, &dialect_postgresql,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ")\n"
				  "WITH (fillfactor = 90);\n");
	f->columns[0].primary_position = 0;
	assert_int_equal(dialect_fillfactor(&dialect_postgresql, &f->table), 0);
	f->override.fillfactor = 70;
	assert_int_equal(dialect_fillfactor(&dialect_postgresql, &f->table), 70);
	assert_int_equal(dialect_fillfactor(&dialect_greenplum6, &f->table), 0);
	f->columns[0].primary_position = 1;
	f->override.storage = TABLE_STORAGE_HEAP;
	assert_create(f, &dialect_greenplum6,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ")\n"
				  "WITH (appendonly = false, fillfactor = 70)\n"
				  "DISTRIBUTED BY (\"id\");\n");
	assert_create(f, &dialect_greenplum7,
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ")\n"
				  "USING heap\n"
				  "WITH (fillfactor = 70)\n"
				  "DISTRIBUTED BY (\"id\");\n");
	f->override.storage = TABLE_STORAGE_AO_ROW;
	assert_int_equal(dialect_fillfactor(&dialect_greenplum7, &f->table), 0);
}

static void
test_append_optimized_tables_have_no_primary_key(void **state)
{
	struct fixture *f = *state;

	f->table.override = &f->override;
	f->override.storage = TABLE_STORAGE_AO_ROW;
	f->table.source.column_count = 1;
	assert_create(f, &dialect_greenplum7,
				  "-- without its primary key: storage or distribution does not allow it\n"
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer NOT NULL\n"
				  ")\n"
				  "USING ao_row\n"
				  "DISTRIBUTED BY (\"id\");\n"
				  "CREATE INDEX ON \"public\".\"orders\" (\"id\");\n");
}

/* ---- types */

static void
assert_type(const struct source_column *column, const char *type, bool changes)
{
	struct buffer sql;

	buffer_init(&sql, 1000, NULL, NULL);
	assert_int_equal(ddl_put_column_type(&sql, column), changes);
	buffer_put_u8(&sql, '\0');
	assert_string_equal((const char *) sql.data, type);
	buffer_fini(&sql);
}

static void
test_types_with_their_modifiers(void **state)
{
	struct source_column column = builtin(TEXT("c"), TEXT("numeric"));

	(void) state;
	column.formatted = TEXT("numeric(10,2)");
	assert_type(&column, "numeric(10,2)", false);
}

static void
test_a_type_that_the_destination_lacks_becomes_text(void **state)
{
	struct source_column column = builtin(TEXT("c"), TEXT("macaddr8"));

	(void) state;
	column.exists_at_target = column.base_exists_at_target = false;
	assert_type(&column, "text", true);
	column.element = 774;
	assert_type(&column, "text[]", true);
}

static void
test_a_domain_that_the_destination_lacks_becomes_its_base_type(void **state)
{
	struct source_column column = builtin(TEXT("c"), TEXT("numeric"));

	(void) state;
	column.typtype = 'd';
	column.formatted = TEXT("public.price");
	column.base_formatted = TEXT("numeric(10,2)");
	assert_type(&column, "public.price", false);
	column.exists_at_target = false;
	assert_type(&column, "numeric(10,2)", true);
	column.base_exists_at_target = false;
	assert_type(&column, "text", true);
}

static void
test_types_of_users_are_kept_where_they_exist(void **state)
{
	struct source_column column = builtin(TEXT("c"), TEXT("hstore"));

	(void) state;
	column.base_schema = TEXT("public");
	column.formatted = TEXT("public.hstore");
	column.builtin = false;
	assert_type(&column, "public.hstore", false);
	column.schema_at_target = TEXT("\"My Types\"");
	assert_type(&column, "\"My Types\".hstore", false);
	column.formatted = TEXT("\"a.\"\"b\".geometry(Point,4326)[]");
	assert_type(&column, "\"My Types\".geometry(Point,4326)[]", false);
	column.exists_at_target = column.base_exists_at_target = false;
	assert_type(&column, "text", true);
}

static void
test_names_of_catalog_objects_become_text(void **state)
{
	struct source_column column = builtin(TEXT("c"), TEXT("regclass"));

	(void) state;
	column.builtin = false;
	assert_type(&column, "text", true);
}

static void
test_changed_types_are_said_on_one_line(void **state)
{
	struct fixture *f = *state;

	f->table.source.column_count = 1;
	f->columns[0].name = TEXT("a\nDROP TABLE x;");
	f->columns[0].primary_position = 0;
	f->columns[0].exists_at_target = f->columns[0].base_exists_at_target = false;
	assert_create(f, &dialect_postgresql,
				  "-- column a DROP TABLE x;: integer becomes text\n"
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"a\nDROP TABLE x;\" text NOT NULL\n"
				  ");\n");
}

/* ---- everything */

static void
test_only_what_is_missing_is_created(void **state)
{
	struct fixture *f = *state;
	char *existing[] = {TEXT("pg_catalog"), TEXT("public")};
	struct string_list schemas = {.items = existing, .count = 2};
	struct table tables[4];
	struct catalog catalog = {.tables = tables, .count = 4};

	f->table.source.column_count = 1;
	for (unsigned i = 0; i < 4; i++)
		tables[i] = f->table;
	tables[0].target_schema = tables[2].target_schema = TEXT("dw");
	tables[2].target_name = TEXT("lines");
	tables[3].target_schema = TEXT("there");
	tables[3].target.exists = true;
	ddl_put_create(&f->sql, &dialect_postgresql, &catalog, &schemas);
	assert_sql(
		f, "CREATE SCHEMA IF NOT EXISTS \"dw\";\n"
		   "\n"
		   "CREATE TABLE \"dw\".\"orders\" (\n\t\"id\" integer NOT NULL,\n\tPRIMARY KEY (\"id\")\n);\n"
		   "\n"
		   "CREATE TABLE \"public\".\"orders\" (\n\t\"id\" integer NOT NULL,\n\tPRIMARY KEY (\"id\")\n);\n"
		   "\n"
		   "CREATE TABLE \"dw\".\"lines\" (\n\t\"id\" integer NOT NULL,\n\tPRIMARY KEY (\"id\")\n);\n");
}

static void
test_nothing_missing_is_nothing_to_do(void **state)
{
	struct fixture *f = *state;
	struct string_list none = {0};
	struct catalog catalog = {.tables = &f->table, .count = 1};

	f->table.target.exists = true;
	ddl_put_create(&f->sql, &dialect_greenplum6, &catalog, &none);
	assert_int_equal(f->sql.len, 0);
}

/* ---- staging tables */

static void
test_staging_lies_where_the_target_lies(void **state)
{
	struct fixture *f = *state;
	const char *const columns[] = {"k1", "K\"2"};

	dialect_postgresql.put_staging_options(&f->sql, columns, 2);
	assert_sql(f, " ON COMMIT DELETE ROWS");
	dialect_greenplum6.put_staging_options(&f->sql, columns, 2);
	assert_sql(f, " ON COMMIT DELETE ROWS DISTRIBUTED BY (\"k1\", \"K\"\"2\")");
	dialect_greenplum7.put_staging_options(&f->sql, columns, 0);
	assert_sql(f, " ON COMMIT DELETE ROWS DISTRIBUTED RANDOMLY");
}

/* ---- array constants */

static void
test_array_constants(void **state)
{
	struct fixture *f = *state;

	sql_array_end(&f->sql);
	assert_string_equal((const char *) f->sql.data, "{}");
	buffer_reset(&f->sql);
	sql_array_element(&f->sql, "a,b");
	sql_array_element(&f->sql, "");
	sql_array_element(&f->sql, "\"\\NULL");
	sql_array_end(&f->sql);
	assert_string_equal((const char *) f->sql.data, "{\"a,b\",\"\",\"\\\"\\\\NULL\"}");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_create_table_with_its_primary_key),
		TEST(test_greenplum_distributes_by_the_match_key),
		TEST(test_the_key_keeps_its_order),
		TEST(test_a_table_without_a_key),
		TEST(test_a_table_without_columns),
		TEST(test_generated_and_identity_columns_become_plain),
		TEST(test_names_are_quoted),
		TEST(test_the_match_key_gets_an_index_of_its_own),
		TEST(test_what_cannot_be_hashed_is_no_distribution_key),
		TEST(test_a_key_that_cannot_be_hashed_at_all_gets_a_plain_index),
		TEST(test_the_configured_distribution_prevails),
		TEST(test_a_distribution_outside_of_the_key_leaves_a_plain_index),
		TEST(test_storage_in_the_words_of_each_greenplum),
		TEST(test_fillfactor_is_for_heap_tables_with_updates),
		TEST(test_append_optimized_tables_have_no_primary_key),
		cmocka_unit_test(test_types_with_their_modifiers),
		cmocka_unit_test(test_a_type_that_the_destination_lacks_becomes_text),
		cmocka_unit_test(test_a_domain_that_the_destination_lacks_becomes_its_base_type),
		cmocka_unit_test(test_types_of_users_are_kept_where_they_exist),
		cmocka_unit_test(test_names_of_catalog_objects_become_text),
		TEST(test_changed_types_are_said_on_one_line),
		TEST(test_only_what_is_missing_is_created),
		TEST(test_nothing_missing_is_nothing_to_do),
		TEST(test_staging_lies_where_the_target_lies),
		TEST(test_array_constants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
