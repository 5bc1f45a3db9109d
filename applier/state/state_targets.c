#include "state_targets.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "state_tables.h"
#include "tables/mapping.h"

enum state_target
state_target_compare(const struct table *table)
{
	if (!table->target.exists)
		return table_follows(table) ? TARGET_GONE : TARGET_AS_BEFORE;
	if (table->target_oid == 0 || !(table_follows(table) || table_has_old_rows(table)))
		return TARGET_AS_BEFORE;
	if (table->target.oid != table->target_oid)
		return TARGET_REPLACED;
	if (!table_follows(table) || table->target.file == 0 || table->target.file == table->target_file)
		return TARGET_AS_BEFORE;
	return TARGET_REWRITTEN;
}

/* ---- contents */

static bool
ask_rows(struct connection *conn, struct buffer *from, bool *rows, struct error *err)
{
	struct buffer sql;
	struct result *res;

	sql_init(&sql);
	buffer_printf(&sql, "SELECT EXISTS (SELECT 1 FROM %s)", sql_text(from));
	buffer_fini(from);
	if (!connection_execute_buffer(conn, &sql, &res, err))
		return false;
	*rows = result_bool(res, 0, 0);
	result_free(res);
	return true;
}

static bool
target_has_rows(struct connection *destination, const struct table *table, bool *rows, struct error *err)
{
	struct buffer from;

	sql_init(&from);
	mapping_put_target_rows(&from, table);
	return ask_rows(destination, &from, rows, err);
}

static bool
source_has_rows(struct connection *source, const struct table *table, bool *rows, struct error *err)
{
	struct buffer from;

	sql_init(&from);
	buffer_printf(&from, table->source.partitioned ? "" : "ONLY ");
	sql_qualified(&from, table->source.schema, table->source.name);
	if (mapping_where(table))
		buffer_printf(&from, " WHERE (%s)", mapping_where(table));
	return ask_rows(source, &from, rows, err);
}

bool
state_target_was_emptied(struct connection *source, struct connection *destination, const struct table *table,
						 bool *emptied, struct error *err)
{
	bool rows;

	*emptied = false;
	/* The user has declared that rows may be removed from this target. */
	if (table->override && table->override->rows_may_be_absent)
		return true;
	if (!target_has_rows(destination, table, &rows, err))
		return false;
	return rows || source_has_rows(source, table, emptied, err);
}

/* ---- consequences for the table */

void
state_targets_put_file(struct buffer *sql, uint32_t target_oid)
{
	/*
	 * The subquery is uncorrelated, so the coordinator evaluates it; on segments, relfilenode differs.
	 */
	buffer_printf(sql,
				  "UPDATE sluice.tables SET target_file = (SELECT c.relfilenode::bigint FROM pg_class c"
				  " WHERE c.oid = %u) WHERE target_oid = %u",
				  target_oid, target_oid);
}

struct settling {
	const struct config *config;
	struct connection *source;
	struct connection *destination;
	struct buffer sql;
	unsigned changed;
};

static void
put_target(struct settling *s, const struct table *table)
{
	buffer_printf(&s->sql, "UPDATE sluice.tables SET target_oid = %u, target_file = %u WHERE task = ",
				  table->target.oid, table->target.file);
	sql_literal(&s->sql, s->config->task);
	buffer_printf(&s->sql, " AND source_oid = %u;\n", table->source.oid);
}

static void
settle(struct settling *s, struct table *table, enum table_state state, const char *what, const char *reason)
{
	s->changed++;
	if (table->state != state)
		table_move(table, state);
	free(table->error);
	table->error = reason ? memory_printf("%s%s", what, reason) : NULL;
	log_table(LOG_WARNING, &table->source, "%s.%s: %s%s", table->source.schema, table->source.name, what,
			  reason ? reason : ": it is copied again");
	if (state == TABLE_WAITING)
		table_forget_creation_spec(table);
	state_tables_put_again(&s->sql, s->config->task, table);
	put_target(s, table);
}

/* Why the table cannot be copied again, so that a person has to decide; NULL: it can. */
static const char *
why_not_copied(const struct settling *s)
{
	if (s->config->initial_copy.mode == COPY_MODE_NONE)
		return ", and initial_copy.mode is none: bring its rows there, then \"sluice table remove\" and "
			   "\"sluice"
			   " table add\" let it follow from then on";
	return NULL;
}

static void
settle_gone(struct settling *s, struct table *table)
{
	const char *why = why_not_copied(s);

	if (!why && !s->config->schema.create)
		why = ", and schema.create is false: make it as \"sluice schema\" says, then \"sluice table resync\" "
			  "copies"
			  " the table";
	settle(s, table, why ? TABLE_HELD_FOR_RESYNC : TABLE_WAITING, "its target is gone from the destination",
		   why);
}

static bool
settle_replaced(struct settling *s, struct table *table, struct error *err)
{
	const char *why = why_not_copied(s);
	bool rows;

	if (!target_has_rows(s->destination, table, &rows, err))
		return false;
	if (!why && rows && s->config->initial_copy.existing == COPY_EXISTING_ERROR)
		why = ", which is not empty: \"sluice table resync\" clears it, and copies the table";
	settle(s, table, why ? TABLE_HELD_FOR_RESYNC : TABLE_WAITING, "its target was replaced by another table",
		   why);
	return true;
}

/*
 * A shared target has no rows now, but others may insert some before the copy: the table then waits as for
 * a first copy, which clears nothing.
 */
static bool
settle_rewritten(struct settling *s, struct table *table, struct error *err)
{
	const char *why = why_not_copied(s);
	bool shared = table->shared_with || s->config->initial_copy.existing == COPY_EXISTING_APPEND;
	bool emptied;

	if (!state_target_was_emptied(s->source, s->destination, table, &emptied, err))
		return false;
	if (!emptied) {
		put_target(s, table);
		return true;
	}
	settle(s, table,
		   why		? TABLE_HELD_FOR_RESYNC
		   : shared ? TABLE_WAITING
					: TABLE_WAITING_AGAIN,
		   "its target was emptied by others", why);
	return true;
}

static bool
settle_table(struct settling *s, struct table *table, struct error *err)
{
	switch (state_target_compare(table)) {
	case TARGET_GONE:
		settle_gone(s, table);
		break;
	case TARGET_REPLACED:
		return settle_replaced(s, table, err);
	case TARGET_REWRITTEN:
		return settle_rewritten(s, table, err);
	case TARGET_AS_BEFORE:
		if (table->target_oid == 0 && table_follows(table) && table->target.exists)
			put_target(s, table);
		break;
	}
	return true;
}

bool
state_targets_settle(struct connection *source, struct connection *destination, const struct config *config,
					 struct catalog *catalog, struct error *err)
{
	struct settling s = {.config = config, .source = source, .destination = destination};
	bool ok = true;

	sql_init(&s.sql);
	for (unsigned i = 0; ok && i < catalog->count; i++)
		ok = settle_table(&s, &catalog->tables[i], err);
	if (!ok) {
		buffer_fini(&s.sql);
		return error_context(err, "checking the targets");
	}
	if (!connection_execute_buffer(destination, &s.sql, NULL, err))
		return error_context(err, "writing sluice.tables");
	return s.changed == 0 ||
		   error_set(err, ERROR_RESTART, "%u targets were replaced or changed by others", s.changed);
}
