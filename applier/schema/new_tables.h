/*
 * New tables: those that the selection came to match after the task had begun.
 * Each is checked separately.  One that passes is added by the next attempt;
 * one that fails waits, with the reason in `status`, is checked again at each
 * heartbeat, and does not affect the other tables.
 */
#ifndef SLUICE_NEW_TABLES_H
#define SLUICE_NEW_TABLES_H

#include "base/config.h"
#include "io/connection.h"
#include "state/selection.h"
#include "tables/catalog.h"

/* A new table that waits. */
struct waiting_table {
	uint32_t oid;
	char *schema;
	char *name;
	char *target_schema;
	char *target_name;
	char *reason;
	bool written; /* to sluice.tables */
	bool seen;	  /* in the present round */
};

struct new_tables {
	struct waiting_table *waiting;
	unsigned count;
};

/* Begins a round: tables that are not found again before new_tables_settle() no longer wait. */
void new_tables_begin(struct new_tables *tables);
/* Notes that the table waits, and why; a reason that was logged before is not logged again. */
void new_tables_wait(struct new_tables *tables, const struct table *table, const char *reason);
bool new_tables_has(const struct new_tables *tables, uint32_t oid);
/* Ends a round: writes the waiting tables to sluice.tables, and removes the rows of those that no longer wait. */
MUST_CHECK bool new_tables_settle(struct new_tables *tables, struct connection *destination, const char *task,
								  struct error *err);
/* As new_tables_settle(), but writes all rows again: another session may have removed them. */
MUST_CHECK bool new_tables_settle_again(struct new_tables *tables, struct connection *destination,
										const char *task, struct error *err);
void new_tables_fini(struct new_tables *tables);

/* Lists the tables that the selection matches and the catalog lacks; only names and OIDs are filled in. */
MUST_CHECK bool new_tables_list(struct connection *source, const struct config *config,
								const struct catalog *catalog, struct catalog *list, struct error *err);
/*
 * Narrows a selection to the tables of the list and those that may share a target with one of them, so that the cost of
 * a check does not grow with the number of tables in the task.
 */
void new_tables_narrow(const struct catalog *list, struct selection *selection);

#endif
