#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "copy/after_copy.h"
#include "lsn.h"
#include "quote.h"
#include "selection.h"
#include "tables/mapping.h"
#include "tables/table_definition.h"

#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 200
#define INSTALL_ATTEMPTS 5
#define TABLES_PER_STATEMENT 500

/* The first key of our advisory locks, "slui"; the second is the task's hash. */
#define LOCK_CLASS 0x736c7569
/* "sluj": a table being copied; the second key is the task's hash and the table's OID. */
#define LOCK_CLASS_COPY 0x736c756a

static const char *
text(const struct buffer *sql)
{
	return (const char *) sql->data;
}

static void
sql_init(struct buffer *sql)
{
	buffer_init(sql, SIZE_MAX / 2, NULL, NULL);
}

/* Runs what the buffer holds, and frees it. */
static bool
execute_and_free(struct connection *conn, struct buffer *sql, struct result **res, struct error *err)
{
	bool done;

	buffer_put_u8(sql, '\0');
	done = connection_execute(conn, text(sql), NULL, 0, res, err);
	buffer_fini(sql);
	return done;
}

/* ---- the lock */

/* FNV-1a. A collision of two tasks in one database makes the second one refuse to start. */
static int32_t
lock_key(const char *task)
{
	uint32_t hash = 2166136261u;

	for (const char *c = task; *c; c++)
		hash = (hash ^ (uint8_t) *c) * 16777619u;
	return (int32_t) hash;
}

static bool
try_lock(struct connection *destination, const char *task, bool *locked, struct error *err)
{
	char sql[96];
	struct result *res;

	snprintf(sql, sizeof sql, "SELECT pg_try_advisory_lock(%d, %d)", LOCK_CLASS, lock_key(task));
	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	*locked = result_bool(res, 0, 0);
	result_free(res);
	return true;
}

/* One row or none: pid, start of its session. */
static bool
read_holder(struct connection *destination, const char *task, struct result **res, struct error *err)
{
	char sql[640];

	snprintf(sql, sizeof sql,
			 "SELECT l.pid, date_trunc('second', a.backend_start)"
			 " FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid"
			 " WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2"
			 " AND l.classid = %u AND l.objid = %u"
			 " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
			 " LIMIT 1",
			 (unsigned) LOCK_CLASS, (unsigned) lock_key(task));
	return connection_execute(destination, sql, NULL, 0, res, err);
}

bool
progress_lock_holder(struct connection *destination, const char *task, int64_t *pid, struct error *err)
{
	struct result *res;

	if (!read_holder(destination, task, &res, err))
		return false;
	*pid = result_rows(res) ? result_int(res, 0, 0) : 0;
	result_free(res);
	return true;
}

static bool
fail_locked(struct connection *destination, const char *task, struct error *err)
{
	struct result *res;

	if (!read_holder(destination, task, &res, err))
		return false;
	if (result_rows(res))
		error_set(err, ERROR_DATA,
				  "another sluice daemon runs task \"%s\": process %s of the destination, since %s", task,
				  result_text(res, 0, 0), result_text(res, 0, 1));
	else
		error_set(err, ERROR_DATA, "another sluice daemon runs task \"%s\"", task);
	result_free(res);
	return error_hint(err, "Stop the other one first, or give this task another name.");
}

bool
progress_lock(struct connection *destination, struct loop *loop, const char *task, struct error *err)
{
	bool locked = false;

	/* The session of a daemon that was killed a moment ago ends by itself. */
	for (int waited_ms = 0; waited_ms <= LOCK_WAIT_MS; waited_ms += LOCK_POLL_MS) {
		if (!try_lock(destination, task, &locked, err))
			return false;
		if (locked)
			return true;
		if (!loop_sleep(loop, LOCK_POLL_MS))
			return error_set(err, ERROR_STOPPED, "stopped while waiting for another daemon to end");
	}
	return fail_locked(destination, task, err);
}

struct passing {
	struct loop *loop;
	bool over;
	bool failed;
	struct error err;
};

static void
on_passed(void *arg, const struct result *res, const struct error *err)
{
	struct passing *p = arg;

	(void) res;
	p->over = true;
	p->failed = err != NULL;
	if (err)
		p->err = *err;
}

