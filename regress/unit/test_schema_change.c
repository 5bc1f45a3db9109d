#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dialect/dialect.h"
#include "schema/schema_change.h"
#include "tables/stored_definition.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))
#define TARGET "ALTER TABLE \"public\".\"t\" "

struct fixture {
	struct source_column before_columns[4], after_columns[4];
	struct target_column target_columns[4];
	struct source_table before;
	struct table table;
	struct table_override override;
	struct schema_value values[4];
	struct schema_question question;
	struct schema_change change;
};

static struct source_column
column(int attnum, const char *name, uint32_t type, const char *formatted)
{
	return (struct source_column){
		.attnum = attnum,
		.name = TEXT(name),
		.type = type,
		.typmod = -1,
		.typtype = 'b',
		.base_typtype = 'b',
		.type_schema = TEXT("pg_catalog"),
		.type_name = TEXT(formatted),
		.formatted = TEXT(formatted),
		.base_schema = TEXT("pg_catalog"),
		.base_name = TEXT(formatted),
		.base_formatted = TEXT(formatted),
		.builtin = true,
		.exists_at_target = true,
		.base_exists_at_target = true,
	};
}

static struct target_column
target(const char *name, const char *formatted)
{
	return (struct target_column){.name = TEXT(name), .formatted = TEXT(formatted)};
}

/* public.t (id integer PRIMARY KEY, a text, b integer), the same on both sides. */
static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){0};
	f.before_columns[0] = column(1, "id", 23, "integer");
	f.before_columns[0].primary_position = 1;
	f.before_columns[0].not_null = true;
	f.before_columns[1] = column(2, "a", 25, "text");
	f.before_columns[2] = column(3, "b", 23, "integer");
	memcpy(f.after_columns, f.before_columns, sizeof f.after_columns);
	f.target_columns[0] = target("id", "integer");
	f.target_columns[0].not_null = true;
	f.target_columns[0].key_position = 1;
	f.target_columns[1] = target("a", "text");
	f.target_columns[2] = target("b", "integer");
	f.before = (struct source_table){
		.schema = TEXT("public"), .name = TEXT("t"), .columns = f.before_columns, .column_count = 3};
	f.table.source = f.before;
	f.table.source.columns = f.after_columns;
	f.table.target = (struct target_table){
		.exists = true, .columns = f.target_columns, .column_count = 3, .primary_name = TEXT("t_pkey")};
	f.table.target_schema = TEXT("public");
	f.table.target_name = TEXT("t");
	f.question = (struct schema_question){
		.dialect = &dialect_postgresql, .before = &f.before, .table = &f.table, .values = f.values};
	*state = &f;
	return 0;
}

static void
assert_plan(struct fixture *f, enum schema_verdict verdict, const char *sql)
{
	schema_change_plan(&f->change, &f->question);
	if (sql)
		assert_string_equal((const char *) f->change.sql.data, sql);
	assert_int_equal(f->change.verdict, verdict);
	schema_change_fini(&f->change);
}

static void
test_nothing(void **state)
{
	assert_plan(*state, SCHEMA_FITS, "");
}

static void
test_added(void **state)
{
	struct fixture *f = *state;

	f->after_columns[3] = column(4, "c \"x\"", 23, "integer");
	f->table.source.column_count = 4;
	f->values[3] = (struct schema_value){.known = true};
	assert_plan(f, SCHEMA_ALTER, TARGET "ADD COLUMN \"c \"\"x\"\"\" integer;\n");
	f->values[3].text = TEXT("it's");
	f->after_columns[3].not_null = true;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "ADD COLUMN \"c \"\"x\"\"\" integer DEFAULT 'it''s'::integer NOT NULL;\n");
	f->values[3].known = false;
	assert_plan(f, SCHEMA_COPY, NULL);
	f->question.common_only = true;
	assert_plan(f, SCHEMA_FITS, "");
}

