/*
 * A changed definition of a table that follows: finds out what the change
 * means for the rows that are there, and brings the target in line inside the
 * destination's transaction in which the stream has come to it, or says why
 * that cannot be.
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
 * Brings the table's target in line with the description, and the table with
 * both.  Where that cannot be a note says what becomes of the table, and the
 * error is ERROR_RESTART: the next attempt carries it out.
 */
MUST_CHECK bool schema_follow(const struct schema_follow *follow, struct table *table,
							  const struct change_relation *relation, struct error *err);

/* The same where no description tells of it and nothing but the table's name has changed. */
MUST_CHECK bool schema_follow_name(const struct schema_follow *follow, struct table *table,
								   const char *schema, const char *name, struct error *err);

#endif