static bool
is_passed(void *arg)
{
	struct passing *p = arg;

	return p->over || loop_stop_requested(p->loop);
}

/* The one who waits for it gets it when it is let go; others only try. */
bool
progress_pass_lock(struct connection *from, struct connection *to, struct loop *loop, const char *task,
				   struct error *err)
{
	struct passing p = {.loop = loop};
	char sql[96];

	snprintf(sql, sizeof sql, "SELECT pg_advisory_lock(%d, %d)", LOCK_CLASS, lock_key(task));
	connection_query(to, sql, NULL, 0, on_passed, &p);
	snprintf(sql, sizeof sql, "SELECT pg_advisory_unlock(%d, %d)", LOCK_CLASS, lock_key(task));
	if (!connection_execute(from, sql, NULL, 0, NULL, err)) {
		connection_abandon(to);
		return false;
	}
	loop_run_until(loop, is_passed, &p);
	if (p.failed)
		*err = p.err;
	if (p.over)
		return !p.failed;
	connection_abandon(to);
	return error_set(err, ERROR_STOPPED, "stopped while the task's lock was passed on");
}

/* ---- making the tables */

static const char progress_columns[] =
	"task text PRIMARY KEY, slot text NOT NULL, applied_lsn pg_lsn NOT NULL,"
	" slot_lsn pg_lsn NOT NULL, source_system text NOT NULL,"
	" source_timeline bigint NOT NULL, source_database text NOT NULL,"
	" epoch bigint NOT NULL, phase text NOT NULL, last_error text,"
	" applied_commit_time timestamptz, updated_at timestamptz NOT NULL";

static const char tables_columns[] =
	"task text, source_schema text, source_name text, source_oid bigint NOT NULL,"
	" target_schema text NOT NULL, target_name text NOT NULL, state text NOT NULL,"
	" snapshot_lsn pg_lsn NOT NULL, rows_copied bigint NOT NULL, error text, rebuild text, definition text,"
	" selection text, PRIMARY KEY (task, source_schema, source_name)";

struct installed {
	bool schema;
	bool progress;
	bool tables;
	bool unfinished;
	bool selection;
};

static bool
read_installed(struct connection *destination, struct installed *installed, struct error *err)
{
	static const char sql[] = "SELECT count(*) > 0, coalesce(bool_or(c.relname = 'progress'), false),"
							  " coalesce(bool_or(c.relname = 'tables'), false),"
							  " coalesce(bool_or(c.relname = 'unfinished'), false),"
							  " coalesce(bool_or(c.relname = 'selection'), false)"
							  " FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid"
							  " AND c.relname IN ('progress', 'tables', 'unfinished', 'selection')"
							  " WHERE n.nspname = 'sluice'";
	struct result *res;

	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	installed->schema = result_bool(res, 0, 0);
	installed->progress = result_bool(res, 0, 1);
	installed->tables = result_bool(res, 0, 2);
	installed->unfinished = result_bool(res, 0, 3);
	installed->selection = result_bool(res, 0, 4);
	result_free(res);
	return true;
}

/* A task's rows lie on one segment, so that writing them takes part in no two-phase commit of its own. */
static void
put_create_table(struct buffer *sql, const struct dialect *dialect, const char *name, const char *columns,
				 const char *key)
{
	buffer_printf(sql, "CREATE TABLE sluice.%s (%s)", name, columns);
	if (dialect->has_segments)
		buffer_printf(sql, " DISTRIBUTED BY (%s)", key);
	buffer_printf(sql, ";\n");
}

static void
put_missing(struct buffer *sql, const struct dialect *dialect, const struct installed *installed)
{
	if (!installed->schema)
		buffer_printf(sql, "CREATE SCHEMA sluice;\n");
	if (!installed->progress)
		put_create_table(sql, dialect, "progress", progress_columns, "task");
	if (!installed->tables)
		put_create_table(sql, dialect, "tables", tables_columns, "task");
	if (!installed->unfinished)
		put_create_table(sql, dialect, "unfinished", after_copy_columns, "target");
	if (!installed->selection)
		put_create_table(sql, dialect, "selection", selection_columns, "task");
}

