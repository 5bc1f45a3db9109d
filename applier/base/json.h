/*
 * JSON as it is written: strings into a buffer, the rest with buffer_printf().
 */
#ifndef SLUICE_JSON_H
#define SLUICE_JSON_H

#include "buffer.h"

/* A string with its quotes; null for NULL.  Bytes that are not UTF-8 become U+FFFD. */
void json_string(struct buffer *out, const char *text);

#endif
