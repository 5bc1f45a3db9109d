#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lsn.h"
#include "memory.h"
#include "printable.h"

/* The only mutable global of the program, since a process has only one standard error. */
static struct {
	enum log_level level;
	enum log_format format;
	char task[64];	  /* "": none */
	bool progressing; /* a progress line is shown on the terminal */
} settings = {LOG_INFO, LOG_TEXT, "", false};

static const char *const level_names[] = {
	[LOG_DEBUG] = "debug",
	[LOG_INFO] = "info",
	[LOG_WARNING] = "warning",
	[LOG_ERROR] = "error",
};

/* systemd sets JOURNAL_STREAM to the device and inode of the journal's socket (systemd.exec(5)). */
static bool
writes_to_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
		   fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void
log_init(enum log_level level, enum log_format format)
{
	settings.level = level;
	settings.format = format == LOG_TEXT && writes_to_journal() ? LOG_JOURNAL : format;
}

bool
log_is_on(enum log_level level)
{
	return level >= settings.level;
}

/*
 * Length of the UTF-8 character at c; 0 if it is invalid. Surrogates and overlong forms are accepted: they
 * do no harm in a log.
 */
static int
utf8_length(const unsigned char *c)
{
	int len = 0;

	if (c[0] < 0x80)
		len = 1;
	else if ((c[0] & 0xE0) == 0xC0)
		len = 2;
	else if ((c[0] & 0xF0) == 0xE0)
		len = 3;
	else if ((c[0] & 0xF8) == 0xF0)
		len = 4;
	for (int i = 1; i < len; i++)
		if ((c[i] & 0xC0) != 0x80)
			return 0;
	return len;
}

/* Writes one character of the message; this takes at most 6 bytes. */
static char *
put_character(char *out, enum log_format format, const unsigned char *c, int len)
{
	unsigned code;

	if (len == 0)
		return stpcpy(out, "\xEF\xBF\xBD");
	if (format == LOG_JSON && (*c == '"' || *c == '\\')) {
		*out++ = '\\';
		*out++ = (char) *c;
		return out;
	}
	if (*c < 0x20 || *c == 0x7F) {
		if (format != LOG_JSON) {
			*out++ = ' ';
			return out;
		}
		return out + sprintf(out, "\\u%04x", *c);
	}
	if (printable_control((const char *) c, &code))
		return out + sprintf(out, "\\u%04x", code);
	memcpy(out, c, (size_t) len);
	return out + len;
}

/* The priorities of syslog(3). */
static const int journal_priorities[] = {
	[LOG_DEBUG] = 7,
	[LOG_INFO] = 6,
	[LOG_WARNING] = 4,
	[LOG_ERROR] = 3,
};

static char *
put_characters(char *out, enum log_format format, const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; *c != '\0';) {
		int len = utf8_length(c);

		out = put_character(out, format, c, len);
		c += len ? len : 1;
	}
	return out;
}

static bool
is_there(const char *text)
{
	return text && text[0];
}

static char *
put_about(char *out, const struct log_about *about)
{
	char lsn[LSN_TEXT_BYTES];

	if (is_there(about->table)) {
		out = stpcpy(out, ",\"table\":\"");
		if (is_there(about->schema)) {
			out = put_characters(out, LOG_JSON, about->schema);
			*out++ = '.';
		}
		out = stpcpy(put_characters(out, LOG_JSON, about->table), "\"");
	}
	if (about->lsn)
		out += sprintf(out, ",\"lsn\":\"%s\"", lsn_format(about->lsn, lsn));
	if (is_there(about->sqlstate))
		out += sprintf(out, ",\"sqlstate\":\"%.5s\"", about->sqlstate);
	return out;
}

