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
	LOG_JOURNAL, /* text for systemd's journal, which adds the time itself: "<4>message" */
};

/*
 * Sets level and format; before that, text from level info. Text becomes LOG_JOURNAL if standard error
 * leads to the journal.
 */
void log_init(enum log_level level, enum log_format format);

/*
 * Whether lines of this level are written, for callers that would compute a line's contents at some cost.
 */
bool log_is_on(enum log_level level);

/* Writes one line with one write(2), so that lines never mix. */
void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * What a message is about, as separate fields in JSON; NULL, empty or 0: nothing. The message must name
 * these, too, for readers of text.
 */
struct log_about {
	const char *schema; /* schema of the table at the source */
	const char *table;	/* name; if `schema` is not set: schema.table */
	uint64_t lsn;
	const char *sqlstate;
};

void log_write_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
struct log_about log_about_error(const struct error *err);

/*
 * Builds a line, ending in a line break; the caller frees it. Control characters become blanks in text and
 * escapes in JSON; control characters beyond ASCII become escapes in both; bytes that are not UTF-8 become
 * U+FFFD.
 */
char *log_line(enum log_level level, enum log_format format, const struct timespec *when,
			   const struct log_about *about, const char *message);

/* Sets the task's name for lines in JSON; NULL, the initial value: none. */
void log_set_task(const char *task);

/*
 * Shows a progress line on a terminal. The next one replaces it, and log lines first remove it; NULL
 * removes it.
 */
void log_progress(const char *line);

/* Logs when memory is short; cuts the message after a few hundred bytes. */
void log_without_memory(enum log_level level, const char *message);

/* Logs a message about a table of the source. */
#define log_table(level, source, ...)                                                                        \
	log_write_about(level, &(struct log_about){.schema = (source)->schema, .table = (source)->name},         \
					__VA_ARGS__)

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
