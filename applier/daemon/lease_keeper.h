/*
 * Renews the lease of the task (state/lease.h) from a session of its own: what the other sessions wait for, or work on for
 * long, does not keep it from being renewed.
 *
 *	idle ──► renewing ◄── timer, answers          begin, end: by the session
 *	            └──► lost                         another epoch, the connection, no answer for LEASE_LOST_MS
 */
#ifndef SLUICE_LEASE_KEEPER_H
#define SLUICE_LEASE_KEEPER_H

#include "io/connection.h"

struct lease_keeper;

/* `on_lost` is called from the loop, once, and must not pump it.  `is_watched`: a standby is to be expected, so a
 * destination that is silent for LEASE_LOST_MS means a lost lease; otherwise only an answer does. */
struct lease_keeper *lease_keeper_create(struct loop *loop, const char *task, bool is_watched,
										 loop_callback on_lost, void *arg);
void lease_keeper_destroy(struct lease_keeper *keeper);

/* Takes the connection, which has joined the task's writers; nothing is renewed before lease_keeper_begin(). */
void lease_keeper_take(struct lease_keeper *keeper, struct connection *conn);
/* The server's process of that session; 0: there is none. */
int lease_keeper_pid(const struct lease_keeper *keeper);
/* The task was claimed with this epoch just now. */
void lease_keeper_begin(struct lease_keeper *keeper, int64_t epoch);
/* Closes the session: the task is no longer this daemon's. */
void lease_keeper_end(struct lease_keeper *keeper);
/* Whether it has been lost since it was begun; then why. */
bool lease_keeper_is_lost(const struct lease_keeper *keeper, struct error *err);

#endif
