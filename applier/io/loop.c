#include "loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/log.h"
#include "base/memory.h"

/* How long a stop waits for work on other threads. */
#define THREADS_WAIT_MS 5000

struct loop {
	uv_loop_t uv;
	uv_signal_t sigint;
	uv_signal_t sigterm;
	uv_signal_t sighup;
	unsigned stop_requests;
	bool hangup;
	bool has_terminal;
	bool stop_is_success;
	struct loop_socket **sockets; /* by their descriptors; NULL: none */
	int descriptors;			  /* how many `sockets` has */
};

struct loop_timer {
	uv_timer_t uv;
	loop_callback callback;
	void *arg;
};

struct loop_socket {
	struct loop *loop;
	int fd;
	uv_poll_t *uv; /* NULL: the descriptor has been closed and belongs to another socket */
	loop_socket_callback callback;
	void *arg;
	unsigned watched;
};

static void
must(int rc, const char *what)
{
	if (rc == 0)
		return;
	log_error("libuv: %s: %s", what, uv_strerror(rc));
	abort();
}

static void
on_stop_signal(uv_signal_t *handle, int signum)
{
	struct loop *loop = handle->data;

	if (++loop->stop_requests > 1) {
		log_warning("second %s: exiting at once", signum == SIGINT ? "SIGINT" : "SIGTERM");
		_exit(loop->stop_is_success ? 0 : 1);
	}
	log_info("%s: stopping after the current batch", signum == SIGINT ? "SIGINT" : "SIGTERM");
}

static void
watch_signal(struct loop *loop, uv_signal_t *handle, uv_signal_cb callback, int signum)
{
	must(uv_signal_init(&loop->uv, handle), "uv_signal_init");
	handle->data = loop;
	must(uv_signal_start(handle, callback, signum), "uv_signal_start");
	/* A signal handle must not keep the loop running. */
	uv_unref((uv_handle_t *) handle);
}

struct loop *
loop_create(void)
{
	struct loop *loop = memory_alloc_zero(1, sizeof *loop);

	must(uv_loop_init(&loop->uv), "uv_loop_init");
	watch_signal(loop, &loop->sigint, on_stop_signal, SIGINT);
	watch_signal(loop, &loop->sigterm, on_stop_signal, SIGTERM);
	must(uv_signal_init(&loop->uv, &loop->sighup), "uv_signal_init");
	uv_unref((uv_handle_t *) &loop->sighup);
	/* A failed write is reported by its error code instead. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return loop;
}

/* libpq sends a request to cancel a statement without a time limit, to a server that may be frozen. */
static void
on_overdue(uv_timer_t *handle)
{
	const struct loop *loop = handle->data;

	if (!loop->stop_is_success || loop->stop_requests == 0)
		return;
	log_warning("a server does not answer a request to cancel a statement: exiting without it");
	_exit(0);
}

void
loop_destroy(struct loop *loop)
{
	uv_timer_t overdue;

	uv_close((uv_handle_t *) &loop->sigint, NULL);
	uv_close((uv_handle_t *) &loop->sigterm, NULL);
	uv_close((uv_handle_t *) &loop->sighup, NULL);
	must(uv_timer_init(&loop->uv, &overdue), "uv_timer_init");
	overdue.data = loop;
	uv_update_time(&loop->uv);
	must(uv_timer_start(&overdue, on_overdue, THREADS_WAIT_MS, 0), "uv_timer_start");
	uv_unref((uv_handle_t *) &overdue);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *) &overdue, NULL);
	uv_run(&loop->uv, UV_RUN_DEFAULT);
	must(uv_loop_close(&loop->uv), "uv_loop_close");
	free(loop->sockets);
	free(loop);
}

void
loop_run_until(struct loop *loop, loop_condition condition, void *arg)
{
	while (!condition(arg))
		uv_run(&loop->uv, UV_RUN_ONCE);
}

void
loop_stop_is_success(struct loop *loop)
{
	loop->stop_is_success = true;
}

