/* Rights on all tables, and whether the targets are empty, with one query for many tables. */
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "precheck_item.h"
#include "tables/mapping.h"

/* Each table is a subquery; planning takes long with more of them. */
#define TABLES_PER_QUERY 50

typedef uint32_t (*table_oid)(const struct table *table);
typedef void (*row_check)(struct precheck_context *c, const struct table *table, const struct result *res,
						  unsigned row);

static uint32_t
source_oid(const struct table *table)
{
	return table->source.oid;
}

static uint32_t
target_oid(const struct table *table)
{
	return table->target.exists ? table->target.oid : 0;
}

/* Runs `select` for the OIDs of all tables; `check` gets one row for each table, in order. */
static bool
for_each_table(struct precheck_context *c, struct connection *conn, const char *select, table_oid oid_of,
			   row_check check, struct error *err)
{
	struct result *res;
	struct buffer sql;
	unsigned row = 0;
	bool asked;

	memory_buffer_init(&sql);
	buffer_printf(&sql, "%s unnest('{", select);
	for (unsigned i = 0, listed = 0; i < c->catalog->count; i++)
		if (oid_of(&c->catalog->tables[i]) != 0)
			buffer_printf(&sql, "%s%u", listed++ ? "," : "", oid_of(&c->catalog->tables[i]));
	buffer_printf(&sql, "}'::oid[]) t");
	buffer_put_u8(&sql, '\0');
	asked = connection_execute(conn, (const char *) sql.data, NULL, 0, &res, err);
	buffer_fini(&sql);
	if (!asked)
		return false;
	for (unsigned i = 0; i < c->catalog->count && row < result_rows(res); i++)
		if (oid_of(&c->catalog->tables[i]) != 0) {
			c->about = &c->catalog->tables[i];
			check(c, c->about, res, row++);
		}
	c->about = NULL;
	result_free(res);
	return true;
}

/* ---- the source */

static void
check_source_rights(struct precheck_context *c, const struct table *table, const struct result *res,
					unsigned row)
{
	const char *name = precheck_table_name(c, table);

	if (!result_bool(res, row, 0))
		precheck_add(c, CHECK_FAILED, "rights", name,
					 "its schema cannot be used at the source: GRANT USAGE ON SCHEMA %s TO %s",
					 precheck_schema(c, table->source.schema), precheck_role(c, c->source));
	else if (!result_bool(res, row, 1))
		precheck_add(c, CHECK_FAILED, "rights", name,
					 "it cannot be read at the source: GRANT SELECT ON %s TO %s", name,
					 precheck_role(c, c->source));
	else if (result_bool(res, row, 2))
		precheck_add(c, CHECK_FAILED, "rights", name,
					 "row-level security hides rows from this user: ALTER ROLE %s BYPASSRLS at the source",
					 precheck_role(c, c->source));
}

/* ---- the destination */

static void
check_target_rights(struct precheck_context *c, const struct table *table, const struct result *res,
					unsigned row)
{
	bool clears = c->config->initial_copy.existing == COPY_EXISTING_CLEAR || table_has_old_rows(table);
	bool empties = clears && precheck_will_copy(c, table);
	unsigned operations = table->operations;
	const struct {
		const char *right;
		bool needed;
	} rights[] = {
		{"SELECT", true},
		{"INSERT", true},
		{"UPDATE", operations & OPERATION_UPDATE},
		{"DELETE", operations & (OPERATION_UPDATE | OPERATION_DELETE)},
		{"TRUNCATE", operations & OPERATION_TRUNCATE || empties},
	};
	const char *name = precheck_target_name(c, table);

	/* The target was dropped a moment ago. */
	if (result_is_null(res, row, 0))
		return;
	if (!result_bool(res, row, 5)) {
		precheck_add(c, CHECK_FAILED, "rights", name,
					 "its schema cannot be used at the destination: GRANT USAGE ON SCHEMA %s TO %s",
					 precheck_schema(c, table->target_schema), precheck_role(c, c->destination));
		return;
	}
	for (unsigned i = 0; i < sizeof rights / sizeof *rights; i++)
		if (rights[i].needed && !result_bool(res, row, i))
			precheck_add(c, CHECK_FAILED, "rights", name,
						 "%s is not allowed at the destination: GRANT %s ON %s TO %s", rights[i].right,
						 rights[i].right, name, precheck_role(c, c->destination));
	if (result_bool(res, row, 6))
		precheck_add(
			c, CHECK_FAILED, "rights", name,
			"row-level security hides rows from this user: ALTER ROLE %s BYPASSRLS at the destination",
			precheck_role(c, c->destination));
}

