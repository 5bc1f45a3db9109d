/*
 * Advisory locks at the destination: one a task, which its daemon's session holds, so that no second one
 * works; one that its other sessions share; one a table that is being copied.
 */
#ifndef SLUICE_TASK_LOCK_H
#define SLUICE_TASK_LOCK_H

#include "io/connection.h"

/*
 * Takes the session's advisory lock of the task, waiting a bounded time for a
 * predecessor's session to end.  An ERROR_DATA when another daemon keeps it.
 */
MUST_CHECK bool task_lock_take(struct connection *destination, struct loop *loop, const char *task,
							   struct error *err);

/* Passes the lock from one session of this program to another; no other program can take it in between. */
MUST_CHECK bool task_lock_pass(struct connection *from, struct connection *to, struct loop *loop,
							   const char *task, struct error *err);

/* The server's process that holds the task's lock; 0: nobody. */
MUST_CHECK bool task_lock_holder(struct connection *destination, const char *task, int64_t *pid,
								 struct error *err);

/* The same of whichever other task. */
MUST_CHECK bool task_lock_other_holder(struct connection *destination, const char *task, int64_t *pid,
									   struct error *err);

/* Ends those of the two processes that hold the task's lock or wait for it. */
MUST_CHECK bool task_lock_end(struct connection *destination, const char *task, const int pids[2],
							  struct error *err);

/* Marks a session of the task's daemon beside those with the lock, such as a copy's, until it ends. */
MUST_CHECK bool task_lock_mark_side(struct connection *destination, const char *task, struct error *err);

/*
 * Ends sessions so marked that an earlier attempt or daemon left behind when the network went away: in the middle of a
 * transaction they keep its locks until the server finds out.  For who has the task's lock and no such session.
 */
MUST_CHECK bool task_lock_end_sides(struct connection *destination, const char *task, struct error *err);

/* A statement that waits for the copy of a table, for the time of its transaction: whoever copies a table alone
 * holds it exclusively (mode ""), whoever copies a part of one holds it with the others ("_shared"). */
void task_lock_put_copy(struct buffer *sql, const char *task, uint32_t source_oid, const char *mode);

#endif
