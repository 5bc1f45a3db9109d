#include "monitor_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "page.h"
#include "status_line.h"

int64_t
monitor_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

double
monitor_seconds(int64_t us)
{
	return (double) us / 1000000;
}

void
monitor_keep(const char **place, const char *text)
{
	if (*place && text && strcmp(*place, text) == 0)
		return;
	free((char *) *place);
	*place = text ? memory_strdup(text) : NULL;
}

double
monitor_total(const struct monitor *m, enum metric metric)
{
	double number = metrics_get(m->metrics, metric, 0);

	return number > 0 ? number : 0;
}

static bool
is_ready(const struct monitor *m)
{
	return m->view.phase &&
		   (strcmp(m->view.phase, "copying") == 0 || strcmp(m->view.phase, "streaming") == 0);
}

/* ---- HTTP */

/* The values that are computed for each answer. */
static const struct status_view *
complete_view(struct monitor *m)
{
	int64_t for_ms = 0;
	const char *asked = m->ask_waiting ? m->ask_waiting(m->ask_arg, &for_ms) : NULL;

	m->view.at = monitor_now_us();
	m->view.waiting_for = asked ? asked : m->waiting_for;
	m->view.waiting_since = asked ? m->view.at - for_ms * 1000 : m->waiting_since;
	m->view.lag_s = monitor_lag_s(m);
	m->view.tables = m->list.shown;
	m->view.table_count = m->list.count;
	m->view.transactions_total = monitor_total(m, METRIC_TRANSACTIONS);
	m->view.changes_total = monitor_total(m, METRIC_CHANGES);
	return &m->view;
}

static void
put_readiness(const struct monitor *m, struct http_answer *answer)
{
	if (is_ready(m)) {
		buffer_printf(&answer->body, "%s\n", m->view.phase);
		return;
	}
	answer->status = 503;
	buffer_printf(&answer->body, "%s%s%s\n", m->view.phase ? m->view.phase : "starting",
				  m->view.last_error ? ": " : "", m->view.last_error ? m->view.last_error : "");
}

static void
on_request(void *arg, const char *path, struct http_answer *answer)
{
	struct monitor *m = arg;

	if (strcmp(path, "/") == 0) {
		answer->content_type = "text/html; charset=utf-8";
		/* The two symbols are the ends of one object, which the compiler does not know. */
		/* cppcheck-suppress [comparePointers, subtractPointers] */
		buffer_put(&answer->body, page_html, (size_t) (page_html_end - page_html));
	} else if (strcmp(path, "/status") == 0) {
		answer->content_type = "application/json";
		status_view_put_json(complete_view(m), &answer->body);
	} else if (strcmp(path, "/history") == 0) {
		answer->content_type = "application/json";
		history_put_json(&m->history, &answer->body);
	} else if (strcmp(path, "/metrics") == 0) {
		answer->content_type = "text/plain; version=0.0.4; charset=utf-8";
		metrics_put(m->metrics, &answer->body);
	} else if (strcmp(path, "/healthz") == 0) {
		buffer_printf(&answer->body, "ok\n");
	} else if (strcmp(path, "/readyz") == 0) {
		put_readiness(m, answer);
	} else {
		answer->status = 404;
	}
}

/* A port that is in use does not stop the daemon: it is tried again. */
static void
listen_if_due(struct monitor *m)
{
	struct error err;
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	if (m->http || !m->listen)
		return;
	m->http = http_open(m->loop, m->listen, on_request, m, &err);
	if (m->http) {
		log_info("status page on http://%s/", m->listen);
		m->warned = false;
	} else if (!m->warned) {
		error_clause(&err, sentence, sizeof sentence);
		log_warning("%s; trying again every %.0f s", sentence, (double) m->config->wal.heartbeat_ms / 1000);
		m->warned = true;
	}
}

/* ---- the monitor's turn */

static void
on_heartbeat(void *arg)
{
	struct monitor *m = arg;
	struct history_point point;

	listen_if_due(m);
	monitor_measure_rates(m);
	point = (struct history_point){monitor_now_us() / 1000000, monitor_lag_s(m), (double) m->view.lag_bytes,
								   m->view.changes_per_s};
	history_add(&m->history, &point);
	loop_timer_arm(m->timer, m->config->wal.heartbeat_ms);
}

