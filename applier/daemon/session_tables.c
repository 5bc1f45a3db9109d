#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "precheck/precheck.h"
#include "schema/schema_decision.h"
#include "schema/schema_orphan.h"
#include "schema/schema_successor.h"
#include "schema/schema_types.h"
#include "schema/schema_watch.h"
#include "servers/creation_spec.h"
#include "servers/failover.h"
#include "servers/source_catalog.h"
#include "servers/source_vanished.h"
#include "servers/target.h"
#include "session_parts.h"
#include "state/progress.h"
#include "state/state_tables.h"
#include "state/state_targets.h"
#include "tables/mapping.h"
#include "upkeep/index_cleanup.h"

bool
session_select_tables(struct session *s, struct error *err)
{
	selection_init(&s->selection, s->steering.config);
	s->config = &s->selection.config;
	return selection_read(&s->selection, s->control, err);
}

/* ---- reading both servers */

/* Which types are compared depends on the targets' columns; the targets are read again when notes have changed them. */
static bool
note_types(struct session *s, struct error *err)
{
	struct schema_types types = {s->config, &s->catalog, s->source, s->control};

	return !schema_types_concern(&types) || (target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
											 schema_types_note(&types, &s->memories.notes, err));
}

static bool
read_tables(struct session *s, struct error *err)
{
	return source_read_catalog(s->source, s->config, &s->catalog, err) &&
		   source_remove_vanished(s->source, &s->catalog, err) &&
		   (!s->progress.exists || (state_tables_read(s->control, s->config->task, &s->catalog, err) &&
									schema_successor_free_targets(s->source, s->control, &s->catalog, err) &&
									schema_orphan_drop_all(s->control, s->config->task, &s->catalog, err) &&
									state_tables_settle(s->control, s->config->task, &s->catalog, err))) &&
		   note_types(s, err) &&
		   schema_watch_settle(s->source, s->control, s->config, &s->catalog, &s->memories.notes, err) &&
		   target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
		   (!s->progress.exists ||
			state_targets_settle(s->source, s->control, s->config, &s->catalog, err)) &&
		   (!s->config->schema.create ||
			creation_spec_read(s->source, s->control, s->config, &s->catalog, err)) &&
		   source_remove_vanished(s->source, &s->catalog, err);
}

bool
session_read_state(struct session *s, struct error *err)
{
	if (!source_identify(s->source, &s->identity, err) ||
		!failover_follow(s->loop, s->config, s->source, &s->progress, err))
		return false;
	s->known = s->progress.exists;
	return read_tables(s, err);
}

/* What the source has dropped may refuse rows that come, by a copy or by the stream, and forbid that the target is altered. */
bool
session_compare_indexes(struct session *s, struct error *err)
{
	if (!s->progress.exists || !index_cleanup_start(s->source, s->control, s->config, &s->catalog))
		return true;
	/* Statements that alter a target name its indexes. */
	return target_read_catalog(s->control, s->dialect, &s->catalog, err);
}

/* ---- the prechecks */

bool
session_has_worked(const struct session *s)
{
	return s->progress.exists && s->progress.applied_lsn > 0;
}

bool
session_run_checks(struct session *s, bool from_outside, struct precheck *precheck, struct error *err)
{
	struct destination_session destination = s->opened;

	destination.conn = s->control;
	precheck->identity = from_outside ? NULL : &s->identity;
	precheck->ignored = s->ignored;
	precheck->from_outside = from_outside;
	return precheck_run(precheck, s->config, s->source, &destination, &s->catalog, &s->progress, err);
}

static void
log_item(enum log_level level, const struct check_item *item)
{
	log_write(level, "%s: %s%s%s", item->name, item->subject, item->subject[0] ? ": " : "", item->message);
}

static void
log_warnings(const struct precheck *precheck)
{
	for (unsigned i = 0; i < precheck->count; i++)
		if (precheck->items[i].outcome == CHECK_WARNING)
			log_item(LOG_WARNING, &precheck->items[i]);
}

static bool
hold(struct session *s, struct table *table, enum table_state state, char *reason, struct error *err)
{
	free(table->error);
	table->error = reason;
	table_move(table, state);
	log_table(LOG_WARNING, &table->source, "%s.%s is held, the other tables go on: %s", table->source.schema,
			  table->source.name, table->error);
	return state_tables_write(s->control, s->config->task, table, err);
}

/* Whether the failure comes from a key that the table has lost; the stream holds such a table, too. */
static bool
is_lost_key(const struct table *table, const struct check_item *item)
{
	char reason[ERROR_MESSAGE_MAX];

	return schema_decision_lost_key(table, NULL, reason) || strcmp(item->name, "key") == 0;
}

static bool
hold_lost_key(struct session *s, struct table *table, const struct check_item *item, struct error *err)
{
	char reason[ERROR_MESSAGE_MAX];
	bool lost = schema_decision_lost_key(table, NULL, reason);

	return hold(s, table, TABLE_HELD, memory_strdup(lost ? reason : item->message), err);
}

