/*
 * Converts one value of the configuration from text and stores it in its field, as the schema table says.
 */
#ifndef SLUICE_CONFIG_FIELD_H
#define SLUICE_CONFIG_FIELD_H

#include "arena.h"
#include "config_schema.h"

#define CONFIG_COMPLAINT_MAX 400

/* What is wrong with a value, as text that follows the key's name: "must be between 1 and 64". */
struct config_complaint {
	char text[CONFIG_COMPLAINT_MAX];
};

/* Stores a single value; not for lists. */
bool config_field_store(const struct config_option *option, const char *text, struct arena *memory,
						void *field, struct config_complaint *complaint);

/* Appends an item to a list. */
bool config_field_add(const struct config_option *option, const char *text, struct arena *memory, void *field,
					  struct config_complaint *complaint);

/* Stores the default; it is always valid. */
void config_field_preset(const struct config_option *option, struct arena *memory, void *field);

/*
 * Whether a text may appear in a message: it is short and contains nothing that could be part of a
 * conninfo or a URI.
 */
bool config_field_quotable(const char *text);

#endif
