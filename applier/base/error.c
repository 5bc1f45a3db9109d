#include "error.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "printable.h"

/* Copies as much as fits, without cutting a character in two. */
static void
copy_text(char *out, size_t out_bytes, const char *text)
{
	size_t len = strlen(text);

	if (len >= out_bytes) {
		len = out_bytes - 1;
		while (len > 0 && ((unsigned char) text[len] & 0xC0) == 0x80)
			len--;
	}
	memcpy(out, text, len);
	out[len] = '\0';
}

void
error_clear(struct error *err)
{
	err->class = ERROR_NONE;
	err->sqlstate[0] = '\0';
	err->copy_row = 0;
	err->row[0] = err->schema[0] = err->table[0] = err->about[0] = '\0';
	err->lsn = 0;
	err->message[0] = '\0';
	err->hint[0] = '\0';
}

/*
 * In each of the following functions the arguments may point into `err` itself, so the text is first
 * formatted into a buffer.
 */
bool
error_set(struct error *err, enum error_class class, const char *fmt, ...)
{
	char text[ERROR_MESSAGE_MAX + 4];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	error_clear(err);
	err->class = class;
	copy_text(err->message, sizeof(err->message), text);
	return false;
}

bool
error_hint(struct error *err, const char *fmt, ...)
{
	char text[ERROR_HINT_MAX + 4];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	copy_text(err->hint, sizeof(err->hint), text);
	return false;
}

bool
error_context(struct error *err, const char *fmt, ...)
{
	char text[2 * ERROR_MESSAGE_MAX];
	va_list args;
	size_t len;

	va_start(args, fmt);
	vsnprintf(text, ERROR_MESSAGE_MAX / 2, fmt, args);
	va_end(args);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s", err->message);
	copy_text(err->message, sizeof(err->message), text);
	return false;
}

static void
put_about(char out[2 * ERROR_NAME_MAX], const char *schema, const char *name)
{
	snprintf(out, 2 * (size_t) ERROR_NAME_MAX, "%.*s.%.*s", ERROR_NAME_MAX - 1, schema, ERROR_NAME_MAX - 1,
			 name);
}

void
error_about_table(struct error *err, const char *schema, const char *name)
{
	if (!err->about[0])
		put_about(err->about, schema, name);
}

bool
error_is_about_table(const struct error *err, const char *schema, const char *name)
{
	char about[sizeof err->about];

	put_about(about, schema, name);
	return strcmp(err->about, about) == 0;
}

void
error_about_lsn(struct error *err, uint64_t lsn)
{
	if (!err->lsn)
		err->lsn = lsn;
}

bool
error_row(struct error *err, const char *key, int key_bytes)
{
	char text[ERROR_ROW_MAX + 4];

	snprintf(text, sizeof text, "%.*s", key_bytes, key);
	copy_text(err->row, sizeof err->row, text);
	return error_context(err, "row with %.*s", key_bytes, key);
}

/*
 * After a semicolon a hint begins with a lower case letter, unless its first word is a name or a command
 * such as PostgreSQL or CREATE.
 */
static bool
starts_with_plain_word(const char *text)
{
	size_t len = 1;

	if (!isupper((unsigned char) text[0]))
		return false;
	while (isalpha((unsigned char) text[len]))
		if (isupper((unsigned char) text[len++]))
			return false;
	return strncmp(text, "Greenplum", len) != 0;
}

/* Text that does not fit is dropped. */
static void
escape_controls(const char *text, char *out, size_t out_bytes)
{
	char *end = out + out_bytes - PRINTABLE_ESCAPE_BYTES - 1;

	while (*text && out < end) {
		unsigned code;
		size_t len = printable_control(text, &code);

		if (len > 0)
			out += sprintf(out, "\\u%04x", code);
		else
			*out++ = *text;
		text += len ? len : 1;
	}
	*out = '\0';
}

void
error_sentence(const struct error *err, char *out, int out_bytes)
{
	char text[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];
	char safe[2 * sizeof(text)];
	int message_len = snprintf(text, sizeof(text), "%s", err->message);

	if (err->hint[0] != '\0') {
		snprintf(text + message_len, sizeof(text) - (size_t) message_len, "; %s", err->hint);
		if (starts_with_plain_word(err->hint))
			text[message_len + 2] = (char) tolower((unsigned char) text[message_len + 2]);
	}
	for (char *c = text; *c != '\0'; c++)
		if (iscntrl((unsigned char) *c))
			*c = ' ';
	escape_controls(text, safe, sizeof safe);
	copy_text(out, (size_t) out_bytes, safe);
}

void
error_clause(const struct error *err, char *out, int out_bytes)
{
	size_t len;

	error_sentence(err, out, out_bytes);
	len = strlen(out);
	if (len > 0 && out[len - 1] == '.')
		out[len - 1] = '\0';
}

int
error_exit_status(const struct error *err)
{
	switch (err->class) {
	case ERROR_NONE:
		return 0;
	case ERROR_CONFIG:
		return 2;
	case ERROR_PRECONDITION:
		return 3;
	case ERROR_DIFFERENT:
		return 4;
	case ERROR_RETRY:
	case ERROR_REFUSED:
	case ERROR_RESTART:
	case ERROR_DATA:
	case ERROR_REPLACED:
	case ERROR_BUG:
	case ERROR_STOPPED:
		break;
	}
	return 1;
}
