#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/sql.h"
#include "tables/shape.h"
#include "upkeep/upkeep_plan.h"

#define OID 4711
#define QUIET 1000
#define ROWS 100000

static const struct upkeep_limits limits = {
	.rows = 10000,
	.dead_rows = 500,
	.dead_share = 20,
	.hidden_rows = 5000,
	.quiet_ms = QUIET,
	.analyze_ms = 10000,
	.vacuum_ms = 60000,
	.pause_ms = 60000,
	.cancellations = 3,
};

struct fixture {
	struct source_column id;
	struct table table;
	struct shape shape;
	struct net_change net;
	struct net_change *nets[1];
	struct batch batch;
	struct upkeep_plan plan;
	struct buffer sql;
	bool busy;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->id = (struct source_column){.name = (char *) "id", .attnum = 1};
	f->table.source.columns = &f->id;
	f->table.source.column_count = 1;
	f->table.target_schema = (char *) "public";
	f->table.target_name = (char *) "orders";
	f->table.target.oid = OID;
	f->table.state = TABLE_STREAMING;
	f->shape.table = &f->table;
	f->shape.match = MATCH_ROW;
	f->net.shape = &f->shape;
	f->nets[0] = &f->net;
	f->batch.nets = f->nets;
	f->batch.net_count = 1;
	upkeep_plan_init(&f->plan, &limits, true);
	sql_init(&f->sql);
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	upkeep_plan_fini(&f->plan);
	buffer_fini(&f->sql);
	free(f);
	return 0;
}

/* A batch that writes so many rows, and updates or deletes so many. */
static struct upkeep_target *
apply(struct fixture *f, int64_t changes, int64_t dead, int64_t now_ms)
{
	struct net_row row = {.count = -dead};
	struct arena arena;
	bool found;

	arena_init(&arena, 4096);
	keymap_init(&f->net.map);
	keymap_insert(&f->net.map, &arena, "k", 1, &found);
	f->net.rows = &row;
	f->net.changes = changes;
	upkeep_plan_note_batch(&f->plan, &f->batch, now_ms);
	keymap_fini(&f->net.map);
	arena_fini(&arena);
	return upkeep_plan_find(&f->plan, OID);
}

static bool
query_sizes(struct fixture *f)
{
	buffer_reset(&f->sql);
	return upkeep_plan_put_sizes(&f->plan, &f->sql);
}

static void
answer(struct fixture *f, int64_t rows, bool outgrown)
{
	upkeep_plan_take_size(&f->plan, OID, rows, outgrown);
	upkeep_plan_end_sizes(&f->plan, false);
}

static bool
is_busy(void *arg, const struct upkeep_target *target)
{
	(void) target;
	return ((struct fixture *) arg)->busy;
}

static enum upkeep_action
next(struct fixture *f, int64_t now_ms, bool now_or_never)
{
	struct upkeep_target *target = NULL;
	enum upkeep_action action = upkeep_plan_next(&f->plan, now_ms, now_or_never, is_busy, f, &target);

	assert_true((target != NULL) == (action != UPKEEP_NOTHING));
	return action;
}

static void
test_sizes_are_queried_when_as_much_was_written_as_there_was(void **state)
{
	struct fixture *f = *state;

	assert_false(query_sizes(f));
	apply(f, 1, 0, 1);
	assert_true(query_sizes(f));
	assert_false(query_sizes(f));
	answer(f, 0, false);
	apply(f, 9999, 0, 1);
	assert_false(query_sizes(f));
	apply(f, 1, 0, 1);
	assert_true(query_sizes(f));
	answer(f, ROWS, false);
	apply(f, ROWS - 1, 0, 1);
	assert_false(query_sizes(f));
	apply(f, 1, 0, 1);
	assert_true(query_sizes(f));
	/* A query that failed is made again, … */
	upkeep_plan_end_sizes(&f->plan, true);
	assert_true(query_sizes(f));
	/* … and what it knows nothing of is gone. */
	upkeep_plan_end_sizes(&f->plan, false);
	apply(f, 10 * ROWS, 0, 1);
	assert_false(query_sizes(f));
}