/* The target has it: nobody knows with which values. */
static void
test_added_before(void **state)
{
	struct fixture *f = *state;

	f->after_columns[3] = column(4, "c", 23, "integer");
	f->table.source.column_count = 4;
	f->values[3].known = true;
	f->target_columns[3] = target("c", "integer");
	f->table.target.column_count = 4;
	assert_plan(f, SCHEMA_COPY, NULL);
	f->question.emptied = true;
	assert_plan(f, SCHEMA_FITS, "");
}

static void
test_dropped(void **state)
{
	struct fixture *f = *state;

	f->table.source.column_count = 2;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP COLUMN \"b\";\n");
	f->question.needed_only = true;
	assert_plan(f, SCHEMA_FITS, "");
	f->target_columns[2].not_null = true;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP COLUMN \"b\";\n");
}

/* A new column under an old name is another one. */
static void
test_dropped_and_added(void **state)
{
	struct fixture *f = *state;

	f->after_columns[2].attnum = 4;
	f->values[2].known = true;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP COLUMN \"b\";\n" TARGET "ADD COLUMN \"b\" integer;\n");
}

static void
test_renamed(void **state)
{
	struct fixture *f = *state;

	f->after_columns[1].name = TEXT("aa");
	assert_plan(f, SCHEMA_ALTER, TARGET "RENAME COLUMN \"a\" TO \"aa\";\n");
	/* Done by somebody already. */
	f->target_columns[1].name = TEXT("aa");
	assert_plan(f, SCHEMA_FITS, "");
}

static void
test_renamed_onto_another(void **state)
{
	struct fixture *f = *state;

	f->after_columns[1].name = TEXT("own");
	f->target_columns[3] = target("own", "text");
	f->table.target.column_count = 4;
	assert_plan(f, SCHEMA_REFUSE,
				TARGET "RENAME COLUMN \"own\" TO \"own_before\";\n" TARGET
					   "RENAME COLUMN \"a\" TO \"own\";\n");
}

/* The target has lost a column, or the configuration selects one under its new name. */
static void
test_lost(void **state)
{
	struct fixture *f = *state;
	char *names[] = {TEXT("id"), TEXT("aa")};

	f->table.target.column_count = 2;
	assert_plan(f, SCHEMA_COPY, NULL);
	f->question.emptied = true;
	assert_plan(f, SCHEMA_ALTER, TARGET "ADD COLUMN \"b\" integer;\n");
	f->question.common_only = true;
	assert_plan(f, SCHEMA_FITS, "");
	f->question.common_only = false;
	f->override.columns = (struct string_list){.items = names, .count = 2};
	f->table.override = &f->override;
	assert_plan(f, SCHEMA_FITS, "");
	f->after_columns[1].name = TEXT("aa");
	assert_plan(f, SCHEMA_ALTER, TARGET "RENAME COLUMN \"a\" TO \"aa\";\n");
}

static void
test_swapped(void **state)
{
	struct fixture *f = *state;

	f->after_columns[1].name = TEXT("b");
	f->after_columns[2].name = TEXT("a");
	assert_plan(f, SCHEMA_ALTER,
				TARGET "RENAME COLUMN \"a\" TO \"sluice_renamed_2\";\n" TARGET
					   "RENAME COLUMN \"b\" TO \"sluice_renamed_3\";\n" TARGET
					   "RENAME COLUMN \"sluice_renamed_2\" TO \"b\";\n" TARGET
					   "RENAME COLUMN \"sluice_renamed_3\" TO \"a\";\n");
}

/* With changes: ignore the target's columns keep their names, and would mix the values of both. */
static void
test_swapped_and_ignored(void **state)
{
	struct fixture *f = *state;

	f->question.common_only = true;
	f->after_columns[1].name = TEXT("b");
	assert_plan(f, SCHEMA_COPY, "");
	f->after_columns[2].name = TEXT("a");
	assert_plan(f, SCHEMA_COPY, "");
	f->question.emptied = true;
	assert_plan(f, SCHEMA_FITS, "");
	f->question.emptied = false;
	f->after_columns[1].name = TEXT("a");
	f->after_columns[2].name = TEXT("b");
	assert_plan(f, SCHEMA_FITS, "");
}

