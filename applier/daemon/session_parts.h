/* Shared by the files of the session: the state of a run and of its present attempt. Included only by session*.c. */
#ifndef SLUICE_SESSION_PARTS_H
#define SLUICE_SESSION_PARTS_H

#include "io/connection.h"
#include "io/service.h"
#include "lease_keeper.h"
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
	bool standby;			  /* waits while another daemon has the task, now and whenever it loses it */
	enum session_state state; /* only session_enter() changes it */
	uint64_t until_lsn;		  /* 0: the run ends when it is stopped, or the position is not known yet */
	uint64_t applied_lsn;	  /* applied by a stream of this run; 0: nothing yet */
	bool has_worked; /* applied something, or watched the holder as a standby, since the last failure */
	bool announced;	 /* the first attempt has reached the stream */
	int former_replication; /* pid of the earlier attempt's walsender; 0: none */
	int slot_holder;		/* pid of a leftover session that was told to leave the slot; 0: none */
	bool ever_connected;	/* both servers have accepted a login */
	int64_t connected_ms;	/* when the attempt had connected to both servers; 0: not yet */

	/* The session at the destination that writes batches holds the task's lock, so that no batch is running when
	 * another daemon gets the lock. Between two such sessions, and between two attempts, the control session holds it. */
	struct connection *lock_holder; /* `destination` or `control`; NULL: not held */
	int lock_pids
		[2]; /* pids, at the destination, of this process's sessions that may hold the lock or wait for it; 0: none */

	struct service *service; /* NULL: this run ends by itself */
	struct monitor *monitor; /* likewise */
	int64_t sampled_ms;		 /* when the slot was last read during a copy */
	int64_t shown_ms;		 /* when the position was last shown to the service manager */

	/* About the task's row in sluice.progress, once this process has read or written it: nobody else may delete it
	 * or raise its epoch. */
	bool begun;
	int64_t epoch;
	bool claiming; /* a statement that raises the epoch was sent, and its answer may have been lost */
	struct lease_keeper *lease_keeper;

	struct fold_memories memories;
	struct steering steering;
	struct new_tables new_tables;
	bool at_commit;			   /* the source failed to send transactions in progress */
	bool saw_unknown_table;	   /* the stream had changes of tables that the catalog lacks */
	int64_t checked_ms;		   /* when new tables were last looked for */
	bool copies_in_background; /* this attempt copies waiting tables while the others stream */

	struct connection *control; /* for everything at the destination but batches; outlives an attempt */
	bool doubts_data;			/* ambiguous errors are about the data, until something is applied */
	bool unreachable;			/* in this attempt the destination has taken no further session */
	bool control_joined;		/* whether `control` has joined the task's writers (state/lease.h) */

	/* the present attempt */
	struct selection selection; /* its `config` is in use once the destination was read */
	struct connection *source;
	struct connection *destination; /* for batches */
	struct connection *replication;
	const struct dialect *dialect;
	struct destination_session opened; /* facts about the destination; its `conn` is not used */
	struct catalog catalog;
	struct progress progress;
	struct source_identity identity;
	bool known; /* sluice.progress has the task's row, so the phase can be written */
};

/* ---- session_state.c */

/* Moves the session to a state that may follow the present one, logs that, and writes the phase for `status` if the
 * state has one and the destination can be reached. `cause`: the reason; NULL: no error. */
void session_enter(struct session *s, enum session_state state, const struct error *cause);
/* Shows the position to the service manager, at every heartbeat. */
void session_show_position(struct session *s);
/* Whether a person asked for the end of the run, or of the attempt. */
bool session_is_leaving(const struct session *s);

/* ---- session_attempt.c */

/* Runs one attempt, from connecting to the end of the stream. */
MUST_CHECK bool session_attempt(struct session *s, struct error *err);

/* ---- session_connect.c */

