#include "table_action.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pattern.h"
#include "servers/source_catalog.h"
#include "state/feeders.h"
#include "state/progress.h"
#include "state/selection.h"
#include "state/state_tables.h"

bool
table_action_parse(const char *name, enum table_action *action)
{
	static const char *const names[] = {
		[TABLE_ADD] = "add", [TABLE_REMOVE] = "remove", [TABLE_RESYNC] = "resync"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		*action = (enum table_action) i;
		return true;
	}
	return false;
}

/* The tables that the task has now, with their states. */
static bool
read_tables(const struct table_action_setup *change, struct catalog *catalog, struct error *err)
{
	struct selection selection;
	struct progress progress;
	bool ok;

	*catalog = (struct catalog){0};
	selection_init(&selection, change->config);
	ok = selection_read(&selection, change->destination, err) &&
		 source_read_catalog(change->source, &selection.config, catalog, err) &&
		 progress_read(change->destination, change->config->task, &progress, err) &&
		 (!progress.exists || state_tables_read(change->destination, change->config->task, catalog, err));
	/* The overrides end with the selection; they are not used from here on. */
	selection_fini(&selection);
	return ok;
}

static bool
parse_name(const char *text, struct pattern *name, struct error *err)
{
	const char *problem = pattern_parse(text, name);

	if (problem)
		return error_set(err, ERROR_CONFIG, "\"%s\": %s", text, problem);
	if (pattern_is_literal(name))
		return true;
	pattern_free(name);
	return error_set(err, ERROR_CONFIG, "\"%s\" is a pattern: name the tables", text);
}

bool
table_action_check_names(const struct string_list *names, struct error *err)
{
	for (unsigned i = 0; i < names->count; i++) {
		struct pattern name;

		if (!parse_name(names->items[i], &name, err))
			return false;
		pattern_free(&name);
	}
	return true;
}

static const struct table *
find(const struct catalog *catalog, const struct pattern *name)
{
	return catalog_find(catalog, name->schema.text, name->table.text);
}

/* ---- add and remove */

static bool
check_mark(const struct catalog *before, const struct pattern *name, const char *text,
		   enum table_action action, struct error *err)
{
	const struct table *table = find(before, name);

	if (action == TABLE_ADD && table)
		return error_set(err, ERROR_DATA, "%s is one of the task's tables already", text);
	if (action == TABLE_REMOVE && !table)
		return error_set(err, ERROR_CONFIG, "%s is not part of this task", text);
	if (action == TABLE_REMOVE && before->count == 1)
		return error_set(err, ERROR_DATA, "%s is the only table of the task", text) ||
			   error_hint(err, "\"sluice drop\" ends the task.");
	return true;
}

static bool
mark(const struct table_action_setup *change, const struct catalog *before, enum table_action action,
	 const char *text, enum selection_mark *former, struct error *err)
{
	const char *task = change->config->task;
	struct pattern name;
	bool ok;

	if (!parse_name(text, &name, err))
		return false;
	ok = check_mark(before, &name, text, action, err) &&
		 selection_mark_of(change->destination, task, name.schema.text, name.table.text, former, err) &&
		 selection_write(change->destination, task, name.schema.text, name.table.text,
						 action == TABLE_ADD ? SELECTION_ADDED : SELECTION_REMOVED, err);
	pattern_free(&name);
	return ok;
}

/* Takes a mark back after a failure, which is the error to report: another one here is ignored. */
static void
unmark(const struct table_action_setup *change, const char *text, enum selection_mark former)
{
	struct pattern name;
	struct error ignored;

	if (!parse_name(text, &name, &ignored))
		return;
	if (!selection_write(change->destination, change->config->task, name.schema.text, name.table.text, former,
						 &ignored))
		error_clear(&ignored);
	pattern_free(&name);
}

