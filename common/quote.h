/*
 * SQL identifiers and literals as PostgreSQL quotes them, always on one line:
 * control characters are written as escapes.
 *
 *	plain   "Mixed ""Case"""   U&"two\000Alines"
 *	'it''s'   'a\b'   E'two\nlines, a back\\slash'
 */
#ifndef SLUICE_QUOTE_H
#define SLUICE_QUOTE_H

#include "buffer.h"

/* Appends a name, with quotes only where SQL needs them. */
void quote_identifier(struct buffer *out, const char *name);

/* Escapes one byte: writes one to QUOTE_ESCAPE_MAX bytes, returns how many. */
#define QUOTE_ESCAPE_MAX 4
typedef unsigned (*quote_escape)(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX]);

/*
 * Puts quotes around what the buffer holds from `start` on, and escapes the
 * bytes in between; in place, so that a value can be written first and judged
 * afterwards.
 */
void quote_tail(struct buffer *out, size_t start, const char *opening, const char *closing,
				quote_escape escape);

/* Escapes nothing. */
unsigned quote_unchanged(uint8_t c, uint8_t to[QUOTE_ESCAPE_MAX]);

/* Turns the bytes from `start` on into a literal. */
void quote_literal_tail(struct buffer *out, size_t start);

/* The same for bytes that need not be text: those from 0x80 up become \xHH
 * unless the whole is UTF-8. */
void quote_bytes_tail(struct buffer *out, size_t start);

/* The length of the UTF-8 character that begins there, in at most `left` bytes; 0: none does. */
size_t quote_utf8_length(const void *text, size_t left);

bool quote_is_utf8(const void *text, size_t len);

#endif