bool
progress_put_install(struct connection *destination, const struct dialect *dialect, struct buffer *sql,
					 struct error *err)
{
	struct installed installed;

	if (!read_installed(destination, &installed, err))
		return false;
	put_missing(sql, dialect, &installed);
	return true;
}

static bool
install_missing(struct connection *destination, const struct dialect *dialect,
				const struct installed *installed, struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	put_missing(&sql, dialect, installed);
	return execute_and_free(destination, &sql, NULL, err);
}

/* The daemon of another task may make the same at this moment: schema,
 * table, or a row of the system catalogs exists already. */
static bool
is_race(const struct error *err)
{
	return strcmp(err->sqlstate, "42P06") == 0 || strcmp(err->sqlstate, "42P07") == 0 ||
		   strcmp(err->sqlstate, "23505") == 0 || strcmp(err->sqlstate, "42710") == 0;
}

bool
progress_install(struct connection *destination, const struct dialect *dialect, struct error *err)
{
	struct installed installed;

	for (int attempt = 1;; attempt++) {
		if (!read_installed(destination, &installed, err))
			return false;
		if (installed.schema && installed.progress && installed.tables && installed.unfinished &&
			installed.selection)
			return true;
		if (install_missing(destination, dialect, &installed, err))
			return true;
		if (!is_race(err) || attempt == INSTALL_ATTEMPTS)
			return error_context(err, "making the schema sluice for the state of the task");
	}
}

/* ---- the row of the task */

static void
copy_text(char *out, size_t out_bytes, const char *in)
{
	snprintf(out, out_bytes, "%s", in);
}

static bool
take_progress(const struct result *res, struct progress *progress, struct error *err)
{
	if (!lsn_parse(result_text(res, 0, 1), &progress->applied_lsn) ||
		!lsn_parse(result_text(res, 0, 2), &progress->slot_lsn))
		return error_set(err, ERROR_BUG, "sluice.progress holds an LSN that cannot be read");
	progress->exists = true;
	copy_text(progress->slot, sizeof progress->slot, result_text(res, 0, 0));
	copy_text(progress->source_system, sizeof progress->source_system, result_text(res, 0, 3));
	progress->source_timeline = result_int(res, 0, 4);
	copy_text(progress->source_database, sizeof progress->source_database, result_text(res, 0, 5));
	progress->epoch = result_int(res, 0, 6);
	return true;
}

static bool
read_row(struct connection *destination, const char *task, struct progress *progress, struct error *err)
{
	static const char sql[] = "SELECT slot, applied_lsn, slot_lsn, source_system, source_timeline,"
							  " source_database, epoch FROM sluice.progress WHERE task = $1";
	struct param param = param_text(task);
	struct result *res;
	bool read = true;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	if (result_rows(res))
		read = take_progress(res, progress, err);
	result_free(res);
	return read;
}

bool
progress_read(struct connection *destination, const char *task, struct progress *progress, struct error *err)
{
	struct installed installed;

	*progress = (struct progress){0};
	if (!read_installed(destination, &installed, err))
		return false;
	return !installed.progress || read_row(destination, task, progress, err);
}

bool
progress_write(struct connection *destination, const char *task, const struct progress *progress,
			   struct error *err)
{
	static const char update[] =
		"UPDATE sluice.progress SET slot = $2, applied_lsn = $3, slot_lsn = $4, source_system = $5,"
		" source_timeline = $6, source_database = $7, epoch = $8, applied_commit_time = now(),"
		" updated_at = now() WHERE task = $1";
	static const char insert[] =
		"INSERT INTO sluice.progress (task, slot, applied_lsn, slot_lsn, source_system, source_timeline,"
		" source_database, epoch, phase, applied_commit_time, updated_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'copying', now(), now())";
	char applied[LSN_TEXT_BYTES], made[LSN_TEXT_BYTES], timeline[24], epoch[24];
	const struct param params[] = {
		param_text(task),
		param_text(progress->slot),
		param_text(lsn_format(progress->applied_lsn, applied)),
		param_text(lsn_format(progress->slot_lsn, made)),
		param_text(progress->source_system),
		param_text(timeline),
		param_text(progress->source_database),
		param_text(epoch),
	};
	struct result *res;
	bool updated;

