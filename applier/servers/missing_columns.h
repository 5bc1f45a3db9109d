/*
 * Columns that an existing target lacks when its table joins the task or is copied again. With
 * `schema.changes: follow` they are added.
 *
 * Rows that stay in the target get the value that the source shows for rows older than the column, or
 * NULL; never the destination's default.
 */
#ifndef SLUICE_MISSING_COLUMNS_H
#define SLUICE_MISSING_COLUMNS_H

#include "base/config.h"
#include "dialect/dialect.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Whether missing columns are to be added to the target; only for a table that was never copied or is to
 * be copied again.
 */
bool missing_columns_wanted(const struct config *config, const struct table *table);
/* Whether the target may hold rows that were not copied by this task, and that stay. */
bool missing_columns_meet_rows(const struct config *config);

/* Writes one ALTER TABLE that a person can execute instead; it works on a target with rows, too. */
void missing_columns_put_remedy(struct buffer *sql, const struct table *table);
/* Writes the statements, to be shown to a person. */
MUST_CHECK bool missing_columns_put(struct buffer *sql, struct connection *source,
									const struct config *config, const struct catalog *catalog,
									struct error *err);
/* Adds the columns and reads the targets again. A default that the destination refuses is logged. */
MUST_CHECK bool missing_columns_add(struct connection *source, struct connection *destination,
									const struct dialect *dialect, const struct config *config,
									struct catalog *catalog, struct error *err);

#endif
