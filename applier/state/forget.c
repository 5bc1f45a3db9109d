#include "forget.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "state_text.h"

/* A table whose row is taken over by another table with its name is not forgotten. */
static bool
is_known(const struct catalog *catalog, const char *schema, const char *name, uint32_t oid)
{
	const struct table *table = catalog_find(catalog, schema, name);

	return (table && (table->source.oid == oid || table->predecessor == oid)) ||
		   catalog_find_oid(catalog, oid);
}

bool
forget_find(struct connection *destination, const char *task, const struct catalog *catalog,
			struct arena *memory, struct forgotten **found, unsigned *count, struct error *err)
{
	static const char sql[] =
		"SELECT source_schema, source_name, source_oid, target_schema, target_name, state"
		" FROM sluice.tables WHERE task = $1 ORDER BY 1, 2";
	struct param param = param_text(task);
	struct result *res;

	*count = 0;
	*found = NULL;
	if (catalog->states_read && catalog->stray_rows == 0)
		return true;
	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return error_context(err, "reading sluice.tables");
	*found = arena_alloc(memory, (result_rows(res) + 1) * sizeof **found);
	for (unsigned i = 0; i < result_rows(res); i++) {
		const char *schema = state_text_read(memory, result_text(res, i, 0));
		const char *name = state_text_read(memory, result_text(res, i, 1));

		if (is_known(catalog, schema, name, (uint32_t) result_int(res, i, 2)))
			continue;
		(*found)[(*count)++] = (struct forgotten){
			.schema = arena_strdup(memory, schema),
			.name = arena_strdup(memory, name),
			.oid = arena_strdup(memory, result_text(res, i, 2)),
			.target_schema = arena_strdup(memory, result_text(res, i, 3)),
			.target_name = arena_strdup(memory, result_text(res, i, 4)),
		};
		if (!table_state_parse(result_text(res, i, 5), &(*found)[*count - 1].state))
			(*found)[*count - 1].state = TABLE_WAITING;
	}
	result_free(res);
	return true;
}

struct forgetting {
	struct connection *source;
	struct connection *destination;
	const char *task;
	const struct catalog *catalog;
	forget_is_selected is_selected;
	void *arg;
	const struct table *unblocked; /* a held table whose target can get its name now; NULL: none */
};

/*
 * DROPPED: the source no longer has the table. LEFT_OUT: it exists and is logged, so the user has excluded
 * it.
 */
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
		log_table(LOG_INFO, table,
				  "%s.%s is not among the selected tables any more: forgotten, its target stays as it is",
				  table->schema, table->name);
	else
		log_table(LOG_WARNING, table, "%s.%s was dropped at the source: forgotten, its target stays as it is",
				  table->schema, table->name);
}

