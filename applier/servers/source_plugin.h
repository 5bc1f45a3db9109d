/*
 * Why the source does not load the output plugin.
 */
#ifndef SLUICE_SOURCE_PLUGIN_H
#define SLUICE_SOURCE_PLUGIN_H

#include "base/error.h"

/*
 * If the server's answer to creating or starting a slot is about the plugin: what is wrong and what to do;
 * otherwise NULL.
 */
const char *source_plugin_trouble(const struct error *answer);

#endif
