#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sketch.h"
#include "tables/mapping.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct sketch_column columns[] = {
	{"id", &sketch_int4, SKETCH_KEY},
	{"a", &sketch_text, 0},
	{"b", &sketch_text, 0},
	{"c", &sketch_text, 0},
	{"nr", &sketch_int4, SKETCH_TARGET_ONLY},
};

static char *subset[] = {"id", "a", "b"};
/* Two swap their names; one gets a name that the source's table has not. */
static struct column_rename renames[] = {{"id", "nr"}, {"a", "b"}, {"b", "a"}};

static const struct table_override swapped = {.columns = {subset, COUNT(subset)},
											  .rename = renames,
											  .rename_count = COUNT(renames),
											  .where = "a IS NULL"};

static void
init(struct sketch *sketch, const struct table_override *override)
{
	sketch_init(sketch, "public", "orders", 'd', true, columns, COUNT(columns));
	sketch->table.override = override;
}

static void
check_lands(const struct table *table, const char *source, const char *target)
{
	const struct target_column *column = mapping_find_target(table, source);

	if (!target) {
		assert_null(column);
		return;
	}
	assert_non_null(column);
	assert_string_equal(column->name, target);
	assert_string_equal(mapping_find_source(table, target)->name, source);
}

static void
test_without_an_override(void **state)
{
	struct sketch sketch;

	(void) state;
	init(&sketch, NULL);
	assert_false(mapping_is_subset(&sketch.table));
	assert_true(mapping_keeps_columns(&sketch.table));
	assert_null(mapping_where(&sketch.table));
	check_lands(&sketch.table, "id", "id");
	check_lands(&sketch.table, "c", "c");
	assert_null(mapping_find_source(&sketch.table, "nr"));
}

static void
test_subset_and_names(void **state)
{
	struct sketch sketch;

	(void) state;
	init(&sketch, &swapped);
	assert_true(mapping_is_subset(&sketch.table));
	assert_false(mapping_keeps_columns(&sketch.table));
	check_lands(&sketch.table, "id", "nr");
	check_lands(&sketch.table, "a", "b");
	check_lands(&sketch.table, "b", "a");
	check_lands(&sketch.table, "c", NULL);
	/* The target has them, and nothing feeds them. */
	assert_null(mapping_find_source(&sketch.table, "c"));
	assert_null(mapping_find_source(&sketch.table, "id"));
	assert_string_equal(mapping_where(&sketch.table), "a IS NULL");
}

static void
test_shape_follows_the_mapping(void **state)
{
	static const char *const lands[] = {"nr", "b", "a"};
	struct sketch sketch;
	struct shape shape;
	struct error err;

	(void) state;
	init(&sketch, &swapped);
	assert_true(shape_init(&shape, 1, &sketch.relation, &sketch.table, false, &err));
	assert_int_equal(shape.fed_count, COUNT(lands));
	for (unsigned i = 0; i < COUNT(lands); i++)
		assert_string_equal(shape.fed[i].target->name, lands[i]);
	assert_true(shape.subset);
	assert_int_equal(shape.unfed_count, 2);
	assert_int_equal(shape.key_count, 1);
	assert_string_equal(shape.fed[shape.key[0]].target->name, "nr");
	/* A condition, and not the whole old row. */
	assert_true(shape.rows_may_be_absent);
	shape_fini(&shape);

	sketch.relation.identity = 'f';
	assert_true(shape_init(&shape, 1, &sketch.relation, &sketch.table, false, &err));
	assert_false(shape.rows_may_be_absent);
	shape_fini(&shape);
}

static void
test_key_that_stays_behind(void **state)
{
	static char *without_key[] = {"a"};
	static const struct table_override override = {.columns = {without_key, 1}};
	struct sketch sketch;
	struct shape shape;
	struct error err;

	(void) state;
	init(&sketch, &override);
	assert_false(shape_init(&shape, 1, &sketch.relation, &sketch.table, false, &err));
	assert_non_null(strstr(err.message, "key column \"id\" of public.orders is not among the columns"));
	shape_fini(&shape);
}

/* ---- several sources of one target */

static void
test_shared_targets(void **state)
{
	static char *const targets[] = {"x", "y", "x", "z", "x"};
	struct table tables[COUNT(targets)] = {0};
	struct catalog catalog = {.tables = tables, .count = COUNT(targets)};
	struct error err = {.sqlstate = "23505"};
	char *names[] = {"a", "b", "c", "d", "e"};

	(void) state;
	for (unsigned i = 0; i < COUNT(targets); i++) {
		tables[i].source.schema = tables[i].target_schema = "s";
		tables[i].source.name = names[i];
		tables[i].target_name = targets[i];
	}
	/* Of another schema. */
	tables[4].target_schema = "t";
	mapping_find_shared(&catalog);
	assert_non_null(tables[0].shared_with);
	assert_string_equal(tables[0].shared_with, tables[2].shared_with);
	assert_non_null(strstr(tables[0].shared_with, "s.a"));
	assert_non_null(strstr(tables[0].shared_with, "s.c"));
	assert_non_null(strstr(tables[0].shared_with, " and "));
	for (unsigned i = 0; i < COUNT(targets); i++)
		assert_int_equal(mapping_is_first(&catalog, i), i != 2);
	assert_null(tables[1].shared_with);
	assert_null(tables[4].shared_with);

	mapping_explain_refusal(&tables[1], &err);
	assert_string_equal(err.hint, "");
	mapping_explain_refusal(&tables[2], &err);
	assert_non_null(strstr(err.hint, "share the target, and their keys must not collide"));
	free(tables[0].shared_with);
	free(tables[2].shared_with);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_an_override),
		cmocka_unit_test(test_subset_and_names),
		cmocka_unit_test(test_shape_follows_the_mapping),
		cmocka_unit_test(test_key_that_stays_behind),
		cmocka_unit_test(test_shared_targets),
	};

	return cmocka_run_group_tests_name("mapping", tests, NULL, NULL);
}
