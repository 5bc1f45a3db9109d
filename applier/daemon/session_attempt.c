/* One attempt: a list of steps, from connecting to the end of the stream. No step is repeated by itself: when one
 * fails, the next attempt begins with the first step, from the state at the destination. */
#include "base/log.h"
#include "schema/schema_default.h"
#include "schema/schema_types.h"
#include "schema/schema_watch.h"
#include "servers/creation_remarks.h"
#include "servers/missing_columns.h"
#include "servers/source_selection.h"
#include "servers/source_vanished.h"
#include "servers/target_creation.h"
#include "session_parts.h"
#include "state/forget.h"
#include "state/state_install.h"
#include "state/state_tables.h"
#include "upkeep/index_cleanup.h"

/* ---- the steps */

static bool
await_flush(struct session *s, struct error *err)
{
	bool first = s->until.kind == UNTIL_CURRENT && s->until_lsn == 0;

	session_enter(s, SESSION_PREPARING, NULL);
	return !first || source_await_flush(s->source, err);
}

/* The changes for background copies are lost with the earlier attempt, so those tables are copied again. */
static bool
discard_interrupted_copies(struct session *s, struct error *err)
{
	return !s->progress.exists || state_tables_discard_copies(s->control, s->config->task, err);
}

static bool
read_state(struct session *s, struct error *err)
{
	if (!session_read_state(s, err))
		return false;
	if (s->until.kind == UNTIL_CURRENT && s->until_lsn == 0)
		s->until_lsn = s->identity.current_lsn;
	else if (s->until.kind == UNTIL_LSN)
		s->until_lsn = s->until.lsn;
	return true;
}

static bool
reconcile(struct session *s, struct error *err)
{
	return schema_watch_reconcile(s->control, s->dialect, s->config, &s->catalog, err) &&
		   schema_types_complete(&(struct schema_types){s->config, &s->catalog, s->source, s->control}, err);
}

static bool
is_selected(void *arg, uint32_t oid, bool *selected, struct error *err)
{
	const struct session *s = arg;
	struct catalog now;

	if (!source_list_tables(s->source, s->config, &now, err))
		return false;
	*selected = catalog_find_oid(&now, oid) != NULL;
	catalog_free(&now);
	return true;
}

static bool
install(struct session *s, struct error *err)
{
	return state_install(s->control, s->dialect, s->config->task, err) &&
		   (!s->progress.exists ||
			forget_tables(s->source, s->control, s->config->task, &s->catalog, is_selected, s, err));
}

static bool
make_targets(struct session *s, struct error *err)
{
	creation_spec_warn(s->dialect, &s->catalog);
	return (!s->config->schema.create ||
			target_create_missing(s->control, s->dialect, s->config->task, &s->catalog, err)) &&
		   missing_columns_add(s->source, s->control, s->dialect, s->config, &s->catalog, err) &&
		   schema_default_settle(s->control, s->config, &s->catalog, err);
}

static bool
note_timeline(struct session *s, struct error *err)
{
	return progress_write_timeline(s->control, s->config->task, &s->progress, err);
}

static bool
judge_end(struct session *s, struct error *err)
{
	if (s->until.kind == UNTIL_STOPPED)
		return true;
	return state_tables_none_held(s->control, s->config->task, err) &&
		   (!s->catalog.blocked || error_set(err, ERROR_RESTART, "%s", s->catalog.blocked));
}

/* ---- the list of steps */

enum step_trait {
	STEP_PLAIN = 0,
	STEP_SPEAKS = 1, /* the errors say themselves what was being done */
	STEP_READS = 2,	 /* reads catalogs, where others may drop objects meanwhile: then it is executed again */
};

struct step {
	const char *name;
	bool (*run)(struct session *s, struct error *err);
	unsigned traits;
};

static const struct step steps[] = {
	{"connecting", session_open_all, STEP_SPEAKS},
	{"waiting for commits to be flushed at the source", await_flush, STEP_PLAIN},
	{"reading which tables were added and removed", session_select_tables, STEP_PLAIN},
	{"discarding copies that were under way", discard_interrupted_copies, STEP_PLAIN},
	{"reading catalogs and state", read_state, STEP_SPEAKS | STEP_READS},
	{"comparing indexes", session_compare_indexes, STEP_PLAIN},
	{"bringing targets in line", reconcile, STEP_PLAIN},
	{"checking", session_check, STEP_READS},
	{"installing the state", install, STEP_READS},
	{"leaving out tables that wait", session_leave_waiting, STEP_PLAIN},
	{"making targets", make_targets, STEP_PLAIN},
	{"copying", session_copy_if_needed, STEP_SPEAKS},
	{"noting the source's timeline", note_timeline, STEP_PLAIN},
	{"catching up", session_catch_up, STEP_SPEAKS},
	{"streaming", session_stream, STEP_SPEAKS},
	{"reading what is held", judge_end, STEP_SPEAKS},
};

static bool
run_step(struct session *s, const struct step *step, struct error *err)
{
	int64_t begun_ms = loop_now_ms(s->loop);
	bool ok = step->run(s, err);

	log_debug("attempt: %s: %s after %lld ms", step->name, ok ? "done" : "failed",
			  (long long) (loop_now_ms(s->loop) - begun_ms));
	if (!ok && step->traits & STEP_READS)
		source_restart_if_vanished(err);
	/* A server's error does not say what the statement was for: the step adds that. */
	if (!ok && !(step->traits & STEP_SPEAKS) && err->sqlstate[0])
		error_context(err, "%s", step->name);
	return ok;
}

static const struct table *
find_refused(const struct catalog *catalog, const struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++)
		if (error_is_about_table(err, catalog->tables[i].source.schema, catalog->tables[i].source.name))
			return &catalog->tables[i];
	return NULL;
}

/*
 * A row may have been refused by an index that need not be there.  With apply.refused: hold the stream asks here first, and the next
 * attempt holds the table.
 */
static void
consider_indexes(struct session *s, struct error *err)
{
	bool holds = s->config->apply.refused == REFUSED_HOLD && index_cleanup_may_help(err);
	const struct table *table;

	if (err->class != ERROR_DATA || !s->known)
		return;
	if (!s->control || !s->source || connection_is_lost(s->control) || connection_is_lost(s->source) ||
		connection_in_transaction(s->control)) {
		if (holds)
			err->class = ERROR_RETRY;
		return;
	}
	switch (index_cleanup_drop(s->source, s->control, s->config, &s->catalog, err)) {
	case INDEX_CLEANUP_DROPPED:
		err->class = ERROR_RESTART;
		error_context(err, "an index that may have caused this is dropped: starting over");
		return;
	case INDEX_CLEANUP_LOCKED:
		err->class = ERROR_RETRY;
		error_context(err,
					  "an index that may cause this is to be dropped, but others have locked the target");
		return;
	case INDEX_CLEANUP_NOTHING:
		break;
	}
	table = find_refused(&s->catalog, err);
	if (!holds || !table || !table->indexes_ours ||
		table_memory_has(&s->memories.without_indexes, table->source.oid))
		return;
	table_memory_add(&s->memories.without_indexes, table->source.oid);
	err->class = ERROR_RESTART;
}

bool
session_attempt(struct session *s, struct error *err)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (!run_step(s, &steps[i], err)) {
			consider_indexes(s, err);
			return false;
		}
		if (session_is_leaving(s))
			break;
	}
	return true;
}
