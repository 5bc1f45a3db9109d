#include "schema_orphan.h"

#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "servers/trial.h"
#include "state/state_install.h"
#include "state/state_layout.h"
#include "state/unfinished.h"

#define LOCK_NOT_AVAILABLE "55P03"

/* The result columns of put_query(). */
enum { TARGET, SCHEMA, NAME, MADE_FROM, TASK, SOURCE, STATE, SAME_TARGET };

/* Created targets that no copy has completed, each with the rows of sluice.tables that name it as their target. */
static void
put_query(struct buffer *sql)
{
	buffer_printf(sql,
				  "SELECT u.target, n.nspname, c.relname, u.statement, t.task, t.source_oid, t.state,"
				  " coalesce(t.target_oid = u.target, false) FROM sluice.unfinished u"
				  " JOIN pg_class c ON c.oid = u.target::oid AND c.relkind IN ('r', 'p')"
				  " JOIN pg_namespace n ON n.oid = c.relnamespace"
				  " LEFT JOIN sluice.tables t ON t.target_oid = u.target"
				  "  OR (t.target_schema = n.nspname AND t.target_name = c.relname)"
				  " WHERE u.step = %d ORDER BY u.target",
				  UNFINISHED_COPY);
}

static bool
goes_to(const struct table *table, const char *schema, const char *name)
{
	return strcmp(table->target_schema, schema) == 0 && strcmp(table->target_name, name) == 0;
}

/* The table that needs the name; NULL: none, or more than one. */
static const struct table *
find_claimant(const struct catalog *catalog, const char *schema, const char *name)
{
	const struct table *found = NULL;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (!goes_to(table, schema, name))
			continue;
		if (found || table->state != TABLE_WAITING || table->defined || table->predecessor)
			return NULL;
		found = table;
	}
	return found;
}

/* Whether a row of sluice.tables shows that the target is still needed as it is, or has rows in it. */
static bool
is_used(const struct catalog *catalog, const char *task, const struct table *claimant,
		const struct result *res, unsigned row)
{
	const struct table *table;
	enum table_state state;

	if (result_is_null(res, row, TASK))
		return false;
	if (strcmp(result_text(res, row, TASK), task) != 0 ||
		!table_state_parse(result_text(res, row, STATE), &state) ||
		(state != TABLE_WAITING && state != TABLE_COPYING))
		return true;
	table = catalog_find_oid(catalog, (uint32_t) result_int(res, row, SOURCE));
	if (table == claimant)
		return result_bool(res, row, SAME_TARGET) &&
			   unfinished_compare(result_text(res, row, MADE_FROM), &claimant->source) != UNFINISHED_OTHER;
	return table && goes_to(table, result_text(res, row, SCHEMA), result_text(res, row, NAME));
}

/* Drops the target only if no other session uses it (NOWAIT) and it is empty: otherwise 1 / 0 fails the transaction. */
static void
put_drop(struct buffer *sql, const char *schema, const char *name, int64_t oid)
{
	struct buffer target;

	sql_init(&target);
	sql_qualified(&target, schema, name);
	buffer_printf(sql,
				  "BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT;"
				  " SELECT 1 / CASE WHEN EXISTS (SELECT 1 FROM %s) THEN 0 ELSE 1 END; DROP TABLE %s;"
				  " DELETE FROM sluice.unfinished WHERE target = %lld; COMMIT",
				  sql_text(&target), sql_text(&target), sql_text(&target), (long long) oid);
	buffer_fini(&target);
}

/* A target that another session has locked stays, and its table finds it as it is. */
static bool
take_lock_refusal(struct connection *destination, struct error *refusal, struct error *err)
{
	if (strcmp(err->sqlstate, LOCK_NOT_AVAILABLE) != 0)
		return false;
	*refusal = *err;
	error_clear(err);
	return connection_execute(destination, "ROLLBACK", NULL, 0, NULL, err);
}

static bool
drop(struct connection *destination, const struct table *claimant, int64_t oid, struct error *err)
{
	struct error refusal;
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	put_drop(&sql, claimant->target_schema, claimant->target_name, oid);
	ok = trial_execute(destination, sql_text(&sql), &refusal, err) ||
		 take_lock_refusal(destination, &refusal, err);
	buffer_fini(&sql);
	if (!ok)
		return false;
	if (refusal.message[0])
		log_debug("the target %s.%s of a table that is gone stays: %s", claimant->target_schema,
				  claimant->target_name, refusal.message);
	else
		log_info(
			"the empty target %s.%s was made for another table or definition, before its first copy: it is"
			" made again for %s.%s",
			claimant->target_schema, claimant->target_name, claimant->source.schema, claimant->source.name);
	return true;
}

/* The result rows from `first` to before `end` belong to one target. */
static bool
settle(struct connection *destination, const char *task, const struct catalog *catalog,
	   const struct result *res, unsigned first, unsigned end, struct error *err)
{
	const struct table *claimant =
		find_claimant(catalog, result_text(res, first, SCHEMA), result_text(res, first, NAME));

	if (!claimant ||
		unfinished_compare(result_text(res, first, MADE_FROM), &claimant->source) == UNFINISHED_SAME)
		return true;
	for (unsigned row = first; row < end; row++)
		if (is_used(catalog, task, claimant, res, row))
			return true;
	return drop(destination, claimant, result_int(res, first, TARGET), err);
}

static bool
any_waits(const struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].state == TABLE_WAITING && !catalog->tables[i].defined)
			return true;
	return false;
}

bool
schema_orphan_drop_all(struct connection *destination, const char *task, const struct catalog *catalog,
					   struct error *err)
{
	struct state_installed installed;
	struct result *res;
	struct buffer sql;
	bool ok;

	if (!any_waits(catalog))
		return true;
	if (!state_install_read(destination, &installed, err))
		return false;
	/* Earlier layouts did not record which targets the program had created. */
	if (installed.layout < STATE_LAYOUT_PRESENT)
		return true;
	sql_init(&sql);
	put_query(&sql);
	ok = connection_execute_buffer(destination, &sql, &res, err);
	if (!ok)
		return error_context(err, "looking for targets that have lost their tables");
	for (unsigned first = 0, end; ok && first < result_rows(res); first = end) {
		for (end = first + 1; end < result_rows(res); end++)
			if (result_int(res, end, TARGET) != result_int(res, first, TARGET))
				break;
		ok = settle(destination, task, catalog, res, first, end, err);
	}
	result_free(res);
	return ok;
}