bool
loop_stop_requested(const struct loop *loop)
{
	return loop->stop_requests > 0;
}

void
loop_request_stop(struct loop *loop)
{
	if (loop->stop_requests == 0)
		loop->stop_requests = 1;
}

static void
on_hangup(uv_signal_t *handle, int signum)
{
	struct loop *loop = handle->data;

	(void) signum;
	if (!loop->has_terminal) {
		loop->hangup = true;
		return;
	}
	log_info("SIGHUP: the terminal is gone: stopping after the current batch");
	loop_request_stop(loop);
}

static bool
has_terminal(void)
{
	int fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

void
loop_watch_hangup(struct loop *loop)
{
	struct sigaction now;

	if (sigaction(SIGHUP, NULL, &now) == 0 && now.sa_handler == SIG_IGN)
		return;
	loop->has_terminal = has_terminal();
	loop->sighup.data = loop;
	must(uv_signal_start(&loop->sighup, on_hangup, SIGHUP), "uv_signal_start");
	uv_unref((uv_handle_t *) &loop->sighup);
}

bool
loop_take_hangup(struct loop *loop)
{
	bool hangup = loop->hangup;

	loop->hangup = false;
	return hangup;
}

int64_t
loop_now_ms(const struct loop *loop)
{
	return (int64_t) uv_now(&loop->uv);
}

/* ---- work on another thread */

struct blocking_work {
	uv_work_t uv;
	loop_callback work;
	void *arg;
	bool done;
};

static void
do_blocking_work(uv_work_t *uv)
{
	struct blocking_work *w = uv->data;

	w->work(w->arg);
}

static void
after_blocking_work(uv_work_t *uv, int status)
{
	struct blocking_work *w = uv->data;

	(void) status;
	w->done = true;
}

static bool
blocking_work_is_done(void *arg)
{
	return ((struct blocking_work *) arg)->done;
}

void
loop_run_blocking(struct loop *loop, loop_callback work, void *arg)
{
	struct blocking_work w = {.work = work, .arg = arg};

	w.uv.data = &w;
	must(uv_queue_work(&loop->uv, &w.uv, do_blocking_work, after_blocking_work), "uv_queue_work");
	loop_run_until(loop, blocking_work_is_done, &w);
}

struct started_work {
	uv_work_t uv;
	loop_callback work;
	loop_callback done;
	void *arg;
};

static void
do_started_work(uv_work_t *uv)
{
	struct started_work *w = uv->data;

	w->work(w->arg);
}

static void
after_started_work(uv_work_t *uv, int status)
{
	struct started_work *w = uv->data;

	(void) status;
	w->done(w->arg);
	free(w);
}

void
loop_start_blocking(struct loop *loop, loop_callback work, loop_callback done, void *arg)
{
	struct started_work *w = memory_alloc_zero(1, sizeof *w);

	w->work = work;
	w->done = done;
	w->arg = arg;
	w->uv.data = w;
	must(uv_queue_work(&loop->uv, &w->uv, do_started_work, after_started_work), "uv_queue_work");
}

/* ---- timers */

static void
on_timer(uv_timer_t *handle)
{
	struct loop_timer *timer = handle->data;

	/*
	 * libuv runs timers before it waits for sockets. Stopping the turn lets loop_run_until() evaluate its
	 * condition, which the callback may have changed, before that wait.
	 */
	uv_stop(handle->loop);
	timer->callback(timer->arg);
}

struct loop_timer *
loop_timer_create(struct loop *loop, loop_callback callback, void *arg)
{
	struct loop_timer *timer = memory_alloc_zero(1, sizeof *timer);

	must(uv_timer_init(&loop->uv, &timer->uv), "uv_timer_init");
	timer->uv.data = timer;
	timer->callback = callback;
	timer->arg = arg;
	return timer;
}

void
loop_timer_arm(struct loop_timer *timer, int64_t ms)
{
	must(uv_timer_start(&timer->uv, on_timer, ms > 0 ? (uint64_t) ms : 0, 0), "uv_timer_start");
}

void
loop_timer_disarm(struct loop_timer *timer)
{
	uv_timer_stop(&timer->uv);
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle->data);
}

