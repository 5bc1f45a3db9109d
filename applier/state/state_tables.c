#include "state_tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "lsn.h"
#include "state_text.h"
#include "tables/mapping.h"
#include "tables/stored_definition.h"
#include "task_lock.h"

#define TABLES_PER_STATEMENT 500

static void
put_literal_lsn(struct buffer *sql, uint64_t lsn)
{
	char number[LSN_TEXT_BYTES];

	buffer_printf(sql, "'%s'::pg_lsn", lsn_format(lsn, number));
}

/* States of tables that wait for a copy or are being copied, see table_waits(). */
#define WAITS "('waiting', 'copying', 'waiting_again', 'copying_again', 'copying_parts')"

static void
put_key_oid(struct buffer *sql, const char *task, uint32_t oid)
{
	buffer_printf(sql, "task = ");
	sql_literal(sql, task);
	buffer_printf(sql, " AND source_oid = %u", oid);
}

static void
put_key(struct buffer *sql, const char *task, const struct table *table)
{
	put_key_oid(sql, task, table->source.oid);
}

void
state_tables_put_state(struct buffer *sql, const char *task, const struct table *table)
{
	buffer_printf(sql, "UPDATE sluice.tables SET state = '%s', error = ", table_state_name(table->state));
	state_text_put(sql, table->error);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
}

void
state_tables_put_refused(struct buffer *sql, const char *task, const struct table *table, const char *key,
						 uint64_t lsn)
{
	char text[LSN_TEXT_BYTES];

	buffer_printf(sql, "UPDATE sluice.tables SET state = '%s', error = ", table_state_name(table->state));
	state_text_put(sql, table->error);
	buffer_printf(sql, ", hold_key = ");
	state_text_put(sql, key);
	buffer_printf(sql, ", hold_lsn = ");
	sql_optional_literal(sql, lsn ? lsn_format(lsn, text) : NULL);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
}

/*
 * Writes the definition that the target fits: the present one while the table follows the stream,
 * otherwise the last one.
 */
static void
put_definition(struct buffer *sql, const struct table *table)
{
	const struct source_table *defined = table_follows(table) ? &table->source : table->defined;
	struct buffer definition;

	memory_buffer_init(&definition);
	if (defined)
		stored_definition_put(&definition, defined);
	state_text_put(sql, defined ? sql_text(&definition) : NULL);
	buffer_fini(&definition);
}

/*
 * On Greenplum the coordinator evaluates an uncorrelated subquery. That is needed here, since segments
 * have other relfilenodes.
 */
static void
put_from_class(struct buffer *sql, const char *column, const struct table *table)
{
	buffer_printf(sql,
				  "(SELECT c.%s::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
				  " WHERE n.nspname = ",
				  column);
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, " AND c.relname = ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, ")");
}

/* Stores the target as it is at this point of the transaction. */
static void
put_target(struct buffer *sql, const struct table *table)
{
	buffer_printf(sql, ", target_oid = ");
	put_from_class(sql, "oid", table);
	buffer_printf(sql, ", target_file = ");
	put_from_class(sql, "relfilenode", table);
}

void
state_tables_put_definition(struct buffer *sql, const char *task, const struct table *table)
{
	buffer_printf(sql, "UPDATE sluice.tables SET source_schema = ");
	state_text_put(sql, table->source.schema);
	buffer_printf(sql, ", source_name = ");
	state_text_put(sql, table->source.name);
	buffer_printf(sql, ", target_schema = ");
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, ", target_name = ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, ", definition = ");
	put_definition(sql, table);
	buffer_printf(sql, ", target_file = ");
	put_from_class(sql, "relfilenode", table);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, ";\n");
}

static void
put_selection(struct buffer *sql, const struct table *table)
{
	char *selection = mapping_describe(table);

	state_text_put(sql, selection);
	free(selection);
}

/* The definition whose names are stored, the same as in put_definition(). */
static const struct source_table *
stored_names(const struct table *table)
{
	return table->defined && !table_follows(table) ? table->defined : &table->source;
}