/* As for a row that the target refuses: the table is held, and its changes are discarded. */
static bool
hold_failed(struct session *s, struct table *table, const struct check_item *item, struct error *err)
{
	char *reason =
		memory_printf("%s: %s; then %s", item->name, item->message, mapping_copy_remedy(s->config, table));

	return hold(s, table, TABLE_HELD_FOR_RESYNC, reason, err);
}

/* Whether the configuration has other things about the table than it was copied by. */
static bool
is_configured_otherwise(const struct precheck *precheck, uint32_t oid)
{
	for (unsigned i = 0; i < precheck->count; i++)
		if (precheck->items[i].oid == oid && precheck->items[i].outcome == CHECK_FAILED &&
			strcmp(precheck->items[i].name, "state") == 0)
			return true;
	return false;
}

/* Whether the source has changed what the table's condition names, as the stream notices it of other overrides. */
static bool
is_lost_condition(const struct precheck *precheck, const struct check_item *item)
{
	return strcmp(item->name, "where") == 0 && !is_configured_otherwise(precheck, item->oid);
}

/* Whether the failure is caused by a change of the target or of privileges, not by the configuration. */
static bool
is_about_target(const struct table *table, const struct check_item *item)
{
	if (strcmp(item->name, "columns") == 0)
		return !table->override;
	return strcmp(item->name, "rights") == 0 || strcmp(item->name, "types") == 0 ||
		   strcmp(item->name, "target") == 0;
}

/* Whether a failure concerns one table alone, which then waits or is held. If a following table fails, the run ends
 * and the source keeps the table's changes, unless apply.refused is hold. */
static bool
set_aside(struct session *s, const struct precheck *precheck, const struct check_item *item, bool *aside,
		  struct error *err)
{
	struct table *table = item->oid ? catalog_find_oid(&s->catalog, item->oid) : NULL;
	bool lost_key = table && is_lost_key(table, item);
	bool holds = table && (is_lost_condition(precheck, item) ||
						   (s->config->apply.refused == REFUSED_HOLD && is_about_target(table, item)));

	*aside = table && (table_waits(table) || table_is_held(table) || lost_key || holds);
	if (table && table_waits(table)) {
		char *reason = memory_printf("%s: %s", item->name, item->message);

		new_tables_wait(&s->new_tables, table, reason);
		free(reason);
	} else if (*aside && !table_is_held(table)) {
		return lost_key ? hold_lost_key(s, table, item, err) : hold_failed(s, table, item, err);
	}
	return true;
}

/* For a task that has worked before. */
static bool
judge_each(struct session *s, const struct precheck *precheck, struct error *err)
{
	const struct check_item *first = NULL;
	unsigned more = 0;

	for (unsigned i = 0; i < precheck->count; i++) {
		const struct check_item *item = &precheck->items[i];
		bool aside;

		if (item->outcome != CHECK_FAILED)
			continue;
		if (!set_aside(s, precheck, item, &aside, err))
			return false;
		if (aside)
			continue;
		log_item(LOG_ERROR, item);
		if (first)
			more++;
		else
			first = item;
	}
	if (!first)
		return true;
	precheck_item_error(first, more, err);
	err->class = ERROR_DATA;
	return false;
}

static bool
judge(struct session *s, const struct precheck *precheck, struct error *err)
{
	if (session_has_worked(s))
		return judge_each(s, precheck, err);
	for (unsigned i = 0; i < precheck->count; i++)
		if (precheck->items[i].outcome == CHECK_FAILED)
			log_item(LOG_ERROR, &precheck->items[i]);
	return precheck->failures == 0 || precheck_error(precheck, err);
}

/* The reasons why tables waited before are replaced. */
static void
forget_reasons(struct session *s)
{
	for (unsigned i = 0; i < s->catalog.count; i++) {
		struct table *table = &s->catalog.tables[i];

		if (!table_waits(table))
			continue;
		free(table->error);
		table->error = NULL;
	}
}

bool
session_check(struct session *s, struct error *err)
{
	struct precheck precheck = {0};
	bool ok;

	if (!session_run_checks(s, false, &precheck, err))
		return false;
	if (!s->announced)
		log_warnings(&precheck);
	new_tables_begin(&s->new_tables);
	forget_reasons(s);
	ok = judge(s, &precheck, err);
	precheck_free(&precheck);
	return ok;
}

bool
session_leave_waiting(struct session *s, struct error *err)
{
	if (!new_tables_settle(&s->new_tables, s->control, s->config->task, err))
		return false;
	for (unsigned i = s->catalog.count; i-- > 0;) {
		struct table *table = &s->catalog.tables[i];

		if (!new_tables_has(&s->new_tables, table->source.oid))
			continue;
		selection_leave_out(&s->selection, table->source.schema, table->source.name);
		catalog_remove(&s->catalog, table);
	}
	return true;
}
