/*
 * The states of `sluice run`.
 *
 *	       ┌───────────── planned restart, reload ─────────────┐
 *	       ▼                                                   │
 *	  connecting ──► preparing ──► copying ──► streaming ◄──► paused
 *	       ▲             │            │            │           │
 *	       │▲            └────────────┴── failure ─┴───────────┘
 *	       ││ retrying ◄──────────────────────┘
 *	       ▼│
 *	     standby: another daemon has the task
 *
 * In each of these states the run may end: as stopped, or as failed.
 */
#ifndef SLUICE_SESSION_STATE_H
#define SLUICE_SESSION_STATE_H

#include <stdbool.h>

enum session_state {
	SESSION_CONNECTING,
	SESSION_STANDBY,   /* another daemon has the task */
	SESSION_PREPARING, /* reading catalogs and state, checking, creating targets */
	SESSION_COPYING,   /* the initial copy; nothing streams */
	SESSION_STREAMING, /* tables may be copied in the background */
	SESSION_PAUSED,
	SESSION_RETRYING, /* waiting before the next attempt */
	SESSION_STOPPED,
	SESSION_FAILED,
	SESSION_STATES,
};

const char *session_state_name(enum session_state state);
bool session_may_follow(enum session_state from, enum session_state to);

#endif
