/*
 * Columns that an existing target lacks when its table becomes one of the
 * task's, or is copied again: with `schema.changes: follow` they are added.
 *
 * Existing rows that the target keeps get the value that the source stores for its own rows that are older
 * than the column, otherwise NULL; never the value of the default at the destination.
 */
#ifndef SLUICE_MISSING_COLUMNS_H
#define SLUICE_MISSING_COLUMNS_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Whether the target of the table, which was never copied or is to be copied again, gets what it lacks. */
bool missing_columns_wanted(const struct config *config, const struct table *table);
/* Whether rows of others may be in the target when it gets them. */
bool missing_columns_meet_rows(const struct config *config);

/* What a person may execute instead: one statement, which a target with rows takes, too. */
void missing_columns_put_remedy(struct buffer *sql, const struct table *table);
/* The statements, as text for people. */
MUST_CHECK bool missing_columns_put(struct buffer *sql, struct connection *source,
									const struct config *config, const struct catalog *catalog,
									struct error *err);
/* Adds them, and reads the targets again; what the destination refuses of a default is logged. */
MUST_CHECK bool missing_columns_add(struct connection *source, struct connection *destination,
									const struct dialect *dialect, const struct config *config,
									struct catalog *catalog, struct error *err);

#endif
