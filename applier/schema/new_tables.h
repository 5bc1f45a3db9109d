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
/* It waits for `reason`, which is logged unless it is known. */
void new_tables_wait(struct new_tables *tables, const struct table *table, const char *reason);
bool new_tables_has(const struct new_tables *tables, uint32_t oid);
/* Writes to sluice.tables which tables wait and which do not any more. */
MUST_CHECK bool new_tables_settle(struct new_tables *tables, struct connection *destination, const char *task,
								  struct error *err);
/* The same where others may have removed the rows. */
MUST_CHECK bool new_tables_settle_again(struct new_tables *tables, struct connection *destination,
										const char *task, struct error *err);
void new_tables_fini(struct new_tables *tables);

/* The tables that the selection matches and the catalog lacks, with names and OIDs alone. */
MUST_CHECK bool new_tables_list(struct connection *source, const struct config *config,
								const struct catalog *catalog, struct catalog *list, struct error *err);
/*
 * Narrows a selection to tables of the list, and to those that may share a target with one of them, so that a check
 * costs little however many tables the task has.
 */
void new_tables_narrow(const struct catalog *list, struct selection *selection);

#endif
