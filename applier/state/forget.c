#include "forget.h"

#include <stdio.h>

#include "base/log.h"
#include "base/sql.h"

bool
forget_find(struct connection *destination, const char *task, const struct catalog *catalog,
			struct arena *memory, struct forgotten **found, unsigned *count, struct error *err)
{
	static const char sql[] =
		"SELECT source_schema, source_name, source_oid, target_schema, target_name FROM sluice.tables"
		" WHERE task = $1 ORDER BY 1, 2";
	struct param param = param_text(task);
	struct result *res;

	*count = 0;
	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return error_context(err, "reading sluice.tables");
	*found = arena_alloc(memory, (result_rows(res) + 1) * sizeof **found);
	for (unsigned i = 0; i < result_rows(res); i++) {
		/* A held table may have another name by now. */
		if (catalog_find(catalog, result_text(res, i, 0), result_text(res, i, 1)) ||
			catalog_find_oid(catalog, (uint32_t) result_int(res, i, 2)))
			continue;
		(*found)[(*count)++] = (struct forgotten){
			.schema = arena_strdup(memory, result_text(res, i, 0)),
			.name = arena_strdup(memory, result_text(res, i, 1)),
			.oid = arena_strdup(memory, result_text(res, i, 2)),
			.target_schema = arena_strdup(memory, result_text(res, i, 3)),
			.target_name = arena_strdup(memory, result_text(res, i, 4)),
		};
	}
	result_free(res);
	return true;
}

/* Dropped is what the source has no more; anything else that it logs the user has left out. */
enum absence { DROPPED, UNLOGGED, LEFT_OUT };

static bool
find_absence(struct connection *source, const struct forgotten *table, enum absence *absence,
			 struct error *err)
{
	struct param param = param_text(table->oid);
	struct result *res;

	if (!connection_execute(source, "SELECT relpersistence FROM pg_class WHERE oid = $1::oid", &param, 1,
							&res, err))
		return false;
	if (result_rows(res) == 0)
		*absence = DROPPED;
	else
		*absence = result_text(res, 0, 0)[0] == 'u' ? UNLOGGED : LEFT_OUT;
	result_free(res);
	return true;
}

static void
log_forgotten(const struct forgotten *table, enum absence absence)
{
	if (absence == LEFT_OUT)
		log_info("%s.%s is not among the selected tables any more: forgotten, its target stays as it is",
				 table->schema, table->name);
	else
		log_warning("%s.%s was dropped at the source: forgotten, its target stays as it is", table->schema,
					table->name);
}

static bool
remove_row(struct connection *destination, const char *task, const struct forgotten *table, struct error *err)
{
	static const char sql[] =
		"DELETE FROM sluice.tables WHERE task = $1 AND source_schema = $2 AND source_name = $3";
	const struct param params[] = {param_text(task), param_text(table->schema), param_text(table->name)};

	return connection_execute(destination, sql, params, 3, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/* Logged again it is one of the task's tables again, and what is held is copied anew. */
static bool
hold(struct connection *destination, const char *task, const struct forgotten *table, struct error *err)
{
	static const char reason[] =
		"it is UNLOGGED at the source, which no stream shows; after ALTER TABLE SET LOGGED it"
		" is copied anew by itself";
	static const char sql[] = "UPDATE sluice.tables SET state = 'held', error = $4"
							  " WHERE task = $1 AND source_schema = $2 AND source_name = $3";
	const struct param params[] = {param_text(task), param_text(table->schema), param_text(table->name),
								   param_text(reason)};

	log_warning("%s.%s is held: %s", table->schema, table->name, reason);
	return connection_execute(destination, sql, params, 4, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

/* The table of the catalog that has the name now, though the stream is yet to say so; NULL: none. */
static bool
find_successor(struct connection *source, const struct catalog *catalog, const struct forgotten *table,
			   const struct table **successor, struct error *err)
{
	static const char sql[] = "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
							  " WHERE n.nspname = $1 AND c.relname = $2";
	const struct param params[] = {param_text(table->schema), param_text(table->name)};
	struct result *res;

	*successor = NULL;
	if (!connection_execute(source, sql, params, 2, &res, err))
		return false;
	if (result_rows(res) > 0)
		*successor = catalog_find_oid(catalog, (uint32_t) result_int(res, 0, 0));
	result_free(res);
	return true;
}

/* The target of a dropped table stays, where it is still there, but not under a name that another one is about to get. */
static bool
give_way(struct connection *source, struct connection *destination, const struct catalog *catalog,
		 const struct forgotten *table, struct error *err)
{
	const struct table *successor;
	char name[64];
	struct buffer sql;

	if (!find_successor(source, catalog, table, &successor, err))
		return false;
	if (!successor || successor->override || !table_follows(successor))
		return true;
	snprintf(name, sizeof name, "sluice_dropped_%s", table->oid);
	sql_init(&sql);
	buffer_printf(&sql, "ALTER TABLE IF EXISTS ");
	sql_qualified(&sql, table->target_schema, table->target_name);
	buffer_printf(&sql, " RENAME TO ");
	sql_identifier(&sql, name);
	log_warning("another table has the name of %s.%s now: %s", table->schema, table->name, sql_text(&sql));
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "making way for the table that is %s.%s now", table->schema, table->name);
}

static bool
forget(struct connection *source, struct connection *destination, const char *task,
	   const struct catalog *catalog, const struct forgotten *table, struct error *err)
{
	enum absence absence;

	if (!find_absence(source, table, &absence, err))
		return false;
	if (absence == UNLOGGED)
		return hold(destination, task, table, err);
	log_forgotten(table, absence);
	if (absence == DROPPED && !give_way(source, destination, catalog, table, err))
		return false;
	return remove_row(destination, task, table, err);
}

bool
forget_tables(struct connection *source, struct connection *destination, const char *task,
			  const struct catalog *catalog, struct error *err)
{
	struct forgotten *found;
	struct arena memory;
	unsigned count;
	bool ok;

	arena_init(&memory, 4096);
	ok = forget_find(destination, task, catalog, &memory, &found, &count, err);
	for (unsigned i = 0; ok && i < count; i++)
		ok = forget(source, destination, task, catalog, &found[i], err);
	arena_fini(&memory);
	return ok;
}