static void
test_retyped(void **state)
{
	struct fixture *f = *state;

	f->after_columns[2] = column(3, "b", 20, "bigint");
	assert_plan(f, SCHEMA_ALTER, TARGET "ALTER COLUMN \"b\" TYPE bigint USING \"b\"::bigint;\n");
	f->question.rewritten = true;
	assert_plan(f, SCHEMA_COPY, NULL);
	f->question.emptied = true;
	f->target_columns[2].has_default = true;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "ALTER COLUMN \"b\" DROP DEFAULT;\n" TARGET
					   "ALTER COLUMN \"b\" TYPE bigint USING NULL::bigint;\n");
	f->target_columns[2].formatted = TEXT("bigint");
	assert_plan(f, SCHEMA_FITS, "");
}

/* Greenplum alters a key's column only while there is no key. */
static void
test_retyped_key(void **state)
{
	struct fixture *f = *state;

	f->after_columns[0].type = 20;
	f->after_columns[0].type_name = f->after_columns[0].formatted = TEXT("bigint");
	f->after_columns[0].base_name = f->after_columns[0].base_formatted = TEXT("bigint");
	f->after_columns[0].name = TEXT("key");
	f->question.emptied = true;
	f->question.dialect = &dialect_greenplum6;
	f->target_columns[0].distribution_position = 1;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "DROP CONSTRAINT \"t_pkey\";\n" TARGET "RENAME COLUMN \"id\" TO \"key\";\n" TARGET
					   "ALTER COLUMN \"key\" TYPE bigint USING NULL::bigint;\n" TARGET
					   "ADD CONSTRAINT \"t_pkey\" PRIMARY KEY (\"key\");\n");
	/* Where the key is another one now, it is dropped in any case. */
	f->after_columns[2].primary_position = 2;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "DROP CONSTRAINT \"t_pkey\";\n" TARGET "RENAME COLUMN \"id\" TO \"key\";\n" TARGET
					   "ALTER COLUMN \"key\" TYPE bigint USING NULL::bigint;\n" TARGET
					   "ADD PRIMARY KEY (\"key\", \"b\");\n");
	f->after_columns[2].primary_position = 0;
	f->question.dialect = &dialect_postgresql;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "RENAME COLUMN \"id\" TO \"key\";\n" TARGET
					   "ALTER COLUMN \"key\" TYPE bigint USING NULL::bigint;\n");
}

/* So are its indexes. */
static void
test_retyped_indexed(void **state)
{
	static struct target_index indexes[] = {
		{.name = TEXT("public.t_b"),
		 .definition = TEXT("CREATE INDEX t_b ON public.t USING btree (b)"),
		 .columns = {3},
		 .column_count = 1,
		 .plain = true},
		{.name = TEXT("public.t_a"),
		 .definition = TEXT("CREATE INDEX t_a ON public.t USING btree (a)"),
		 .columns = {2},
		 .column_count = 1,
		 .plain = true},
		{.name = TEXT("public.u"),
		 .definition = TEXT("UNIQUE (id, b)"),
		 .constraint = TEXT("u"),
		 .columns = {1, 3},
		 .column_count = 2,
		 .plain = true},
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++)
		f->target_columns[i].attnum = (int) i + 1;
	f->table.target.indexes = indexes;
	f->table.target.index_count = 3;
	f->after_columns[2] = column(3, "b", 20, "bigint");
	f->question.emptied = true;
	f->question.dialect = &dialect_greenplum6;
	assert_plan(f, SCHEMA_ALTER,
				"DROP INDEX public.t_b;\n" TARGET "DROP CONSTRAINT \"u\";\n" TARGET
				"ALTER COLUMN \"b\" TYPE bigint USING NULL::bigint;\n"
				"CREATE INDEX t_b ON public.t USING btree (b);\n" TARGET
				"ADD CONSTRAINT \"u\" UNIQUE (id, b);\n");
}

