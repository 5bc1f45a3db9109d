#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "dialect/dialect.h"
#include "schema/schema_decision.h"

/* A string constant for a struct that elsewhere owns its strings. */
#define TEXT(string) ((char *) (uintptr_t) (string))

/* What happened at the source. */
enum event {
	NOTHING,
	ADDED,				 /* a column without a default */
	ADDED_AND_REWRITTEN, /* the same, and its files are others */
	DROPPED,			 /* a column that the target may leave */
	RETYPED,
	REWRITTEN, /* the values of a column, without another type */
	NOT_NULL_ADDED,
	RENAMED, /* the table */
	TYPE_GONE,
	TABLE_GONE, /* by now, after it got a column */
	KEY_LOST,	/* the identity is FULL, and the target has a column of its own */
};

enum {
	EMPTIED = 1,
	SHARED = 2,
	FITS = 4,
	APPEND = 8,
	COPY_NONE = 16,
	OLD_OVERRIDE = 32,
	NEW_OVERRIDE = 64,
	OWN_TARGET = 128
};

struct fixture {
	struct source_column stored_columns[4], columns[4];
	struct target_column target_columns[4];
	struct source_table stored, today;
	struct table table;
	struct schema_value values[4];
	struct table_override override;
	struct config config;
	struct schema_case c;
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

/* public.t (id integer PRIMARY KEY, a integer), the same on both sides. */
static void
begin(struct fixture *f)
{
	*f = (struct fixture){0};
	f->stored_columns[0] = column(1, "id", 23, "integer");
	f->stored_columns[0].primary_position = 1;
	f->stored_columns[0].not_null = true;
	f->stored_columns[1] = column(2, "a", 23, "integer");
	memcpy(f->columns, f->stored_columns, sizeof f->columns);
	f->target_columns[0] = target("id", "integer");
	f->target_columns[0].not_null = true;
	f->target_columns[0].key_position = 1;
	f->target_columns[1] = target("a", "integer");
	f->stored = (struct source_table){.schema = TEXT("public"),
									  .name = TEXT("t"),
									  .storage = TEXT("1"),
									  .columns = f->stored_columns,
									  .column_count = 2};
	f->table.source = f->stored;
	f->table.source.columns = f->columns;
	f->table.target = (struct target_table){
		.exists = true, .columns = f->target_columns, .column_count = 2, .primary_name = TEXT("t_pkey")};
	f->table.target_schema = TEXT("public");
	f->table.target_name = TEXT("t");
	f->table.defined = &f->stored;
	f->config.initial_copy.existing = COPY_EXISTING_CLEAR;
	f->c = (struct schema_case){.config = &f->config,
								.dialect = &dialect_postgresql,
								.stored = &f->stored,
								.table = &f->table,
								.today = &f->today,
								.values = f->values};
}

static void
happen(struct fixture *f, enum event event)
{
	struct source_table *source = &f->table.source;

	switch (event) {
	case NOTHING:
		break;
	case ADDED_AND_REWRITTEN:
		source->storage = TEXT("2");
		/* fallthrough */
	case ADDED:
	case TABLE_GONE:
	case NOT_NULL_ADDED:
		f->columns[2] = column(3, "c", 23, "integer");
		f->columns[2].not_null = event == NOT_NULL_ADDED;
		source->column_count = 3;
		f->values[2].known = true;
		f->target_columns[2] = target("c", "integer");
		break;
	case DROPPED:
		source->column_count = 1;
		break;
	case RETYPED:
		f->columns[1] = column(2, "a", 20, "bigint");
		f->columns[1].version = 7;
		source->storage = TEXT("2");
		break;
	case REWRITTEN:
		f->columns[1].version = 7;
		source->storage = TEXT("2");
		break;
	case RENAMED:
		source->name = TEXT("u");
		f->table.row = TABLE_ROW_RENAMED;
		break;
	case KEY_LOST:
		f->columns[0].primary_position = 0;
		source->identity = 'f';
		f->table.operations = OPERATION_UPDATE;
		f->target_columns[2] = target("own", "text");
		f->table.target.column_count = 3;
		break;
	case TYPE_GONE:
		f->columns[1].formatted = f->columns[1].type_name = NULL;
		f->c.types_gone = true;
		break;
	}
	f->today = *source;
	if (event == TABLE_GONE)
		f->c.today = NULL;
}

static void
set(struct fixture *f, unsigned circumstances)
{
	f->c.emptied = circumstances & EMPTIED;
	f->c.shared = circumstances & SHARED;
	if (circumstances & FITS)
		f->table.target.column_count = 3;
	if (circumstances & APPEND)
		f->config.initial_copy.existing = COPY_EXISTING_APPEND;
	if (circumstances & COPY_NONE)
		f->config.initial_copy.mode = COPY_MODE_NONE;
	if (circumstances & OLD_OVERRIDE) {
		f->override.source = TEXT("public.t");
		f->config.tables.overrides = &f->override;
		f->config.tables.override_count = 1;
	}
	if (circumstances & NEW_OVERRIDE) {
		f->override.source = TEXT("public.u");
		f->override.target = circumstances & OWN_TARGET ? TEXT("public.t") : NULL;
		f->config.tables.overrides = &f->override;
		f->config.tables.override_count = 1;
		f->table.override = f->c.emptied ? &f->override : NULL;
	}
}

#define ADD_C "ALTER TABLE \"public\".\"t\" ADD COLUMN \"c\" integer"
#define BY_ITSELF "; when the target public.t fits, the table is copied again by itself"
#define DO ": do what it needs: "
#define STOP "its definition changed, and schema.changes is stop"
#define IGNORE "its definition changed so that its rows do not fit any more"
#define REWRITE "the source rewrote its rows, which is not in the stream"
#define LOST_KEY                                                                                             \
	"an update would lose the values of own, since public.t has no key by which the row could be found: "    \
	"name the columns that tell its rows apart as \"key\" of tables.overrides, give it a primary key, "      \
	"leave "                                                                                                 \
	"update out of its \"operations\", or drop the columns there"

static const struct decided {
	enum event event;
	unsigned circumstances;
	enum schema_changes changes;
	enum schema_action action;
	const char *text; /* the statements' beginning, or the whole reason; NULL: none */
} cases[] = {
	{NOTHING, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_ADOPT, NULL},
	{NOTHING, EMPTIED, SCHEMA_CHANGES_STOP, SCHEMA_ADOPT, NULL},
	/* in the stream */
	{ADDED, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE, ADD_C},
	{ADDED, 0, SCHEMA_CHANGES_STOP, SCHEMA_HOLD, STOP DO ADD_C BY_ITSELF},
	{ADDED, 0, SCHEMA_CHANGES_IGNORE, SCHEMA_ADOPT, NULL},
	{ADDED, FITS, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN,
	 "column \"c\" is new, and the target had one of that name"},
	{ADDED_AND_REWRITTEN, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN,
	 "column \"c\" is new, and the values of existing rows cannot be determined"},
	{TABLE_GONE, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN,
	 "column \"c\" is new, and the values of existing rows cannot be determined"},
	{DROPPED, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE, "ALTER TABLE \"public\".\"t\" DROP COLUMN \"a\""},
	{DROPPED, 0, SCHEMA_CHANGES_STOP, SCHEMA_ADOPT, NULL},
	{RETYPED, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN, REWRITE},
	{REWRITTEN, 0, SCHEMA_CHANGES_IGNORE, SCHEMA_COPY_AGAIN, REWRITE},
	{RENAMED, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE, "ALTER TABLE \"public\".\"t\" RENAME TO \"u\""},
	{RENAMED, 0, SCHEMA_CHANGES_STOP, SCHEMA_HOLD,
	 STOP DO "ALTER TABLE \"public\".\"t\" RENAME TO \"u\"" BY_ITSELF},
	{RENAMED, NEW_OVERRIDE, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN,
	 "it was renamed at the source, and has another override"},
	{TYPE_GONE, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN,
	 "the type of a column is gone from the source meanwhile"},
	/* held at the first change of a row: see test_lost_key() */
	{KEY_LOST, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE,
	 "ALTER TABLE \"public\".\"t\" DROP CONSTRAINT \"t_pkey\""},
	/* where the rows do not count */
	{KEY_LOST, EMPTIED, SCHEMA_CHANGES_FOLLOW, SCHEMA_HOLD, LOST_KEY "; then it is copied again by itself"},
	{ADDED, EMPTIED, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE, ADD_C},
	{ADDED, EMPTIED, SCHEMA_CHANGES_STOP, SCHEMA_HOLD, STOP DO ADD_C BY_ITSELF},
	{ADDED, EMPTIED | FITS, SCHEMA_CHANGES_STOP, SCHEMA_ADOPT, NULL},
	{NOT_NULL_ADDED, EMPTIED, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE, ADD_C " NOT NULL"},
	{NOT_NULL_ADDED, EMPTIED, SCHEMA_CHANGES_STOP, SCHEMA_HOLD, STOP DO ADD_C BY_ITSELF},
	{RETYPED, EMPTIED, SCHEMA_CHANGES_IGNORE, SCHEMA_HOLD,
	 IGNORE DO
	 "TRUNCATE ONLY \"public\".\"t\"; ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" TYPE bigint USING "
	 "NULL::bigint" BY_ITSELF},
	{TABLE_GONE, EMPTIED | FITS, SCHEMA_CHANGES_FOLLOW, SCHEMA_ADOPT, NULL},
	{RENAMED, EMPTIED | NEW_OVERRIDE, SCHEMA_CHANGES_FOLLOW, SCHEMA_EXECUTE,
	 "ALTER TABLE \"public\".\"t\" RENAME TO \"u\""},
	{RENAMED, EMPTIED | NEW_OVERRIDE | OWN_TARGET, SCHEMA_CHANGES_FOLLOW, SCHEMA_ADOPT, NULL},
	{RENAMED, EMPTIED | OLD_OVERRIDE, SCHEMA_CHANGES_FOLLOW, SCHEMA_HOLD,
	 "it was renamed at the source: give its override in the configuration the new name; the table is then "
	 "copied "
	 "again"},
	{NOTHING, EMPTIED | COPY_NONE, SCHEMA_CHANGES_FOLLOW, SCHEMA_HOLD,
	 "its rows have to be copied again, and initial_copy.mode is none: with full the table is copied again "
	 "by itself"},
	{NOTHING, EMPTIED | APPEND, SCHEMA_CHANGES_FOLLOW, SCHEMA_HOLD,
	 "its rows have to be copied again, which clears the target, and initial_copy.existing is append: with "
	 "clear the "
	 "table is copied again by itself"},
	{NOTHING, EMPTIED | SHARED | APPEND, SCHEMA_CHANGES_FOLLOW, SCHEMA_HOLD,
	 "its rows have to be copied again, and other tables feed the target, too: take it out with \"sluice "
	 "table "
	 "remove\", delete its rows at the target, and let \"sluice table add\" bring it back"},
};

static void
assert_decision(const struct schema_decision *decision, const struct decided *expected, size_t number)
{
	bool reason = expected->action == SCHEMA_HOLD || expected->action == SCHEMA_COPY_AGAIN;
	const char *sql = decision->change.sql.data ? (const char *) decision->change.sql.data : "";

	if (decision->action != expected->action)
		fail_msg("case %zu: action %d instead of %d: %s", number, decision->action, expected->action,
				 decision->reason);
	if (reason)
		assert_string_equal(decision->reason, expected->text);
	else if (expected->text)
		assert_memory_equal(sql, expected->text, strlen(expected->text));
	else
		assert_string_equal(sql, "");
}

static void
test_cases(void **state)
{
	(void) state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct schema_decision decision;
		struct fixture f;

		begin(&f);
		f.config.schema.changes = cases[i].changes;
		happen(&f, cases[i].event);
		set(&f, cases[i].circumstances);
		schema_decision_make(&decision, &f.c);
		assert_decision(&decision, &cases[i], i);
		schema_decision_fini(&decision);
	}
}

