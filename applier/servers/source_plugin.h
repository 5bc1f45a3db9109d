/*
 * Why the source does not load the output plugin.
 */
#ifndef SLUICE_SOURCE_PLUGIN_H
#define SLUICE_SOURCE_PLUGIN_H

#include "base/error.h"

/* What is wrong and what to do, where the server's answer to making or starting a slot is about the plugin; else NULL. */
const char *source_plugin_trouble(const struct error *answer);

#endif
