/*
 * Which tables a task has beyond what its configuration says: those that
 * `sluice table add` has added and `sluice table remove` has removed, which
 * stand in sluice.selection at the destination.
 */
#ifndef SLUICE_SELECTION_H
#define SLUICE_SELECTION_H

#include "base/config.h"
#include "io/connection.h"

/* The columns of sluice.selection. */
extern const char selection_columns[];

/* A configuration with tables.include and tables.exclude extended.  It shares all
 * else with the one it was made of, which must outlive it. */
struct selection {
	struct config config;
	struct arena memory;
};

void selection_init(struct selection *selection, const struct config *config);
void selection_fini(struct selection *selection);
/* Takes over what sluice.selection says; nothing where there is no such table. */
MUST_CHECK bool selection_read(struct selection *selection, struct connection *destination,
							   struct error *err);
/* Adds one table to tables.include. */
void selection_include(struct selection *selection, const char *schema, const char *name);
void selection_leave_out(struct selection *selection, const char *schema, const char *name);

enum selection_mark { SELECTION_AS_CONFIGURED, SELECTION_ADDED, SELECTION_REMOVED };

MUST_CHECK bool selection_mark_of(struct connection *destination, const char *task, const char *schema,
								  const char *name, enum selection_mark *mark, struct error *err);
MUST_CHECK bool selection_write(struct connection *destination, const char *task, const char *schema,
								const char *name, enum selection_mark mark, struct error *err);

#endif
