/*
 * The session settings on which values written by type functions depend.
 *
 * Values must not change with the client's or the server's configuration.
 * These functions take effect until the end of the (sub)transaction that the
 * server runs around each transaction it decodes; it always rolls that back,
 * so that a session which calls the SQL functions keeps its own settings.
 */
#ifndef SLUICE_SETTINGS_H
#define SLUICE_SETTINGS_H

#include "postgres.h"

/* Sets client_encoding, to which send functions convert text, to the stream's encoding. */
void settings_pin_encoding(void);

/* Sets client_encoding to the database's encoding, so that send functions leave text as it is stored. */
void settings_unpin_encoding(void);

/* Sets everything on which the text of values depends. */
void settings_pin_text(void);

#endif
