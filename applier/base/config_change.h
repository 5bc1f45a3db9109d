/*
 * What a changed configuration means for a running daemon: keys marked `at_once` in config_schema take
 * effect at once; a change of any other key needs a new attempt.
 */
#ifndef SLUICE_CONFIG_CHANGE_H
#define SLUICE_CONFIG_CHANGE_H

#include "config.h"

/* Whether the two differ in a key that does not take effect at once. */
bool config_needs_new_attempt(const struct config *present, const struct config *next);
/* Copies the values of the keys that do; afterwards `to` has no pointers into `next`. */
void config_take_at_once(struct config *to, const struct config *next);

#endif
