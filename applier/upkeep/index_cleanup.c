#include "index_cleanup.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "index_lists.h"
#include "servers/trial.h"
#include "state/state_indexes.h"
#include "state/state_install.h"

#define SQLSTATE_UNIQUE "23505"
#define SQLSTATE_LIMIT "54000"
#define SQLSTATE_LOCKED "55P03"
/* Until the time is over others queue behind a DROP INDEX that waits for a reader. */
#define LOCK_TIMEOUT "SET LOCAL lock_timeout = 2000; "

/* In a transaction of its own; *done: it was executed.  False only if the session is of no more use. */
static bool
execute(struct connection *conn, const char *statements, bool *done, struct error *err)
{
	struct error ignored;
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	buffer_printf(&sql, LOCK_TIMEOUT "%s", statements);
	*done = connection_execute_buffer(conn, &sql, NULL, err);
	buffer_fini(&sql);
	ok = *done || index_lists_is_refusal(conn, err);
	return ok && (!connection_in_transaction(conn) ||
				  connection_execute(conn, "ROLLBACK", NULL, 0, NULL, &ignored));
}

/* ---- what the source has dropped */

struct cleanup {
	struct index_lists lists;
	struct connection *source;
	struct connection *control;
	const struct config *config;
	const struct error *refusal; /* NULL: none */
	bool inside;				 /* `control` is in the batches' transaction, which waits for locks */
	enum index_cleanup outcome;
};

/* The same in the batches' transaction, under a savepoint. */
static bool
execute_inside(struct connection *conn, const char *statements, bool *done, struct error *err)
{
	struct error refusal;

	if (!trial_execute(conn, statements, &refusal, err))
		return false;
	*done = !refusal.message[0];
	if (!*done)
		*err = refusal;
	return true;
}

/* The drop waits for others' locks together with what else is about to alter the target. */
static void
postpone(struct table *table, const char *statements)
{
	char *earlier = table->index_drops;

	table->index_drops = memory_printf("%s%s;\n", earlier ? earlier : "", statements);
	free(earlier);
}

static bool
drop(struct cleanup *c, struct table *table, const struct index_row *row, const struct index_found *found,
	 bool gone, bool guilty, struct error *err)
{
	const char *why = gone ? "as the source has" : "which may have refused a row; it is built again";
	struct buffer sql;
	bool done = false, ok;

	sql_init(&sql);
	state_indexes_put_drop(&sql, found, table->target_schema, table->target_name);
	buffer_printf(&sql, "; ");
	state_indexes_put_forget(&sql, table->target.oid, row->signature);
	ok = (c->inside ? execute_inside : execute)(c->control, sql_text(&sql), &done, err);
	if (ok && !done && gone && strcmp(err->sqlstate, SQLSTATE_LOCKED) == 0)
		postpone(table, sql_text(&sql));
	buffer_fini(&sql);
	if (!ok)
		return error_context(err, "dropping the index %s of %s.%s", found->name, table->target_schema,
							 table->target_name);
	if (done)
		log_table(LOG_INFO, &table->source, "%s.%s: dropped the index %s, %s", table->target_schema,
				  table->target_name, found->name, why);
	else
		log_table(LOG_WARNING, &table->source, "%s.%s keeps the index %s, which is to be dropped: %s",
				  table->target_schema, table->target_name, found->name, err->message);
	if (done)
		c->outcome = INDEX_CLEANUP_DROPPED;
	else if (guilty && c->outcome == INDEX_CLEANUP_NOTHING && strcmp(err->sqlstate, SQLSTATE_LOCKED) == 0)
		c->outcome = INDEX_CLEANUP_LOCKED;
	return true;
}

/* A long entry, or an expression of values that it does not take. */
static bool
may_be_of_expression(const char *sqlstate)
{
	return strncmp(sqlstate, "22", 2) == 0 || strcmp(sqlstate, SQLSTATE_LIMIT) == 0;
}

bool
index_cleanup_may_help(const struct error *refusal)
{
	return strcmp(refusal->sqlstate, SQLSTATE_UNIQUE) == 0 || may_be_of_expression(refusal->sqlstate);
}

/* Whether it evaluates anything: an expression, a condition, or what the access method makes of a value. */
static bool
evaluates(const struct index_found *found)
{
	const char *columns = strchr(found->definition, '(');

	return !strstr(found->definition, "USING btree ") || !columns || strchr(columns + 1, '(');
}

