/*
 * Targets that others have dropped, replaced or emptied: sluice.tables keeps the OID of the target that has a table's
 * rows, and the file they are in.
 *
 *	gone       the table is copied again, into a target that is made
 *	replaced   another table has the name: a target never seen, for which initial_copy.existing decides
 *	emptied    the file is another one, no row is left, and the source has rows: the table is copied again
 *	rewritten  the file is another one (VACUUM FULL, CLUSTER, …): nothing is done
 *
 * A TRUNCATE that is followed writes the new file down in its own transaction.  Partitioned targets have no file.
 */
#ifndef SLUICE_STATE_TARGETS_H
#define SLUICE_STATE_TARGETS_H

#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"

enum state_target { TARGET_AS_BEFORE, TARGET_GONE, TARGET_REPLACED, TARGET_REWRITTEN };

/* From what the row says and what target_read_catalog() has read; asks nobody.  TARGET_REWRITTEN may be emptied. */
enum state_target state_target_compare(const struct table *table);

/* Whether the target of a table with TARGET_REWRITTEN was emptied. */
MUST_CHECK bool state_target_was_emptied(struct connection *source, struct connection *destination,
										 const struct table *table, bool *emptied, struct error *err);

/* At a start, with the targets read: writes down what becomes of such tables, and the targets that are not known yet.  An
 * ERROR_RESTART when something becomes of one. */
MUST_CHECK bool state_targets_settle(struct connection *source, struct connection *destination,
									 const struct config *config, struct catalog *catalog, struct error *err);

/* A statement that writes down the file that a target has now, for every table that feeds it. */
void state_targets_put_file(struct buffer *sql, uint32_t target_oid);

#endif
