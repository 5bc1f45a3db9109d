#include "session_state.h"

#include <assert.h>

#include "base/log.h"
#include "lsn.h"
#include "session_parts.h"

#define AFTER(state) (1u << (state))

static const struct {
	const char *name;
	const char *phase; /* the phase in `status`; NULL: the earlier one stays */
	unsigned next;	   /* the states that may follow */
} states[SESSION_STATES] = {
	[SESSION_CONNECTING] = {"connecting", NULL,
							AFTER(SESSION_STANDBY) | AFTER(SESSION_PREPARING) | AFTER(SESSION_CONNECTING) |
								AFTER(SESSION_RETRYING) | AFTER(SESSION_STOPPED) | AFTER(SESSION_FAILED)},
	[SESSION_STANDBY] = {"standby", "standby",
						 AFTER(SESSION_CONNECTING) | AFTER(SESSION_RETRYING) | AFTER(SESSION_STOPPED) |
							 AFTER(SESSION_FAILED)},
	[SESSION_PREPARING] = {"preparing", NULL,
						   AFTER(SESSION_COPYING) | AFTER(SESSION_STREAMING) | AFTER(SESSION_CONNECTING) |
							   AFTER(SESSION_RETRYING) | AFTER(SESSION_STOPPED) | AFTER(SESSION_FAILED)},
	[SESSION_COPYING] = {"copying", "copying",
						 AFTER(SESSION_STREAMING) | AFTER(SESSION_CONNECTING) | AFTER(SESSION_RETRYING) |
							 AFTER(SESSION_STOPPED) | AFTER(SESSION_FAILED)},
	[SESSION_STREAMING] = {"streaming", "streaming",
						   AFTER(SESSION_PAUSED) | AFTER(SESSION_CONNECTING) | AFTER(SESSION_RETRYING) |
							   AFTER(SESSION_STOPPED) | AFTER(SESSION_FAILED)},
	[SESSION_PAUSED] = {"paused", "paused",
						AFTER(SESSION_STREAMING) | AFTER(SESSION_CONNECTING) | AFTER(SESSION_RETRYING) |
							AFTER(SESSION_STOPPED) | AFTER(SESSION_FAILED)},
	[SESSION_RETRYING] = {"retrying", "retrying",
						  AFTER(SESSION_CONNECTING) | AFTER(SESSION_STOPPED) | AFTER(SESSION_FAILED)},
	[SESSION_STOPPED] = {"stopped", "stopped", 0},
	[SESSION_FAILED] = {"failed", "failed", 0},
};

const char *
session_state_name(enum session_state state)
{
	return states[state].name;
}

bool
session_may_follow(enum session_state from, enum session_state to)
{
	return states[from].next & AFTER(to);
}

/* A lost connection is noticed by the next attempt, and a failure to write the phase is ignored; without the lock the row is
 * another daemon's. */
static void
write_phase(struct session *s, const char *phase, const struct error *cause)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	struct error err;

	if (!s->control || !s->known || !s->lock_holder || connection_is_lost(s->control))
		return;
	if (cause)
		error_sentence(cause, sentence, sizeof sentence);
	if (!progress_set_phase(s->control, s->config->task, phase, cause ? sentence : NULL, &err))
		log_debug("the phase \"%s\" could not be written: %s", phase, err.message);
}

/* The status for `systemctl status` and the page. */
static void
tell_watchers(struct session *s, const struct error *cause)
{
	const char *state = states[s->state].name;
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (cause)
		error_sentence(cause, sentence, sizeof sentence);
	if (s->service)
		service_status(s->service, cause ? "%s: %s" : "%s", state, sentence);
	monitor_phase(s->monitor, states[s->state].phase, cause ? sentence : NULL);
}

void
session_show_position(struct session *s)
{
	char lsn[LSN_TEXT_BYTES];
	int64_t now = loop_now_ms(s->loop);

	if (!s->service || now - s->shown_ms < s->config->wal.heartbeat_ms)
		return;
	s->shown_ms = now;
	service_status(s->service, "%s, applied up to %s", states[s->state].name,
				   lsn_format(s->applied_lsn, lsn));
}

void
session_enter(struct session *s, enum session_state state, const struct error *cause)
{
	if (s->state == state)
		return;
	assert(session_may_follow(s->state, state));
	log_debug("session: %s -> %s", states[s->state].name, states[state].name);
	s->state = state;
	tell_watchers(s, cause);
	if (states[state].phase)
		write_phase(s, states[state].phase, cause);
}

bool
session_is_leaving(const struct session *s)
{
	return loop_stop_requested(s->loop) || s->steering.requests.leave;
}