/* Whether the index may have caused the refusal of a row of its table. */
static bool
may_be_guilty(const struct error *refusal, const struct index_found *found)
{
	if (strcmp(refusal->sqlstate, SQLSTATE_UNIQUE) == 0)
		return found->unique;
	return strcmp(refusal->sqlstate, SQLSTATE_LIMIT) == 0 || evaluates(found);
}

/* One that the source has: an index that is not unique may have been built before such rows. */
static bool
is_suspect(const struct index_wanted *wanted, const struct index_row *row, const struct index_found *found)
{
	return !found->unique || wanted->oid != row->source_oid;
}

/* Of the table; `refused`: the error is about a row of it. */
static bool
drop_some(struct cleanup *c, struct table *table, const struct index_plan *plan, bool refused,
		  struct error *err)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < plan->row_count; i++) {
		const struct index_row *row = &plan->rows[i];
		const struct index_found *found = index_plan_find(plan, row);
		const struct index_wanted *wanted = index_plan_wants(plan, row->signature);
		bool guilty = refused && found && may_be_guilty(c->refusal, found);

		if (found && (!wanted || (guilty && is_suspect(wanted, row, found))))
			ok = drop(c, table, row, found, !wanted, guilty, err);
	}
	return ok;
}

static bool
drop_of_table(struct cleanup *c, struct table *table, struct error *err)
{
	bool refused = c->refusal && index_cleanup_may_help(c->refusal) &&
				   error_is_about_table(c->refusal, table->source.schema, table->source.name);
	struct index_plan plan;
	bool locked = false;

	index_lists_plan(&c->lists, c->config, table, &plan);
	if (!refused && !index_plan_has_gone(&plan))
		return true;
	if (!index_lists_read_found(&c->lists, c->control, table, &plan, c->inside ? NULL : &locked, err))
		return false;
	if (refused && locked && index_plan_has_gone(&plan))
		c->outcome = INDEX_CLEANUP_LOCKED;
	return locked || drop_some(c, table, &plan, refused, err);
}

static bool
is_installed(struct connection *control)
{
	struct state_installed installed;
	struct error err;

	return state_install_read(control, &installed, &err) && installed.indexes;
}

static bool
clean_up(struct cleanup *c, struct table **tables, unsigned count, struct error *err)
{
	unsigned kept = 0;
	bool ok;

	index_lists_init(&c->lists);
	ok = index_lists_read_rows(&c->lists, c->control, c->config->task, NULL, err);
	for (unsigned i = 0; ok && i < count; i++)
		if (index_lists_may_follow(c->config, tables[i]) && index_lists_has_rows(&c->lists, tables[i]))
			tables[kept++] = tables[i];
	if (kept > 0)
		ok = index_lists_read_source(&c->lists, c->source, tables, kept, err);
	for (unsigned i = 0; ok && i < kept; i++)
		ok = drop_of_table(c, tables[i], err);
	index_lists_fini(&c->lists);
	return ok;
}

enum index_cleanup
index_cleanup_drop(struct connection *source, struct connection *control, const struct config *config,
				   struct catalog *catalog, const struct error *refusal)
{
	struct cleanup c = {.source = source, .control = control, .config = config, .refusal = refusal};
	struct table **tables = memory_alloc_zero(catalog->count + 1, sizeof *tables);
	struct error ignored;

	for (unsigned i = 0; i < catalog->count; i++)
		tables[i] = &catalog->tables[i];
	if (is_installed(control))
		(void) clean_up(&c, tables, catalog->count, &ignored);
	free(tables);
	return c.outcome;
}

bool
index_cleanup_drop_inside(struct connection *source, struct connection *destination,
						  const struct config *config, struct table *table, struct error *err)
{
	struct cleanup c = {.source = source, .control = destination, .config = config, .inside = true};

	return !table->indexes_ours || clean_up(&c, &table, 1, err);
}

/* ---- what the task does not use any more */

static bool
feeds(const struct catalog *catalog, int64_t target_oid)
{
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].target.exists && (int64_t) catalog->tables[i].target.oid == target_oid)
			return true;
	return false;
}