/* Opens the sessions at both servers, and takes the task's lock. */
MUST_CHECK bool session_open_all(struct session *s, struct error *err);
/* Opens a new session for batches, which takes the lock. */
MUST_CHECK bool session_open_destination(struct session *s, struct error *err);
/* Closes that session; the control session takes the lock if possible. */
void session_release_destination(struct session *s);
MUST_CHECK bool session_open_replication(struct session *s, struct error *err);
/* Closes and frees what belongs to the attempt; the control session and the lock stay. */
void session_close_attempt(struct session *s);
/*
 * Before the pause after an attempt: closes these as well if the destination has taken no further session.  A server, or a
 * segment, whose postmaster has died is not started again as long as one of its sessions is left, and an old Greenplum
 * does not end them by itself while they are used.
 */
void session_note_unreachable(struct session *s, const struct error *err);
void session_close_unreachable(struct session *s);
void session_close_all(struct session *s);

/* ---- session_standby.c */

/* A standby waits here as long as another daemon has the task, and ends its sessions where it does not live any more. */
MUST_CHECK bool session_stand_by(struct session *s, struct error *err);
/* With the lock: reads the task's row, and claims the task where there is one.  No writer of before is left then. */
MUST_CHECK bool session_claim(struct session *s, struct error *err);
/* An ERROR_REPLACED where another daemon has claimed the task since. */
MUST_CHECK bool session_check_claim(struct session *s, struct error *err);
/* Notes the row as this process leaves it. */
void session_note_row(struct session *s);
/* Another daemon has the task: this one begins as if it was just started. */
void session_forget_claim(struct session *s);
/* At the end of the run. */
void session_release_claim(struct session *s);
/* For the lease keeper. */
void session_lease_lost(void *arg);
/* Of a standby: whether a takeover with that configuration would come as far as the stream. */
MUST_CHECK bool session_try_ends(struct session *s, const struct config *config, struct error *err);

/* ---- session_tables.c */

/* Adds to the configuration the tables that `sluice table` added and removed. */
MUST_CHECK bool session_select_tables(struct session *s, struct error *err);
/* Reads both catalogs, and the tables' states; s->progress must have been read. */
MUST_CHECK bool session_read_state(struct session *s, struct error *err);
/* Drops the indexes of targets that the source has no more. */
MUST_CHECK bool session_compare_indexes(struct session *s, struct error *err);
/* Whether the task has ever applied something: from then on a problem of a single table does not end the run. */
bool session_has_worked(const struct session *s);
/* Runs all prechecks, with what the caller has set in `precheck`; `from_outside`: for a configuration that is not in
 * force. */
MUST_CHECK bool session_run_checks(struct session *s, bool from_outside, struct precheck *precheck,
								   struct error *err);
/* Runs the prechecks at a start. Once the task has worked, a failure about one table concerns only that table: a new
 * table waits, one that has lost its replica identity is held. */
MUST_CHECK bool session_check(struct session *s, struct error *err);
/* Removes waiting tables from the catalog and the selection, and writes the reasons. */
MUST_CHECK bool session_leave_waiting(struct session *s, struct error *err);
/* ---- session_trial.c */

/* While the stream runs: whether the next attempt could start with another configuration. */
MUST_CHECK bool session_try_tables(const struct session *s, const struct config *config, bool *voids_copies,
								   struct error *err);
/* The same, in any state of the daemon. */
MUST_CHECK bool session_try_config(void *arg, const struct config *config, bool *voids_copies,
								   struct error *err);
/* Takes over the settings that can change while an attempt runs. */
void session_take_at_once(void *arg, const struct config *config);
MUST_CHECK bool session_change_tables(void *arg, enum table_action action, const struct string_list *names,
									  struct error *err);
/* Looks for new tables at heartbeats, and soon after the stream had changes of an unknown table. */
MUST_CHECK bool session_find_new_tables(struct session *s, struct error *err);

/* ---- session_copy.c */

unsigned session_count_waiting(const struct session *s);
/* Creates the slot and makes the initial copy; notes which tables are left for background copies. */
MUST_CHECK bool session_copy_if_needed(struct session *s, struct error *err);

/* ---- session_stream.c */

/* Where copies are newer than the position, first streams until all tables have caught up. */
MUST_CHECK bool session_catch_up(struct session *s, struct error *err);
/* Streams to the end of the run. */
MUST_CHECK bool session_stream(struct session *s, struct error *err);

#endif
