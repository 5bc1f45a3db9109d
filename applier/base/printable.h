/*
 * Text of others on its way to a terminal or a log: characters that would steer the terminal, or turn the
 * order of what is read, are shown as escapes (\u009b) instead.
 */
#ifndef SLUICE_PRINTABLE_H
#define SLUICE_PRINTABLE_H

#include <stddef.h>
#include <stdio.h>

#include "buffer.h"

/* "\u009b" */
#define PRINTABLE_ESCAPE_BYTES 6

/*
 * The bytes of the character at `text`, in UTF-8, if it is a control character beyond ASCII: U+0080 to U+009F, or one
 * that sets the direction or breaks the line (U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069); otherwise 0.
 */
size_t printable_control(const char *text, unsigned *code);

/* Appends the text with every control character escaped but for new lines and tabs. */
void printable_put(struct buffer *out, const char *text, size_t len);
void printable_write(FILE *file, const char *text, size_t len);

#endif
