/*
 * Creates and upgrades the schema sluice at the destination with its tables, which other modules read and
 * write (progress.h, state_tables.h, selection.h, unfinished.h). The columns are in state_layout.h.
 */
#ifndef SLUICE_STATE_INSTALL_H
#define SLUICE_STATE_INSTALL_H

#include "dialect/dialect.h"
#include "io/connection.h"

/* Which parts exist. */
struct state_installed {
	bool schema;
	bool progress;
	bool tables;
	bool unfinished;
	bool selection;
	bool indexes;
	bool versioned; /* sluice.layout exists */
	int layout;		/* version; 0: there are no tables */
};

/*
 * Fails with a hint about the rights to grant if this user may not read tables that another user created.
 * To be called first in a session, and again when the schema may have changed: once the schema was found
 * complete, the other functions do not query it again.
 */
MUST_CHECK bool state_check_rights(struct connection *destination, struct error *err);
/* ERROR_DATA if the layout is newer than this program's. */
MUST_CHECK bool state_install_read(struct connection *destination, struct state_installed *installed,
								   struct error *err);
/*
 * Creates the schema and its tables if they are missing, and upgrades an earlier layout to the present
 * one.
 */
MUST_CHECK bool state_install(struct connection *destination, const struct dialect *dialect, const char *task,
							  struct error *err);
/*
 * Upgrades tables of an earlier layout; creates nothing if there are none. The caller must hold the task's
 * lock.
 */
MUST_CHECK bool state_upgrade(struct connection *destination, const struct dialect *dialect, const char *task,
							  struct error *err);
/* Writes the statements that state_install() would execute; nothing if everything exists. */
MUST_CHECK bool state_install_put(struct connection *destination, const struct dialect *dialect,
								  struct buffer *sql, struct error *err);

#endif