/* What finds rows of a table without a key goes where values may be too long for an index. */
static void
test_retyped_found_by(void **state)
{
	static struct target_index indexes[] = {
		{.name = TEXT("public.t_sluice_idx"),
		 .definition = TEXT("CREATE INDEX t_sluice_idx ON public.t USING btree (b)"),
		 .columns = {3},
		 .column_count = 1,
		 .plain = true},
	};
	struct fixture *f = *state;

	for (unsigned i = 0; i < 3; i++)
		f->target_columns[i].attnum = (int) i + 1;
	f->table.target.indexes = indexes;
	f->table.target.index_count = 1;
	f->after_columns[2] = column(3, "b", 25, "text");
	assert_plan(f, SCHEMA_ALTER,
				"DROP INDEX public.t_sluice_idx;\n" TARGET
				"ALTER COLUMN \"b\" TYPE text USING \"b\"::text;\n");
	f->question.dialect = &dialect_greenplum6;
	assert_plan(f, SCHEMA_ALTER,
				"DROP INDEX public.t_sluice_idx;\n" TARGET
				"ALTER COLUMN \"b\" TYPE text USING \"b\"::text;\n");
	f->question.dialect = &dialect_postgresql;
	indexes[0].name = TEXT("public.\"T_sluice_idx\"");
	assert_plan(f, SCHEMA_ALTER,
				"DROP INDEX public.\"T_sluice_idx\";\n" TARGET
				"ALTER COLUMN \"b\" TYPE text USING \"b\"::text;\n");
	indexes[0].name = TEXT("public.t_b_idx");
	assert_plan(f, SCHEMA_ALTER, TARGET "ALTER COLUMN \"b\" TYPE text USING \"b\"::text;\n");
	indexes[0].name = TEXT("public.t_sluice_idx");
	f->after_columns[2] = column(3, "b", 20, "bigint");
	f->after_columns[2].base_name = TEXT("int8");
	assert_plan(f, SCHEMA_ALTER, TARGET "ALTER COLUMN \"b\" TYPE bigint USING \"b\"::bigint;\n");
}

/* A type that somebody chose for the target is not ours to change. */
static void
test_retyped_otherwise(void **state)
{
	struct fixture *f = *state;

	f->after_columns[2] = column(3, "b", 20, "bigint");
	f->target_columns[2].formatted = TEXT("text");
	assert_plan(f, SCHEMA_FITS, "");
	f->target_columns[2].formatted = TEXT("numeric");
	assert_plan(f, SCHEMA_REFUSE, TARGET "ALTER COLUMN \"b\" TYPE bigint USING \"b\"::bigint;\n");
}

static void
test_not_null(void **state)
{
	struct fixture *f = *state;

	f->after_columns[2].not_null = true;
	assert_plan(f, SCHEMA_ALTER, TARGET "ALTER COLUMN \"b\" SET NOT NULL;\n");
	f->question.needed_only = true;
	assert_plan(f, SCHEMA_FITS, "");
	f->before_columns[2].not_null = f->target_columns[2].not_null = true;
	f->after_columns[2].not_null = false;
	assert_plan(f, SCHEMA_ALTER, TARGET "ALTER COLUMN \"b\" DROP NOT NULL;\n");
}

static void
test_primary_key(void **state)
{
	struct fixture *f = *state;

	f->after_columns[2].primary_position = 2;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "DROP CONSTRAINT \"t_pkey\";\n" TARGET "ADD PRIMARY KEY (\"id\", \"b\");\n");
	f->target_columns[1].distribution_position = 1;
	f->question.dialect = &dialect_greenplum6;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP CONSTRAINT \"t_pkey\";\n");
	f->target_columns[1].distribution_position = 0;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP CONSTRAINT \"t_pkey\";\n");
	f->target_columns[0].distribution_position = 1;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "DROP CONSTRAINT \"t_pkey\";\n" TARGET "ADD PRIMARY KEY (\"id\", \"b\");\n");
	f->table.target.storage = TARGET_AO_ROW;
	f->table.target.primary_name = NULL;
	assert_plan(f, SCHEMA_FITS, "");
}

