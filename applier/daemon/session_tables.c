#include "session_parts.h"

#include "base/log.h"
#include "precheck/precheck.h"
#include "schema/schema_successor.h"
#include "schema/schema_types.h"
#include "schema/schema_watch.h"
#include "servers/failover.h"
#include "servers/source_definition.h"
#include "servers/target.h"
#include "state/progress.h"
#include "state/state_tables.h"

/* A new table that the stream has mentioned is looked for again after this. */
#define STRANGER_MS 1000

/* The configuration is extended by what was added and removed by hand, and by what cannot be taken in yet. */
bool
session_select_tables(struct session *s, struct error *err)
{
	selection_init(&s->selection, s->steering.config);
	newcomers_leave_out(&s->newcomers, &s->selection);
	s->config = &s->selection.config;
	return selection_read(&s->selection, s->control, err);
}

/* ---- what both servers say */

bool
session_read_state(struct session *s, struct error *err)
{
	struct schema_types types = {s->config, &s->catalog, s->source, s->control};

	if (!source_identify(s->source, &s->identity, err) ||
		!progress_read(s->control, s->config->task, &s->progress, err) ||
		!failover_follow(s->loop, s->config, s->source, &s->progress, err))
		return false;
	s->known = s->progress.exists;
	return source_read_catalog(s->source, s->config, &s->catalog, err) &&
		   (!s->progress.exists || (state_tables_read(s->control, s->config->task, &s->catalog, err) &&
									schema_free_successors(s->source, s->control, &s->catalog, err) &&
									state_tables_settle(s->control, s->config->task, &s->catalog, err))) &&
		   schema_types_note(&types, &s->memories.notes, err) &&
		   schema_settle(s->source, s->control, s->config, &s->catalog, &s->memories.notes, err) &&
		   target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
		   (!s->config->schema.create || definition_read(s->source, s->control, s->config, &s->catalog, err));
}

static void
log_item(enum log_level level, const struct check_item *item)
{
	log_write(level, "%s: %s%s%s", item->name, item->subject, item->subject[0] ? ": " : "", item->message);
}

/* A task begins with all tables; and a run that ends by itself is to bring all of them. */
bool
session_may_go_without(const struct session *s)
{
	return s->until.kind == UNTIL_STOPPED && s->progress.exists && s->progress.applied_lsn > 0;
}

bool
session_precheck(struct session *s, bool streaming, struct error *err)
{
	enum log_level failure = session_may_go_without(s) ? LOG_WARNING : LOG_ERROR;
	struct precheck precheck = {.ignored = s->ignored, .from_outside = streaming};
	bool ok =
		precheck_run(&precheck, s->config, s->source, s->control, s->dialect, &s->catalog, &s->progress, err);

	if (!ok)
		return false;
	for (unsigned i = 0; i < precheck.count; i++) {
		const struct check_item *item = &precheck.items[i];

		if (item->outcome == CHECK_FAILED && !streaming)
			log_item(failure, item);
		else if (item->outcome == CHECK_WARNING && !s->announced && !streaming)
			log_item(LOG_WARNING, item);
	}
	if (precheck.failures > 0)
		ok = precheck_error(&precheck, err);
	precheck_free(&precheck);
	return ok;
}

/* As session_read_state() does, and nothing is written down. */
static bool
read_trial(struct session *s, struct error *err)
{
	return source_identify(s->source, &s->identity, err) &&
		   progress_read(s->control, s->config->task, &s->progress, err) &&
		   source_read_catalog(s->source, s->config, &s->catalog, err) &&
		   state_tables_read(s->control, s->config->task, &s->catalog, err) &&
		   schema_settle(s->source, NULL, s->config, &s->catalog, NULL, err) &&
		   target_read_catalog(s->control, s->dialect, &s->catalog, err) &&
		   (!s->config->schema.create || definition_read(s->source, s->control, s->config, &s->catalog, err));
}

/* While the stream runs: whether the next attempt would come as far with another configuration. */
bool
session_try_config(void *arg, const struct config *config, struct error *err)
{
	const struct session *s = arg;
	struct session trial = {
		.loop = s->loop,
		.source = s->source,
		.control = s->control,
		.dialect = s->dialect,
	};
	bool ok;

	selection_init(&trial.selection, config);
	newcomers_leave_out(&s->newcomers, &trial.selection);
	trial.config = &trial.selection.config;
	ok = selection_read(&trial.selection, s->control, err) && read_trial(&trial, err) &&
		 session_precheck(&trial, true, err);
	if (ok && trial.catalog.blocked)
		ok = error_set(err, ERROR_PRECONDITION, "%s", trial.catalog.blocked);
	catalog_free(&trial.catalog);
	selection_fini(&trial.selection);
	return ok;
}

static bool
try_present_config(void *arg, struct error *err)
{
	const struct session *s = arg;

	return session_try_config(arg, s->steering.config, err);
}

bool
session_change_tables(void *arg, enum table_action action, const struct string_list *names, struct error *err)
{
	struct session *s = arg;
	struct table_change change = {
		.source = s->source,
		.destination = s->control,
		.config = s->steering.config,
		.try = action == TABLE_ADD ? try_present_config : NULL,
		.arg = s,
	};

	return table_change(&change, action, names, err);
}

/* ---- new tables */

static bool
try_newcomers(void *arg, const struct config *config, struct error *err)
{
	return session_try_config(arg, config, err);
}

/* At heartbeats, and soon after the stream has mentioned a stranger. */
void
session_look_for_newcomers(struct session *s)
{
	int64_t now = loop_now_ms(s->loop);
	struct newcomers_look look = {
		.source = s->source,
		.config = s->steering.config,
		.catalog = &s->catalog,
		.now_ms = now,
		.try = try_newcomers,
		.arg = s,
	};
	struct selection selection;
	struct error err;
	bool accepted;

	if (s->until.kind != UNTIL_STOPPED || (!s->strangers && now - s->looked_ms < s->config->wal.heartbeat_ms))
		return;
	/* Commits reach the stream before others see what they made. */
	s->looked_ms = s->strangers ? now - s->config->wal.heartbeat_ms + STRANGER_MS : now;
	s->strangers = false;
	selection_init(&selection, look.config);
	look.config = &selection.config;
	if (!selection_read(&selection, s->control, &err) ||
		!newcomers_look(&s->newcomers, &look, &accepted, &err))
		log_warning("looking for new tables: %s", err.message);
	else if (accepted)
		s->steering.start_over = true;
	selection_fini(&selection);
}
