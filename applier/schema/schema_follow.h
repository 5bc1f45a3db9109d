/*
 * Follows a changed definition in the stream: determines what the change means
 * for existing rows, and alters the target in the destination's transaction
 * that has reached the change, or reports why that is not possible.
 */
#ifndef SLUICE_SCHEMA_FOLLOW_H
#define SLUICE_SCHEMA_FOLLOW_H

#include "base/config.h"
#include "change.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "schema_note.h"
#include "tables/catalog.h"

struct schema_follow {
	const struct config *config;
	const struct dialect *dialect;
	const struct catalog *catalog;
	struct connection *source;
	struct connection *destination; /* a transaction is open, in which nothing else goes on */
	struct schema_notes *notes;
	/* Called for each definition that was followed, with the statements. */
	void (*followed)(void *arg, const struct table *table, const char *what);
	void *arg;
};

/*
 * Alters the table's target to match the relation description, and updates `table`
 * from both.  If that is not possible, adds a note with the outcome, and the
 * error is ERROR_RESTART: the next attempt carries the note out.
 */
MUST_CHECK bool schema_follow(const struct schema_follow *follow, struct table *table,
							  const struct change_relation *relation, struct error *err);

/* The same for a table whose name alone has changed, without a relation description. */
MUST_CHECK bool schema_follow_name(const struct schema_follow *follow, struct table *table,
								   const char *schema, const char *name, struct error *err);

#endif
