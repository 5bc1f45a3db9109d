/*
 * Advisory locks at the destination: one for each task, held by its daemon's main session so that no
 * second daemon works; one that the daemon's other sessions share; and one for each table that is being
 * copied.
 */
#ifndef SLUICE_TASK_LOCK_H
#define SLUICE_TASK_LOCK_H

#include "io/connection.h"

/*
 * Takes the task's lock for the session, waiting a limited time for an earlier daemon's session to end.
 * ERROR_DATA if another daemon keeps it.
 */
MUST_CHECK bool task_lock_take(struct connection *destination, struct loop *loop, const char *task,
							   struct error *err);

/*
 * Passes the lock from one session of this process to another; no other process can take it in between.
 */
MUST_CHECK bool task_lock_pass(struct connection *from, struct connection *to, struct loop *loop,
							   const char *task, struct error *err);

/* The backend that holds the task's lock; 0: none. */
MUST_CHECK bool task_lock_holder(struct connection *destination, const char *task, int64_t *pid,
								 struct error *err);

/* A backend that holds the lock of any other task; 0: none. */
MUST_CHECK bool task_lock_other_holder(struct connection *destination, const char *task, int64_t *pid,
									   struct error *err);

/* Terminates those of the two backends that hold the task's lock or wait for it. */
MUST_CHECK bool task_lock_end(struct connection *destination, const char *task, const int pids[2],
							  struct error *err);

/* Marks a further session of the task's daemon, such as a copy's, until the session ends. */
MUST_CHECK bool task_lock_mark_side(struct connection *destination, const char *task, struct error *err);

/*
 * Terminates marked sessions that an earlier attempt or daemon left behind when the network failed: a
 * session in a transaction keeps its locks until the server notices. The caller must hold the task's lock
 * and must have no marked session of its own.
 */
MUST_CHECK bool task_lock_end_sides(struct connection *destination, const char *task, struct error *err);

/*
 * Statement that locks a table's copy until the transaction ends. Copying the table as a whole takes the
 * lock exclusively (mode ""); copying a part of it shares the lock ("_shared").
 */
void task_lock_put_copy(struct buffer *sql, const char *task, uint32_t source_oid, const char *mode);

#endif
