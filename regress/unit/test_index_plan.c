#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/sql.h"
#include "upkeep/index_plan.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))
#define LSN 0x1000

struct fixture {
	struct source_column columns[2];
	struct target_column target_columns[2];
	struct index_spec indexes[2];
	struct creation_spec spec;
	struct table table;
	struct index_found found[2];
	struct index_question question;
	struct index_jobs jobs;
};

/* public.orders (id integer primary key, at date), whose source has an index by_at; nothing was done so far */
static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->columns[0] = (struct source_column){.name = TEXT("id"), .attnum = 1, .primary_position = 1};
	f->columns[1] = (struct source_column){.name = TEXT("at"), .attnum = 2};
	f->target_columns[0] = (struct target_column){.name = TEXT("id"), .attnum = 1};
	f->target_columns[1] = (struct target_column){.name = TEXT("at"), .attnum = 2};
	f->indexes[0] = (struct index_spec){.oid = 101,
										.signature = "abc",
										.name = "by_at",
										.tail = "USING btree (at)",
										.columns = {1},
										.column_count = 1,
										.plain = true};
	f->spec = (struct creation_spec){.indexes = f->indexes, .index_count = 1};
	f->table.source = (struct source_table){
		.schema = TEXT("public"),
		.name = TEXT("orders"),
		.identity = 'd',
		.columns = f->columns,
		.column_count = 2,
		.creation_spec = &f->spec,
	};
	f->table.target_schema = TEXT("public");
	f->table.target_name = TEXT("orders");
	f->table.target.columns = f->target_columns;
	f->table.target.column_count = 2;
	f->table.indexes = memory_strdup("");
	f->question = (struct index_question){
		.dialect = &dialect_postgresql,
		.wanted = SCHEMA_INDEXES_ALL,
		.table = &f->table,
		.found = f->found,
		.lsn = LSN,
	};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	index_jobs_fini(&f->jobs);
	free(f->table.indexes);
	free(f);
	return 0;
}

static void
set_indexes(struct fixture *f, const char *indexes)
{
	free(f->table.indexes);
	f->table.indexes = memory_strdup(indexes);
}

static void
set_found(struct fixture *f, const char *name, const char *tail)
{
	f->found[f->question.found_count++] = (struct index_found){.name = name, .tail = tail, .valid = true};
}

/* `sql` of the only job; NULL: there is none. */
static void
assert_plan(struct fixture *f, const char *indexes, const char *sql)
{
	index_plan(&f->jobs, &f->question);
	assert_string_equal(f->table.indexes, indexes);
	assert_int_equal(f->jobs.count, sql ? 1 : 0);
	if (sql)
		assert_string_equal(f->jobs.items[0]->sql, sql);
}

/* ---- building */

static void
test_a_new_index_is_built_once_its_position_is_reached(void **state)
{
	struct fixture *f = *state;

	assert_plan(f, "101 w abc 0/1000 by_at\n",
				"CREATE INDEX CONCURRENTLY \"by_at\" ON \"public\".\"orders\" USING btree (at)");
	assert_int_equal(f->jobs.items[0]->entry.lsn, LSN);
	assert_false(f->jobs.items[0]->unique);
	assert_true(f->jobs.items[0]->concurrently);
	assert_null(f->jobs.items[0]->comment);
}

static void
test_the_first_position_counts(void **state)
{
	struct fixture *f = *state;

	set_indexes(f, "101 w abc 0/500 by_at\n");
	assert_plan(f, "101 w abc 0/500 by_at\n",
				"CREATE INDEX CONCURRENTLY \"by_at\" ON \"public\".\"orders\" USING btree (at)");
	assert_int_equal(f->jobs.items[0]->entry.lsn, 0x500);
}

static void
test_segments_and_partitions_block_writers(void **state)
{
	struct fixture *f = *state;

	f->question.dialect = &dialect_greenplum6;
	assert_plan(f, "101 w abc 0/1000 by_at\n",
				"CREATE INDEX \"by_at\" ON \"public\".\"orders\" USING btree (at)");
	assert_false(f->jobs.items[0]->concurrently);
	assert_non_null(strstr(f->jobs.items[0]->note, "blocks changes"));
	index_jobs_fini(&f->jobs);
	f->question.dialect = &dialect_postgresql;
	f->table.target.partitioned = true;
	index_plan(&f->jobs, &f->question);
	assert_false(f->jobs.items[0]->concurrently);
}

