#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tables/index_plan.h"

#define TARGET 16400
#define OTHER 16500
#define DEFINITION "USING btree (v)"

/* One index of the source, its row, and the target's index: as they are when all is done. */
struct fixture {
	struct index_wanted wanted;
	struct index_row row;
	struct index_found found[2];
	struct index_plan plan;
	const char *resting; /* a signature */
	bool resting_drop;
};

static bool
is_resting(void *arg, const char *signature, bool drop)
{
	const struct fixture *f = arg;

	return f->resting && strcmp(f->resting, signature) == 0 && (f->resting_drop || !drop);
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	f->wanted = (struct index_wanted){"n1", 77, true};
	f->row = (struct index_row){"n1", 77, "by_v", 4711, DEFINITION};
	f->found[0] = (struct index_found){4711, TARGET, "public", "by_v", DEFINITION, false, true, false};
	f->plan = (struct index_plan){TARGET, &f->wanted, 1, &f->row, 1, f->found, 1, is_resting, f};
	*state = f;
	return 0;
}

static int
tear_down(void **state)
{
	free(*state);
	return 0;
}

/* The row says that the index is being built. */
static void
begin(struct fixture *f)
{
	f->row = (struct index_row){"n1", 77, "sluice_index_1", 0, NULL};
	f->found[0].name = "sluice_index_1";
}

static void
check(const struct fixture *f, enum index_action action)
{
	struct index_step step = index_plan_next(&f->plan);

	assert_int_equal(step.action, action);
	if (action == INDEX_BUILD) {
		assert_ptr_equal(step.wanted, &f->wanted);
		assert_null(step.row);
	} else if (action != INDEX_NOTHING) {
		assert_ptr_equal(step.row, &f->row);
	}
	/* What needs a step is never taken for done by source and rows alone. */
	if (action == INDEX_BUILD || action == INDEX_FINISH || action == INDEX_DROP || action == INDEX_FORGET)
		assert_false(index_plan_in_step(&f->plan));
}

static void
test_an_index_is_built_step_by_step(void **state)
{
	struct fixture *f = *state;

	f->plan.row_count = f->plan.found_count = 0;
	check(f, INDEX_BUILD);
	/* The row is stored, and the daemon ends before CREATE INDEX, within it, or behind it. */
	begin(f);
	f->plan.row_count = 1;
	check(f, INDEX_FORGET);
	f->plan.found_count = 1;
	f->found[0].valid = false;
	check(f, INDEX_DROP);
	f->found[0].valid = true;
	check(f, INDEX_FINISH);
}

static void
test_what_is_made_needs_nothing(void **state)
{
	struct fixture *f = *state;

	check(f, INDEX_NOTHING);
	assert_true(index_plan_in_step(&f->plan));
}

static void
test_what_the_source_has_dropped_is_dropped(void **state)
{
	struct fixture *f = *state;

	f->plan.wanted_count = 0;
	check(f, INDEX_DROP);
	assert_ptr_equal(index_plan_next(&f->plan).found, &f->found[0]);
	f->plan.found_count = 0;
	check(f, INDEX_FORGET);
}

static void
test_what_is_being_built_ends_when_the_source_drops_it(void **state)
{
	struct fixture *f = *state;

	begin(f);
	f->plan.wanted_count = 0;
	check(f, INDEX_DROP);
	f->plan.found_count = 0;
	check(f, INDEX_FORGET);
}

static void
test_what_is_not_selected_is_not_built_but_stays(void **state)
{
	struct fixture *f = *state;

	f->wanted.selected = false;
	check(f, INDEX_NOTHING);
	f->plan.row_count = f->plan.found_count = 0;
	check(f, INDEX_NOTHING);
	assert_true(index_plan_in_step(&f->plan));
	begin(f);
	f->plan.row_count = f->plan.found_count = 1;
	check(f, INDEX_DROP);
}

static void
test_ours_is_known_when_it_was_made_again(void **state)
{
	struct fixture *f = *state;

	f->found[0].oid = 4712;
	check(f, INDEX_RENEW);
	f->plan.wanted_count = 0;
	check(f, INDEX_DROP);
}

