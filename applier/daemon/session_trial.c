/* Trials while the stream runs: whether the next attempt could start with another configuration, or with new tables.
 * They only read, and log nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_change.h"
#include "base/log.h"
#include "base/memory.h"
#include "schema/schema_watch.h"
#include "servers/creation_spec.h"
#include "servers/source_catalog.h"
#include "servers/source_vanished.h"
#include "servers/target.h"
#include "session_parts.h"
#include "state/progress.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

/* How soon new tables are looked for again after the stream had changes of an unknown one. */
#define UNKNOWN_TABLE_MS 1000

/* The same as session_read_state(), but nothing is written. */
static bool
read_trial(struct session *s, struct error *err)
{
	return source_identify(s->source, &s->identity, err) &&
		   progress_read(s->control, s->config->task, &s->progress, err) &&
		   source_read_catalog(s->source, s->config, &s->catalog, err) &&
		   source_remove_vanished(s->source, &s->catalog, err) &&
		   state_tables_read(s->control, s->config->task, &s->catalog, err) &&
		   schema_watch_settle(s->source, NULL, s->config, &s->catalog, NULL, err) &&
		   target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
		   (!s->config->schema.create ||
			creation_spec_read(s->source, s->control, s->config, &s->catalog, err)) &&
		   source_remove_vanished(s->source, &s->catalog, err);
}

/* Uses the session's connections with the tables of another selection; the caller sets `precheck`. End with
 * end_trial(), also after a failure. */
static bool
run_trial(const struct session *s, const struct selection *selection, struct session *trial,
		  struct precheck *precheck, struct error *err)
{
	*trial = (struct session){
		.loop = s->loop,
		.source = s->source,
		.control = s->control,
		.dialect = s->dialect,
		.opened = s->opened,
		.config = &selection->config,
	};
	return read_trial(trial, err) && session_run_checks(trial, true, precheck, err);
}

static void
end_trial(struct session *trial, struct precheck *precheck)
{
	catalog_free(&trial->catalog);
	precheck_free(precheck);
}

/* ---- another configuration */

/* The reasons why a table waits or is held do not count against a configuration. */
static bool
counts(const struct session *s, const struct check_item *item)
{
	const struct table *table = item->oid ? catalog_find_oid(&s->catalog, item->oid) : NULL;

	if (item->outcome != CHECK_FAILED)
		return false;
	if (!item->oid || !session_has_worked(s))
		return true;
	return !new_tables_has(&s->new_tables, item->oid) &&
		   !(table && (table_is_held(table) || strcmp(item->name, "identity") == 0));
}

static bool
judge_config(const struct session *s, const struct precheck *precheck, struct error *err)
{
	const struct check_item *first = NULL;
	unsigned failures = 0;

	for (unsigned i = 0; i < precheck->count; i++) {
		if (!counts(s, &precheck->items[i]))
			continue;
		first = first ? first : &precheck->items[i];
		failures++;
	}
	return !first || precheck_item_error(first, failures - 1, err);
}

static bool
is_copied_alike(const struct table *table, const struct table *next)
{
	char *selected, *selected_next;
	bool alike;

	if (!next || strcmp(table->target_schema, next->target_schema) != 0 ||
		strcmp(table->target_name, next->target_name) != 0 || table->operations != next->operations)
		return false;
	selected = mapping_describe(table);
	selected_next = mapping_describe(next);
	alike = strcmp(selected, selected_next) == 0;
	free(selected);
	free(selected_next);
	return alike;
}

/* Whether the configuration would copy a table differently that waits for a copy, or is being copied. */
static bool
concerns_copies(const struct session *s, const struct config *config, const struct catalog *next)
{
	bool found = false;

	for (unsigned i = 0; i < s->catalog.count && !found; i++) {
		const struct table *table = &s->catalog.tables[i];

		if (table_waits(table) || table->state == TABLE_REPLAYING)
			found = !is_copied_alike(table, catalog_find_oid(next, table->source.oid));
	}
	return found || config->initial_copy.mode != s->config->initial_copy.mode ||
		   config->initial_copy.existing != s->config->initial_copy.existing;
}

void
session_take_at_once(void *arg, const struct config *config)
{
	struct session *s = arg;

	if (s->config == &s->selection.config)
		config_take_at_once(&s->selection.config, config);
}

bool
session_try_tables(const struct session *s, const struct config *config, bool *voids_copies,
				   struct error *err)
{
	struct precheck precheck = {.known_names = &s->steering.config->tables.include};
	struct selection selection;
	struct session trial = {0};
	bool ok;

	selection_init(&selection, config);
	ok = selection_read(&selection, s->control, err) && run_trial(s, &selection, &trial, &precheck, err) &&
		 judge_config(s, &precheck, err);
	*voids_copies = ok && concerns_copies(s, config, &trial.catalog);
	end_trial(&trial, &precheck);
	selection_fini(&selection);
	return ok;
}

bool
session_try_config(void *arg, const struct config *config, bool *voids_copies, struct error *err)
{
	struct session *s = arg;

	if (s->state != SESSION_STANDBY)
		return session_try_tables(s, config, voids_copies, err);
	*voids_copies = false;
	return session_try_ends(s, config, err);
}

static bool
try_present_config(void *arg, struct error *err)
{
	const struct session *s = arg;
	bool ignored;

	return session_try_tables(s, s->steering.config, &ignored, err);
}

