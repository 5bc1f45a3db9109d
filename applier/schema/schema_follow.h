/*
 * Carries out a changed definition in the stream: finds out what the change
 * means for existing rows, and alters the target in the destination's transaction
 * that has reached the change, or says why that is not possible.
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
	/* Told of each definition that was followed, and how. */
	void (*followed)(void *arg, const struct table *table, const char *what);
	void *arg;
};

/*
 * Alters the table's target to match the relation description, and updates the table
 * from both.  If that is not possible, a note has the table's outcome, and the
 * error is ERROR_RESTART: the next attempt carries it out.
 */
MUST_CHECK bool schema_follow(const struct schema_follow *follow, struct table *table,
							  const struct change_relation *relation, struct error *err);

/* The same where no description tells of it and nothing but the table's name has changed. */
MUST_CHECK bool schema_follow_name(const struct schema_follow *follow, struct table *table,
								   const char *schema, const char *name, struct error *err);

#endif