static void
test_ours_is_known_under_another_name(void **state)
{
	struct fixture *f = *state;

	f->found[0].name = "renamed";
	f->found[0].definition = "USING btree (renamed)";
	check(f, INDEX_RENEW);
	f->plan.wanted_count = 0;
	check(f, INDEX_DROP);
}

/* An OID proves more than a name. */
static void
test_exchanged_names_are_seen_through(void **state)
{
	struct fixture *f = *state;

	f->found[1] = f->found[0];
	f->found[1].name = "before";
	f->found[0].oid = 4712;
	f->plan.found_count = 2;
	f->plan.wanted_count = 0;
	assert_ptr_equal(index_plan_next(&f->plan).found, &f->found[1]);
}

static void
test_what_others_made_is_not_ours(void **state)
{
	struct fixture *f = *state;

	f->plan.wanted_count = 0;
	f->found[0].oid = 4712;
	f->found[0].definition = "USING btree (v, w)";
	check(f, INDEX_FORGET);
	f->found[0].definition = DEFINITION;
	f->found[0].name = "theirs";
	check(f, INDEX_FORGET);
}

static void
test_what_others_dropped_is_not_built_again(void **state)
{
	struct fixture *f = *state;

	f->plan.found_count = 0;
	check(f, INDEX_NOTHING);
}

static void
test_a_constraint_is_ours_only_if_it_was_made_as_one(void **state)
{
	struct fixture *f = *state;

	f->plan.wanted_count = 0;
	f->found[0].constraint = true;
	f->found[0].definition = "CONSTRAINT " DEFINITION;
	check(f, INDEX_FORGET);
	f->row.definition = "CONSTRAINT " DEFINITION;
	check(f, INDEX_DROP);
}

/* Others have exchanged the tables while ours was being built. */
static void
test_what_was_built_at_another_table_is_dropped(void **state)
{
	struct fixture *f = *state;

	begin(f);
	f->found[0].table = OTHER;
	check(f, INDEX_DROP);
	f->row = (struct index_row){"n1", 77, "by_v", 4711, DEFINITION};
	f->plan.wanted_count = 0;
	check(f, INDEX_FORGET);
}

static void
test_an_index_that_the_source_has_made_again_is_the_same(void **state)
{
	struct fixture *f = *state;

	f->wanted.oid = 78;
	check(f, INDEX_RENEW);
	assert_false(index_plan_in_step(&f->plan));
	f->plan.found_count = 0;
	check(f, INDEX_RENEW);
}

/* Between that and this rows need not have been unique, which the row of sluice.indexes goes on to show. */
static void
test_a_unique_index_is_that_of_the_one_it_was_made_for(void **state)
{
	struct fixture *f = *state;

	f->found[0].unique = true;
	f->wanted.oid = 78;
	check(f, INDEX_NOTHING);
	f->found[0].name = "renamed";
	check(f, INDEX_RENEW);
}

static void
test_what_failed_rests_but_its_remains_go(void **state)
{
	struct fixture *f = *state;

	f->resting = "n1";
	f->plan.row_count = f->plan.found_count = 0;
	check(f, INDEX_NOTHING);
	begin(f);
	f->plan.row_count = f->plan.found_count = 1;
	check(f, INDEX_NOTHING);
	f->found[0].valid = false;
	check(f, INDEX_DROP);
	f->resting_drop = true;
	check(f, INDEX_NOTHING);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_an_index_is_built_step_by_step),
		TEST(test_what_is_made_needs_nothing),
		TEST(test_what_the_source_has_dropped_is_dropped),
		TEST(test_what_is_being_built_ends_when_the_source_drops_it),
		TEST(test_what_is_not_selected_is_not_built_but_stays),
		TEST(test_ours_is_known_when_it_was_made_again),
		TEST(test_ours_is_known_under_another_name),
		TEST(test_exchanged_names_are_seen_through),
		TEST(test_what_others_made_is_not_ours),
		TEST(test_what_others_dropped_is_not_built_again),
		TEST(test_a_constraint_is_ours_only_if_it_was_made_as_one),
		TEST(test_what_was_built_at_another_table_is_dropped),
		TEST(test_an_index_that_the_source_has_made_again_is_the_same),
		TEST(test_a_unique_index_is_that_of_the_one_it_was_made_for),
		TEST(test_what_failed_rests_but_its_remains_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
