/*
 * The session settings on which values written by type functions depend.
 *
 * Values must not change with the client's or the server's configuration.
 * Both functions take effect until the end of the (sub)transaction that the
 * server runs around each transaction it decodes; it always rolls that back,
 * so that a session which calls the SQL functions keeps its own settings.
 */
#ifndef SLUICE_SETTINGS_H
#define SLUICE_SETTINGS_H

#include "postgres.h"

/* Send functions convert text to the client's encoding: let that be the stream's. */
void settings_pin_encoding(void);

/* Lets send functions leave text as it is stored. */
void settings_unpin_encoding(void);

/* Everything that a type's text depends on. */
void settings_pin_text(void);

#endif
