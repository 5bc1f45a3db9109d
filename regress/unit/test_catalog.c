#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tables/catalog.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))

/* ---- states */

static void
test_state_names_are_read_back(void **state)
{
	(void) state;
	for (int i = 0; i < TABLE_STATE_COUNT; i++) {
		enum table_state read = TABLE_STATE_COUNT;

		assert_true(table_state_parse(table_state_name((enum table_state) i), &read));
		assert_int_equal(read, i);
	}
}

static void
test_other_state_names_are_refused(void **state)
{
	enum table_state read = TABLE_COPYING;

	(void) state;
	assert_false(table_state_parse("", &read));
	assert_false(table_state_parse("Waiting", &read));
	assert_false(table_state_parse("waiting ", &read));
	assert_int_equal(read, TABLE_COPYING);
}

static void
test_a_person_sees_five_states(void **state)
{
	static const char *const shown[TABLE_STATE_COUNT] = {
		[TABLE_WAITING] = "waiting",
		[TABLE_COPYING] = "copying",
		[TABLE_WAITING_AGAIN] = "waiting",
		[TABLE_COPYING_AGAIN] = "copying",
		[TABLE_COPYING_PARTS] = "copying",
		[TABLE_REPLAYING] = "catching_up",
		[TABLE_CATCHING_UP] = "catching_up",
		[TABLE_STREAMING] = "streaming",
		[TABLE_HELD] = "held",
		[TABLE_HELD_FOR_RESYNC] = "held",
		[TABLE_DROPPED] = "dropped",
	};

	(void) state;
	for (int i = 0; i < TABLE_STATE_COUNT; i++)
		assert_string_equal(table_state_shown((enum table_state) i), shown[i]);
}

/* Rows that nobody copied cannot be there, and rows of ours are not forgotten on the way. */
static void
test_moves_between_states(void **state)
{
	static const struct {
		enum table_state from, to;
		bool legal;
	} moves[] = {
		{TABLE_WAITING, TABLE_COPYING, true},
		{TABLE_WAITING, TABLE_STREAMING, true}, /* initial_copy.mode: none */
		{TABLE_WAITING, TABLE_CATCHING_UP, false},
		{TABLE_WAITING, TABLE_COPYING_AGAIN, false},
		{TABLE_COPYING, TABLE_WAITING, true},
		{TABLE_COPYING, TABLE_WAITING_AGAIN, false},
		{TABLE_COPYING_AGAIN, TABLE_WAITING_AGAIN, true},
		{TABLE_COPYING_AGAIN, TABLE_WAITING, false},
		{TABLE_COPYING_PARTS, TABLE_WAITING, false},
		{TABLE_COPYING_PARTS, TABLE_REPLAYING, true},
		{TABLE_REPLAYING, TABLE_CATCHING_UP, false},
		{TABLE_REPLAYING, TABLE_STREAMING, true},
		{TABLE_CATCHING_UP, TABLE_STREAMING, true},
		{TABLE_STREAMING, TABLE_COPYING, false},
		{TABLE_STREAMING, TABLE_WAITING_AGAIN, true},
		{TABLE_HELD, TABLE_STREAMING, false},
		{TABLE_HELD, TABLE_WAITING_AGAIN, true},
		{TABLE_HELD_FOR_RESYNC, TABLE_STREAMING, false},
		{TABLE_DROPPED, TABLE_STREAMING, false},
		{TABLE_STREAMING, TABLE_STREAMING, false},
	};

	(void) state;
	for (size_t i = 0; i < sizeof moves / sizeof *moves; i++)
		if (table_state_may_follow(moves[i].from, moves[i].to) != moves[i].legal)
			fail_msg("%s to %s", table_state_name(moves[i].from), table_state_name(moves[i].to));
}

static void
test_a_copy_that_comes_to_nothing(void **state)
{
	struct table table = {.source = {.schema = TEXT("public"), .name = TEXT("t")}};

	(void) state;
	table_begin_copy(&table);
	assert_int_equal(table.state, TABLE_COPYING);
	assert_false(table_has_old_rows(&table));
	table_abandon_copy(&table);
	assert_int_equal(table.state, TABLE_WAITING);
	table.state = TABLE_WAITING_AGAIN;
	table_begin_copy(&table);
	assert_int_equal(table.state, TABLE_COPYING_AGAIN);
	table_move(&table, TABLE_COPYING_PARTS);
	assert_true(table_has_old_rows(&table) && table_is_copying(&table) && table_waits(&table));
	table_move(&table, TABLE_REPLAYING);
	assert_true(table_follows(&table) && !table_waits(&table));
}

/* ---- finding */