/* Moved at both ends in the same way: the constraint's name is that of before, or another one. */
static void
test_primary_key_there(void **state)
{
	struct fixture *f = *state;

	f->before_columns[2].not_null = f->after_columns[2].not_null = f->target_columns[2].not_null = true;
	f->after_columns[0].primary_position = 0;
	f->after_columns[2].primary_position = 1;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP CONSTRAINT \"t_pkey\";\n" TARGET "ADD PRIMARY KEY (\"b\");\n");
	f->question.needed_only = true;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP CONSTRAINT \"t_pkey\";\n");
	f->target_columns[0].key_position = 0;
	f->target_columns[2].key_position = 1;
	assert_plan(f, SCHEMA_FITS, "");
	f->question.needed_only = false;
	assert_plan(f, SCHEMA_FITS, "");
	/* Renamed as well, which the target has yet to follow. */
	f->after_columns[2].name = TEXT("key");
	assert_plan(f, SCHEMA_ALTER, TARGET "RENAME COLUMN \"b\" TO \"key\";\n");
}

/* A key over more columns than the source's is never violated by its rows, unless one of them may be NULL. */
static void
test_primary_key_wider(void **state)
{
	struct fixture *f = *state;

	f->before_columns[2].primary_position = 2;
	f->before_columns[2].not_null = f->after_columns[2].not_null = f->target_columns[2].not_null = true;
	f->target_columns[2].key_position = 2;
	f->question.needed_only = true;
	assert_plan(f, SCHEMA_FITS, "");
	f->after_columns[2].not_null = false;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "DROP CONSTRAINT \"t_pkey\";\n" TARGET "ALTER COLUMN \"b\" DROP NOT NULL;\n");
	/* And without any key at the source every key is too much. */
	f->after_columns[2].not_null = true;
	f->after_columns[0].primary_position = 0;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP CONSTRAINT \"t_pkey\";\n");
}

static void
test_table_renamed(void **state)
{
	struct fixture *f = *state;

	f->table.source.name = TEXT("u");
	assert_plan(f, SCHEMA_ALTER, TARGET "RENAME TO \"u\";\n");
	f->table.source.schema = TEXT("s");
	assert_plan(f, SCHEMA_ALTER,
				TARGET "RENAME TO \"u\";\nCREATE SCHEMA IF NOT EXISTS \"s\";\n"
					   "ALTER TABLE \"public\".\"u\" SET SCHEMA \"s\";\n");
	/* The task's own. */
	f->table.source.schema = TEXT("sluice");
	assert_plan(f, SCHEMA_REFUSE, "");
	f->table.source.schema = TEXT("s");
	f->table.override = &f->override;
	assert_plan(f, SCHEMA_REFUSE, NULL);
	/* The override has been looked up by the new name, and its target may have a name of its own. */
	f->question.emptied = true;
	assert_plan(f, SCHEMA_ALTER,
				TARGET "RENAME TO \"u\";\nCREATE SCHEMA IF NOT EXISTS \"s\";\n"
					   "ALTER TABLE \"public\".\"u\" SET SCHEMA \"s\";\n");
	f->override.target = TEXT("public.t");
	assert_plan(f, SCHEMA_FITS, "");
}

