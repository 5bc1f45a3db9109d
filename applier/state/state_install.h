/*
 * The schema sluice at the destination and the tables in it: progress.h, state_tables.h, selection.h,
 * after_copy.h.
 */
#ifndef SLUICE_STATE_INSTALL_H
#define SLUICE_STATE_INSTALL_H

#include "dialect/dialect.h"
#include "io/connection.h"

/* Which of them are there. */
struct state_installed {
	bool schema;
	bool progress;
	bool tables;
	bool unfinished;
	bool selection;
};

/* An error that says what to grant, where this user may not read what another one has made. */
MUST_CHECK bool state_check_rights(struct connection *destination, struct error *err);
MUST_CHECK bool state_install_read(struct connection *destination, struct state_installed *installed,
								   struct error *err);
/* Makes schema and tables where they are missing. */
MUST_CHECK bool state_install(struct connection *destination, const struct dialect *dialect,
							  struct error *err);
/* Writes the statements for what state_install() would make; nothing where all is there. */
MUST_CHECK bool state_install_put(struct connection *destination, const struct dialect *dialect,
								  struct buffer *sql, struct error *err);

#endif