struct monitor *
monitor_create(struct loop *loop, const struct config *config)
{
	struct monitor *m = memory_alloc_zero(1, sizeof *m);

	m->loop = loop;
	m->config = config;
	m->listen = config->http_listen ? memory_strdup(config->http_listen) : NULL;
	m->metrics = metrics_create(config->task);
	status_view_init(&m->view, config->task);
	m->view.daemon_pid = getpid();
	arena_init(&m->list.memory, LIST_BLOCK_BYTES);
	m->counted.at_ms = loop_now_ms(loop);
	metrics_set(m->metrics, METRIC_BUILD_INFO, 0, 1);
	metrics_set(m->metrics, METRIC_START_TIME, 0, monitor_seconds(monitor_now_us()));
	metrics_set(m->metrics, METRIC_UP, 0, 0);
	m->timer = loop_timer_create(loop, on_heartbeat, m);
	loop_timer_arm(m->timer, config->wal.heartbeat_ms);
	listen_if_due(m);
	return m;
}

void
monitor_destroy(struct monitor *m)
{
	if (!m)
		return;
	http_close(m->http);
	loop_timer_destroy(m->timer);
	metrics_destroy(m->metrics);
	arena_fini(&m->list.memory);
	free(m->listen);
	free((char *) m->view.phase);
	free(m->waiting_for);
	free((char *) m->view.holder.host);
	free((char *) m->view.wal_status);
	free((char *) m->view.oldest);
	free((char *) m->view.source_version);
	free((char *) m->view.destination_version);
	free((char *) m->view.last_error);
	free(m);
}

void
monitor_reconfigure(struct monitor *m, const struct config *config)
{
	if (!m)
		return;
	m->config = config;
	if (strcmp(m->listen ? m->listen : "", config->http_listen ? config->http_listen : "") != 0) {
		http_close(m->http);
		m->http = NULL;
		m->warned = false;
		free(m->listen);
		m->listen = config->http_listen ? memory_strdup(config->http_listen) : NULL;
	}
	listen_if_due(m);
}

struct metrics *
monitor_metrics(struct monitor *m)
{
	return m ? m->metrics : NULL;
}

/* ---- reports */

void
monitor_phase(struct monitor *m, const char *phase, const char *cause)
{
	bool phase_changes;

	if (!m)
		return;
	if (!phase)
		phase = m->view.phase && strcmp(m->view.phase, "retrying") == 0 ? "retrying" : "starting";
	phase_changes = !m->view.phase || strcmp(m->view.phase, phase) != 0;
	if (phase_changes)
		m->view.phase_since = monitor_now_us();
	if (phase_changes)
		monitor_waiting(m, NULL, 0);
	monitor_keep(&m->view.phase, phase);
	if (cause)
		history_note(&m->history.errors, monitor_now_us(), "", cause);
	if (cause || is_ready(m))
		monitor_keep(&m->view.last_error, cause);
	metrics_set_state(m->metrics, METRIC_PHASE, phase);
	metrics_set(m->metrics, METRIC_UP, 0, is_ready(m));
}

void
monitor_holder(struct monitor *m, const char *host, int64_t pid, int64_t since)
{
	if (!m)
		return;
	monitor_keep(&m->view.holder.host, host);
	m->view.holder.pid = pid;
	m->view.holder.since = since;
}

void
monitor_versions(struct monitor *m, const char *source, const char *destination)
{
	if (!m)
		return;
	monitor_keep(&m->view.source_version, source);
	monitor_keep(&m->view.destination_version, destination);
}

void
monitor_connected(struct monitor *m, enum metric_server server)
{
	metrics_add(monitor_metrics(m), METRIC_RECONNECTS, server, 1);
}

/* In the order of the label's values. */
static const unsigned error_values[] = {
	[ERROR_RETRY] = 0,		  [ERROR_RESTART] = 1, [ERROR_REFUSED] = 2,	 [ERROR_CONFIG] = 3,
	[ERROR_PRECONDITION] = 4, [ERROR_DATA] = 5,	   [ERROR_REPLACED] = 5, [ERROR_BUG] = 6,
};

void
monitor_error(struct monitor *m, const struct error *err, bool again)
{
	if (!m || err->class == ERROR_NONE || err->class > ERROR_BUG)
		return;
	metrics_add(m->metrics, METRIC_ERRORS, error_values[err->class], 1);
	if (again && err->class != ERROR_RESTART)
		metrics_add(m->metrics, METRIC_RETRIES, 0, 1);
}

void
monitor_waiting(struct monitor *m, const char *what, int64_t for_ms)
{
	if (!m || (what && m->waiting_for && strcmp(m->waiting_for, what) == 0))
		return;
	free(m->waiting_for);
	m->waiting_for = what ? memory_strdup(what) : NULL;
	m->waiting_since = what ? monitor_now_us() - for_ms * 1000 : 0;
}

void
monitor_ask_waiting(struct monitor *m, const char *(*ask)(void *arg, int64_t *for_ms), void *arg)
{
	if (!m)
		return;
	m->ask_waiting = ask;
	m->ask_arg = arg;
}

void
monitor_put_line(struct monitor *m, size_t most, struct buffer *out)
{
	if (m)
		status_line_put(complete_view(m), most, out);
}