static void
test_it_queries_some_sizes_at_once(void **state)
{
	enum { COUNT = 1200 };
	struct fixture *f = *state;
	struct table *tables = calloc(COUNT, sizeof *tables);

	for (unsigned i = 0; i < COUNT; i++) {
		tables[i].target.oid = i + 1;
		f->shape.table = &tables[i];
		apply(f, 1, 0, 1);
	}
	for (unsigned left = 3; left > 0; left--)
		assert_true(query_sizes(f));
	assert_false(query_sizes(f));
	free(tables);
}

static void
test_a_vacuum_ends_well_though_other_tables_were_first_touched_meanwhile(void **state)
{
	enum { COUNT = 100 };
	struct fixture *f = *state;
	struct table *tables = calloc(COUNT, sizeof *tables);
	struct upkeep_target *target = NULL;

	apply(f, 1, 500, 0);
	query_sizes(f);
	answer(f, 0, false);
	assert_int_equal(upkeep_plan_next(&f->plan, QUIET, false, is_busy, f, &target), UPKEEP_VACUUM);
	buffer_reset(&f->sql);
	upkeep_plan_put(UPKEEP_VACUUM, target, &f->sql);
	for (unsigned i = 0; i < COUNT; i++) {
		tables[i].target.oid = i + 1;
		f->shape.table = &tables[i];
		apply(f, 1, 0, QUIET);
	}
	upkeep_plan_done(&f->plan, UPKEEP_VACUUM, target);
	assert_ptr_equal(target, upkeep_plan_find(&f->plan, OID));
	assert_int_equal(upkeep_plan_find(&f->plan, OID)->dead_rows, 0);
	free(tables);
}

/* When a table whose size was queried at 0, with so many dead rows, is vacuumed. */
struct limit_case {
	enum target_storage storage;
	int64_t rows, dead;
	bool due;
};

static void
test_dead_rows_beyond_the_limit_are_vacuumed(void **state)
{
	static const struct limit_case cases[] = {
		{TARGET_HEAP, 0, 499, false},		   {TARGET_HEAP, 0, 500, true},
		{TARGET_HEAP, ROWS, 19999, false},	   {TARGET_HEAP, ROWS, 20000, true},
		{TARGET_AO_COLUMN, ROWS, 4999, false}, {TARGET_AO_COLUMN, ROWS, 5000, true},
		{TARGET_AO_ROW, 10000, 2000, true},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		upkeep_plan_fini(&f->plan);
		upkeep_plan_init(&f->plan, &limits, true);
		f->table.target.storage = cases[i].storage;
		apply(f, 1, cases[i].dead, 0);
		assert_true(query_sizes(f));
		assert_int_equal(next(f, QUIET, false), UPKEEP_NOTHING);
		answer(f, cases[i].rows, false);
		assert_int_equal(next(f, QUIET, false), cases[i].due ? UPKEEP_VACUUM : UPKEEP_NOTHING);
	}
}

static void
test_a_truncated_table_has_no_dead_rows(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(apply(f, 1, 500, 0)->dead_rows, 500);
	f->net.truncated = true;
	assert_int_equal(apply(f, 1, 3, 0)->dead_rows, 3);
}

/* What keeps a table from being vacuumed. */
static void
test_who_is_passed_over(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, 500, 0);
	query_sizes(f);
	answer(f, 0, false);
	assert_int_equal(next(f, QUIET, false), UPKEEP_VACUUM);
	f->table.state = TABLE_HELD;
	assert_int_equal(next(f, QUIET, true), UPKEEP_NOTHING);
	f->table.state = TABLE_STREAMING;
	f->plan.vacuums = false;
	assert_int_equal(next(f, QUIET, true), UPKEEP_NOTHING);
	f->plan.vacuums = true;
	f->table.target.owner = (char *) "somebody";
	assert_int_equal(next(f, QUIET, true), UPKEEP_NOTHING);
}