static void
test_configured(void **state)
{
	struct fixture *f = *state;
	char *names[] = {TEXT("a")};

	f->override.key = (struct string_list){.items = names, .count = 1};
	f->table.override = &f->override;
	f->after_columns[1].name = TEXT("aa");
	assert_plan(f, SCHEMA_REFUSE, NULL);
	f->after_columns[1].name = TEXT("a");
	f->after_columns[2].name = TEXT("bb");
	assert_plan(f, SCHEMA_ALTER, TARGET "RENAME COLUMN \"b\" TO \"bb\";\n");
	f->override.where = TEXT("bb > 1 AND c_b = 'bé'");
	assert_plan(f, SCHEMA_ALTER, TARGET "RENAME COLUMN \"b\" TO \"bb\";\n");
	f->override.where = TEXT("id > 1 AND B=2");
	assert_plan(f, SCHEMA_REFUSE, NULL);
	f->override.where = TEXT("\"b\" > 1");
	assert_plan(f, SCHEMA_REFUSE, NULL);
}

/* The override fits the new column, but the rows there were selected by the old one. */
static void
test_configured_and_replaced(void **state)
{
	struct fixture *f = *state;

	f->override.where = TEXT("b > 1");
	f->table.override = &f->override;
	f->after_columns[2].attnum = 4;
	f->values[2].known = true;
	assert_plan(f, SCHEMA_COPY, NULL);
	f->question.emptied = true;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP COLUMN \"b\";\n" TARGET "ADD COLUMN \"b\" integer;\n");
}

static void
test_key_left_out(void **state)
{
	struct fixture *f = *state;
	char *names[] = {TEXT("id"), TEXT("a")};

	f->override.columns = (struct string_list){.items = names, .count = 2};
	f->table.override = &f->override;
	assert_plan(f, SCHEMA_FITS, "");
	f->after_columns[0].primary_position = 0;
	f->after_columns[1].primary_position = 1;
	f->after_columns[1].not_null = true;
	assert_plan(f, SCHEMA_ALTER, NULL);
	f->after_columns[1].primary_position = 0;
	f->after_columns[2].primary_position = 1;
	f->after_columns[2].not_null = true;
	assert_plan(f, SCHEMA_REFUSE, NULL);
	/* Rows are found by another key, but the target's key does not hold any more. */
	f->override.key = (struct string_list){.items = names, .count = 1};
	f->after_columns[1].not_null = false;
	assert_plan(f, SCHEMA_ALTER, TARGET "DROP CONSTRAINT \"t_pkey\";\n");
}

/* ---- definitions */

static void
test_text(void **state)
{
	struct fixture *f = *state;
	struct source_table read;
	struct buffer text;

	f->before.identity = 'f';
	f->before.storage = TEXT("4711");
	f->before_columns[1].name = TEXT(" two\nlines \\n ");
	f->before_columns[2].version = 4000000000;
	f->before_columns[0].default_sql = TEXT("'a\n\\'");
	f->before_columns[2].default_sql = TEXT("");
	buffer_init(&text, 4096, NULL, NULL);
	stored_definition_put(&text, &f->before);
	buffer_put_u8(&text, '\0');
	assert_true(stored_definition_parse((const char *) text.data, &read));
	read.schema = strdup("public");
	read.name = strdup("t");
	assert_int_equal(read.identity, 'f');
	assert_string_equal(read.storage, "4711");
	assert_true(stored_definition_same(&read, &f->before));
	assert_int_equal(read.columns[2].version, 4000000000);
	assert_string_equal(read.columns[0].default_sql, "'a\n\\'");
	assert_null(read.columns[1].default_sql);
	assert_string_equal(read.columns[2].default_sql, "");
	assert_false(stored_definition_moved(&f->before, &read));
	source_table_free(&read);
	buffer_fini(&text);
	assert_false(stored_definition_parse("", &read));
	assert_false(stored_definition_parse("2 d 1", &read));
	assert_false(stored_definition_parse("1 d 1\n1 23", &read));
	assert_false(stored_definition_parse("1 d 1\n=7", &read));
}

