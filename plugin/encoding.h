/*
 * All names, texts and strings in the stream are UTF-8, whatever the database's encoding: the server's own
 * conversions make them so.  What is in UTF-8 already costs nothing.  A database in SQL_ASCII has bytes of unknown
 * meaning, and for some encodings there is no conversion: then strings are sent as they are stored, and the startup
 * message names the database's encoding.
 *
 * A string with a character that UTF-8 lacks is sent as it is stored and with a byte 0xFF behind it, which is no
 * UTF-8: so no server takes it for another one, and the row that has it is refused where rows are, not here.
 */
#ifndef SLUICE_ENCODING_H
#define SLUICE_ENCODING_H

#include "postgres.h"

#include "common/buffer.h"

/* To be called within a transaction, before anything else here. */
void encoding_init(void);

/* Of all strings in the stream. */
const char *encoding_name(void);

/* Whether strings have to be converted. */
bool encoding_converts(void);

/* Puts `head_bytes` of `head`, then the text as UTF-8: one string of the format. */
void encoding_put(struct buffer *b, const char *head, size_t head_bytes, const char *text, size_t len);

/* The same of a text that cannot be converted. */
void encoding_put_unconverted(struct buffer *b, const char *head, size_t head_bytes, const char *text,
							  size_t len);

/* A name of the server's as UTF-8; a copy in the current memory context. */
char *encoding_to_utf8(const char *text);

/* For the server's messages, parser and text output: what came from encoding_to_utf8() or was made of it. */
const char *encoding_to_server(const char *text);

#endif