static void
test_a_unique_one_knows_its_columns_and_a_comment_follows(void **state)
{
	struct fixture *f = *state;

	f->indexes[0].unique = true;
	f->indexes[0].comment = "as seen";
	f->question.wanted = SCHEMA_INDEXES_UNIQUE;
	assert_plan(f, "101 w abc 0/1000 by_at\n",
				"CREATE UNIQUE INDEX CONCURRENTLY \"by_at\" ON \"public\".\"orders\" USING btree (at)");
	assert_true(f->jobs.items[0]->unique);
	assert_int_equal(f->jobs.items[0]->column_count, 1);
	assert_int_equal(f->jobs.items[0]->columns[0], 1);
	assert_string_equal(f->jobs.items[0]->comment, "COMMENT ON INDEX \"public\".\"by_at\" IS 'as seen'");
}

static void
test_another_target_gets_a_name_of_its_own(void **state)
{
	struct fixture *f = *state;

	f->table.target_name = TEXT("ods");
	assert_plan(f, "101 w abc 0/1000 by_at_101\n",
				"CREATE INDEX CONCURRENTLY \"by_at_101\" ON \"public\".\"ods\" USING btree (at)");
}

static void
test_what_is_not_selected_is_not_built(void **state)
{
	struct fixture *f = *state;

	f->question.wanted = SCHEMA_INDEXES_UNIQUE;
	assert_plan(f, "", NULL);
}

static void
test_what_was_left_or_is_ours_stays(void **state)
{
	struct fixture *f = *state;

	set_indexes(f, "101 l abc 0/0 -\n");
	assert_plan(f, "101 l abc 0/0 -\n", NULL);
	/* Even if somebody has dropped it at the destination. */
	set_indexes(f, "101 o abc 0/0 by_at\n");
	assert_plan(f, "101 o abc 0/0 by_at\n", NULL);
}

static void
test_the_like_of_it_is_enough(void **state)
{
	struct fixture *f = *state;

	set_found(f, "somebody's", "USING btree (at)");
	assert_plan(f, "101 l abc 0/0 -\n", NULL);
}

static void
test_an_invalid_one_or_another_uniqueness_is_not_the_like(void **state)
{
	struct fixture *f = *state;

	set_found(f, "broken", "USING btree (at)");
	set_found(f, "other", "USING btree (at)");
	f->found[0].valid = false;
	f->found[1].unique = true;
	index_plan(&f->jobs, &f->question);
	assert_int_equal(f->jobs.count, 1);
}

static void
test_what_the_target_cannot_have_is_left(void **state)
{
	struct fixture *f = *state;

	f->indexes[0].refused = "it is not known to be harmless";
	assert_plan(f, "101 l abc 0/0 -\n", NULL);
	set_indexes(f, "");
	f->indexes[0].refused = NULL;
	f->indexes[0].unique = true;
	f->question.dialect = &dialect_greenplum6;
	assert_plan(f, "101 l abc 0/0 -\n", NULL);
}

static void
test_rows_of_others_need_not_be_unique(void **state)
{
	struct fixture *f = *state;

	f->question.mixed = true;
	f->indexes[0].unique = true;
	assert_plan(f, "101 l abc 0/0 -\n", NULL);
	set_indexes(f, "");
	f->indexes[0].unique = false;
	index_plan(&f->jobs, &f->question);
	assert_int_equal(f->jobs.count, 1);
}

/* ---- after a crash */

static void
test_one_that_was_completed_is_ours(void **state)
{
	struct fixture *f = *state;

	set_indexes(f, "101 b abc 0/1000 by_at\n");
	set_found(f, "by_at", "USING btree (at)");
	assert_plan(f, "101 o abc 0/1000 by_at\n", NULL);
}

static void
test_one_that_was_not_completed_is_built_again(void **state)
{
	struct fixture *f = *state;

	set_indexes(f, "101 b abc 0/1000 by_at\n");
	set_found(f, "by_at", "USING btree (at)");
	f->found[0].valid = false;
	assert_plan(f, "101 b abc 0/1000 by_at\n",
				"CREATE INDEX CONCURRENTLY \"by_at\" ON \"public\".\"orders\" USING btree (at)");
	assert_int_equal(f->jobs.items[0]->step, INDEX_PROBE);
}

/* ---- dropping */

static void
test_ours_is_dropped_with_the_source_s(void **state)
{
	struct fixture *f = *state;

	f->spec.index_count = 0;
	set_indexes(f, "101 o abc 0/0 by_at\n");
	set_found(f, "by_at", "USING btree (at)");
	assert_plan(f, "101 o abc 0/0 by_at\n", "DROP INDEX \"public\".\"by_at\"");
	assert_true(f->jobs.items[0]->drops);
}