static void
check_triggers(struct precheck_context *c)
{
	for (unsigned i = 0; i < c->catalog->count; i++) {
		const struct table *table = &c->catalog->tables[i];

		if (!c->session->triggers_off && table->target.has_triggers)
			precheck_add(
				c, CHECK_WARNING, "triggers", precheck_target_name(c, table),
				"it has triggers or foreign keys, which this user may not switch off: they act on what"
				" is applied");
		if (table->target.rules)
			precheck_add(c, CHECK_WARNING, "triggers", precheck_target_name(c, table),
						 "it has rules, which rewrite what is applied: %s; where one keeps a row from being"
						 " changed, the run stops: DROP RULE, or ALTER TABLE %s DISABLE RULE",
						 table->target.rules, precheck_target_name(c, table));
	}
}

bool
precheck_rights(struct precheck_context *c, struct error *err)
{
	static const char at_source[] =
		"SELECT (SELECT has_schema_privilege(relnamespace, 'USAGE') FROM pg_class"
		" WHERE oid = t), has_table_privilege(t, 'SELECT'), row_security_active(t)"
		" FROM";
	struct buffer at_target;
	bool asked;

	check_triggers(c);
	sql_init(&at_target);
	buffer_printf(&at_target,
				  "SELECT has_table_privilege(t, 'SELECT'), has_table_privilege(t, 'INSERT'),"
				  " has_table_privilege(t, 'UPDATE'), has_table_privilege(t, 'DELETE'),"
				  " has_table_privilege(t, 'TRUNCATE'), (SELECT has_schema_privilege(relnamespace, 'USAGE')"
				  " FROM pg_class WHERE oid = t), %s FROM",
				  c->dialect->catalog.hides_rows);
	asked = for_each_table(c, c->source, at_source, source_oid, check_source_rights, err) &&
			for_each_table(c, c->destination, sql_text(&at_target), target_oid, check_target_rights, err);
	buffer_fini(&at_target);
	return asked;
}

/* ---- contents */

static void
check_filled(struct precheck_context *c, const struct table *table)
{
	const char *name = precheck_target_name(c, table);

	if (c->config->initial_copy.existing == COPY_EXISTING_CLEAR)
		precheck_add(c, CHECK_WARNING, "contents", name,
					 "it holds rows, which are removed before the copy (initial_copy.existing: clear)");
	else if (c->config->initial_copy.existing == COPY_EXISTING_APPEND)
		precheck_add(c, CHECK_OK, "contents", name,
					 "it holds rows, to which the copy adds (initial_copy.existing: append)");
	else
		precheck_add(c, CHECK_FAILED, "contents", name,
					 "it is not empty and not copied yet: empty it, or set initial_copy.existing to clear or"
					 " append");
}

/* The query returns the indexes of the tables whose targets hold rows. */
static bool
ask_filled(struct precheck_context *c, const unsigned *numbers, unsigned count, struct error *err)
{
	struct result *res;
	struct buffer sql;
	bool asked;

	memory_buffer_init(&sql);
	for (unsigned i = 0; i < count; i++) {
		const struct table *table = &c->catalog->tables[numbers[i]];

		buffer_printf(&sql, "%sSELECT %u WHERE EXISTS (SELECT 1 FROM ", i ? "\nUNION ALL " : "", numbers[i]);
		mapping_put_target_rows(&sql, table);
		buffer_put_u8(&sql, ')');
	}
	buffer_put_u8(&sql, '\0');
	asked = connection_execute(c->destination, (const char *) sql.data, NULL, 0, &res, err);
	buffer_fini(&sql);
	/* A missing right is reported by precheck_rights(). */
	if (!asked)
		return strcmp(err->sqlstate, "42501") == 0;
	for (unsigned i = 0; i < result_rows(res); i++) {
		c->about = &c->catalog->tables[result_int(res, i, 0)];
		check_filled(c, c->about);
	}
	c->about = NULL;
	result_free(res);
	return true;
}

/*
 * Rows of an interrupted or earlier copy are ours and will be removed. A table that a running daemon is
 * copying, or is about to, is skipped: the query would wait for the daemon's lock.  One that waits for a stated reason is not
 * copied before the reason is gone.
 */
static bool
must_be_empty(const struct precheck_context *c, const struct table *table)
{
	bool stopped = table->state == TABLE_WAITING && table->error;
	bool under_way = c->precheck->from_outside && c->lock_holder && table->row != TABLE_ROW_NONE && !stopped;

	return precheck_will_copy(c, table) && !table_has_old_rows(table) && !under_way &&
		   (table->target.kind == 'r' || table->target.kind == 'p');
}

bool
precheck_contents(struct precheck_context *c, struct error *err)
{
	unsigned numbers[TABLES_PER_QUERY], count = 0;

	for (unsigned i = 0; i < c->catalog->count; i++) {
		if (must_be_empty(c, &c->catalog->tables[i]))
			numbers[count++] = i;
		if (count == TABLES_PER_QUERY || (count > 0 && i + 1 == c->catalog->count)) {
			if (!ask_filled(c, numbers, count, err))
				return false;
			count = 0;
		}
	}
	return true;
}
