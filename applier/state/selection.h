/*
 * Tables that `sluice table add` has added to a task and `sluice table remove` has removed, beyond what
 * its configuration selects. They are kept in sluice.selection at the destination.
 */
#ifndef SLUICE_SELECTION_H
#define SLUICE_SELECTION_H

#include "base/config.h"
#include "io/connection.h"

/* The columns of sluice.selection. */
extern const char selection_columns[];

/*
 * A configuration with extended tables.include and tables.exclude. Everything else is shared with the
 * original configuration, which must outlive it.
 */
struct selection {
	struct config config;
	struct arena memory;
};

void selection_init(struct selection *selection, const struct config *config);
void selection_fini(struct selection *selection);
/* Adds what sluice.selection contains; does nothing if that table does not exist. */
MUST_CHECK bool selection_read(struct selection *selection, struct connection *destination,
							   struct error *err);
/* Adds one table to tables.include, or to tables.exclude. */
void selection_include(struct selection *selection, const char *schema, const char *name);
void selection_leave_out(struct selection *selection, const char *schema, const char *name);

enum selection_mark { SELECTION_AS_CONFIGURED, SELECTION_ADDED, SELECTION_REMOVED };

MUST_CHECK bool selection_mark_of(struct connection *destination, const char *task, const char *schema,
								  const char *name, enum selection_mark *mark, struct error *err);
MUST_CHECK bool selection_write(struct connection *destination, const char *task, const char *schema,
								const char *name, enum selection_mark mark, struct error *err);

#endif