void
loop_timer_destroy(struct loop_timer *timer)
{
	if (timer)
		uv_close((uv_handle_t *) &timer->uv, free_handle);
}

struct sleeper {
	struct loop *loop;
	bool over;
};

static void
wake(void *arg)
{
	((struct sleeper *) arg)->over = true;
}

static bool
slept(void *arg)
{
	struct sleeper *s = arg;

	return s->over || loop_stop_requested(s->loop);
}

bool
loop_sleep(struct loop *loop, int64_t ms)
{
	struct sleeper s = {.loop = loop};
	struct loop_timer *timer;

	uv_update_time(&loop->uv);
	timer = loop_timer_create(loop, wake, &s);
	loop_timer_arm(timer, ms);
	loop_run_until(loop, slept, &s);
	loop_timer_destroy(timer);
	return s.over;
}

/* ---- sockets */

static void
on_socket(uv_poll_t *handle, int status, int events)
{
	struct loop_socket *socket = handle->data;
	unsigned ready =
		(events & UV_READABLE ? LOOP_READABLE : 0u) | (events & UV_WRITABLE ? LOOP_WRITABLE : 0u);

	/*
	 * The owner finds the error when it reads or writes. If there is data left to read, the owner watches the
	 * socket again, since libuv has stopped watching it.
	 */
	if (status < 0)
		socket->watched = 0;
	socket->callback(socket->arg, status < 0 ? LOOP_READABLE | LOOP_WRITABLE : ready);
}

static void
free_uv(uv_handle_t *handle)
{
	free(handle);
}

static void
end_watching(struct loop_socket *socket)
{
	socket->loop->sockets[socket->fd] = NULL;
	uv_close((uv_handle_t *) socket->uv, free_uv);
	socket->uv = NULL;
	socket->watched = 0;
}

/*
 * libpq closes the descriptor of a connection that it finds lost, before its owner hears of that, and the next connection has the same
 * one.  libuv watches descriptors by number: ending the former watch later would end the new one, without a sign.
 */
static void
take_over_descriptor(struct loop *loop, int fd)
{
	if (fd >= loop->descriptors) {
		loop->sockets = memory_resize(loop->sockets, (size_t) fd + 1, sizeof(*loop->sockets));
		while (loop->descriptors <= fd)
			loop->sockets[loop->descriptors++] = NULL;
	}
	if (loop->sockets[fd])
		end_watching(loop->sockets[fd]);
}

struct loop_socket *
loop_socket_create(struct loop *loop, int fd, loop_socket_callback callback, void *arg)
{
	struct loop_socket *socket = memory_alloc_zero(1, sizeof *socket);

	take_over_descriptor(loop, fd);
	socket->uv = memory_alloc_zero(1, sizeof *socket->uv);
	must(uv_poll_init(&loop->uv, socket->uv, fd), "uv_poll_init");
	socket->uv->data = socket;
	socket->loop = loop;
	socket->fd = fd;
	socket->callback = callback;
	socket->arg = arg;
	loop->sockets[fd] = socket;
	return socket;
}

void
loop_socket_watch(struct loop_socket *socket, unsigned events)
{
	int uv_events = (events & LOOP_READABLE ? UV_READABLE : 0) | (events & LOOP_WRITABLE ? UV_WRITABLE : 0);

	if (socket->watched == events || !socket->uv)
		return;
	socket->watched = events;
	if (events == 0)
		uv_poll_stop(socket->uv);
	else
		must(uv_poll_start(socket->uv, uv_events, on_socket), "uv_poll_start");
}

void
loop_socket_destroy(struct loop_socket *socket)
{
	if (socket && socket->uv)
		end_watching(socket);
	free(socket);
}
