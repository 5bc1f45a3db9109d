/*
 * The schema sluice at the destination and the tables in it: progress.h, state_tables.h, selection.h,
 * after_copy.h.  What they look like is in state_layout.h.
 */
#ifndef SLUICE_STATE_INSTALL_H
#define SLUICE_STATE_INSTALL_H

#include "dialect/dialect.h"
#include "io/connection.h"

/* What is there. */
struct state_installed {
	bool schema;
	bool progress;
	bool tables;
	bool unfinished;
	bool selection;
	bool versioned; /* sluice.layout */
	int layout;		/* 0: no tables */
};

/* An error that says what to grant, where this user may not read what another one has made.  To be called first in a
 * session, and where the schema may have changed since: what is found complete is not asked for again. */
MUST_CHECK bool state_check_rights(struct connection *destination, struct error *err);
/* A layout that is newer than the program's is an ERROR_DATA. */
MUST_CHECK bool state_install_read(struct connection *destination, struct state_installed *installed,
								   struct error *err);
/* Makes schema and tables where they are missing, and brings earlier layouts to the present one. */
MUST_CHECK bool state_install(struct connection *destination, const struct dialect *dialect, const char *task,
							  struct error *err);
/* Brings tables of an earlier layout to the present one, and makes nothing where there are none.  The caller has the
 * task's lock. */
MUST_CHECK bool state_upgrade(struct connection *destination, const struct dialect *dialect, const char *task,
							  struct error *err);
/* Writes the statements for what state_install() would do; nothing where all is there. */
MUST_CHECK bool state_install_put(struct connection *destination, const struct dialect *dialect,
								  struct buffer *sql, struct error *err);

#endif
