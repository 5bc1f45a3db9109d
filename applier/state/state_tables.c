#include "state_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "tables/mapping.h"
#include "tables/table_definition.h"
#include "task_lock.h"

#define TABLES_PER_STATEMENT 500

static void
put_literal_lsn(struct buffer *sql, uint64_t lsn)
{
	char number[LSN_TEXT_BYTES];

	buffer_printf(sql, "'%s'::pg_lsn", lsn_format(lsn, number));
}

/* A table that does not follow has its row under the name at which it stopped doing so. */
static void
put_key(struct buffer *sql, const char *task, const struct table *table)
{
	const struct source_table *named =
		table->defined && !table_follows(table) ? table->defined : &table->source;

	buffer_printf(sql, "task = ");
	sql_literal(sql, task);
	buffer_printf(sql, " AND source_schema = ");
	sql_literal(sql, named->schema);
	buffer_printf(sql, " AND source_name = ");
	sql_literal(sql, named->name);
}

void
state_tables_put_state(struct buffer *sql, const char *task, const struct table *table)
{
	buffer_printf(sql, "UPDATE sluice.tables SET state = '%s', error = ", table_state_name(table->state));
	sql_optional_literal(sql, table->error);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
}

/* The definition that the target stands at: what the table follows, or what it was when it last did. */
static void
put_definition(struct buffer *sql, const struct table *table)
{
	const struct source_table *defined = table_follows(table) ? &table->source : table->defined;
	struct buffer definition;

	memory_buffer_init(&definition);
	if (defined)
		table_definition_put(&definition, defined);
	sql_optional_literal(sql, defined ? sql_text(&definition) : NULL);
	buffer_fini(&definition);
}

void
state_tables_put_definition(struct buffer *sql, const char *task, const struct table *table,
							const struct source_table *before)
{
	buffer_printf(sql, "UPDATE sluice.tables SET source_schema = ");
	sql_literal(sql, table->source.schema);
	buffer_printf(sql, ", source_name = ");
	sql_literal(sql, table->source.name);
	buffer_printf(sql, ", target_schema = ");
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, ", target_name = ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, ", definition = ");
	put_definition(sql, table);
	buffer_printf(sql, " WHERE task = ");
	sql_literal(sql, task);
	buffer_printf(sql, " AND source_schema = ");
	sql_literal(sql, before->schema);
	buffer_printf(sql, " AND source_name = ");
	sql_literal(sql, before->name);
	buffer_printf(sql, ";\n");
}

static void
put_selection(struct buffer *sql, const struct table *table)
{
	char *selection = mapping_describe(table);

	sql_literal(sql, selection);
	free(selection);
}

static void
put_update(struct buffer *sql, const char *task, const struct table *table, const char *rebuild)
{
	buffer_printf(sql, "UPDATE sluice.tables SET source_oid = %u, target_schema = ", table->source.oid);
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, ", target_name = ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, ", state = '%s', snapshot_lsn = ", table_state_name(table->state));
	put_literal_lsn(sql, table->snapshot_lsn);
	buffer_printf(sql, ", rows_copied = %lld, error = ", (long long) table->rows_copied);
	sql_optional_literal(sql, table->error);
	buffer_printf(sql, ", rebuild = ");
	sql_optional_literal(sql, rebuild);
	buffer_printf(sql, ", definition = ");
	put_definition(sql, table);
	buffer_printf(sql, ", selection = ");
	put_selection(sql, table);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
}

void
state_tables_put_claim(struct buffer *sql, const char *task, const struct table *table)
{
	struct buffer target;

	task_lock_put_copy(sql, task, table->source.oid, "");
	sql_init(&target);
	sql_qualified(&target, table->target_schema, table->target_name);
	buffer_printf(sql, "SELECT rebuild, has_table_privilege(");
	sql_literal(sql, sql_text(&target));
	buffer_printf(sql, ", 'TRUNCATE') FROM sluice.tables WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state IN ('waiting', 'copying')");
	buffer_fini(&target);
}