/* `sql` takes the task as $1, the table's OID as $2 and the reason, if there is one, as $3. */
static bool
write_row(struct connection *destination, const char *task, const struct forgotten *table, const char *sql,
		  const char *reason, struct error *err)
{
	const struct param params[] = {param_text(task), param_text(table->oid), param_text(reason)};

	return connection_execute(destination, sql, params, reason ? 3 : 2, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

static bool
remove_row(struct connection *destination, const char *task, const struct forgotten *table, struct error *err)
{
	return write_row(destination, task, table,
					 "DELETE FROM sluice.tables WHERE task = $1 AND source_oid = $2::bigint", NULL, err);
}

/* If another table gets the name later, its target has our rows: the row is kept to show that. */
static bool
remember_target(struct connection *destination, const char *task, const struct forgotten *table,
				struct error *err)
{
	return write_row(destination, task, table,
					 "UPDATE sluice.tables SET state = 'dropped', error = NULL"
					 " WHERE task = $1 AND source_oid = $2::bigint",
					 NULL, err);
}

/*
 * Once it is logged again, the table is selected again, and held tables with a fitting target are copied
 * again.
 */
static bool
hold(struct connection *destination, const char *task, const struct forgotten *table, struct error *err)
{
	static const char reason[] =
		"it is UNLOGGED at the source, which no stream shows; after ALTER TABLE SET LOGGED it"
		" is copied again by itself";

	log_table(LOG_WARNING, table, "%s.%s is held: %s", table->schema, table->name, reason);
	return write_row(destination, task, table,
					 "UPDATE sluice.tables SET state = 'held', error = $3"
					 " WHERE task = $1 AND source_oid = $2::bigint",
					 reason, err);
}

static bool
has_target(struct connection *destination, const struct forgotten *table, bool *there, struct error *err)
{
	static const char sql[] = "SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
							  " WHERE n.nspname = $1 AND c.relname = $2";
	const struct param params[] = {param_text(table->target_schema), param_text(table->target_name)};
	struct result *res;

	if (!connection_execute(destination, sql, params, 2, &res, err))
		return false;
	*there = result_rows(res) > 0;
	result_free(res);
	return true;
}

/*
 * Finds the table of the catalog that has the name now, although the stream has not reached the rename
 * yet; NULL: none.
 */
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

/*
 * Whether the successor's own target will get the name: the stream renames it, or, while the table is
 * held, a person does.
 */
static bool
will_get_name(const struct table *successor, const struct forgotten *table)
{
	bool own = strcmp(successor->target_schema, table->target_schema) == 0 &&
			   strcmp(successor->target_name, table->target_name) == 0;

	return !successor->override &&
		   (table_follows(successor) || (successor->state == TABLE_HELD && successor->defined && !own));
}

/* Renames the dropped table's target, if it still exists. */
static bool
rename_aside(struct connection *destination, const struct forgotten *table, struct error *err)
{
	char name[64];
	struct buffer sql;

	snprintf(name, sizeof name, "sluice_dropped_%s", table->oid);
	sql_init(&sql);
	buffer_printf(&sql, "ALTER TABLE IF EXISTS ");
	sql_qualified(&sql, table->target_schema, table->target_name);
	buffer_printf(&sql, " RENAME TO ");
	sql_identifier(&sql, name);
	log_table(LOG_WARNING, table, "another table has the name of %s.%s now: %s", table->schema, table->name,
			  sql_text(&sql));
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "renaming the target of the table that was %s.%s", table->schema, table->name);
}

/* Renames the dropped table's target if another target is about to get its name. */
static bool
free_name_of_target(struct forgetting *f, const struct forgotten *table, struct error *err)
{
	const struct table *successor;

	if (!find_successor(f->source, f->catalog, table, &successor, err))
		return false;
	if (!successor || !will_get_name(successor, table))
		return true;
	if (table_is_held(successor))
		f->unblocked = successor;
	return rename_aside(f->destination, table, err);
}

/* Whether the target holds rows that this task copied. */
static bool
has_rows(const struct forgotten *table)
{
	return table->state != TABLE_WAITING && table->state != TABLE_COPYING;
}

static bool
forget_dropped(struct forgetting *f, const struct forgotten *table, struct error *err)
{
	bool there;

	if (!free_name_of_target(f, table, err) || !has_target(f->destination, table, &there, err))
		return false;
	if (!there || !has_rows(table))
		return remove_row(f->destination, f->task, table, err);
	return table->state == TABLE_DROPPED || remember_target(f->destination, f->task, table, err);
}

/*
 * The table is not in the catalog; whether it is selected now is asked again, since the catalog may be
 * outdated.
 */
static bool
forget_unselected(const struct forgetting *f, const struct forgotten *table, struct error *err)
{
	bool selected = false;

	if (has_rows(table) && !f->is_selected(f->arg, (uint32_t) strtoul(table->oid, NULL, 10), &selected, err))
		return false;
	if (selected)
		return error_set(err, ERROR_RESTART,
						 "%s.%s came back while the catalogs were read: starting over with it", table->schema,
						 table->name);
	log_forgotten(table, LEFT_OUT);
	return remove_row(f->destination, f->task, table, err);
}

static bool
forget(struct forgetting *f, const struct forgotten *table, struct error *err)
{
	enum absence absence;

	if (table->state == TABLE_DROPPED)
		return forget_dropped(f, table, err);
	if (!find_absence(f->source, table, &absence, err))
		return false;
	switch (absence) {
	case UNLOGGED:
		return hold(f->destination, f->task, table, err);
	case LEFT_OUT:
		return forget_unselected(f, table, err);
	case DROPPED:
		break;
	}
	log_forgotten(table, DROPPED);
	return forget_dropped(f, table, err);
}

bool
forget_tables(struct connection *source, struct connection *destination, const char *task,
			  const struct catalog *catalog, forget_is_selected is_selected, void *arg, struct error *err)
{
	struct forgetting f = {source, destination, task, catalog, is_selected, arg, NULL};
	struct forgotten *found;
	struct arena memory;
	unsigned count;
	bool ok;

	arena_init(&memory, 4096);
	ok = forget_find(destination, task, catalog, &memory, &found, &count, err);
	for (unsigned i = 0; ok && i < count; i++)
		ok = forget(&f, &found[i], err);
	arena_fini(&memory);
	if (ok && f.unblocked)
		return error_set(err, ERROR_RESTART, "the target of %s.%s, which is held, can get its name now",
						 f.unblocked->source.schema, f.unblocked->source.name);
	return ok;
}

bool
forget_free_name(struct connection *destination, const char *task, const char *target_schema,
				 const char *target_name, struct error *err)
{
	/* The name is compared here, since the destination's encoding may lack letters of it. */
	static const char sql[] =
		"SELECT t.source_schema, t.source_name, t.source_oid, t.target_schema, t.target_name FROM "
		"sluice.tables t"
		" WHERE t.task = $1 AND t.state = 'dropped' AND (t.target_oid IS NULL"
		" OR t.target_oid = (SELECT c.oid::bigint FROM pg_class c JOIN pg_namespace n ON n.oid = "
		"c.relnamespace"
		"  WHERE n.nspname = t.target_schema AND c.relname = t.target_name))";
	struct param param = param_text(task);
	struct result *res;
	bool ok = true;

	if (!connection_execute(destination, sql, &param, 1, &res, err))
		return error_context(err, "reading sluice.tables");
	for (unsigned i = 0; ok && i < result_rows(res); i++) {
		const struct forgotten table = {
			.schema = result_text(res, i, 0),
			.name = result_text(res, i, 1),
			.oid = result_text(res, i, 2),
			.target_schema = target_schema,
			.target_name = target_name,
			.state = TABLE_DROPPED,
		};

		if (strcmp(result_text(res, i, 3), target_schema) != 0 ||
			strcmp(result_text(res, i, 4), target_name) != 0)
			continue;
		ok = rename_aside(destination, &table, err) && remove_row(destination, task, &table, err);
	}
	result_free(res);
	return ok;
}
