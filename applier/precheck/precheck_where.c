/*
 * Tries conditions on rows at the source. The plugin accepts what a partial index accepts, without
 * user-defined functions. So a temporary table with the same columns gets such an index, in a transaction
 * that is rolled back, and the source's catalog then shows what the condition refers to.
 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "precheck_item.h"
#include "tables/mapping.h"

#define INSUFFICIENT_PRIVILEGE "42501"
#define READ_ONLY "25006"

/* What was found out about a condition. */
struct condition {
	const char *calls;			/* a user-defined function or operator; NULL: none */
	struct string_list columns; /* columns that the condition uses */
	struct string_list large;	/* columns of the table whose values may be stored out of line (TOAST) */
};

/* The temporary table has the source table's name, since a condition may use it: orders.region. */
static void
put_trial(struct buffer *sql, const struct table *table)
{
	buffer_printf(sql, "BEGIN; CREATE TEMP TABLE ");
	sql_identifier(sql, table->source.name);
	buffer_printf(sql, " (LIKE ");
	sql_qualified(sql, table->source.schema, table->source.name);
	buffer_printf(sql, "); CREATE INDEX sluice_where ON pg_temp.");
	sql_identifier(sql, table->source.name);
	buffer_printf(sql, " ((1)) WHERE (%s\n)", mapping_where(table));
	/*
	 * Tried with and without parentheses: a condition with unbalanced ones, such as "a) OR (b", fails in one
	 * of them.
	 */
	buffer_printf(sql, "; CREATE INDEX ON pg_temp.");
	sql_identifier(sql, table->source.name);
	buffer_printf(sql, " ((1)) WHERE %s\n", mapping_where(table));
	buffer_put_u8(sql, '\0');
}

/*
 * Columns that the condition uses, user-defined functions that it calls, and columns that may be stored
 * out of line.
 */
static const char references_sql[] =
	"SELECT CASE WHEN a.attname IS NULL THEN 'calls' ELSE 'column' END, coalesce(a.attname,"
	"  pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid))"
	" FROM pg_depend d LEFT JOIN pg_attribute a ON d.refclassid = 'pg_class'::regclass"
	"  AND a.attrelid = d.refobjid AND a.attnum = d.refobjsubid AND a.attnum <> 0"
	" WHERE d.classid = 'pg_class'::regclass AND d.objid = 'pg_temp.sluice_where'::regclass"
	"  AND (a.attnum IS NOT NULL OR d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))"
	" UNION ALL SELECT 'large', a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid"
	"  AND a.attnum > 0 AND a.attstorage <> 'p' WHERE i.indexrelid = 'pg_temp.sluice_where'::regclass";

static void
list_add(struct string_list *list, char *item)
{
	list->items[list->count++] = item;
}

static void
read_references(struct precheck_context *c, const struct result *res, struct condition *condition)
{
	condition->columns.items = arena_alloc(&c->memory, (result_rows(res) + 1) * sizeof(char *));
	condition->large.items = arena_alloc(&c->memory, (result_rows(res) + 1) * sizeof(char *));
	for (unsigned i = 0; i < result_rows(res); i++) {
		const char *kind = result_text(res, i, 0);
		char *name = arena_strdup(&c->memory, result_text(res, i, 1));

		if (strcmp(kind, "column") == 0)
			list_add(&condition->columns, name);
		else if (strcmp(kind, "large") == 0)
			list_add(&condition->large, name);
		else
			condition->calls = name;
	}
}

/* False if the server refused the condition, or could not be asked; `refusal` says why. */
static bool
try_condition(struct precheck_context *c, const struct table *table, struct condition *condition,
			  struct error *refusal)
{
	struct result *res;
	struct buffer sql;
	bool tried;

	memory_buffer_init(&sql);
	put_trial(&sql, table);
	tried = connection_execute(c->source, (const char *) sql.data, NULL, 0, NULL, refusal) &&
			connection_execute(c->source, references_sql, NULL, 0, &res, refusal);
	buffer_fini(&sql);
	if (!tried)
		return false;
	read_references(c, res, condition);
	result_free(res);
	return true;
}