static struct catalog
make_catalog(const char *const (*names)[2], unsigned count)
{
	struct catalog catalog = {.tables = memory_alloc_zero(count, sizeof(struct table)), .count = count};

	for (unsigned i = 0; i < count; i++) {
		catalog.tables[i].source.schema = memory_strdup(names[i][0]);
		catalog.tables[i].source.name = memory_strdup(names[i][1]);
	}
	catalog_sort(&catalog);
	return catalog;
}

static void
test_tables_are_found_by_both_names(void **state)
{
	static const char *const names[][2] = {
		{"sales", "orders"}, {"public", "orders"}, {"public", "a"},
		{"Public", "a"},	 {"p", "ublica"},	   {"z\xc3\xa9", ""},
	};
	struct catalog catalog = make_catalog(names, 6);

	(void) state;
	for (unsigned i = 0; i < 6; i++) {
		const struct table *table = catalog_find(&catalog, names[i][0], names[i][1]);

		assert_non_null(table);
		assert_string_equal(table->source.schema, names[i][0]);
		assert_string_equal(table->source.name, names[i][1]);
	}
	assert_null(catalog_find(&catalog, "public", "order"));
	assert_null(catalog_find(&catalog, "", ""));
	assert_null(catalog_find(&catalog, "zz", "zz"));
	catalog_free(&catalog);
	assert_null(catalog_find(&catalog, "public", "a"));
}

static void
test_columns_are_found_by_their_exact_name(void **state)
{
	struct source_column source_columns[] = {{.name = TEXT("id")}, {.name = TEXT("Id")}};
	struct target_column target_columns[] = {{.name = TEXT("a")}, {.name = TEXT("id")}};
	struct source_table source = {.columns = source_columns, .column_count = 2};
	struct target_table target = {.columns = target_columns, .column_count = 2};

	(void) state;
	assert_ptr_equal(source_find_column(&source, "Id"), &source_columns[1]);
	assert_ptr_equal(target_find_column(&target, "id"), &target_columns[1]);
	assert_null(source_find_column(&source, "ID"));
	assert_null(target_find_column(&target, "Id"));
}

/* ---- the match key */

/* Columns a, b, c and d: the primary key is (b, a), the replica identity index
 * is on c, the unique index on (d, c). */
struct keyed {
	struct source_column columns[4];
	struct table_override override;
	struct table table;
};

static void
make_keyed(struct keyed *k, char identity)
{
	static char names[][2] = {"a", "b", "c", "d"};

	*k = (struct keyed){0};
	for (unsigned i = 0; i < 4; i++)
		k->columns[i].name = names[i];
	k->columns[0].primary_position = 2;
	k->columns[1].primary_position = 1;
	k->columns[2].identity_position = 1;
	k->columns[2].unique_position = 2;
	k->columns[3].unique_position = 1;
	k->table.source = (struct source_table){.identity = identity, .columns = k->columns, .column_count = 4};
}

static void
assert_key(const struct table *table, const char *expected)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned count = table_match_key(table, key);

	assert_int_equal(count, strlen(expected));
	for (unsigned i = 0; i < count; i++)
		assert_string_equal(table->source.columns[key[i]].name, ((char[]){expected[i], '\0'}));
}

static void
test_match_key_is_the_primary_key_in_its_order(void **state)
{
	struct keyed k;

	(void) state;
	make_keyed(&k, 'd');
	assert_key(&k.table, "ba");
	make_keyed(&k, 'f');
	assert_key(&k.table, "ba");
	make_keyed(&k, 'n');
	assert_key(&k.table, "ba");
}

static void
test_match_key_is_the_replica_identity_index_where_that_is_set(void **state)
{
	struct keyed k;

	(void) state;
	make_keyed(&k, 'i');
	assert_key(&k.table, "c");
}

static void
test_a_unique_index_serves_only_with_full_identity(void **state)
{
	struct keyed k;

	(void) state;
	make_keyed(&k, 'f');
	k.columns[0].primary_position = k.columns[1].primary_position = 0;
	assert_key(&k.table, "dc");
	k.table.source.identity = 'd';
	assert_key(&k.table, "");
	k.table.source.identity = 'n';
	assert_key(&k.table, "");
}

static void
test_the_configured_key_comes_first(void **state)
{
	char *names[] = {TEXT("d"), TEXT("a")};
	struct keyed k;

	(void) state;
	make_keyed(&k, 'i');
	k.override.key = (struct string_list){.items = names, .count = 2};
	k.table.override = &k.override;
	assert_key(&k.table, "da");
}

static void
test_a_configured_key_with_an_unknown_column_is_none(void **state)
{
	char *names[] = {TEXT("a"), TEXT("x")};
	struct keyed k;

	(void) state;
	make_keyed(&k, 'd');
	k.override.key = (struct string_list){.items = names, .count = 2};
	k.table.override = &k.override;
	assert_key(&k.table, "");
}

static void
test_an_override_without_a_key_changes_nothing(void **state)
{
	struct keyed k;

	(void) state;
	make_keyed(&k, 'd');
	k.table.override = &k.override;
	assert_key(&k.table, "ba");
}