static void
put_assignments(struct buffer *sql, const struct table *table)
{
	buffer_printf(sql, "UPDATE sluice.tables SET source_oid = %u, source_schema = ", table->source.oid);
	state_text_put(sql, stored_names(table)->schema);
	buffer_printf(sql, ", source_name = ");
	state_text_put(sql, stored_names(table)->name);
	buffer_printf(sql, ", target_schema = ");
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, ", target_name = ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, ", state = '%s', snapshot_lsn = ", table_state_name(table->state));
	put_literal_lsn(sql, table->snapshot_lsn);
	buffer_printf(sql, ", rows_copied = %lld, error = ", (long long) table->rows_copied);
	state_text_put(sql, table->error);
	buffer_printf(sql, ", definition = ");
	put_definition(sql, table);
	buffer_printf(sql, ", selection = ");
	put_selection(sql, table);
	buffer_printf(sql, ", rows_may_be_absent = %s", table->rows_may_be_absent ? "true" : "false");
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
	buffer_printf(sql, " AND state IN " WAITS);
	buffer_fini(&target);
}

void
state_tables_put_opened(struct buffer *sql, const char *task, const struct table *table, const char *rebuild)
{
	put_assignments(sql, table);
	put_target(sql, table);
	buffer_printf(sql, ", rebuild = ");
	sql_optional_literal(sql, rebuild);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state IN " WAITS);
}

void
state_tables_put_part_claim(struct buffer *sql, const char *task, const struct table *table, bool last)
{
	task_lock_put_copy(sql, task, table->source.oid, last ? "" : "_shared");
	buffer_printf(sql, "SELECT count(*) FROM sluice.tables WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state = 'copying_parts' AND snapshot_lsn = ");
	put_literal_lsn(sql, table->snapshot_lsn);
}

void
state_tables_put_copied(struct buffer *sql, const char *task, const struct table *table)
{
	put_assignments(sql, table);
	put_target(sql, table);
	buffer_printf(sql, ", rebuild = NULL WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state IN " WAITS);
}

void
state_tables_put_again(struct buffer *sql, const char *task, const struct table *table)
{
	buffer_printf(sql, "UPDATE sluice.tables SET state = '%s', error = ", table_state_name(table->state));
	state_text_put(sql, table->error);
	buffer_printf(sql, ", definition = ");
	put_definition(sql, table);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, ";\n");
}

bool
state_tables_settle_copies(struct connection *destination, const char *task, int64_t epoch, unsigned count,
						   struct error *err)
{
	static const char sql[] =
		"UPDATE sluice.tables SET state = 'streaming' WHERE task = $1 AND state = 'replaying'"
		" AND EXISTS (SELECT 1 FROM sluice.progress WHERE task = $1 AND epoch = $2)";
	char number[24];
	const struct param params[] = {param_text(task), param_text(number)};
	struct result *res;
	bool all;

	snprintf(number, sizeof number, "%lld", (long long) epoch);
	if (!connection_execute(destination, sql, params, 2, &res, err))
		return error_context(err, "writing sluice.tables");
	all = result_affected(res) == count;
	result_free(res);
	return all || error_set(err, ERROR_RETRY,
							"the rows of copied tables in sluice.tables were changed by another session");
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
				  "UPDATE sluice.tables SET state = 'waiting_again', error = NULL WHERE state NOT IN " WAITS
				  " AND ");
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
	buffer_printf(&sql, "UPDATE sluice.tables SET state = '%s', error = ", table_state_name(table->state));
	state_text_put(&sql, reason);
	buffer_printf(&sql, " WHERE state IN " WAITS " AND ");
	put_key(&sql, task, table);
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

