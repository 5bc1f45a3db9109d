#include "state_install.h"

#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "state_layout.h"
#include "task_lock.h"

#define INSTALL_ATTEMPTS 5

/* ---- which parts exist */

static bool
read_version(struct connection *destination, int *version, struct error *err)
{
	struct result *res;

	if (!connection_execute(destination, "SELECT max(version) FROM sluice.layout", NULL, 0, &res, err))
		return false;
	*version = result_is_null(res, 0, 0) ? STATE_LAYOUT_FIRST : (int) result_int(res, 0, 0);
	result_free(res);
	return true;
}

static bool
check_version(int version, struct error *err)
{
	if (version <= STATE_LAYOUT_PRESENT)
		return true;
	error_set(err, ERROR_DATA,
			  "the schema sluice of the destination has layout %d, made by a later version of sluice; this"
			  " program knows layouts up to %d",
			  version, STATE_LAYOUT_PRESENT);
	return error_hint(err, "Use the later version of sluice for this task, too.");
}

/*
 * Parts of a complete schema do not disappear. So the layout is noted in the session, and no more queries
 * are sent until state_check_rights() asks again.
 */
static const struct state_installed complete = {
	.schema = true,
	.progress = true,
	.tables = true,
	.unfinished = true,
	.selection = true,
	.indexes = true,
	.versioned = true,
	.layout = STATE_LAYOUT_PRESENT,
};

static bool
is_complete(const struct state_installed *installed)
{
	return installed->schema && installed->progress && installed->tables && installed->unfinished &&
		   installed->selection && installed->indexes && installed->layout == STATE_LAYOUT_PRESENT;
}

/* Returns one row: the user, whether that user may read everything, and which parts exist. */
static const char installed_sql[] =
	"SELECT quote_ident(current_user), coalesce(bool_and(has_schema_privilege(n.oid, 'USAGE')"
	" AND (c.oid IS NULL OR has_table_privilege(c.oid, 'SELECT'))), true), count(*) > 0,"
	" coalesce(bool_or(c.relname = 'progress'), false), coalesce(bool_or(c.relname = 'tables'), false),"
	" coalesce(bool_or(c.relname = 'unfinished'), false), coalesce(bool_or(c.relname = 'selection'), false),"
	" coalesce(bool_or(c.relname = 'indexes'), false),"
	" coalesce(bool_or(c.relname = 'layout'), false)"
	" FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'"
	" WHERE n.nspname = 'sluice'";

static bool
take_installed(struct connection *destination, const struct result *res, struct state_installed *installed,
			   struct error *err)
{
	*installed = (struct state_installed){
		.schema = result_bool(res, 0, 2),
		.progress = result_bool(res, 0, 3),
		.tables = result_bool(res, 0, 4),
		.unfinished = result_bool(res, 0, 5),
		.selection = result_bool(res, 0, 6),
		.indexes = result_bool(res, 0, 7),
		.versioned = result_bool(res, 0, 8),
	};
	if (installed->versioned && !read_version(destination, &installed->layout, err))
		return false;
	if (!installed->versioned && (installed->progress || installed->tables))
		installed->layout = STATE_LAYOUT_FIRST;
	if (is_complete(installed))
		connection_set_note(destination, installed->layout);
	return true;
}

bool
state_install_read(struct connection *destination, struct state_installed *installed, struct error *err)
{
	struct result *res;
	bool ok;

	if (connection_note(destination) == STATE_LAYOUT_PRESENT) {
		*installed = complete;
		return true;
	}
	if (!connection_execute(destination, installed_sql, NULL, 0, &res, err))
		return false;
	ok = take_installed(destination, res, installed, err) && check_version(installed->layout, err);
	result_free(res);
	return ok;
}

static bool
refuse_user(const char *user, struct error *err)
{
	error_set(err, ERROR_DATA,
			  "%s may not read the schema sluice of the destination, which another user made", user);
	return error_hint(err,
					  "GRANT USAGE, CREATE ON SCHEMA sluice TO %s; GRANT SELECT, INSERT, UPDATE, DELETE"
					  " ON ALL TABLES IN SCHEMA sluice TO %s.",
					  user, user);
}

bool
state_check_rights(struct connection *destination, struct error *err)
{
	struct state_installed installed;
	struct result *res;
	bool ok;

	connection_set_note(destination, 0);
	if (!connection_execute(destination, installed_sql, NULL, 0, &res, err))
		return false;
	ok = result_bool(res, 0, 1) ? take_installed(destination, res, &installed, err)
								: refuse_user(result_text(res, 0, 0), err);
	result_free(res);
	return ok;
}

/* ---- creating and upgrading */

