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

/* ---- the steps */

static bool
await_flush(struct session *s, struct error *err)
{
	bool first = s->until.kind == UNTIL_CURRENT && s->until_lsn == 0;

	session_enter(s, SESSION_PREPARING, NULL);
	return !first || source_await_flush(s->source, err);
}

void
session_note_row(struct session *s)
{
	s->begun = true;
	s->claiming = false;
	s->epoch = s->progress.epoch;
}

/* A task that was dropped meanwhile, or that another daemon has continued, is not begun again. */
static bool
check_row(struct session *s, struct error *err)
{
	const struct progress *progress = &s->progress;

	if (!s->begun) {
		if (session_has_worked(s))
			session_note_row(s);
		return true;
	}
	if (!progress->exists) {
		error_set(err, ERROR_DATA,
				  "the row of task \"%s\" in sluice.progress is gone: others have dropped the task",
				  s->config->task);
		return error_hint(err, "The next start begins with a new slot and new copies.");
	}
	if (progress->epoch >= s->epoch && progress->epoch <= s->epoch + s->claiming)
		return true;
	error_set(err, ERROR_DATA,
			  "another daemon of task %s has taken over: sluice.progress is at epoch %lld, this one left it "
			  "at %lld",
			  s->config->task, (long long) progress->epoch, (long long) s->epoch);
	return error_hint(err, "Run one daemon for a task.");
}

/* The changes for background copies are lost with the earlier attempt, so those tables are copied again. */
static bool
discard_interrupted_copies(struct session *s, struct error *err)
{
	return progress_read(s->control, s->config->task, &s->progress, err) && check_row(s, err) &&
		   (!s->progress.exists || state_tables_discard_copies(s->control, s->config->task, err));
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
	return schema_reconcile(s->control, s->dialect, s->config, &s->catalog, err) &&
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
	return (!s->config->schema.create || target_create_missing(s->control, s->dialect, &s->catalog, err)) &&
		   missing_columns_add(s->source, s->control, s->dialect, s->config, &s->catalog, err) &&
		   schema_default_settle(s->control, s->config, &s->catalog, err);
}

static bool
take_over(struct session *s, struct error *err)
{
	session_note_row(s);
	s->claiming = true;
	if (!progress_take_over(s->control, s->config->task, &s->progress, err))
		return false;
	session_note_row(s);
	return true;
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
	{"bringing targets in line", reconcile, STEP_PLAIN},
	{"checking", session_check, STEP_READS},
	{"installing the state", install, STEP_READS},
	{"leaving out tables that wait", session_leave_waiting, STEP_PLAIN},
	{"making targets", make_targets, STEP_PLAIN},
	{"copying", session_copy_if_needed, STEP_SPEAKS},
	{"taking over the task", take_over, STEP_PLAIN},
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

bool
session_attempt(struct session *s, struct error *err)
{
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (!run_step(s, &steps[i], err))
			return false;
		if (session_is_leaving(s))
			break;
	}
	return true;
}