void
state_tables_put_opened(struct buffer *sql, const char *task, const struct table *table, const char *rebuild)
{
	put_update(sql, task, table, rebuild);
	buffer_printf(sql, " AND state IN ('waiting', 'copying')");
}

void
state_tables_put_part_claim(struct buffer *sql, const char *task, const struct table *table, bool last)
{
	task_lock_put_copy(sql, task, table->source.oid, last ? "" : "_shared");
	buffer_printf(sql, "SELECT count(*) FROM sluice.tables WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state = 'copying' AND rebuild IS NOT NULL AND snapshot_lsn = ");
	put_literal_lsn(sql, table->snapshot_lsn);
}

void
state_tables_put_copied(struct buffer *sql, const char *task, const struct table *table)
{
	put_update(sql, task, table, table->late ? "" : NULL);
	buffer_printf(sql, " AND state IN ('waiting', 'copying')");
}

bool
state_tables_settle_late(struct connection *destination, const char *task, int64_t epoch, unsigned count,
						 struct error *err)
{
	static const char sql[] =
		"UPDATE sluice.tables SET state = 'streaming', rebuild = NULL WHERE task = $1 AND state = "
		"'catching_up'"
		" AND rebuild IS NOT NULL AND EXISTS (SELECT 1 FROM sluice.progress WHERE task = $1 AND epoch = $2)";
	char number[24];
	const struct param params[] = {param_text(task), param_text(number)};
	struct result *res;
	bool all;

	snprintf(number, sizeof number, "%lld", (long long) epoch);
	if (!connection_execute(destination, sql, params, 2, &res, err))
		return error_context(err, "writing sluice.tables");
	all = result_affected(res) == count;
	result_free(res);
	return all ||
		   error_set(err, ERROR_RETRY, "what sluice.tables says of tables that were copied has changed");
}

bool
state_tables_want_copy(struct connection *destination, const char *task, const struct table *table,
					   struct error *err)
{
	struct result *res;
	struct buffer sql;
	bool wanted;

	sql_init(&sql);
	buffer_printf(&sql,
				  "UPDATE sluice.tables SET state = 'waiting', rebuild = coalesce(rebuild, ''), error = NULL"
				  " WHERE state NOT IN ('waiting', 'copying') AND ");
	put_key(&sql, task, table);
	if (!connection_execute_buffer(destination, &sql, &res, err))
		return error_context(err, "writing sluice.tables");
	wanted = result_affected(res) > 0;
	result_free(res);
	return wanted || error_set(err, ERROR_DATA, "%s.%s waits for its copy already", table->source.schema,
							   table->source.name);
}

bool
state_tables_hold_copy(struct connection *destination, const char *task, const struct table *table,
					   const char *reason, struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "UPDATE sluice.tables SET state = 'held', rebuild = coalesce(rebuild, ''), error = ");
	sql_literal(&sql, reason);
	buffer_printf(&sql, " WHERE state IN ('waiting', 'copying') AND ");
	put_key(&sql, task, table);
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

