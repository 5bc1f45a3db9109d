/*
 * Converts all strings of the stream to UTF-8, from the database's encoding, with the server's own conversions.
 * A database in UTF-8 needs none.  For SQL_ASCII, whose bytes have no known meaning, and for some other encodings there
 * is no conversion: then strings are sent as they are stored, and the startup message names the database's encoding.
 *
 * A string with a character that UTF-8 lacks is sent as it is stored, followed by a byte 0xFF.  That is never valid
 * UTF-8, so the destination refuses the row, where a refused row can be dealt with.
 */
#ifndef SLUICE_ENCODING_H
#define SLUICE_ENCODING_H

#include "postgres.h"

#include "common/buffer.h"

/* Call it within a transaction, before the other functions. */
void encoding_init(void);

/* The name of the encoding that strings in the stream have. */
const char *encoding_name(void);

/* Whether strings are converted to UTF-8. */
bool encoding_converts(void);

/* Writes one string of the format: `head_bytes` of `head`, then the text as UTF-8. */
void encoding_put(struct buffer *b, const char *head, size_t head_bytes, const char *text, size_t len);

/* The same for a text that cannot be converted: as stored, with the byte 0xFF appended. */
void encoding_put_unconverted(struct buffer *b, const char *head, size_t head_bytes, const char *text,
							  size_t len);

/* A copy of the name in UTF-8, in the current memory context. */
char *encoding_to_utf8(const char *text);

/* Undoes encoding_to_utf8(), for the server's messages, its parser and the text form. */
const char *encoding_to_server(const char *text);

#endif