static char *
put_prefix(char *out, enum log_level level, enum log_format format, const struct timespec *when,
		   const struct log_about *about)
{
	struct tm utc;
	int milliseconds = (int) (when->tv_nsec / 1000000);

	if (format == LOG_JOURNAL)
		return out + sprintf(out, "<%d>", journal_priorities[level]);
	gmtime_r(&when->tv_sec, &utc);
	if (format == LOG_TEXT) {
		out += strftime(out, 40, "%Y-%m-%d %H:%M:%S", &utc);
		return out + sprintf(out, ".%03d UTC %-7s ", milliseconds, level_names[level]);
	}
	out += strftime(out, 40, "{\"time\":\"%Y-%m-%dT%H:%M:%S", &utc);
	out += sprintf(out, ".%03dZ\",\"level\":\"%s\"", milliseconds, level_names[level]);
	if (settings.task[0])
		out += sprintf(out, ",\"task\":\"%s\"", settings.task);
	if (about)
		out = put_about(out, about);
	return stpcpy(out, ",\"message\":\"");
}

/* A task's name needs no escapes: it consists of letters, digits and underscores. */
void
log_set_task(const char *task)
{
	snprintf(settings.task, sizeof settings.task, "%s", task ? task : "");
}

/* Upper limit for the length of a line: each character may become six bytes, plus the fixed parts. */
static size_t
most_bytes(size_t message_bytes, const struct log_about *about)
{
	size_t names = about && about->table ? strlen(about->table) : 0;

	names += about && about->schema ? strlen(about->schema) : 0;
	return 256 + sizeof settings.task + 6 * (message_bytes + names);
}

static void
put_line(char *out, enum log_level level, enum log_format format, const struct timespec *when,
		 const struct log_about *about, const char *message)
{
	out = put_characters(put_prefix(out, level, format, when, about), format, message);
	stpcpy(out, format == LOG_JSON ? "\"}\n" : "\n");
}

/* A failure to write to standard error cannot be reported anywhere. */
static void
write_line(const char *line)
{
	log_progress(NULL);
	if (write(STDERR_FILENO, line, strlen(line)) < 0)
		clearerr(stderr);
}

/* As many bytes of a text in UTF-8 as fit into one row of the terminal: a line that goes on in the next one could not be replaced. */
static size_t
fitting_bytes(const struct buffer *text)
{
	struct winsize size = {0};
	unsigned columns = 0;
	size_t i = 0;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return text->len;
	for (; i < text->len; i++) {
		columns += (text->data[i] & 0xC0) != 0x80;
		if (columns == size.ws_col)
			break;
	}
	return i;
}

void
log_progress(const char *line)
{
	struct buffer text;

	if (!line && !settings.progressing)
		return;
	memory_buffer_init(&text);
	if (line)
		printable_put(&text, line, strlen(line));
	settings.progressing = line != NULL;
	if (dprintf(STDERR_FILENO, "\r\033[K%.*s", (int) fitting_bytes(&text),
				text.len > 0 ? (const char *) text.data : "") < 0)
		clearerr(stderr);
	buffer_fini(&text);
}

char *
log_line(enum log_level level, enum log_format format, const struct timespec *when,
		 const struct log_about *about, const char *message)
{
	char *line = memory_alloc(most_bytes(strlen(message), about));

	put_line(line, level, format, when, about, message);
	return line;
}

static void PRINTF_LIKE(3, 0)
	write_message(enum log_level level, const struct log_about *about, const char *fmt, va_list args)
{
	char *message = memory_vprintf(fmt, args), *line;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	line = log_line(level, settings.format, &now, about, message);
	write_line(line);
	free(line);
	free(message);
}

void
log_write(enum log_level level, const char *fmt, ...)
{
	va_list args;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	write_message(level, NULL, fmt, args);
	va_end(args);
}

void
log_write_about(enum log_level level, const struct log_about *about, const char *fmt, ...)
{
	va_list args;

	if (!log_is_on(level))
		return;
	va_start(args, fmt);
	write_message(level, about, fmt, args);
	va_end(args);
}

struct log_about
log_about_error(const struct error *err)
{
	return (struct log_about){.table = err->about, .lsn = err->lsn, .sqlstate = err->sqlstate};
}

void
log_without_memory(enum log_level level, const char *message)
{
	char text[300], line[256 + sizeof settings.task + 6 * sizeof text];
	struct timespec now;

	snprintf(text, sizeof text, "%s", message);
	clock_gettime(CLOCK_REALTIME, &now);
	put_line(line, level, settings.format, &now, NULL, text);
	write_line(line);
}