static void
test_rewritten(void **state)
{
	struct fixture *f = *state;
	struct source_table *now = &f->table.source;

	f->before.storage = TEXT("1");
	now->storage = TEXT("1");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	assert_false(stored_definition_moved(&f->before, now));
	/* VACUUM FULL, TRUNCATE */
	now->storage = TEXT("2");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	assert_true(stored_definition_moved(&f->before, now));
	/* ALTER TYPE … USING */
	f->after_columns[2].version = 9;
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_VALUES);
	/* a new default */
	now->storage = TEXT("1");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	assert_true(stored_definition_moved(&f->before, now));
}

static void
test_partitions(void **state)
{
	struct fixture *f = *state;
	struct source_table *now = &f->table.source;

	now->partitioned = f->before.partitioned = true;
	f->before.storage = TEXT("10:1,11:2!");
	now->storage = TEXT("10:5,11:2!,12:3");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	now->storage = TEXT("10:1,11:2!,12:3!");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_PARTITIONS);
	now->storage = TEXT("110:1,11:2!");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_PARTITIONS);
	/* What may have been a table, if the server was started since. */
	f->before.storage = TEXT("start:5,10:1?");
	now->storage = TEXT("start:5,10:1?,12:3?");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	now->storage = TEXT("start:55,10:1,12:3");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	now->storage = TEXT("start:55,10:1!");
	assert_true(stored_definition_same_files(&f->before, now));
	assert_true(stored_definition_moved(&f->before, now));
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	now->storage = TEXT("start:55,10:1?,12:3?");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_PARTITIONS);
	f->before.storage = TEXT("start:55");
	now->storage = TEXT("start:55,12:3!");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_PARTITIONS);
	f->before.storage = TEXT("10:1?");
	now->storage = TEXT("start:55,10:1?,12:3?");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_PARTITIONS);
	/* A column that was added marks the partitions, too: the files are the same. */
	f->before.storage = TEXT("10:1,11:2!");
	now->storage = TEXT("10:1!,11:2!");
	f->after_columns[2].version = 9;
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
	assert_true(stored_definition_same_files(&f->before, now));
	assert_true(stored_definition_moved(&f->before, now));
	f->after_columns[2].version = 0;
	now->storage = TEXT("10:1!,11:2!,12:1");
	assert_false(stored_definition_same_files(&f->before, now));
	now->storage = TEXT("10:1!,11:22!");
	assert_false(stored_definition_same_files(&f->before, now));
	now->storage = TEXT("");
	f->before.storage = TEXT("");
	assert_int_equal(stored_definition_rewritten(&f->before, now), REWRITE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing, setup),
		cmocka_unit_test_setup(test_added, setup),
		cmocka_unit_test_setup(test_added_before, setup),
		cmocka_unit_test_setup(test_dropped, setup),
		cmocka_unit_test_setup(test_dropped_and_added, setup),
		cmocka_unit_test_setup(test_renamed, setup),
		cmocka_unit_test_setup(test_renamed_onto_another, setup),
		cmocka_unit_test_setup(test_lost, setup),
		cmocka_unit_test_setup(test_swapped, setup),
		cmocka_unit_test_setup(test_swapped_and_ignored, setup),
		cmocka_unit_test_setup(test_retyped, setup),
		cmocka_unit_test_setup(test_retyped_key, setup),
		cmocka_unit_test_setup(test_retyped_indexed, setup),
		cmocka_unit_test_setup(test_retyped_found_by, setup),
		cmocka_unit_test_setup(test_retyped_otherwise, setup),
		cmocka_unit_test_setup(test_not_null, setup),
		cmocka_unit_test_setup(test_primary_key, setup),
		cmocka_unit_test_setup(test_primary_key_there, setup),
		cmocka_unit_test_setup(test_primary_key_wider, setup),
		cmocka_unit_test_setup(test_table_renamed, setup),
		cmocka_unit_test_setup(test_configured, setup),
		cmocka_unit_test_setup(test_configured_and_replaced, setup),
		cmocka_unit_test_setup(test_key_left_out, setup),
		cmocka_unit_test_setup(test_text, setup),
		cmocka_unit_test_setup(test_rewritten, setup),
		cmocka_unit_test_setup(test_partitions, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
