/*
 * Advisory locks at the destination: one for each task, held by its daemon's main session so that no
 * second daemon works; one that the daemon's other sessions share; and one for each table that is being
 * copied.
 */
#ifndef SLUICE_TASK_LOCK_H
#define SLUICE_TASK_LOCK_H

#include "io/connection.h"

/* The first keys of our advisory locks, "slui" and what follows; the second is the task's hash. */
enum task_lock_class {
	TASK_LOCK_DAEMON = 0x736c7569,
	TASK_LOCK_COPIES = 0x736c756a,	 /* the second key is the task's hash and the table's OID */
	TASK_LOCK_WRITERS = 0x736c756b,	 /* shared; see lease.h */
	TASK_LOCK_STANDBYS = 0x736c756c, /* shared, likewise */
};

/* FNV-1a. A collision of two tasks in one database makes the second one refuse to start. */
int32_t task_lock_key(const char *task);

enum task_lock_wait {
	TASK_LOCK_AT_ONCE,
	TASK_LOCK_FOR_PREDECESSOR, /* a bounded time, for the session of a daemon that was killed a moment ago */
};

/*
 * Takes the task's lock for the session, if asked to after waiting a limited time for an earlier daemon's session to
 * end. ERROR_REPLACED if another daemon keeps it.
 */
MUST_CHECK bool task_lock_take(struct connection *destination, struct loop *loop, const char *task,
							   enum task_lock_wait wait, struct error *err);

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

/*
 * Statement that locks a table's copy until the transaction ends. Copying the table as a whole takes the
 * lock exclusively (mode ""); copying a part of it shares the lock ("_shared").
 */
void task_lock_put_copy(struct buffer *sql, const char *task, uint32_t source_oid, const char *mode);

#endif