static void
test_targets_of_others_are_named(void **state)
{
	struct fixture *f = *state;

	f->table.target.owner = (char *) "somebody";
	assert_string_equal(apply(f, 1, 1, 0)->note, "it is not vacuumed, since it belongs to the role somebody");
	assert_true(upkeep_target_is_unstored(upkeep_plan_find(&f->plan, OID)));
}

static void
test_a_quiet_moment_is_waited_for_in_patience(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, 500, 10000);
	query_sizes(f);
	answer(f, 0, false);
	assert_int_equal(next(f, 10000 + QUIET - 1, false), UPKEEP_NOTHING);
	assert_int_equal(next(f, 10000 + QUIET - 1, true), UPKEEP_VACUUM);
	f->busy = true;
	assert_int_equal(next(f, 10000 + QUIET, false), UPKEEP_NOTHING);
	assert_int_equal(next(f, 10000 + QUIET - 1 + limits.vacuum_ms, false), UPKEEP_VACUUM);
	f->busy = false;
	assert_int_equal(next(f, 10000 + QUIET, false), UPKEEP_VACUUM);
}

static void
test_many_more_dead_rows_end_the_patience(void **state)
{
	struct fixture *f = *state;

	apply(f, 1, 20000, 0);
	query_sizes(f);
	answer(f, ROWS, false);
	f->busy = true;
	assert_int_equal(next(f, QUIET, false), UPKEEP_NOTHING);
	apply(f, 1, 4999, 0);
	assert_int_equal(next(f, QUIET, false), UPKEEP_NOTHING);
	apply(f, 1, 1, 0);
	assert_int_equal(next(f, QUIET, false), UPKEEP_VACUUM);
}

static void
test_an_outgrown_table_is_analyzed_first_and_sooner(void **state)
{
	struct fixture *f = *state;
	struct upkeep_target *target = apply(f, 1, 500, 0);

	query_sizes(f);
	answer(f, 0, true);
	f->busy = true;
	assert_int_equal(next(f, QUIET, false), UPKEEP_NOTHING);
	assert_int_equal(next(f, QUIET + limits.analyze_ms, false), UPKEEP_ANALYZE);
	buffer_reset(&f->sql);
	upkeep_plan_put(UPKEEP_ANALYZE, target, &f->sql);
	assert_string_equal(sql_text(&f->sql), "ANALYZE \"public\".\"orders\"");
	upkeep_plan_done(&f->plan, UPKEEP_ANALYZE, target);
	f->busy = false;
	assert_int_equal(next(f, QUIET + limits.analyze_ms, false), UPKEEP_VACUUM);
	/* Of a partitioned one the statistics are its leaves'. */
	f->table.target.partitioned = true;
	f->plan.vacuums = false;
	answer(f, 0, true);
	assert_int_equal(next(f, QUIET, true), UPKEEP_NOTHING);
}

static void
test_after_a_vacuum_what_came_meanwhile_is_left(void **state)
{
	struct fixture *f = *state;
	struct upkeep_target *target = apply(f, 1, 500, 0);

	query_sizes(f);
	answer(f, 0, false);
	buffer_reset(&f->sql);
	upkeep_plan_put(UPKEEP_VACUUM, target, &f->sql);
	assert_string_equal(sql_text(&f->sql), "VACUUM \"public\".\"orders\"");
	apply(f, 7, 7, 0);
	upkeep_plan_done(&f->plan, UPKEEP_VACUUM, target);
	assert_int_equal(target->dead_rows, 7);
	assert_int_equal(next(f, QUIET, true), UPKEEP_NOTHING);
	/* Its counts are new. */
	assert_true(query_sizes(f));
}

