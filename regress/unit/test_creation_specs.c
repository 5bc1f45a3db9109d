#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/ddl.h"
#include "dialect/ddl_index.h"
#include "dialect/ddl_partition.h"
#include "dialect/ddl_type.h"
#include "servers/failover.h"
#include "servers/retention.h"
#include "tables/creation_specs.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))

struct fixture {
	struct source_column columns[2];
	struct column_spec column_specs[2];
	struct index_spec indexes[2];
	struct partition_spec partitions[4];
	struct creation_spec spec;
	struct table table;
	struct buffer sql;
};

static struct source_column
column(char *name, char *type)
{
	return (struct source_column){
		.name = name,
		.typtype = 'b',
		.base_typtype = 'b',
		.formatted = type,
		.base_schema = TEXT("pg_catalog"),
		.base_name = type,
		.base_formatted = type,
		.builtin = true,
		.exists_at_target = true,
		.base_exists_at_target = true,
	};
}

/* public.orders (id integer primary key, at date) */
static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){0};
	f.columns[0] = column(TEXT("id"), TEXT("integer"));
	f.columns[0].primary_position = 1;
	f.columns[1] = column(TEXT("at"), TEXT("date"));
	f.spec.columns = f.column_specs;
	f.spec.indexes = f.indexes;
	f.spec.partitions = f.partitions;
	f.spec.oid = 1;
	f.table.source = (struct source_table){
		.schema = TEXT("public"),
		.name = TEXT("orders"),
		.identity = 'd',
		.columns = f.columns,
		.column_count = 2,
		.creation_spec = &f.spec,
	};
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

/* ---- columns */

