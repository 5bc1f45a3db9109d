/*
 * Text of the source in the task's state.  The encoding of the destination may lack characters of the source's names,
 * definitions and values, and the state must be written all the same.  So where that encoding is neither UTF8 nor SQL_ASCII,
 * which take everything, each character beyond ASCII is stored as "\u{e4}", and the backslash of a text that has "\u{" itself
 * as "\u{5c}".  Names of targets are stored as they are: the destination has them.
 */
#ifndef SLUICE_STATE_TEXT_H
#define SLUICE_STATE_TEXT_H

#include "base/arena.h"
#include "buffer.h"

/* Says what the encoding of the destination is; each session there does, before it reads or writes the state. */
void state_text_use(const char *server_encoding);

/* Appends the text as a string constant, in its stored form; NULL becomes NULL. */
void state_text_put(struct buffer *sql, const char *text);

/* The stored form of a text, and the text of a stored form: the argument itself, or a string in `memory`.  NULL stays NULL. */
const char *state_text_stored(struct arena *memory, const char *text);
const char *state_text_read(struct arena *memory, const char *stored);

#endif
