/*
 * What a changed configuration means for a daemon that runs: the keys that
 * config_schema marks `at_once` are taken over as they are, any other needs a
 * new attempt.
 */
#ifndef SLUICE_CONFIG_CHANGE_H
#define SLUICE_CONFIG_CHANGE_H

#include "config.h"

/* Whether the two differ in a key that is not taken over at once. */
bool config_needs_new_attempt(const struct config *present, const struct config *next);
/* Takes the values of the other keys over; nothing of `to` points to `next` afterwards. */
void config_take_at_once(struct config *to, const struct config *next);

#endif
