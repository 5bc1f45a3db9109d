/*
 * Detects targets that others have dropped, replaced or emptied: sluice.tables keeps the OID of the target
 * with a table's rows, and its file (relfilenode).
 *
 *	gone       the target is created and the table copied again
 *	replaced   another table has the name: treated like any existing target, by initial_copy.existing
 *	emptied    the file changed, the target has no rows and the source has some: the table is copied again
 *	rewritten  the file changed (VACUUM FULL, CLUSTER, …): only the new file is stored
 *
 * A followed TRUNCATE stores the new file in its own transaction. Partitioned targets have no file.
 */
#ifndef SLUICE_STATE_TARGETS_H
#define SLUICE_STATE_TARGETS_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

enum state_target { TARGET_AS_BEFORE, TARGET_GONE, TARGET_REPLACED, TARGET_REWRITTEN };

/*
 * Compares the stored row with what target_read_catalog() has read; sends no query. TARGET_REWRITTEN
 * includes emptied targets.
 */
enum state_target state_target_compare(const struct table *table);

/* Whether a target that is TARGET_REWRITTEN was emptied. */
MUST_CHECK bool state_target_was_emptied(struct connection *source, struct connection *destination,
										 const struct table *table, bool *emptied, struct error *err);

/*
 * For a start, after the targets were read: stores what happens to tables with such targets, and the OIDs
 * of targets that are not stored yet. ERROR_RESTART if the state of any table changed.
 */
MUST_CHECK bool state_targets_settle(struct connection *source, struct connection *destination,
									 const struct config *config, struct catalog *catalog, struct error *err);

/* Statement that stores the target's present file for every table that feeds the target. */
void state_targets_put_file(struct buffer *sql, uint32_t target_oid);

#endif