	snprintf(timeline, sizeof timeline, "%lld", (long long) progress->source_timeline);
	snprintf(epoch, sizeof epoch, "%lld", (long long) progress->epoch);
	if (!connection_execute(destination, update, params, 8, &res, err))
		return error_context(err, "writing sluice.progress");
	updated = result_affected(res) > 0;
	result_free(res);
	/* Who writes here holds the task's lock: nobody inserts between the two. */
	return updated || connection_execute(destination, insert, params, 8, NULL, err) ||
		   error_context(err, "writing sluice.progress");
}

bool
progress_take_over(struct connection *destination, const char *task, struct progress *progress,
				   struct error *err)
{
	static const char sql[] = "UPDATE sluice.progress SET epoch = epoch + 1, source_timeline = $2,"
							  " updated_at = now() WHERE task = $1 RETURNING epoch";
	char timeline[24];
	const struct param params[] = {param_text(task), param_text(timeline)};
	struct result *res;
	bool found;

	snprintf(timeline, sizeof timeline, "%lld", (long long) progress->source_timeline);
	if (!connection_execute(destination, sql, params, 2, &res, err))
		return error_context(err, "taking over sluice.progress");
	found = result_rows(res) == 1;
	if (found)
		progress->epoch = result_int(res, 0, 0);
	result_free(res);
	return found || error_set(err, ERROR_DATA, "the row of task \"%s\" in sluice.progress is gone", task);
}

const char *
progress_advance_sql(void)
{
	return "UPDATE sluice.progress SET applied_lsn = $1, applied_commit_time = coalesce($2, now()),"
		   " updated_at = now() WHERE task = $3 AND epoch = $4";
}

bool
progress_set_phase(struct connection *destination, const char *task, const char *phase,
				   const char *last_error, struct error *err)
{
	const struct param params[] = {param_text(task), param_text(phase), param_text(last_error)};

	return connection_execute(destination,
							  "UPDATE sluice.progress SET phase = $2, last_error = $3, updated_at = now()"
							  " WHERE task = $1",
							  params, 3, NULL, err);
}

bool
progress_remove_tables(struct connection *destination, const char *task, struct error *err)
{
	struct param param = param_text(task);

	return connection_execute(destination, "DELETE FROM sluice.tables WHERE task = $1", &param, 1, NULL,
							  err) ||
		   error_context(err, "writing sluice.tables");
}

/* A target whose copy was interrupted gets its indexes back; where it is gone there is nothing to be done. */
static bool
finish_targets(struct connection *destination, const char *task, struct error *err)
{
	static const char sql[] = "SELECT rebuild FROM sluice.tables WHERE task = $1 AND rebuild <> ''";
	struct param param = param_text(task);
	struct result *res;
	bool ok = true;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	for (unsigned i = 0; ok && i < result_rows(res); i++)
		ok = connection_execute(destination, result_text(res, i, 0), NULL, 0, NULL, err) ||
			 strcmp(err->sqlstate, "42P01") == 0 || strcmp(err->sqlstate, "3F000") == 0;
	result_free(res);
	return ok || error_context(err, "building the indexes of a target whose copy was interrupted");
}

bool
progress_remove(struct connection *destination, const char *task, struct error *err)
{
	struct installed installed;
	struct buffer sql;

	if (!read_installed(destination, &installed, err) ||
		(installed.tables && !finish_targets(destination, task, err)))
		return false;
	sql_init(&sql);
	if (installed.tables) {
		buffer_printf(&sql, "DELETE FROM sluice.tables WHERE task = ");
		sql_literal(&sql, task);
		buffer_printf(&sql, ";\n");
	}
	if (installed.selection) {
		buffer_printf(&sql, "DELETE FROM sluice.selection WHERE task = ");
		sql_literal(&sql, task);
		buffer_printf(&sql, ";\n");
	}
	if (installed.progress) {
		buffer_printf(&sql, "DELETE FROM sluice.progress WHERE task = ");
		sql_literal(&sql, task);
	}
	return execute_and_free(destination, &sql, NULL, err);
}