bool
session_change_tables(void *arg, enum table_action action, const struct string_list *names, struct error *err)
{
	struct session *s = arg;
	struct table_action_setup change = {
		.source = s->source,
		.destination = s->control,
		.config = s->steering.config,
		.try = action == TABLE_ADD ? try_present_config : NULL,
		.arg = s,
	};

	return table_action_run(&change, action, names, err);
}

/* ---- new tables */

/* The failed check that keeps the table from being added: its own before one that is about no table; NULL: none. */
static const struct check_item *
find_failure(const struct precheck *precheck, uint32_t oid)
{
	const struct check_item *found = NULL;

	for (unsigned i = 0; i < precheck->count; i++) {
		const struct check_item *item = &precheck->items[i];

		if (item->outcome != CHECK_FAILED)
			continue;
		if (item->oid == oid)
			return item;
		if (item->oid == 0 && !found)
			found = item;
	}
	return found;
}

/* The reason that names the holder of the target, by its present name; NULL: the holder was dropped, and its target passes
 * to the next table of that name. */
static char *
explain_holder(const struct session *s, const struct table *table, const struct table *holder)
{
	char *reason = NULL;
	struct result *res;
	struct error ignored;

	if (!source_read_names(s->source, &holder->source.oid, 1, &res, &ignored))
		return memory_printf("its target %s.%s is still that of another table", table->target_schema,
							 table->target_name);
	if (result_rows(res) > 0)
		reason = memory_printf("its target %s.%s is still that of %s.%s, which had that name",
							   table->target_schema, table->target_name, result_text(res, 0, 1),
							   result_text(res, 0, 2));
	result_free(res);
	return reason;
}

/* Why the table has to wait for a table of the task that had its name before, and whose target still has it; NULL: there
 * is none. */
static char *
find_holder(const struct session *s, const struct table *table)
{
	for (unsigned i = 0; i < s->catalog.count && !table->shared_with; i++) {
		const struct table *other = &s->catalog.tables[i];
		char *reason = table_shares_target(other, table) ? explain_holder(s, table, other) : NULL;

		if (reason)
			return reason;
	}
	return NULL;
}

/* What the checks say of a target is about its holder's, not about the table's own. */
static char *
find_reason(const struct session *s, const struct precheck *precheck, const struct table *table)
{
	const struct check_item *failure = find_failure(precheck, table->source.oid);
	bool own = failure && failure->oid;
	char *reason = find_holder(s, table);

	if (reason || !failure)
		return reason;
	return memory_printf("%s: %s%s%s", failure->name, own ? "" : failure->subject,
						 own || !failure->subject[0] ? "" : ": ", failure->message);
}

/* Tries each table of the list separately; one that was dropped meanwhile is no failure. */
static unsigned
judge_new(struct session *s, const struct catalog *list, const struct session *trial,
		  const struct precheck *precheck)
{
	unsigned fit = 0;

	for (unsigned i = 0; i < list->count; i++) {
		const struct table *table = catalog_find_oid(&trial->catalog, list->tables[i].source.oid);
		char *reason = table ? find_reason(s, precheck, table) : NULL;

		fit += table && !reason;
		if (reason)
			new_tables_wait(&s->new_tables, table, reason);
		free(reason);
	}
	return fit;
}

static bool
try_new(struct session *s, const struct catalog *list, struct selection *selection, unsigned *fit,
		struct error *err)
{
	struct precheck precheck = {0};
	struct session trial = {0};
	bool ok;

	*fit = 0;
	if (list->count == 0)
		return true;
	new_tables_narrow(list, selection);
	ok = run_trial(s, selection, &trial, &precheck, err);
	if (ok)
		*fit = judge_new(s, list, &trial, &precheck);
	end_trial(&trial, &precheck);
	return ok;
}

static bool
check_new_tables(struct session *s, struct error *err)
{
	struct selection selection;
	struct catalog list = {0};
	unsigned fit = 0;
	bool ok;

	selection_init(&selection, s->steering.config);
	ok = selection_read(&selection, s->control, err) &&
		 new_tables_list(s->source, &selection.config, &s->catalog, &list, err);
	if (ok && list.count + s->new_tables.count > 0) {
		new_tables_begin(&s->new_tables);
		ok = try_new(s, &list, &selection, &fit, err) &&
			 new_tables_settle(&s->new_tables, s->control, s->config->task, err);
	}
	catalog_free(&list);
	selection_fini(&selection);
	if (ok && fit > 0) {
		log_info("%u new table%s at the source", fit, plural(fit));
		s->steering.start_over = true;
	}
	return ok;
}

bool
session_find_new_tables(struct session *s, struct error *err)
{
	int64_t now = loop_now_ms(s->loop);

	if (s->until.kind != UNTIL_STOPPED ||
		(!s->saw_unknown_table && now - s->checked_ms < s->config->wal.heartbeat_ms))
		return true;
	/* A commit is sent to the stream before its changes are visible to other sessions. */
	s->checked_ms = s->saw_unknown_table ? now - s->config->wal.heartbeat_ms + UNKNOWN_TABLE_MS : now;
	s->saw_unknown_table = false;
	if (check_new_tables(s, err))
		return true;
	if (err->class == ERROR_RETRY || err->class == ERROR_STOPPED)
		return false;
	/* Others may drop tables meanwhile: the next check reads them again. */
	if (err->class == ERROR_RESTART || source_is_vanished(err))
		log_debug("looking for new tables: %s", err->message);
	else
		log_warning("looking for new tables: %s", err->message);
	return true;
}