static bool
drop_unfinished(struct connection *destination, const char *name, struct error *err)
{
	struct param param = param_text(name);
	struct result *res;
	struct buffer sql;
	bool ok = true, done;

	if (!connection_execute(destination,
							"SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid ="
							" c.relnamespace WHERE c.relname = $1 AND c.relkind IN ('i', 'I')",
							&param, 1, &res, err))
		return false;
	for (unsigned row = 0; ok && row < result_rows(res); row++) {
		sql_init(&sql);
		buffer_printf(&sql, "DROP INDEX ");
		sql_qualified(&sql, result_text(res, row, 0), result_text(res, row, 1));
		ok = execute(destination, sql_text(&sql), &done, err);
		if (ok && !done)
			log_warning("an index that was not completed stays at the destination: %s; "
						"to remove it, execute %s there",
						err->message, sql_text(&sql));
		buffer_fini(&sql);
	}
	result_free(res);
	return ok;
}

static bool
is_unfinished(const struct result *rows, unsigned row)
{
	return result_is_null(rows, row, STATE_INDEX_OID) && !result_is_null(rows, row, STATE_INDEX_NAME);
}

/* Of the rows' indexes those that were not completed. */
static bool
drop_all_unfinished(struct connection *destination, const struct result *rows, struct error *err)
{
	bool ok = true;

	for (unsigned row = 0; ok && row < result_rows(rows); row++)
		if (is_unfinished(rows, row))
			ok = drop_unfinished(destination, result_text(rows, row, STATE_INDEX_NAME), err);
	return ok;
}

static bool
forget_target(struct connection *destination, const char *task, int64_t target_oid, struct error *err)
{
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	state_indexes_put_forget_target(&sql, task, target_oid);
	ok = connection_execute_buffer(destination, &sql, NULL, err);
	buffer_fini(&sql);
	return ok;
}

/* Forgets targets that the task does not feed any more. */
static bool
tidy(struct cleanup *c, const struct catalog *catalog)
{
	const struct result *rows = c->lists.rows;
	struct error err;
	bool ok = true;

	for (unsigned row = 0; ok && row < result_rows(rows); row++) {
		int64_t target = result_int(rows, row, STATE_INDEX_TARGET);

		if (feeds(catalog, target))
			continue;
		if (is_unfinished(rows, row))
			ok = drop_unfinished(c->control, result_text(rows, row, STATE_INDEX_NAME), &err);
		if (ok && (row + 1 == result_rows(rows) || result_int(rows, row + 1, STATE_INDEX_TARGET) != target))
			ok = forget_target(c->control, c->config->task, target, &err);
	}
	return ok;
}

bool
index_cleanup_end(struct connection *destination, const char *task, struct error *err)
{
	struct result *rows;
	bool ok;

	if (!is_installed(destination))
		return true;
	if (!state_indexes_read(destination, task, 0, &rows, err))
		return false;
	ok = drop_all_unfinished(destination, rows, err);
	result_free(rows);
	return ok;
}

/* ---- the start */

static unsigned
find_followed(struct cleanup *c, struct catalog *catalog, struct table **tables)
{
	unsigned count = 0;

	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		table->indexes_followed =
			index_lists_may_follow(c->config, table) && index_lists_has_target(&c->lists, table);
		table->indexes_behind = table->indexes_followed;
		table->indexes_ours = table->indexes_followed && index_lists_has_rows(&c->lists, table);
		table->indexes_lsn = 0;
		free(table->index_drops);
		table->index_drops = NULL;
		if (table->indexes_followed)
			tables[count++] = table;
	}
	return count;
}

static bool
compare(struct cleanup *c, struct table *table, struct error *err)
{
	struct index_plan plan;

	index_lists_plan(&c->lists, c->config, table, &plan);
	table->indexes_behind = !index_plan_in_step(&plan);
	return !table->indexes_behind || drop_of_table(c, table, err);
}

bool
index_cleanup_start(struct connection *source, struct connection *control, const struct config *config,
					struct catalog *catalog)
{
	struct cleanup c = {.source = source, .control = control, .config = config};
	struct table **tables = memory_alloc_zero(catalog->count + 1, sizeof *tables);
	struct error err;
	unsigned count = 0;
	bool ok;

	index_lists_init(&c.lists);
	ok = index_lists_read_rows(&c.lists, control, config->task, NULL, &err) && tidy(&c, catalog);
	if (ok)
		count = find_followed(&c, catalog, tables);
	ok = ok && count > 0 && index_lists_read_source(&c.lists, source, tables, count, &err);
	for (unsigned i = 0; ok && i < count; i++)
		ok = compare(&c, tables[i], &err);
	index_lists_fini(&c.lists);
	free(tables);
	return c.outcome == INDEX_CLEANUP_DROPPED;
}