bool
state_tables_forget_late(struct connection *destination, const char *task, struct error *err)
{
	struct param param = param_text(task);

	return connection_execute(
			   destination,
			   "UPDATE sluice.tables SET state = 'waiting' WHERE task = $1 AND state = 'catching_up'"
			   " AND rebuild IS NOT NULL",
			   &param, 1, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

void
state_tables_put_rows_copied(struct buffer *sql, const char *task, const struct table *table, int64_t rows)
{
	buffer_printf(sql, "UPDATE sluice.tables SET state = 'copying', rows_copied = %lld WHERE ",
				  (long long) rows);
	put_key(sql, task, table);
	buffer_printf(sql, " AND state IN ('waiting', 'copying');");
}

static const char insert_head[] =
	"INSERT INTO sluice.tables (task, source_schema, source_name, source_oid,"
	" target_schema, target_name, state, snapshot_lsn, rows_copied, error, definition, selection)\n";

/* One row's values, each with its type where PostgreSQL would guess text from a literal. */
static void
put_values(struct buffer *sql, const char *task, const struct table *table)
{
	const char *const texts[] = {task, table->source.schema, table->source.name};

	for (unsigned i = 0; i < 3; i++) {
		sql_literal(sql, texts[i]);
		buffer_printf(sql, "::text, ");
	}
	buffer_printf(sql, "%u::bigint, ", table->source.oid);
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, "::text, ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, "::text, '%s'::text, ", table_state_name(table->state));
	put_literal_lsn(sql, table->snapshot_lsn);
	buffer_printf(sql, ", %lld::bigint, ", (long long) table->rows_copied);
	sql_optional_literal(sql, table->error);
	buffer_printf(sql, "::text, ");
	put_definition(sql, table);
	buffer_printf(sql, "::text, ");
	put_selection(sql, table);
	buffer_printf(sql, "::text");
}

static void
put_table(struct buffer *sql, const char *task, const struct table *table)
{
	put_update(sql, task, table, NULL);
	buffer_printf(sql, ";\n%sSELECT ", insert_head);
	put_values(sql, task, table);
	buffer_printf(sql, " WHERE NOT EXISTS (SELECT 1 FROM sluice.tables WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, ");");
}

bool
state_tables_write(struct connection *destination, const char *task, const struct table *table,
				   struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	put_table(&sql, task, table);
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

static bool
add_some_tables(struct connection *destination, const char *task, const struct table *tables, unsigned count,
				struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	buffer_printf(&sql, "%sSELECT * FROM (VALUES", insert_head);
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(&sql, "%s\n(", i ? "," : "");
		put_values(&sql, task, &tables[i]);
		buffer_put_u8(&sql, ')');
	}
	buffer_printf(&sql,
				  ") v (a, b, c, d, e, f, g, h, i, j, k, l) WHERE NOT EXISTS (SELECT 1 FROM sluice.tables t"
				  " WHERE t.task = v.a AND t.source_schema = v.b AND t.source_name = v.c)");
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/* Rows of ours are in the target of a table that was begun in parts: that must not be forgotten. */
static bool
forget_waiting(struct connection *destination, const char *task, const struct catalog *catalog,
			   struct error *err)
{
	static const char sql[] =
		"DELETE FROM sluice.tables t WHERE task = $1"
		" AND (state IN ('waiting', 'copying') OR state = 'held' AND definition IS NULL)"
		" AND (rebuild IS NULL OR NOT EXISTS (SELECT 1 FROM unnest($2::text[], $3::text[]) w (s, n)"
		"  WHERE w.s = t.source_schema AND w.n = t.source_name))";
	struct buffer schemas, names;
	bool ok;

	sql_init(&schemas);
	sql_init(&names);
	for (unsigned i = 0; i < catalog->count; i++) {
		if (!catalog->tables[i].begun)
			continue;
		sql_array_element(&schemas, catalog->tables[i].source.schema);
		sql_array_element(&names, catalog->tables[i].source.name);
	}
	sql_array_end(&schemas);
	sql_array_end(&names);
	ok = connection_execute(destination, sql,
							(const struct param[]){param_text(task), param_text(sql_text(&schemas)),
												   param_text(sql_text(&names))},
							3, NULL, err);
	buffer_fini(&schemas);
	buffer_fini(&names);
	return ok || error_context(err, "writing sluice.tables");
}

/* What waits is written anew: such tables may have come, gone and been replaced meanwhile. */
bool
state_tables_add(struct connection *destination, const char *task, const struct catalog *catalog,
				 struct error *err)
{
	if (!forget_waiting(destination, task, catalog, err))
		return false;
	for (unsigned i = 0; i < catalog->count; i += TABLES_PER_STATEMENT) {
		unsigned left = catalog->count - i;

		if (!add_some_tables(destination, task, catalog->tables + i,
							 left < TABLES_PER_STATEMENT ? left : TABLES_PER_STATEMENT, err))
			return false;
	}
	return true;
}

bool
state_tables_remove(struct connection *destination, const char *task, struct error *err)
{
	struct param param = param_text(task);

	return connection_execute(destination, "DELETE FROM sluice.tables WHERE task = $1", &param, 1, NULL,
							  err) ||
		   error_context(err, "writing sluice.tables");
}
