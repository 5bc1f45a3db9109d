/* Writes JSON: strings are appended to a buffer, the rest by buffer_printf(). */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include "buffer.h"

/* Appends a string with its quotes; null for NULL. Bytes that are not UTF-8 become U+FFFD. */
void json_string(struct buffer *out, const char *text);

#endif
