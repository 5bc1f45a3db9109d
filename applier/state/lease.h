/*
 * Which daemon has a task, and whether it still lives.
 *
 *	lock ──► claim (raises the epoch) ──► end the writers of before ──► renew every LEASE_RENEW_MS
 *
 * The holder of the task's lock claims the task in its row of sluice.progress, and renews the row's lease from a session
 * of its own.  A daemon that is frozen, or cut off from the destination, keeps its lock, since its kernel or its server
 * keeps the session; that its lease is not renewed any more is how a standby knows.  A standby measures that between its
 * own reads: what lease_until holds is compared with what it held before and never with a clock.
 *
 * What keeps a former holder from writing: each session at the destination that writes for a task joins the task's
 * writers first (a shared advisory lock), and where it is protected by no lock reads the epoch after that.  A new holder
 * raises the epoch first, and then ends all writers but its own.  Whoever has joined before that is ended, and whoever joins
 * later does not get the task's lock, or finds another epoch.  This holds for batches, copies, changed definitions
 * and whatever else is written.
 */
#ifndef SLUICE_LEASE_H
#define SLUICE_LEASE_H

#include "io/connection.h"
#include "progress.h"

#define LEASE_RENEW_MS 5000
/* So long without a renewal, and the task has no living holder. */
#define LEASE_LOST_MS 15000

/* What the task's row says of its holder. */
struct lease {
	bool exists; /* the row */
	int64_t epoch;
	char until[64]; /* changes with every renewal; empty: the holder has ended, or knows no leases */
	char host[256];
	int64_t pid;
	char since[64];
	int64_t since_us; /* since 1970 */
	double renewed_s; /* so long ago by the server's clock; negative: not known */
};

MUST_CHECK bool lease_read(struct connection *destination, const char *task, struct lease *lease,
						   struct error *err);
/* "host db1, process 4711, since 2026-03-01 03:00:12+00"; what is not known is left out. */
void lease_describe(const struct lease *lease, char *out, size_t out_bytes);

/*
 * Makes this process the holder.  The caller has the task's lock, and has read the row, whose epoch is raised; an
 * ERROR_REPLACED where it is another one by now.  `again`: this process was the holder already.
 *
 * `progress` becomes the row as it is with the claim.  It may have changed since it was read: the claim waits for a
 * transaction that has changed it, such as one that a crashed coordinator of Greenplum has left in doubt, although the
 * session of that transaction, and the task's lock with it, are gone.  From the claim on the epoch refuses it.
 */
MUST_CHECK bool lease_claim(struct connection *destination, const char *task, bool again,
							struct progress *progress, struct error *err);
/* $1 task, $2 epoch.  It must touch one row; none: another daemon has taken over. */
const char *lease_renew_sql(void);
/* The holder ends in good order. */
MUST_CHECK bool lease_release(struct connection *destination, const char *task, int64_t epoch,
							  struct error *err);

/* Before a session writes anything, where it is to have the task's lock or serves the one that has it. */
MUST_CHECK bool lease_join(struct connection *destination, const char *task, struct error *err);
/* Its statement; enough by itself where nothing is written that a new holder could not do as well. */
void lease_put_join(struct buffer *sql, const char *task);
/* The same for any other session: an ERROR_REPLACED where the epoch is another one. */
MUST_CHECK bool lease_join_as(struct connection *destination, const char *task, int64_t epoch,
							  struct error *err);
/* Ends the sessions of all writers but those of `own`, and waits until they are gone. */
MUST_CHECK bool lease_end_writers(struct connection *destination, struct loop *loop, const char *task,
								  const int *own, unsigned own_count, struct error *err);

/* ERROR_REPLACED: who has taken over.  Returns false. */
bool lease_replaced(struct error *err, const char *task, const struct lease *now, int64_t own_epoch);
/* ERROR_DATA: the task's row is gone.  Returns false. */
bool lease_dropped(struct error *err, const char *task);

/* ---- standbys */

/* The session is that of a standby, for everybody to see, until it leaves. */
MUST_CHECK bool lease_enter_standby(struct connection *destination, const char *task, struct error *err);
MUST_CHECK bool lease_leave_standby(struct connection *destination, const char *task, struct error *err);
/* A row for each standby of the task: its host, its process there, and since when it is connected, as far as this role may
 * see that; the caller frees it. */
MUST_CHECK bool lease_read_standbys(struct connection *destination, const char *task, struct result **res,
									struct error *err);

#endif