/* ---- the rows of the tables */

static bool
follows(const struct table *table)
{
	return table->state == TABLE_STREAMING || table->state == TABLE_CATCHING_UP;
}

static void
put_optional_literal(struct buffer *sql, const char *value)
{
	if (value)
		sql_literal(sql, value);
	else
		buffer_printf(sql, "NULL");
}

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
	const struct source_table *named = table->defined && !follows(table) ? table->defined : &table->source;

	buffer_printf(sql, "task = ");
	sql_literal(sql, task);
	buffer_printf(sql, " AND source_schema = ");
	sql_literal(sql, named->schema);
	buffer_printf(sql, " AND source_name = ");
	sql_literal(sql, named->name);
}

void
progress_put_state(struct buffer *sql, const char *task, const struct table *table)
{
	buffer_printf(sql, "UPDATE sluice.tables SET state = '%s', error = ", table_state_name(table->state));
	put_optional_literal(sql, table->error);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
}

/* The definition that the target stands at: what the table follows, or what it was when it last did. */
static void
put_definition(struct buffer *sql, const struct table *table)
{
	const struct source_table *defined = follows(table) ? &table->source : table->defined;
	struct buffer definition;

	buffer_init(&definition, SIZE_MAX / 2, NULL, NULL);
	if (defined)
		table_definition_put(&definition, defined);
	buffer_put_u8(&definition, '\0');
	put_optional_literal(sql, defined ? text(&definition) : NULL);
	buffer_fini(&definition);
}

void
progress_put_definition(struct buffer *sql, const char *task, const struct table *table,
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
	put_optional_literal(sql, table->error);
	buffer_printf(sql, ", rebuild = ");
	put_optional_literal(sql, rebuild);
	buffer_printf(sql, ", definition = ");
	put_definition(sql, table);
	buffer_printf(sql, ", selection = ");
	put_selection(sql, table);
	buffer_printf(sql, " WHERE ");
	put_key(sql, task, table);
}

/* Whoever copies a table alone holds it exclusively, whoever copies a part of one holds it with the others. */
static void
put_copy_lock(struct buffer *sql, const char *task, const struct table *table, const char *mode)
{
	buffer_printf(sql, "SELECT pg_advisory_xact_lock%s(%d, %d);", mode, LOCK_CLASS_COPY,
				  (int32_t) ((uint32_t) lock_key(task) ^ table->source.oid));
}

void
progress_put_table_claim(struct buffer *sql, const char *task, const struct table *table)
{
	struct buffer target;

	put_copy_lock(sql, task, table, "");
	sql_init(&target);
	sql_qualified(&target, table->target_schema, table->target_name);
	buffer_put_u8(&target, '\0');
	buffer_printf(sql, "SELECT rebuild, has_table_privilege(");
	sql_literal(sql, text(&target));
	buffer_printf(sql, ", 'TRUNCATE') FROM sluice.tables WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state IN ('waiting', 'copying')");
	buffer_fini(&target);
}

void
progress_put_table_opened(struct buffer *sql, const char *task, const struct table *table,
						  const char *rebuild)
{
	put_update(sql, task, table, rebuild);
	buffer_printf(sql, " AND state IN ('waiting', 'copying')");
}

void
progress_put_part_claim(struct buffer *sql, const char *task, const struct table *table, bool last)
{
	put_copy_lock(sql, task, table, last ? "" : "_shared");
	buffer_printf(sql, "SELECT count(*) FROM sluice.tables WHERE ");
	put_key(sql, task, table);
	buffer_printf(sql, " AND state = 'copying' AND rebuild IS NOT NULL AND snapshot_lsn = ");
	put_literal_lsn(sql, table->snapshot_lsn);
}

void
progress_put_table_copied(struct buffer *sql, const char *task, const struct table *table)
{
	put_update(sql, task, table, table->late ? "" : NULL);
	buffer_printf(sql, " AND state IN ('waiting', 'copying')");
}

