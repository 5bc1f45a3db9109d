/*
 * The event loop: libuv behind what this program needs of it.
 *
 * The program is written in two styles that meet here.  Below, callbacks:
 * sockets, timers and signals set state and never call up.  Above, plain
 * sequential code that starts something and pumps the loop until a condition
 * holds (loop_run_until).  Nothing that runs inside a callback may pump.
 */
#ifndef SLUICE_LOOP_H
#define SLUICE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct loop;
struct loop_timer;
struct loop_socket;

enum loop_events {
	LOOP_READABLE = 1,
	LOOP_WRITABLE = 2,
};

typedef bool (*loop_condition)(void *arg);
typedef void (*loop_callback)(void *arg);
typedef void (*loop_socket_callback)(void *arg, unsigned events);

/* Takes SIGINT and SIGTERM: the first is counted (loop_stop_requested), a
 * second one ends the process at once.  SIGPIPE is ignored. */
struct loop *loop_create(void);
/* Every timer and socket must have been destroyed. */
void loop_destroy(struct loop *loop);

/* Runs callbacks until `condition` returns true; asked after each turn. */
void loop_run_until(struct loop *loop, loop_condition condition, void *arg);
bool loop_stop_requested(const struct loop *loop);
/* Work that goes on until it is stopped: a second signal exits with 0, otherwise with 1. */
void loop_stop_is_success(struct loop *loop);
/* Asks to stop as a signal would. */
void loop_request_stop(struct loop *loop);

/*
 * From here on a SIGHUP is noted (loop_take_hangup) where the process has no terminal; from a terminal it means
 * that this is gone, and is a request to stop.  One that is ignored (nohup) stays so.
 */
void loop_watch_hangup(struct loop *loop);
/* Whether there was a SIGHUP since the last call. */
bool loop_take_hangup(struct loop *loop);

/* Milliseconds of a monotonic clock, as of this turn of the loop. */
int64_t loop_now_ms(const struct loop *loop);

/* Runs `work` on another thread while this one pumps the loop. */
void loop_run_blocking(struct loop *loop, loop_callback work, void *arg);

/* The same without pumping: `done` is called back in the loop, which loop_destroy() waits for. */
void loop_start_blocking(struct loop *loop, loop_callback work, loop_callback done, void *arg);

/* Pumps for `ms` milliseconds or until a stop is requested; true: time is up. */
bool loop_sleep(struct loop *loop, int64_t ms);

struct loop_timer *loop_timer_create(struct loop *loop, loop_callback callback, void *arg);
/* Calls back once in `ms` milliseconds, replacing an earlier deadline. */
void loop_timer_arm(struct loop_timer *timer, int64_t ms);
void loop_timer_disarm(struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer);

/* Watches a socket that somebody else opens and closes; destroy before it is closed. */
struct loop_socket *loop_socket_create(struct loop *loop, int fd, loop_socket_callback callback, void *arg);
void loop_socket_watch(struct loop_socket *socket, unsigned events);
void loop_socket_destroy(struct loop_socket *socket);

#endif
