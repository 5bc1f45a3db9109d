/*
 * Makes text from elsewhere safe for a terminal or a log: characters that control the terminal or change
 * the reading direction are shown as escapes (\u009b).
 */
#ifndef SLUICE_PRINTABLE_H
#define SLUICE_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

#include "buffer.h"

/* length of "\u009b" */
#define PRINTABLE_ESCAPE_BYTES 6

/*
 * If the character at `text` is a control character beyond ASCII, its length in UTF-8, otherwise 0. Such
 * characters are U+0080 to U+009F and those that set the direction or break the line (U+061C, U+200E,
 * U+200F, U+2028 to U+202E, U+2066 to U+2069).
 */
size_t printable_control(const char *text, unsigned *code);

/*
 * Appends the text, escaping every control character except line breaks and tabs. The text must be
 * followed by a NUL.
 */
void printable_put(struct buffer *out, const char *text, size_t len);
void printable_write(FILE *file, const char *text, size_t len);

#endif