bool
state_tables_discard_copies(struct connection *destination, const char *task, struct error *err)
{
	struct param param = param_text(task);

	return connection_execute(destination,
							  "UPDATE sluice.tables SET state = CASE state WHEN 'copying' THEN 'waiting'"
							  " ELSE 'waiting_again' END WHERE task = $1"
							  " AND state IN ('copying', 'copying_again', 'copying_parts', 'replaying')",
							  &param, 1, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/*
 * If this statement arrives late, it must not overwrite the state that the copy's own transaction has
 * written.
 */
void
state_tables_put_rows_copied(struct buffer *sql, const char *task, const struct table *table, int64_t rows)
{
	const char *name = table_state_name(table->state), *before = name;

	if (table->state == TABLE_COPYING)
		before = table_state_name(TABLE_WAITING);
	else if (table->state == TABLE_COPYING_AGAIN)
		before = table_state_name(TABLE_WAITING_AGAIN);
	buffer_printf(sql, "UPDATE sluice.tables SET state = '%s', rows_copied = %lld WHERE ", name,
				  (long long) rows);
	put_key(sql, task, table);
	buffer_printf(sql, " AND state IN ('%s', '%s');", before, name);
}

static const char insert_head[] =
	"INSERT INTO sluice.tables (task, source_schema, source_name, source_oid,"
	" target_schema, target_name, state, snapshot_lsn, rows_copied, error, definition, selection,"
	" rows_may_be_absent, target_oid, target_file)\n";

/* Writes a number as SQL; 0 becomes NULL. */
static const char *
put_number(char number[32], uint32_t value)
{
	if (value == 0)
		return "NULL::bigint";
	snprintf(number, 32, "%u::bigint", value);
	return number;
}

/* Writes one row's values; each has its type, since PostgreSQL would take a literal for text. */
static void
put_values(struct buffer *sql, const char *task, const struct table *table)
{
	const char *const texts[] = {task, stored_names(table)->schema, stored_names(table)->name};
	char oid[32], file[32];

	for (unsigned i = 0; i < 3; i++) {
		state_text_put(sql, texts[i]);
		buffer_printf(sql, "::text, ");
	}
	buffer_printf(sql, "%u::bigint, ", table->source.oid);
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, "::text, ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, "::text, '%s'::text, ", table_state_name(table->state));
	put_literal_lsn(sql, table->snapshot_lsn);
	buffer_printf(sql, ", %lld::bigint, ", (long long) table->rows_copied);
	state_text_put(sql, table->error);
	buffer_printf(sql, "::text, ");
	put_definition(sql, table);
	buffer_printf(sql, "::text, ");
	put_selection(sql, table);
	buffer_printf(sql, "::text, %s, %s, %s", table->rows_may_be_absent ? "true" : "false",
				  put_number(oid, table->target.oid), put_number(file, table->target.file));
}

static void
put_table(struct buffer *sql, const char *task, const struct table *table)
{
	put_assignments(sql, table);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
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
	buffer_printf(
		&sql,
		") v (a, b, c, d, e, f, g, h, i, j, k, l, m, n, o) WHERE NOT EXISTS (SELECT 1 FROM sluice.tables t"
		" WHERE t.task = v.a AND t.source_oid = v.d)");
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/*
 * Deletes the rows of tables that were never copied, whatever else they contain. The snapshot's LSN must
 * be the one that was read: a copy whose COMMIT was still under way may have changed the row since, and
 * then the row stays.
 */
static bool
forget_waiting(struct connection *destination, const char *task, const struct catalog *catalog,
			   struct error *err)
{
	static const char sql[] = "DELETE FROM sluice.tables WHERE task = $1"
							  " AND (state IN ('waiting', 'copying') OR (source_oid, snapshot_lsn) IN"
							  " (SELECT o, l FROM unnest($2::bigint[], $3::pg_lsn[]) w (o, l)))";
	struct buffer oids, lsns;
	char oid[16], lsn[LSN_TEXT_BYTES];
	bool ok;

	sql_init(&oids);
	sql_init(&lsns);
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (table->state != TABLE_WAITING || table->row == TABLE_ROW_NONE)
			continue;
		snprintf(oid, sizeof oid, "%u", table->source.oid);
		sql_array_element(&oids, oid);
		sql_array_element(&lsns, lsn_format(table->snapshot_lsn, lsn));
	}
	sql_array_end(&oids);
	sql_array_end(&lsns);
	ok = connection_execute(
		destination, sql,
		(const struct param[]){param_text(task), param_text(sql_text(&oids)), param_text(sql_text(&lsns))}, 3,
		NULL, err);
	buffer_fini(&oids);
	buffer_fini(&lsns);
	return ok || error_context(err, "writing sluice.tables");
}

bool
state_tables_settle(struct connection *destination, const char *task, const struct catalog *catalog,
					struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (table->predecessor == 0)
			continue;
		log_table(LOG_INFO, &table->source,
				  "%s.%s was dropped and created again under the same name: it is copied again",
				  table->source.schema, table->source.name);
		/* If the table has a row of its own, that row only says that it waits. */
		buffer_printf(&sql, "DELETE FROM sluice.tables WHERE ");
		put_key(&sql, task, table);
		buffer_printf(&sql, ";\n");
		put_assignments(&sql, table);
		buffer_printf(&sql, " WHERE ");
		put_key_oid(&sql, task, table->predecessor);
		buffer_printf(&sql, ";\n");
	}
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/*
 * Rewrites the rows of waiting tables, which may have been created, dropped or replaced since the last
 * attempt.
 */
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