bool
progress_settle_late(struct connection *destination, const char *task, int64_t epoch, unsigned count,
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
progress_want_copy(struct connection *destination, const char *task, const struct table *table,
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
	if (!execute_and_free(destination, &sql, &res, err))
		return error_context(err, "writing sluice.tables");
	wanted = result_affected(res) > 0;
	result_free(res);
	return wanted || error_set(err, ERROR_DATA, "%s.%s waits for its copy already", table->source.schema,
							   table->source.name);
}

bool
progress_forget_late(struct connection *destination, const char *task, struct error *err)
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
progress_put_rows_copied(struct buffer *sql, const char *task, const struct table *table, int64_t rows)
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
	put_optional_literal(sql, table->error);
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
progress_write_table(struct connection *destination, const char *task, const struct table *table,
					 struct error *err)
{
	struct buffer sql;

	sql_init(&sql);
	put_table(&sql, task, table);
	return execute_and_free(destination, &sql, NULL, err) || error_context(err, "writing sluice.tables");
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
	return execute_and_free(destination, &sql, NULL, err) || error_context(err, "writing sluice.tables");
}

/* Rows of ours are in the target of a table that was begun in parts: that must not be forgotten. */
static bool
forget_waiting(struct connection *destination, const char *task, const struct catalog *catalog,
			   struct error *err)
{
	static const char sql[] =
		"DELETE FROM sluice.tables t WHERE task = $1 AND state IN ('waiting', 'copying')"
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
	ok = connection_execute(
		destination, sql,
		(const struct param[]){param_text(task), param_text(text(&schemas)), param_text(text(&names))}, 3,
		NULL, err);
	buffer_fini(&schemas);
	buffer_fini(&names);
	return ok || error_context(err, "writing sluice.tables");
}

/* What waits is written anew: such tables may have come, gone and been replaced meanwhile. */
bool
progress_add_tables(struct connection *destination, const char *task, const struct catalog *catalog,
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

static bool
fail_renamed(const struct table *table, const char *schema, const char *name, struct error *err)
{
	error_set(err, ERROR_DATA, "table %s.%s was renamed at the source since it was copied: it is %s.%s now",
			  schema, name, table->source.schema, table->source.name);
	return error_hint(err, "Delete its row from sluice.tables at the destination, then start again: it is"
						   " copied anew, as a table of its new name.");
}

static bool
fail_made_anew(const struct table *table, struct error *err)
{
	error_set(err, ERROR_DATA, "table %s.%s was dropped and made anew at the source since it was copied",
			  table->source.schema, table->source.name);
	return error_hint(err, "Delete its row from sluice.tables at the destination and empty its target,"
						   " then start again: it is copied anew.");
}

/* Whether what is in the target is to stay there: a table that is held is copied anew. */
static bool
holds_rows(const struct table *table)
{
	switch (table->state) {
	case TABLE_WAITING:
	case TABLE_COPYING:
		return table->begun;
	case TABLE_HELD:
		return false;
	default:
		return true;
	}
}

static bool
has_other_name(const struct result *res, unsigned row, const struct table *table)
{
	return strcmp(result_text(res, row, 0), table->source.schema) != 0 ||
		   strcmp(result_text(res, row, 1), table->source.name) != 0;
}

/* Whether the rows that are there were copied as they would be now. */
static bool
same_selection(const struct result *res, unsigned row, const struct table *table)
{
	char *selection = mapping_describe(table);
	/* The target of a renamed table follows its name in the stream. */
	bool renamed = has_other_name(res, row, table);
	bool same = (renamed || (strcmp(result_text(res, row, 8), table->target_schema) == 0 &&
							 strcmp(result_text(res, row, 9), table->target_name) == 0)) &&
				(result_is_null(res, row, 11) || strcmp(result_text(res, row, 11), selection) == 0);

	free(selection);
	return same;
}

static bool
fail_selected_anew(const struct result *res, unsigned row, const struct table *table, struct error *err)
{
	char *selection = mapping_describe(table);

	error_set(err, ERROR_DATA,
			  "table %s.%s was copied into %s.%s (%s), the configuration says %s.%s (%s) now",
			  table->source.schema, table->source.name, result_text(res, row, 8), result_text(res, row, 9),
			  result_is_null(res, row, 11) ? "all" : result_text(res, row, 11), table->target_schema,
			  table->target_name, selection);
	free(selection);
	return error_hint(err, "Take the change back; or delete its row from sluice.tables at the destination and"
						   " empty its target, then start again: it is copied anew.");
}

/*
 * The definition, with the names that belong to it.  A name that has changed
 * since is the stream's to tell: until then table and target go by the old one.
 */
static bool
take_definition(const struct result *res, unsigned row, struct table *table, struct error *err)
{
	struct source_table *defined = catalog_alloc(1, sizeof *defined);

	if (!table_definition_parse(result_text(res, row, 7), defined)) {
		free(defined);
		return error_set(err, ERROR_BUG, "the definition of table %s.%s in sluice.tables cannot be read",
						 table->source.schema, table->source.name);
	}
	defined->oid = table->source.oid;
	defined->partitioned = table->source.partitioned;
	defined->schema = catalog_strdup(result_text(res, row, 0));
	defined->name = catalog_strdup(result_text(res, row, 1));
	table->defined = defined;
	if (strcmp(defined->schema, table->source.schema) == 0 && strcmp(defined->name, table->source.name) == 0)
		return true;
	table->renamed = true;
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = catalog_strdup(result_text(res, row, 8));
	table->target_name = catalog_strdup(result_text(res, row, 9));
	return true;
}

/* Tables that were renamed go by the names that the stream still has for them. */
static void
settle_names(struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined || !follows(table))
			continue;
		free(table->source.schema);
		free(table->source.name);
		table->source.schema = catalog_strdup(table->defined->schema);
		table->source.name = catalog_strdup(table->defined->name);
	}
	catalog_sort(catalog);
}

