/*
 * Log lines on standard error, as text or as one JSON object a line.
 *
 *	2026-03-01 03:00:12.345 UTC info   copied public.orders (1000000 rows in 3.2 s)
 *	{"time":"2026-03-01T03:00:12.345Z","level":"info","task":"orders","table":"public.orders","message":"copied ..."}
 */
#ifndef SLUICE_LOG_H
#define SLUICE_LOG_H

#include <time.h>

#include "error.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format {
	LOG_TEXT,
	LOG_JSON,
	LOG_JOURNAL, /* text for systemd's journal, which has times of its own: "<4>message" */
};

/* Until it is called: text, from info on.  Text becomes LOG_JOURNAL where standard error leads to the journal. */
void log_init(enum log_level level, enum log_format format);

/* Whether lines of this level are written: what is expensive to say need not be said otherwise. */
bool log_is_on(enum log_level level);

/* Writes one line with one write(2), so that lines never mix. */
void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* What a message is about, for fields of its own in JSON; NULL, empty, 0: nothing.  The message says it, too, for people. */
struct log_about {
	const char *schema; /* of the source's table */
	const char *table;	/* without schema: schema.table */
	uint64_t lsn;
	const char *sqlstate;
};

void log_write_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
struct log_about log_about_error(const struct error *err);

/* The line itself, new line included; the caller frees it.  Control characters
 * become blanks in text and escapes in JSON, those beyond ASCII escapes in both, bytes that are not UTF-8 U+FFFD. */
char *log_line(enum log_level level, enum log_format format, const struct timespec *when,
			   const struct log_about *about, const char *message);

/* Whose lines these are, in JSON: NULL, as at first, is nobody's. */
void log_set_task(const char *task);

/* A line on a terminal that the next one replaces, and that log lines take the place of; NULL removes it. */
void log_progress(const char *line);

/* For when memory is short: of the message as much as fits into a few hundred bytes. */
void log_without_memory(enum log_level level, const char *message);

/* One that is about a table of the source. */
#define log_table(level, source, ...)                                                                        \
	log_write_about(level, &(struct log_about){.schema = (source)->schema, .table = (source)->name},         \
					__VA_ARGS__)

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
