/*
 * A comma-separated list of names for a message, quoted where SQL needs it.
 */
#ifndef SLUICE_PRECHECK_NAMES_H
#define SLUICE_PRECHECK_NAMES_H

#include "buffer.h"

struct precheck_names {
	struct buffer text;
	unsigned count;
};

void precheck_names_init(struct precheck_names *names);
/* `after` is appended to the name without quoting. */
void precheck_names_add(struct precheck_names *names, const char *name, const char *after);
/* Returns the text; a list that is too long ends where it was cut. */
const char *precheck_names_text(struct precheck_names *names);
void precheck_names_fini(struct precheck_names *names);

#endif
