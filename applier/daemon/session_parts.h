/*
 * What the parts of the session share: the state of a run and of its present
 * attempt.  Included by session*.c alone.
 */
#ifndef SLUICE_SESSION_PARTS_H
#define SLUICE_SESSION_PARTS_H

#include "io/connection.h"
#include "io/service.h"
#include "schema/new_tables.h"
#include "servers/source.h"
#include "session.h"
#include "session_state.h"
#include "state/progress.h"
#include "state/selection.h"
#include "steering.h"
#include "stream/stream.h"

struct session {
	struct loop *loop;
	const struct config *config;
	struct until until;
	struct check_set ignored; /* warnings that are not logged */
	enum session_state state; /* moved by session_enter() alone */
	uint64_t until_lsn;		  /* 0: until stopped, or not known yet */
	uint64_t applied_lsn;	  /* by a stream of this run; 0: nothing yet */
	bool applied_some;		  /* since the last failure */
	bool announced;			  /* the first attempt has come as far as the stream */
	int former_replication;	  /* the source's process of the attempt before; 0: none */
	int slot_holder;		  /* one of an earlier attempt that was told to leave the slot; 0: none */
	bool ever_connected;	  /* both servers have taken the logins once */
	int64_t connected_ms;	  /* when the attempt had reached both servers; 0: not yet */

	/*
	 * The task's lock belongs to the session at the destination that writes batches, so that whoever gets it finds
	 * none of them under way.  Between two such sessions, and between two attempts, the control session keeps it.
	 */
	struct connection *lock_holder; /* destination or control; NULL: not held */
	int lock_pids[2];				/* our sessions at the server that may have it, or wait for it; 0: none */

	struct service *service; /* NULL: this run is to end by itself */
	struct monitor *monitor; /* likewise */
	int64_t sampled_ms;		 /* when the slot was last read during a copy */
	int64_t shown_ms;		 /* when the position was last shown there */

	/* Of the task's row in sluice.progress, since this process has seen or made it: nobody else removes or raises it. */
	bool begun;
	int64_t epoch;
	bool claiming; /* a statement that raises it was sent, and its answer may have been lost */

	struct fold_memories memories;
	struct steering steering;
	struct new_tables new_tables;
	bool at_commit;			   /* the source failed at sending transactions in progress */
	bool saw_unknown_table;	   /* the stream has mentioned tables that the catalog lacks */
	int64_t checked_ms;		   /* for new tables */
	bool copies_in_background; /* the attempt's tables that wait for a copy get it while the others stream */

	struct connection *control; /* everything at the destination but batches; outlives an attempt */

	/* one attempt's */
	struct selection selection; /* `config` is its own once the destination was reached */
	struct connection *source;
	struct connection *destination; /* batches */
	struct connection *replication;
	const struct dialect *dialect;
	struct destination_session opened; /* what was found out about the destination; `conn` is not used */
	struct catalog catalog;
	struct progress progress;
	struct source_identity identity;
	bool known; /* sluice.progress has our row: state can be written */
};

/* ---- session_state.c */

/*
 * Moves the session to a state that may follow the present one, logs it, and writes the phase down for `status` where
 * the state has one and that is possible.  `cause` is why, NULL where nothing went wrong.
 */
void session_enter(struct session *s, enum session_state state, const struct error *cause);
/* Shows the service manager how far it is, at every heartbeat. */
void session_show_position(struct session *s);
/* A person asked for the end of the run, or of the attempt. */
bool session_is_leaving(const struct session *s);

/* ---- session_attempt.c */

/* From connecting to the end of the stream. */
MUST_CHECK bool session_attempt(struct session *s, struct error *err);

/* ---- session_connect.c */

/* The sessions at both ends, and the task's lock. */
MUST_CHECK bool session_open_all(struct session *s, struct error *err);
/* A new session for batches, which takes the lock. */
MUST_CHECK bool session_open_destination(struct session *s, struct error *err);
/* Ends that session; the control session keeps the lock where that is possible. */
void session_release_destination(struct session *s);
MUST_CHECK bool session_open_replication(struct session *s, struct error *err);
/* What one attempt has; the control session and the lock stay. */
void session_close_attempt(struct session *s);
void session_close_all(struct session *s);

/* ---- session_tables.c */

/* The configuration is extended by what was added and removed by hand. */
MUST_CHECK bool session_select_tables(struct session *s, struct error *err);
/* Both catalogs, and what the state says of the tables; s->progress has been read. */
MUST_CHECK bool session_read_state(struct session *s, struct error *err);
/* The task has applied something, once: what is wrong with a single table is no end any more. */
bool session_has_worked(const struct session *s);
/* All prechecks, with what the caller has set in `precheck`; `from_outside`: for a configuration that is not in force. */
MUST_CHECK bool session_run_checks(struct session *s, bool from_outside, struct precheck *precheck,
								   struct error *err);
/*
 * The prechecks at a start.  A failure that is about one table is that table's alone once the task has worked: a new one
 * is noted as waiting, one that has lost its identity is held.
 */
MUST_CHECK bool session_check(struct session *s, struct error *err);
/* Takes the tables that wait out of the catalog and the selection, and writes down why. */
MUST_CHECK bool session_leave_waiting(struct session *s, struct error *err);
/* ---- session_trial.c */

/* While the stream runs: whether the next attempt would come as far with another configuration. */
MUST_CHECK bool session_try_config(void *arg, const struct config *config, bool *voids_copies,
								   struct error *err);
/* What can change while an attempt runs. */
void session_take_at_once(void *arg, const struct config *config);
MUST_CHECK bool session_change_tables(void *arg, enum table_action action, const struct string_list *names,
									  struct error *err);
/* At heartbeats, and soon after the stream has mentioned an unknown table. */
MUST_CHECK bool session_find_new_tables(struct session *s, struct error *err);

/* Notes the row as this process leaves it. */
void session_note_row(struct session *s);

/* ---- session_copy.c */

unsigned session_count_waiting(const struct session *s);
/* Makes the slot and the initial copy; notes which tables are left for background copies. */
MUST_CHECK bool session_copy_if_needed(struct session *s, struct error *err);

/* ---- session_stream.c */

/* Copies that are ahead of the position: the stream first brings all tables level. */
MUST_CHECK bool session_catch_up(struct session *s, struct error *err);
/* To the end of the run. */
MUST_CHECK bool session_stream(struct session *s, struct error *err);

#endif