/* ---- binary or text */

/* A table with one column of a type, whose target column has another. */
static bool
needs_text(const char *source_type, bool builtin, char typtype, const char *target_schema,
		   const char *target_type, char target_typtype)
{
	struct source_column source = {
		.name = TEXT("c"),
		.base_schema = builtin ? TEXT("pg_catalog") : TEXT("public"),
		.base_name = (char *) (uintptr_t) source_type,
		.base_typtype = typtype,
		.builtin = builtin,
	};
	struct target_column target = {
		.name = TEXT("c"),
		.base_schema = (char *) (uintptr_t) target_schema,
		.base_name = (char *) (uintptr_t) target_type,
		.base_typtype = target_typtype,
	};
	struct table table = {
		.source = {.columns = &source, .column_count = 1},
		.target = {.exists = true, .columns = &target, .column_count = target_type != NULL},
	};

	return table_needs_text(&table);
}

static void
test_the_same_builtin_type_travels_in_binary(void **state)
{
	(void) state;
	assert_false(needs_text("int4", true, 'b', "pg_catalog", "int4", 'b'));
	assert_false(needs_text("_numeric", true, 'b', "pg_catalog", "_numeric", 'b'));
	assert_false(needs_text("int4range", true, 'r', "pg_catalog", "int4range", 'r'));
}

static void
test_another_type_travels_as_text(void **state)
{
	(void) state;
	assert_true(needs_text("int4", true, 'b', "pg_catalog", "int8", 'b'));
	assert_true(needs_text("macaddr8", true, 'b', "pg_catalog", "text", 'b'));
	assert_true(needs_text("int4", true, 'b', "public", "int4", 'b'));
	assert_true(needs_text("json", true, 'b', "pg_catalog", "jsonb", 'b'));
}

static void
test_strings_have_one_form_but_padded_ones_do_not(void **state)
{
	(void) state;
	assert_false(needs_text("text", true, 'b', "pg_catalog", "varchar", 'b'));
	assert_false(needs_text("varchar", true, 'b', "pg_catalog", "text", 'b'));
	assert_true(needs_text("bpchar", true, 'b', "pg_catalog", "text", 'b'));
	assert_true(needs_text("text", true, 'b', "pg_catalog", "bpchar", 'b'));
	assert_true(needs_text("text", true, 'b', "public", "text", 'b'));
}

static void
test_an_enum_travels_as_its_label(void **state)
{
	(void) state;
	assert_false(needs_text("mood", false, 'e', "public", "mood", 'e'));
	assert_false(needs_text("mood", false, 'e', "pg_catalog", "text", 'b'));
	assert_true(needs_text("mood", false, 'e', "pg_catalog", "int4", 'b'));
}

static void
test_types_of_users_travel_as_text(void **state)
{
	(void) state;
	assert_true(needs_text("hstore", false, 'b', "public", "hstore", 'b'));
	assert_true(needs_text("pair", false, 'c', "public", "pair", 'c'));
	assert_true(needs_text("_mood", false, 'b', "public", "_mood", 'b'));
}

static void
test_without_a_target_column_the_source_decides(void **state)
{
	(void) state;
	assert_false(needs_text("int4", true, 'b', NULL, NULL, 0));
	assert_false(needs_text("mood", false, 'e', NULL, NULL, 0));
	assert_true(needs_text("regclass", false, 'b', NULL, NULL, 0));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_names_are_read_back),
		cmocka_unit_test(test_other_state_names_are_refused),
		cmocka_unit_test(test_a_person_sees_five_states),
		cmocka_unit_test(test_moves_between_states),
		cmocka_unit_test(test_a_copy_that_comes_to_nothing),
		cmocka_unit_test(test_tables_are_found_by_both_names),
		cmocka_unit_test(test_columns_are_found_by_their_exact_name),
		cmocka_unit_test(test_match_key_is_the_primary_key_in_its_order),
		cmocka_unit_test(test_match_key_is_the_replica_identity_index_where_that_is_set),
		cmocka_unit_test(test_a_unique_index_serves_only_with_full_identity),
		cmocka_unit_test(test_the_configured_key_comes_first),
		cmocka_unit_test(test_a_configured_key_with_an_unknown_column_is_none),
		cmocka_unit_test(test_an_override_without_a_key_changes_nothing),
		cmocka_unit_test(test_the_same_builtin_type_travels_in_binary),
		cmocka_unit_test(test_another_type_travels_as_text),
		cmocka_unit_test(test_strings_have_one_form_but_padded_ones_do_not),
		cmocka_unit_test(test_an_enum_travels_as_its_label),
		cmocka_unit_test(test_types_of_users_travel_as_text),
		cmocka_unit_test(test_without_a_target_column_the_source_decides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