/* ---- consequences */

static bool
is_logged(const struct source_table *source, const char *name)
{
	const struct source_column *column = source_find_column(source, name);

	return source->identity == 'f' || !column || (source->identity == 'd' && column->primary_position > 0) ||
		   (source->identity == 'i' && column->identity_position > 0);
}

static bool
all_logged(const struct source_table *source, const struct string_list *columns)
{
	for (unsigned i = 0; i < columns->count; i++)
		if (!is_logged(source, columns->items[i]))
			return false;
	return true;
}

/*
 * Unless the log has the whole old row, it is unknown whether that row matched. A row that stops matching
 * is then deleted by its key although the target may not have it; a row that matches is inserted if the
 * target may not have it, which needs all of its values.
 */
static void
check_old_rows(struct precheck_context *c, const struct table *table, const struct condition *condition)
{
	const char *name = precheck_table_name(c, table);

	if (all_logged(&table->source, &condition->columns) ||
		!(table->operations & (OPERATION_UPDATE | OPERATION_DELETE)))
		return;
	if (table->shared_with)
		precheck_add(c, CHECK_FAILED, "where", name,
					 "its target has several sources, %s, and the log does not tell which of its rows matched"
					 " before a change: %s",
					 table->shared_with, precheck_full_identity(c, table));
	else if (table->operations & OPERATION_UPDATE && !all_logged(&table->source, &condition->large))
		precheck_add(c, CHECK_WARNING, "where", name,
					 "an update that makes a row match stops the run where the row has large (TOASTed) values"
					 " that do not change, since they are not in the log: %s",
					 precheck_full_identity(c, table));
}

static void
check_columns(struct precheck_context *c, const struct table *table, const struct condition *condition)
{
	for (unsigned i = 0; i < condition->columns.count; i++)
		if (!source_find_column(&table->source, condition->columns.items[i]))
			precheck_add(c, CHECK_FAILED, "where", precheck_table_name(c, table),
						 "its condition refers to \"%s\", which is not stored", condition->columns.items[i]);
}

static void
report_condition(struct precheck_context *c, const struct table *table, const struct condition *condition)
{
	const char *name = precheck_table_name(c, table);

	if (condition->calls) {
		precheck_add(c, CHECK_FAILED, "where", name,
					 "its condition may call built-in functions and operators alone, not %s",
					 condition->calls);
		return;
	}
	precheck_add(c, CHECK_OK, "where", name, "%s", mapping_where(table));
	check_columns(c, table, condition);
	check_old_rows(c, table, condition);
}

static bool
report_refusal(struct precheck_context *c, const struct table *table, const struct error *refusal,
			   struct error *err)
{
	const char *name = precheck_table_name(c, table);

	if (refusal->sqlstate[0] == '\0' || refusal->class == ERROR_RETRY) {
		*err = *refusal;
		return false;
	}
	if (strcmp(refusal->sqlstate, INSUFFICIENT_PRIVILEGE) == 0 || strcmp(refusal->sqlstate, READ_ONLY) == 0)
		precheck_add(c, CHECK_WARNING, "where", name,
					 "its condition cannot be tried before the stream starts, since that takes a temporary"
					 " table: %s",
					 refusal->message);
	else
		precheck_add(c, CHECK_FAILED, "where", name, "its condition cannot be used: %s", refusal->message);
	return true;
}

static bool
check_condition(struct precheck_context *c, const struct table *table, struct error *err)
{
	struct condition condition = {0};
	struct error refusal;
	bool ok = true;

	if (try_condition(c, table, &condition, &refusal))
		report_condition(c, table, &condition);
	else
		ok = report_refusal(c, table, &refusal, err);
	return ok && connection_execute(c->source, "ROLLBACK", NULL, 0, NULL, err);
}

bool
precheck_where(struct precheck_context *c, struct error *err)
{
	for (unsigned i = 0; i < c->catalog->count; i++) {
		c->about = &c->catalog->tables[i];
		if (mapping_where(c->about) && !check_condition(c, c->about, err))
			return false;
	}
	c->about = NULL;
	return true;
}