/* Columns: source schema, name, oid, state, snapshot_lsn, rows_copied, error, definition, target's names, whether its
 * copy was begun in parts, selection. */
static bool
take_table(const struct result *res, unsigned row, const struct catalog *catalog, struct error *err)
{
	const char *schema = result_text(res, row, 0), *name = result_text(res, row, 1);
	struct table *table = catalog_find(catalog, schema, name);
	enum table_state state;

	/* Renamed since, or swapped with another. */
	if ((!table || result_int(res, row, 2) != table->source.oid) && !result_is_null(res, row, 7) &&
		catalog_find_oid(catalog, (uint32_t) result_int(res, row, 2)))
		table = catalog_find_oid(catalog, (uint32_t) result_int(res, row, 2));

	if (table)
		table->begun = result_bool(res, row, 10);
	/* It was not copied as a whole: whatever it is now, it is as good as new. */
	if ((!table || result_int(res, row, 2) != table->source.oid) &&
		table_state_parse(result_text(res, row, 3), &state) &&
		(state == TABLE_WAITING || state == TABLE_COPYING))
		return true;
	if (!table) {
		table = catalog_find_oid(catalog, (uint32_t) result_int(res, row, 2));
		return !table || fail_renamed(table, schema, name, err);
	}
	if (result_int(res, row, 2) != table->source.oid && result_is_null(res, row, 7))
		return fail_made_anew(table, err);
	if (!table_state_parse(result_text(res, row, 3), &table->state) ||
		!lsn_parse(result_text(res, row, 4), &table->snapshot_lsn))
		return error_set(err, ERROR_BUG, "the row of table %s.%s in sluice.tables cannot be read", schema,
						 name);
	if (result_int(res, row, 2) == table->source.oid && holds_rows(table) &&
		!same_selection(res, row, table)) {
		if (!has_other_name(res, row, table))
			return fail_selected_anew(res, row, table, err);
		table->reselected = true;
	}
	table->rows_copied = result_int(res, row, 5);
	free(table->error);
	table->error = result_is_null(res, row, 6) ? NULL : strdup(result_text(res, row, 6));
	if (result_is_null(res, row, 7))
		return true;
	/* Another table of the name: what is in the target is of the one before. */
	if (result_int(res, row, 2) != table->source.oid && table->state != TABLE_HELD)
		table->state = TABLE_WAITING;
	return take_definition(res, row, table, err);
}