static bool
is_there(const struct state_installed *installed, const struct state_table *table)
{
	const struct {
		const char *name;
		bool there;
	} tables[] = {
		{"progress", installed->progress},	   {"tables", installed->tables},
		{"unfinished", installed->unfinished}, {"selection", installed->selection},
		{"indexes", installed->indexes},
	};

	for (unsigned i = 0; i < sizeof tables / sizeof *tables; i++)
		if (strcmp(tables[i].name, table->name) == 0)
			return tables[i].there;
	return false;
}

static void
put_missing(struct buffer *sql, const struct dialect *dialect, const struct state_installed *installed)
{
	if (!installed->schema)
		buffer_printf(sql, "CREATE SCHEMA sluice;\n");
	if (installed->layout > 0)
		state_layout_put_upgrade(sql, installed->layout);
	for (unsigned i = 0; i < state_table_count; i++)
		if (!is_there(installed, &state_tables[i]))
			state_layout_put_create(sql, dialect, &state_tables[i]);
	if (installed->layout != STATE_LAYOUT_PRESENT)
		state_layout_put_version(sql, dialect, installed->versioned);
}

bool
state_install_put(struct connection *destination, const struct dialect *dialect, struct buffer *sql,
				  struct error *err)
{
	struct state_installed installed;

	if (!state_install_read(destination, &installed, err))
		return false;
	put_missing(sql, dialect, &installed);
	return true;
}

/* The user may not alter the tables: their owner has to execute the statements, which are logged. */
static bool
explain_ownership(struct connection *destination, const struct buffer *sql, struct error *err)
{
	struct result *res;
	struct error cause = *err;

	if (!connection_execute(destination, "SELECT quote_ident(current_user)", NULL, 0, &res, err))
		return false;
	log_error("the owner of the schema sluice has to carry out: %sGRANT SELECT, INSERT, UPDATE, DELETE ON "
			  "ALL TABLES"
			  " IN SCHEMA sluice TO %s;",
			  (const char *) sql->data, result_text(res, 0, 0));
	result_free(res);
	*err = cause;
	error_hint(err,
			   "Its owner carries out the statements that were printed, with every daemon stopped that uses"
			   " this destination; then start again.");
	return error_context(err, "the schema sluice of the destination needs another layout");
}

static bool
install_missing(struct connection *destination, const struct dialect *dialect,
				const struct state_installed *installed, struct error *err)
{
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	put_missing(&sql, dialect, installed);
	ok = connection_execute(destination, sql_text(&sql), NULL, 0, NULL, err);
	if (!ok && installed->layout > 0 && strcmp(err->sqlstate, "42501") == 0)
		ok = explain_ownership(destination, &sql, err);
	buffer_fini(&sql);
	return ok;
}

/* A change beyond additional columns affects the daemons of other tasks. */
static bool
check_others(struct connection *destination, const struct state_installed *installed, const char *task,
			 struct error *err)
{
	int64_t pid;

	if (installed->layout == 0 || state_layout_is_additive(installed->layout))
		return true;
	if (!task_lock_other_holder(destination, task, &pid, err))
		return false;
	if (pid == 0)
		return true;
	error_set(err, ERROR_DATA,
			  "the schema sluice of the destination has to be brought from layout %d to %d, and the daemon of"
			  " another task works with it: process %lld of the destination",
			  installed->layout, STATE_LAYOUT_PRESENT, (long long) pid);
	return error_hint(err,
					  "Stop the daemons of all tasks that have this destination, then start them with this"
					  " version of sluice.");
}

/*
 * Whether another task's daemon has created the same schema, table or column at the same moment; a unique
 * violation in a system catalog means the same.
 */
static bool
is_race(const struct error *err)
{
	static const char *const states[] = {"42P06", "42P07", "23505", "42710", "42701"};

	for (unsigned i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(err->sqlstate, states[i]) == 0)
			return true;
	return false;
}

bool
state_install(struct connection *destination, const struct dialect *dialect, const char *task,
			  struct error *err)
{
	struct state_installed installed;

	for (int attempt = 1;; attempt++) {
		if (!state_install_read(destination, &installed, err))
			return false;
		if (is_complete(&installed))
			return true;
		if (!check_others(destination, &installed, task, err))
			return false;
		if (install_missing(destination, dialect, &installed, err)) {
			if (installed.layout > 0 && installed.layout < STATE_LAYOUT_PRESENT)
				log_info("the schema sluice of the destination was brought from layout %d to %d",
						 installed.layout, STATE_LAYOUT_PRESENT);
			return true;
		}
		if (!is_race(err) || attempt == INSTALL_ATTEMPTS)
			return error_context(err, "making the schema sluice for the state of the task");
	}
}

bool
state_upgrade(struct connection *destination, const struct dialect *dialect, const char *task,
			  struct error *err)
{
	struct state_installed installed;

	if (!state_install_read(destination, &installed, err))
		return false;
	return installed.layout == 0 || installed.layout == STATE_LAYOUT_PRESENT ||
		   state_install(destination, dialect, task, err);
}