static void
test_refused(void **state)
{
	struct schema_decision decision;
	struct fixture f;

	(void) state;
	begin(&f);
	happen(&f, NOT_NULL_ADDED);
	set(&f, EMPTIED);
	schema_decision_make(&decision, &f.c);
	schema_decision_refused(&decision, &f.c, &(struct error){.message = "no"});
	assert_int_equal(decision.action, SCHEMA_HOLD);
	assert_string_equal(decision.reason, "no: remove there what is in the way" DO
										 "TRUNCATE ONLY \"public\".\"t\"; " ADD_C " NOT NULL" BY_ITSELF);
	schema_decision_fini(&decision);
}

/* A start leaves to the stream what it will come to. */
static void
test_start(void **state)
{
	static const struct decided starts[] = {
		{NOTHING, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_ADOPT, NULL},
		{ADDED, 0, SCHEMA_CHANGES_STOP, SCHEMA_ADOPT, NULL},
		{RENAMED, 0, SCHEMA_CHANGES_STOP, SCHEMA_ADOPT, NULL},
		{REWRITTEN, 0, SCHEMA_CHANGES_FOLLOW, SCHEMA_COPY_AGAIN, REWRITE},
		{RENAMED, OLD_OVERRIDE, SCHEMA_CHANGES_FOLLOW, SCHEMA_HOLD,
		 "it was renamed at the source: give its override in the configuration the new name; the table is "
		 "then copied "
		 "again"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		struct schema_decision decision;
		struct fixture f;

		begin(&f);
		f.config.schema.changes = starts[i].changes;
		happen(&f, starts[i].event);
		set(&f, starts[i].circumstances);
		schema_decision_make_at_start(&decision, &f.config, &f.table);
		assert_decision(&decision, &starts[i], i);
		schema_decision_fini(&decision);
	}
}

/* What the precheck and the stream ask of a table whose key is gone. */
static void
test_lost_key(void **state)
{
	char reason[ERROR_MESSAGE_MAX];
	struct buffer sentence;
	struct fixture f;

	(void) state;
	begin(&f);
	happen(&f, KEY_LOST);
	memory_buffer_init(&sentence);
	assert_true(schema_decision_put_lost_values(&sentence, &f.table, NULL));
	assert_int_equal(sentence.len, strlen(LOST_KEY));
	assert_memory_equal(sentence.data, LOST_KEY, sentence.len);
	assert_true(schema_decision_lost_key(&f.table, NULL, reason));
	assert_string_equal(reason, LOST_KEY "; then it is copied again by itself");
	/* A column that the source had under another name is not the target's own. */
	f.stored_columns[1].name = TEXT("own");
	assert_false(schema_decision_lost_key(&f.table, &f.stored, reason));
	/* Without updates nothing is lost; a key of the configuration finds the rows. */
	f.table.operations = OPERATION_INSERT | OPERATION_DELETE;
	assert_false(schema_decision_lost_key(&f.table, NULL, reason));
	f.table.operations = OPERATION_UPDATE;
	f.override.key = (struct string_list){.items = (char *[]){TEXT("id")}, .count = 1};
	f.table.override = &f.override;
	assert_false(schema_decision_lost_key(&f.table, NULL, reason));
	f.table.override = NULL;
	f.table.source.identity = 'd';
	assert_true(schema_decision_lost_key(&f.table, NULL, reason));
	assert_memory_equal(reason, "it has lost its replica identity", 32);
	buffer_fini(&sentence);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_lost_key),
		cmocka_unit_test(test_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