bool
progress_read_tables(struct connection *destination, const char *task, struct catalog *catalog,
					 struct error *err)
{
	static const char sql[] =
		"SELECT source_schema, source_name, source_oid, state, snapshot_lsn,"
		" rows_copied, error, definition, target_schema, target_name, rebuild IS NOT NULL, selection"
		" FROM sluice.tables WHERE task = $1 ORDER BY 1, 2";
	struct param param = param_text(task);
	struct installed installed;
	struct result *res;
	bool taken = true;

	if (!read_installed(destination, &installed, err))
		return false;
	if (!installed.tables)
		return true;
	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	for (unsigned i = 0; taken && i < result_rows(res); i++)
		taken = take_table(res, i, catalog, err);
	result_free(res);
	if (taken)
		settle_names(catalog);
	catalog->states_read = taken;
	return taken;
}

/* ---- the report */

static char *
optional_text(struct arena *memory, const struct result *res, unsigned row, unsigned column)
{
	return result_is_null(res, row, column) ? NULL : arena_strdup(memory, result_text(res, row, column));
}

char *
progress_table_name(struct arena *memory, const char *schema, const char *name)
{
	struct buffer quoted;
	char *copy;

	sql_init(&quoted);
	quote_identifier(&quoted, schema);
	buffer_put_u8(&quoted, '.');
	quote_identifier(&quoted, name);
	buffer_put_u8(&quoted, '\0');
	copy = arena_strdup(memory, text(&quoted));
	buffer_fini(&quoted);
	return copy;
}

static void
take_reported_tables(const struct result *res, struct progress_report *report)
{
	struct arena *memory = &report->memory;

	report->table_count = result_rows(res);
	report->tables = arena_alloc_zero(memory, report->table_count * sizeof *report->tables);
	for (unsigned i = 0; i < report->table_count; i++)
		report->tables[i] = (struct progress_table){
			.source = progress_table_name(memory, result_text(res, i, 0), result_text(res, i, 1)),
			.target = progress_table_name(memory, result_text(res, i, 2), result_text(res, i, 3)),
			.state = arena_strdup(memory, result_text(res, i, 4)),
			.rows_copied = result_int(res, i, 5),
			.error = optional_text(memory, res, i, 6),
		};
}

static bool
read_reported_row(struct connection *destination, const char *task, struct progress_report *report,
				  struct error *err)
{
	static const char sql[] =
		"SELECT phase, last_error, extract(epoch FROM clock_timestamp() - applied_commit_time)"
		" FROM sluice.progress WHERE task = $1";
	struct param param = param_text(task);
	struct result *res;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	if (result_rows(res)) {
		report->phase = arena_strdup(&report->memory, result_text(res, 0, 0));
		report->last_error = optional_text(&report->memory, res, 0, 1);
		/* Clocks of two hosts differ: nothing is applied before it was committed. */
		if (!result_is_null(res, 0, 2)) {
			report->age_s = strtod(result_text(res, 0, 2), NULL);
			report->age_s = report->age_s < 0 ? 0 : report->age_s;
		}
	}
	result_free(res);
	return true;
}

static bool
read_reported_tables(struct connection *destination, const char *task, struct progress_report *report,
					 struct error *err)
{
	static const char sql[] = "SELECT source_schema, source_name, target_schema, target_name, state,"
							  " rows_copied, error FROM sluice.tables WHERE task = $1 ORDER BY 1, 2";
	struct param param = param_text(task);
	struct result *res;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return false;
	take_reported_tables(res, report);
	result_free(res);
	return true;
}

bool
progress_read_report(struct connection *destination, const char *task, struct progress_report *report,
					 struct error *err)
{
	struct installed installed;

	*report = (struct progress_report){.age_s = -1};
	arena_init(&report->memory, 16384);
	if (read_installed(destination, &installed, err) &&
		progress_read(destination, task, &report->progress, err) &&
		progress_lock_holder(destination, task, &report->daemon_pid, err) &&
		(!installed.progress || read_reported_row(destination, task, report, err)) &&
		(!installed.tables || read_reported_tables(destination, task, report, err)))
		return true;
	progress_report_free(report);
	return false;
}

void
progress_report_free(struct progress_report *report)
{
	arena_fini(&report->memory);
	*report = (struct progress_report){0};
}
