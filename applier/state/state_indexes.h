/*
 * sluice.indexes: the indexes that this program made at the targets that it created; see tables/index_plan.h.
 *
 * A row without a signature marks such a target.  It names the task, since another task's table may feed the target, too.
 * Targets that were there, and those that versions before layout 5 created, have none: their indexes are left alone.
 */
#ifndef SLUICE_STATE_INDEXES_H
#define SLUICE_STATE_INDEXES_H

#include "buffer.h"
#include "io/connection.h"
#include "tables/index_plan.h"

/* Columns of the table. */
extern const char state_indexes_columns[];

/* SQL for index_found.definition, over pg_index i and the pg_constraint k that it belongs to. */
#define STATE_INDEX_DEFINITION_SQL                                                                           \
	"CASE WHEN k.oid IS NULL THEN '' ELSE 'CONSTRAINT ' END"                                                 \
	" || substring(pg_get_indexdef(i.indexrelid) from ' (USING .*)$')"
/* Joins that. */
#define STATE_INDEX_CONSTRAINT_SQL                                                                           \
	" LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid"                    \
	" AND k.contype IN ('p', 'u', 'x')"

/*
 * The rows of a task, of one target or with 0 of all, ordered by target; columns as in enum state_indexes_column.  The row that marks a target comes first and has
 * an empty signature.
 */
enum state_indexes_column {
	STATE_INDEX_TARGET,
	STATE_INDEX_SIGNATURE,
	STATE_INDEX_SOURCE_OID,
	STATE_INDEX_NAME,
	STATE_INDEX_OID,
	STATE_INDEX_DEFINITION
};
MUST_CHECK bool state_indexes_read(struct connection *destination, const char *task, uint32_t target_oid,
								   struct result **res, struct error *err);
/* A row of that as the plan takes it, a view into the result. */
struct index_row state_indexes_row(const struct result *res, unsigned row);

/* Statements, without a semicolon at the end. */

/* `target` is SQL for the OID: the mark of a target that is created in the same transaction, without the rows of an earlier
 * table with that OID. */
void state_indexes_put_mark(struct buffer *sql, const char *task, const char *target);
/* A row of an index that is about to be built. */
void state_indexes_put_building(struct buffer *sql, const char *task, uint32_t target_oid,
								const struct index_wanted *wanted, const char *name);
/* Stores the index as it is found, under the name that it has or is given; `found` NULL: only the source's OID. */
void state_indexes_put_made(struct buffer *sql, uint32_t target_oid, const char *signature,
							uint32_t source_oid, const struct index_found *found, const char *name);
void state_indexes_put_forget(struct buffer *sql, uint32_t target_oid, const char *signature);
/* The mark of a target, too. */
void state_indexes_put_forget_target(struct buffer *sql, const char *task, int64_t target_oid);
/* After the statement of a step of sluice.unfinished, in its transaction: stores the index that it made. */
void state_indexes_put_step(struct buffer *sql, const char *task, int64_t target, int64_t step);

/*
 * DROP INDEX, or of its constraint at the table.  Both know names only, which may mean another index by the time they have
 * their lock: then the division by zero behind them takes them back.
 */
void state_indexes_put_drop(struct buffer *sql, const struct index_found *found, const char *schema,
							const char *table);

#endif