static void
test_defaults_and_comments(void **state)
{
	struct fixture *f = *state;

	f->spec.comment = "it's\nthem";
	f->column_specs[0].default_sql = "nextval('s'::regclass)";
	f->column_specs[0].default_refused = "sequences\nare not replicated";
	f->column_specs[1].default_sql = "CURRENT_DATE";
	f->column_specs[1].comment = "when";
	ddl_put_table_remarks(&f->sql, &dialect_postgresql, &f->table);
	ddl_put_create_table(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(f, "-- column id: without its default nextval('s'::regclass): sequences are not replicated\n"
				  "CREATE TABLE \"public\".\"orders\" (\n"
				  "\t\"id\" integer,\n"
				  "\t\"at\" date DEFAULT CURRENT_DATE,\n"
				  "\tPRIMARY KEY (\"id\")\n"
				  ");\n"
				  "COMMENT ON TABLE \"public\".\"orders\" IS 'it''s\nthem';\n"
				  "COMMENT ON COLUMN \"public\".\"orders\".\"at\" IS 'when';\n");
}

/* ---- types */

static void
test_types_that_are_there_or_refused_are_not_made(void **state)
{
	struct fixture *f = *state;
	struct type_spec types[] = {
		{.schema = "public", .name = "mood", .kind = 'e', .body = "AS ENUM ('a')", .comment = "how"},
		{.schema = "public", .name = "there", .kind = 'c', .body = "AS ()", .exists = true},
		{.schema = "public", .name = "odd", .kind = 'd', .body = "AS int", .refused = "no"},
		{.schema = "public", .name = "price", .kind = 'd', .body = "AS numeric NOT NULL"},
	};
	struct creation_specs specs = {.types = types, .type_count = 4};
	struct catalog catalog = {.creation_specs = &specs};

	ddl_put_create_types(&f->sql, &catalog);
	assert_sql(f, "CREATE TYPE \"public\".\"mood\" AS ENUM ('a');\n"
				  "COMMENT ON TYPE \"public\".\"mood\" IS 'how';\n"
				  "CREATE DOMAIN \"public\".\"price\" AS numeric NOT NULL;\n");
	ddl_put_type_remarks(&f->sql, &catalog);
	assert_sql(f, "-- without the type public.odd: no\n");
}

static void
test_columns_of_types_to_be_made_keep_them(void **state)
{
	struct fixture *f = *state;
	struct type_spec types[] = {
		{.oid = 20000, .array_oid = 20001, .has_array = true},
		{.oid = 20002, .array_oid = 20003, .refused = "no"},
	};
	struct creation_specs specs = {.types = types, .type_count = 2};
	struct catalog catalog = {.tables = &f->table, .count = 1, .creation_specs = &specs};

	f->columns[0].exists_at_target = f->columns[1].exists_at_target = false;
	f->columns[0].type = 20001;
	f->columns[1].type = 20002;
	creation_specs_mark_types(&catalog);
	assert_true(f->columns[0].exists_at_target);
	assert_false(f->columns[1].exists_at_target);
	f->columns[0].exists_at_target = types[0].has_array = false;
	creation_specs_mark_types(&catalog);
	assert_false(f->columns[0].exists_at_target);
}

/* ---- indexes */

static void
test_indexes_keep_their_names_where_the_table_does(void **state)
{
	struct fixture *f = *state;

	f->indexes[0] = (struct index_spec){.name = "once",
										.constraint = "UNIQUE (at)",
										.columns = {1},
										.column_count = 1,
										.unique = true,
										.plain = true};
	f->indexes[1] = (struct index_spec){
		.name = "by_at", .tail = "USING btree (at DESC) WHERE (id > 0)", .columns = {1}, .column_count = 1};
	f->spec.index_count = 2;
	ddl_put_after_copy(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(f, "ALTER TABLE \"public\".\"orders\" ADD CONSTRAINT \"once\" UNIQUE (at);\n"
				  "CREATE INDEX \"by_at\" ON \"public\".\"orders\" USING btree (at DESC) WHERE (id > 0);\n");
	/* Elsewhere the names may be taken. */
	f->table.target_name = TEXT("ods_orders");
	f->indexes[0].oid = 4711;
	f->indexes[1].oid = 4712;
	f->indexes[1].comment = "it's newest first";
	ddl_put_after_copy(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(
		f, "ALTER TABLE \"public\".\"ods_orders\" ADD CONSTRAINT \"once_4711\" UNIQUE (at);\n"
		   "CREATE INDEX \"by_at_4712\" ON \"public\".\"ods_orders\" USING btree (at DESC) WHERE (id > 0);\n"
		   "COMMENT ON INDEX \"public\".\"by_at_4712\" IS 'it''s newest first';\n");
}

static void
test_an_index_without_the_distribution_key_is_not_unique(void **state)
{
	struct fixture *f = *state;

	f->indexes[0] = (struct index_spec){.name = "once",
										.constraint = "UNIQUE (at)",
										.tail = "USING btree (at)",
										.comment = "once",
										.columns = {1},
										.column_count = 1,
										.unique = true,
										.plain = true};
	f->indexes[1] = (struct index_spec){.name = "both",
										.tail = "USING btree (at, id)",
										.columns = {1, 0},
										.column_count = 2,
										.unique = true,
										.plain = true};
	f->spec.index_count = 2;
	ddl_put_after_copy(&f->sql, &dialect_greenplum6, &f->table);
	assert_sql(f, "CREATE INDEX \"once\" ON \"public\".\"orders\" USING btree (at);\n"
				  "COMMENT ON INDEX \"public\".\"once\" IS 'once';\n"
				  "-- the index once is not unique: storage or distribution does not allow it\n"
				  "CREATE UNIQUE INDEX \"both\" ON \"public\".\"orders\" USING btree (at, id);\n");
	f->indexes[0].only_unique = f->indexes[1].only_unique = true;
	ddl_put_after_copy(&f->sql, &dialect_greenplum6, &f->table);
	assert_sql(f, "-- without the constraint once: storage or distribution does not allow it\n"
				  "CREATE UNIQUE INDEX \"both\" ON \"public\".\"orders\" USING btree (at, id);\n");
}

static void
test_the_match_key_has_an_index_already(void **state)
{
	struct fixture *f = *state;

	f->indexes[0] = (struct index_spec){.name = "again",
										.tail = "USING btree (id)",
										.columns = {0},
										.column_count = 1,
										.unique = true,
										.plain = true};
	f->spec.index_count = 1;
	ddl_put_after_copy(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(f, "");
}

/* ---- partitions */

static void
partition_by_range(struct fixture *f)
{
	f->spec.partition_key = "RANGE (at)";
	f->spec.partition_strategy = 'r';
	f->spec.partition_columns[0] = 1;
	f->spec.partition_column_count = 1;
	f->columns[1].primary_position = 2;
	f->partitions[0] = (struct partition_spec){.oid = 2,
											   .parent = 1,
											   .schema = "public",
											   .name = "early",
											   .bound = "FOR VALUES FROM (MINVALUE) TO ('2024-01-01')"};
	f->partitions[1] = (struct partition_spec){.oid = 3,
											   .parent = 1,
											   .schema = "leaves",
											   .name = "late",
											   .bound = "FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
											   .key = "LIST (id)"};
	f->partitions[2] = (struct partition_spec){
		.oid = 4, .parent = 3, .schema = "leaves", .name = "late_default", .bound = "FOR VALUES IN (1)"};
	f->spec.partition_count = 3;
}

static void
test_partitions_as_tables(void **state)
{
	struct fixture *f = *state;

	partition_by_range(f);
	f->table.target_schema = TEXT("dw");
	ddl_put_partition_key(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(f, "\nPARTITION BY RANGE (at)");
	ddl_put_partitions(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(
		f, "CREATE TABLE \"dw\".\"early\" PARTITION OF \"dw\".\"orders\" FOR VALUES FROM (MINVALUE) TO "
		   "('2024-01-01');\n"
		   "CREATE TABLE \"leaves\".\"late\" PARTITION OF \"dw\".\"orders\" FOR VALUES FROM ('2024-01-01') "
		   "TO ('2025-01-01')"
		   " PARTITION BY LIST (id);\n"
		   "CREATE TABLE \"leaves\".\"late_default\" PARTITION OF \"leaves\".\"late\" FOR VALUES IN (1);\n"
		   "CREATE TABLE \"dw\".\"orders_default\" PARTITION OF \"dw\".\"orders\" DEFAULT;\n"
		   "CREATE TABLE \"leaves\".\"late_default1\" PARTITION OF \"leaves\".\"late\" DEFAULT;\n");
	ddl_put_partition_list(&f->sql, &dialect_postgresql, &f->table);
	assert_sql(f, "");
}

static void
test_partitions_in_a_list(void **state)
{
	struct fixture *f = *state;

	partition_by_range(f);
	ddl_put_partition_list(&f->sql, &dialect_greenplum6, &f->table);
	assert_sql(f, "\nPARTITION BY RANGE (\"at\") (\n"
				  "\tPARTITION \"early\" END ('2024-01-01'),\n"
				  "\tPARTITION \"late\" START ('2024-01-01') END ('2025-01-01'),\n"
				  "\tDEFAULT PARTITION \"default\"\n"
				  ")");
	ddl_put_partitions(&f->sql, &dialect_greenplum6, &f->table);
	ddl_put_partition_key(&f->sql, &dialect_greenplum6, &f->table);
	assert_sql(f, "");
}

static void
test_what_a_list_cannot_say_is_one_table(void **state)
{
	struct fixture *f = *state;
	const char *remark;

	partition_by_range(f);
	assert_true(ddl_keeps_partitions(&dialect_greenplum6, &f->table, &remark));
	f->partitions[0].bound = "FOR VALUES FROM (1, 2) TO (3, 4)";
	assert_false(ddl_keeps_partitions(&dialect_greenplum6, &f->table, &remark));
	assert_non_null(remark);
	assert_true(ddl_keeps_partitions(&dialect_greenplum7, &f->table, &remark));
	f->spec.partition_key = NULL;
	assert_false(ddl_keeps_partitions(&dialect_greenplum7, &f->table, &remark));
	assert_null(remark);
}

static void
assert_range(const char *bound, const char *from, const char *to)
{
	struct bytes begin, end;

	assert_true(ddl_parse_range(bound, &begin, &end));
	assert_int_equal(begin.len, from ? strlen(from) : 0);
	assert_int_equal(end.len, to ? strlen(to) : 0);
	if (from)
		assert_memory_equal(begin.data, from, begin.len);
	if (to)
		assert_memory_equal(end.data, to, end.len);
}

static void
test_bounds(void **state)
{
	struct bytes from, to;

	(void) state;
	assert_range("FOR VALUES FROM (1) TO (2)", "1", "2");
	assert_range("FOR VALUES FROM (MINVALUE) TO (MAXVALUE)", NULL, NULL);
	assert_range("FOR VALUES FROM ('a, '') TO (') TO ('MINVALUE')", "'a, '') TO ('", "'MINVALUE'");
	assert_false(ddl_parse_range("FOR VALUES FROM (1, 2) TO (3, 4)", &from, &to));
	assert_false(ddl_parse_range("FOR VALUES FROM ('1", &from, &to));
	assert_false(ddl_parse_range("DEFAULT", &from, &to));
}

/* ---- timelines, retained WAL */

static void
test_the_switch_of_a_timeline(void **state)
{
	static const char history[] = "1\t0/5000000\tno recovery target specified\n\n2\t1/6000000\tbefore 2026\n";
	uint64_t lsn;

	(void) state;
	assert_true(failover_find_switch(history, 1, &lsn));
	assert_true(lsn == 0x5000000);
	assert_true(failover_find_switch(history, 2, &lsn));
	assert_true(lsn == 0x106000000);
	assert_false(failover_find_switch(history, 3, &lsn));
	assert_false(failover_find_switch("", 1, &lsn));
	assert_false(failover_find_switch("1", 1, &lsn));
}

static void
test_what_is_said_of_retained_wal(void **state)
{
	struct source_slot slot = {.wal_status = "extended", .retained_bytes = 3 << 20};
	struct oldest_transaction oldest = {.exists = true, .who = "process 7 (app, shop)", .age_s = 60};
	char text[768];

	(void) state;
	assert_int_equal(retention_judge(&slot, 2 << 20), RETENTION_LARGE);
	assert_int_equal(retention_judge(&slot, 4 << 20), RETENTION_MODEST);
	retention_describe(&slot, &oldest, text, sizeof text);
	assert_non_null(strstr(text, "3 MB of WAL at the source (wal_status extended), more than wal.warn"));
	assert_non_null(strstr(text, "that of process 7 (app, shop), open for 60 s"));
	snprintf(slot.wal_status, sizeof slot.wal_status, "unreserved");
	assert_int_equal(retention_judge(&slot, 2 << 20), RETENTION_ENDANGERED);
	retention_describe(&slot, &(struct oldest_transaction){0}, text, sizeof text);
	assert_non_null(strstr(text, "max_slot_wal_keep_size, and may be given up"));
	slot = (struct source_slot){.wal_status = "lost"};
	assert_int_equal(retention_judge(&slot, 2 << 20), RETENTION_LOST);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_defaults_and_comments),
		TEST(test_types_that_are_there_or_refused_are_not_made),
		TEST(test_columns_of_types_to_be_made_keep_them),
		TEST(test_indexes_keep_their_names_where_the_table_does),
		TEST(test_an_index_without_the_distribution_key_is_not_unique),
		TEST(test_the_match_key_has_an_index_already),
		TEST(test_partitions_as_tables),
		TEST(test_partitions_in_a_list),
		TEST(test_what_a_list_cannot_say_is_one_table),
		TEST(test_bounds),
		TEST(test_the_switch_of_a_timeline),
		TEST(test_what_is_said_of_retained_wal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