static void
test_cancellations_double_the_pause_and_are_told(void **state)
{
	struct fixture *f = *state;
	struct upkeep_target *target = apply(f, 1, 500, 0);
	int64_t now_ms = QUIET;

	query_sizes(f);
	answer(f, 0, false);
	for (int i = 0; i < 3; i++) {
		assert_null(target->note);
		assert_int_equal(next(f, now_ms, false), UPKEEP_VACUUM);
		upkeep_plan_failed(&f->plan, UPKEEP_VACUUM, target, NULL, now_ms);
		assert_int_equal(next(f, now_ms + (limits.pause_ms << i) - 1, true), UPKEEP_NOTHING);
		now_ms += limits.pause_ms << i;
	}
	assert_string_equal(target->note,
						"VACUUM gave way to batches, or found the table locked, 3 times in a row");
	upkeep_plan_done(&f->plan, UPKEEP_VACUUM, target);
	assert_null(target->note);
	upkeep_plan_failed(&f->plan, UPKEEP_VACUUM, target, "disk full", now_ms);
	assert_string_equal(target->note, "VACUUM failed: disk full");
}

static void
test_trouble_of_the_server_is_not_the_targets(void **state)
{
	struct fixture *f = *state;
	struct upkeep_target *target = apply(f, 1, 500, 0);
	int64_t now_ms = QUIET;

	query_sizes(f);
	answer(f, 0, false);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(next(f, now_ms, false), UPKEEP_VACUUM);
		upkeep_plan_postpone(&f->plan, target, now_ms);
		assert_int_equal(next(f, now_ms + limits.pause_ms - 1, true), UPKEEP_NOTHING);
		now_ms += limits.pause_ms;
	}
	assert_null(target->note);
}

static void
test_a_start_goes_on_with_what_is_stored(void **state)
{
	struct fixture *f = *state;
	struct upkeep_target *target;

	upkeep_plan_load(&f->plan, &f->table);
	assert_null(upkeep_plan_find(&f->plan, OID));
	f->table.dead_rows = 600;
	f->table.upkeep = (char *) "VACUUM failed: disk full";
	upkeep_plan_load(&f->plan, &f->table);
	target = upkeep_plan_find(&f->plan, OID);
	assert_int_equal(target->dead_rows, 600);
	/* A former daemon's words are taken back. */
	assert_true(upkeep_target_is_unstored(target));
	assert_true(upkeep_plan_wants_sizes(&f->plan, true));
	assert_true(query_sizes(f));
	answer(f, 0, false);
	assert_int_equal(next(f, QUIET, false), UPKEEP_VACUUM);
}

static void
test_the_end_of_a_run_queries_sizes_only_where_it_may_pay(void **state)
{
	struct fixture *f = *state;

	apply(f, 10, 10, 0);
	assert_true(upkeep_plan_wants_sizes(&f->plan, false));
	assert_false(upkeep_plan_wants_sizes(&f->plan, true));
	apply(f, 500, 500, 0);
	assert_true(upkeep_plan_wants_sizes(&f->plan, true));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_sizes_are_queried_when_as_much_was_written_as_there_was),
		TEST(test_it_queries_some_sizes_at_once),
		TEST(test_a_vacuum_ends_well_though_other_tables_were_first_touched_meanwhile),
		TEST(test_dead_rows_beyond_the_limit_are_vacuumed),
		TEST(test_a_truncated_table_has_no_dead_rows),
		TEST(test_who_is_passed_over),
		TEST(test_targets_of_others_are_named),
		TEST(test_a_quiet_moment_is_waited_for_in_patience),
		TEST(test_many_more_dead_rows_end_the_patience),
		TEST(test_an_outgrown_table_is_analyzed_first_and_sooner),
		TEST(test_after_a_vacuum_what_came_meanwhile_is_left),
		TEST(test_cancellations_double_the_pause_and_are_told),
		TEST(test_trouble_of_the_server_is_not_the_targets),
		TEST(test_a_start_goes_on_with_what_is_stored),
		TEST(test_the_end_of_a_run_queries_sizes_only_where_it_may_pay),
	};

	return cmocka_run_group_tests_name("upkeep_plan", tests, NULL, NULL);
}