static void
test_a_constraint_is_dropped_as_such(void **state)
{
	struct fixture *f = *state;

	f->spec.index_count = 0;
	set_indexes(f, "101 o abc 0/0 by_at\n");
	set_found(f, "by_at", "USING btree (at)");
	f->found[0].constraint = "by_at";
	assert_plan(f, "101 o abc 0/0 by_at\n", "ALTER TABLE \"public\".\"orders\" DROP CONSTRAINT \"by_at\"");
}

static void
test_others_are_never_dropped(void **state)
{
	struct fixture *f = *state;

	f->spec.index_count = 0;
	set_indexes(f, "101 l abc 0/0 -\n102 w abc 0/0 by_at\n103 o abc 0/0 gone\n");
	set_found(f, "by_at", "USING btree (at)");
	set_found(f, "-", "USING btree (id)");
	assert_plan(f, "", NULL);
}

static void
test_a_hostile_name_makes_no_line_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct index_list list;

	f->indexes[0].name = "\\n\n102 o abc 0/0 mine";
	index_plan(&f->jobs, &f->question);
	index_list_read(&list, f->table.indexes);
	assert_int_equal(list.count, 1);
	assert_string_equal(list.entries[0].name, f->indexes[0].name);
	index_list_fini(&list);
}

/* ---- created anew */

static void
test_one_created_anew_is_the_same(void **state)
{
	struct fixture *f = *state;

	set_indexes(f, "99 o abc 0/0 by_at\n");
	set_found(f, "by_at", "USING btree (at)");
	assert_plan(f, "101 o abc 0/0 by_at\n", NULL);
}

static void
test_a_unique_one_created_anew_is_not(void **state)
{
	struct fixture *f = *state;

	f->indexes[0].unique = true;
	set_indexes(f, "99 o abc 0/0 by_at\n");
	set_found(f, "by_at", "USING btree (at)");
	f->found[0].unique = true;
	index_plan(&f->jobs, &f->question);
	assert_int_equal(f->jobs.count, 2);
	assert_string_equal(f->jobs.items[0]->sql, "DROP INDEX \"public\".\"by_at\"");
	assert_string_equal(
		f->jobs.items[1]->sql,
		"CREATE UNIQUE INDEX CONCURRENTLY \"by_at\" ON \"public\".\"orders\" USING btree (at)");
}

/* ---- which tables are looked at */

static void
test_the_list_says_when_to_look(void **state)
{
	char *baseline = index_list_baseline("101 n abc\n102 u def", SCHEMA_INDEXES_UNIQUE);

	(void) state;
	assert_string_equal(baseline, "102 l def 0/0 -\n");
	assert_false(index_list_is_behind(baseline, "101 n abc\n102 u def", SCHEMA_INDEXES_UNIQUE));
	assert_true(index_list_is_behind(baseline, "101 n abc\n102 u def", SCHEMA_INDEXES_ALL));
	assert_true(index_list_is_behind(baseline, "101 n abc\n102 u def\n103 u ghi", SCHEMA_INDEXES_UNIQUE));
	assert_false(index_list_is_behind(baseline, "101 n abc\n102 u def\n103 u ghi", SCHEMA_INDEXES_NONE));
	assert_true(index_list_is_behind(baseline, "101 n abc", SCHEMA_INDEXES_UNIQUE));
	assert_true(index_list_is_behind("102 w def 0/10 x\n", "102 u def", SCHEMA_INDEXES_UNIQUE));
	assert_false(index_list_is_behind(NULL, NULL, SCHEMA_INDEXES_ALL));
	free(baseline);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_new_index_is_built_once_its_position_is_reached),
		TEST(test_the_first_position_counts),
		TEST(test_segments_and_partitions_block_writers),
		TEST(test_a_unique_one_knows_its_columns_and_a_comment_follows),
		TEST(test_another_target_gets_a_name_of_its_own),
		TEST(test_what_is_not_selected_is_not_built),
		TEST(test_what_was_left_or_is_ours_stays),
		TEST(test_the_like_of_it_is_enough),
		TEST(test_an_invalid_one_or_another_uniqueness_is_not_the_like),
		TEST(test_what_the_target_cannot_have_is_left),
		TEST(test_rows_of_others_need_not_be_unique),
		TEST(test_one_that_was_completed_is_ours),
		TEST(test_one_that_was_not_completed_is_built_again),
		TEST(test_ours_is_dropped_with_the_source_s),
		TEST(test_a_constraint_is_dropped_as_such),
		TEST(test_others_are_never_dropped),
		TEST(test_a_hostile_name_makes_no_line_of_its_own),
		TEST(test_one_created_anew_is_the_same),
		TEST(test_a_unique_one_created_anew_is_not),
		TEST(test_the_list_says_when_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