/* An added table is part of the task unless it does not exist or the configuration excludes it. */
static bool
check_added(const struct table_action_setup *change, const struct string_list *names, struct error *err)
{
	struct catalog after;
	bool ok = read_tables(change, &after, err);

	for (unsigned i = 0; ok && i < names->count; i++) {
		struct pattern name;

		ok = parse_name(names->items[i], &name, err);
		if (!ok)
			break;
		if (!find(&after, &name)) {
			ok = error_set(err, ERROR_DATA, "%s cannot be added", names->items[i]);
			error_hint(
				err, "There is no such table at the source, or it is a partition of a table that is selected,"
					 " or tables.exclude names it.");
		}
		pattern_free(&name);
	}
	catalog_free(&after);
	return ok;
}

static bool
mark_all(const struct table_action_setup *change, enum table_action action, const struct string_list *names,
		 struct error *err)
{
	enum selection_mark *former = memory_alloc_zero(names->count, sizeof *former);
	struct catalog before;
	unsigned marked = 0;
	bool ok = read_tables(change, &before, err);

	while (ok && marked < names->count) {
		ok = mark(change, &before, action, names->items[marked], &former[marked], err);
		marked += ok;
	}
	ok = ok && (action == TABLE_REMOVE || check_added(change, names, err)) &&
		 (!change->try || change->try(change->arg, err));
	while (!ok && marked > 0) {
		marked--;
		unmark(change, names->items[marked], former[marked]);
	}
	catalog_free(&before);
	free(former);
	return ok;
}

/* ---- resync */

/* Refuses a target that another task feeds: clearing it would delete that task's rows. */
static bool
check_feeders(const struct table_action_setup *change, const struct table *table, struct error *err)
{
	struct arena memory;
	const char *feeder;
	bool ok;

	arena_init(&memory, 256);
	ok = feeders_find(change->destination, change->config->task, table, &memory, &feeder, err);
	if (ok && feeder)
		ok = error_set(
			err, ERROR_DATA, "the target %s.%s of %s.%s is fed by the task \"%s\", too: it cannot be cleared",
			table->target_schema, table->target_name, table->source.schema, table->source.name, feeder);
	arena_fini(&memory);
	return ok;
}

static bool
check_resync(const struct table_action_setup *change, const struct catalog *catalog, const char *text,
			 const struct table **table, struct error *err)
{
	struct pattern name;

	if (!parse_name(text, &name, err))
		return false;
	*table = find(catalog, &name);
	pattern_free(&name);
	if (!*table)
		return error_set(err, ERROR_CONFIG, "%s is not part of this task", text);
	if ((*table)->shared_with)
		return error_set(err, ERROR_DATA,
						 "the target of %s is that of other tables, too: it cannot be cleared", text);
	if (change->config->initial_copy.mode != COPY_MODE_FULL ||
		change->config->initial_copy.existing == COPY_EXISTING_APPEND) {
		error_set(err, ERROR_DATA,
				  "%s cannot be copied again with initial_copy.mode: none or existing: append", text);
		return error_hint(err, "Its target may hold rows that are not the task's, and would be cleared.");
	}
	if (!check_feeders(change, *table, err))
		return false;
	if (table_waits(*table))
		return error_set(err, ERROR_DATA, "%s waits for its copy already", text);
	return true;
}

static bool
resync_all(const struct table_action_setup *change, const struct string_list *names, struct error *err)
{
	struct catalog catalog;
	const struct table *table;
	bool ok = read_tables(change, &catalog, err);

	for (unsigned i = 0; ok && i < names->count; i++)
		ok = check_resync(change, &catalog, names->items[i], &table, err);
	for (unsigned i = 0; ok && i < names->count; i++)
		ok = check_resync(change, &catalog, names->items[i], &table, err) &&
			 state_tables_want_copy(change->destination, change->config->task, table, err);
	catalog_free(&catalog);
	return ok;
}

bool
table_action_run(const struct table_action_setup *change, enum table_action action,
				 const struct string_list *names, struct error *err)
{
	return action == TABLE_RESYNC ? resync_all(change, names, err) : mark_all(change, action, names, err);
}
