/*
 * The event loop: a thin layer over libuv.
 *
 * Two styles of code meet here. Low layers use callbacks: sockets, timers and signals set state and never
 * call into higher layers. Higher layers are sequential code that starts something and then pumps the loop
 * until a condition holds (loop_run_until). Code that runs inside a callback must not pump.
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

/*
 * Handles SIGINT and SIGTERM: the first one is recorded (loop_stop_requested), a second one ends the
 * process at once. SIGPIPE and SIGXFSZ are ignored.
 */
struct loop *loop_create(void);
/*
 * Every timer and socket must have been destroyed.  Waits for other threads; but after a stop of work that would go on
 * otherwise, the process exits with 0 if they take longer than some seconds.
 */
void loop_destroy(struct loop *loop);

/* Runs callbacks until `condition` returns true; it is evaluated after each turn. */
void loop_run_until(struct loop *loop, loop_condition condition, void *arg);
bool loop_stop_requested(const struct loop *loop);
/* For work that goes on until it is stopped: a second signal then exits with 0 instead of 1. */
void loop_stop_is_success(struct loop *loop);
/* Requests a stop, as a signal does. */
void loop_request_stop(struct loop *loop);

/*
 * From now on SIGHUP is recorded (loop_take_hangup) if the process has no terminal. With a terminal,
 * SIGHUP means that the terminal is gone, and requests a stop. If SIGHUP is ignored (nohup), it stays
 * ignored.
 */
void loop_watch_hangup(struct loop *loop);
/* Whether SIGHUP arrived since the last call. */
bool loop_take_hangup(struct loop *loop);

/* Milliseconds of a monotonic clock, at the start of this turn of the loop. */
int64_t loop_now_ms(const struct loop *loop);

/* Runs `work` on another thread and pumps the loop until it returns. */
void loop_run_blocking(struct loop *loop, loop_callback work, void *arg);

/* The same without pumping: `done` is called from the loop. loop_destroy() waits for it. */
void loop_start_blocking(struct loop *loop, loop_callback work, loop_callback done, void *arg);

/* Pumps for `ms` milliseconds or until a stop is requested; true if the time has passed. */
bool loop_sleep(struct loop *loop, int64_t ms);

struct loop_timer *loop_timer_create(struct loop *loop, loop_callback callback, void *arg);
/* Calls back once after `ms` milliseconds; replaces an earlier deadline. */
void loop_timer_arm(struct loop_timer *timer, int64_t ms);
void loop_timer_disarm(struct loop_timer *timer);
void loop_timer_destroy(struct loop_timer *timer);

/* Watches a socket that the caller opens and closes.  If it is closed before this is destroyed, its descriptor may be another's by then. */
struct loop_socket *loop_socket_create(struct loop *loop, int fd, loop_socket_callback callback, void *arg);
void loop_socket_watch(struct loop_socket *socket, unsigned events);
void loop_socket_destroy(struct loop_socket *socket);

#endif
