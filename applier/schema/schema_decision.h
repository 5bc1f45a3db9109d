/*
 * Decides what is done with a table whose definition changed, from the stored
 * definition, those of the source and the target, and the configuration.
 * Asks no server.
 *
 *	                      at the place in the stream     where the rows are copied again
 *	                      where it changed               in any case (`emptied`)
 *	SCHEMA_ADOPT          goes on                        is copied
 *	SCHEMA_EXECUTE        after `change.sql` goes on     is copied after TRUNCATE and `change.sql`
 *	SCHEMA_COPY_AGAIN     is copied again: `reason`      -
 *	SCHEMA_HOLD           stands still until a person has acted: `reason`, which ends with the remedy
 *
 * schema_follow (the stream) and schema_watch (a start, held tables) carry it out.
 */
#ifndef SLUICE_SCHEMA_DECISION_H
#define SLUICE_SCHEMA_DECISION_H

#include "base/config.h"
#include "schema_change.h"
#include "tables/stored_definition.h"

enum schema_action { SCHEMA_ADOPT, SCHEMA_EXECUTE, SCHEMA_COPY_AGAIN, SCHEMA_HOLD };

struct schema_case {
	const struct config *config;
	const struct dialect *dialect;
	const struct source_table *stored;
	const struct table *table; /* the new definition as `source`, types looked up; the target as it is */
	const struct source_table
		*today; /* as in the source's catalog, which may be ahead of `table`; NULL: the table is gone */
	const struct schema_value *values; /* by column of the new definition; NULL with `emptied` */
	bool types_gone;				   /* the type of some column no longer exists at the source */
	bool emptied;					   /* the table is held or waits for a copy: its rows do not count */
	bool shared;					   /* other tables feed the target, too */
};

struct schema_decision {
	enum schema_action action;
	struct schema_change change;
	char reason[ERROR_MESSAGE_MAX];
};

void schema_decision_make(struct schema_decision *decision, const struct schema_case *c);
void schema_decision_fini(struct schema_decision *decision);

/* Turns SCHEMA_EXECUTE into SCHEMA_HOLD: the destination refused the statements. */
void schema_decision_refused(struct schema_decision *decision, const struct schema_case *c,
							 const struct error *refusal);

/*
 * Decides at a start, for a table that follows and whose `source` has been read from the source's catalog: to copy it
 * again or to hold it, with the reason; SCHEMA_ADOPT: nothing changed, or the stream will bring the change.  Plans no
 * statements.
 */
void schema_decision_make_at_start(struct schema_decision *decision, const struct config *config,
								   const struct table *table);

/* Why a table that the source rewrote is copied again; NULL: no rewrite. */
const char *schema_decision_rewrite_reason(enum rewrite rewrite);
extern const char schema_decision_types_gone[];
/*
 * Whether a table has to be held because it has lost its replica identity, its last column, or a key that its target needs;
 * then writes the reason with the remedy.  `former`: an earlier definition, whose columns at the target are not counted as
 * the target's own; NULL: none.
 */
bool schema_decision_lost_key(const struct table *table, const struct source_table *former,
							  char reason[ERROR_MESSAGE_MAX]);
/*
 * An update of a table without a key is applied as a delete and an insert, which loses the values of columns that only the
 * target has.  If there are such columns, writes that, and what to do.
 */
bool schema_decision_put_lost_values(struct buffer *out, const struct table *table,
									 const struct source_table *former);

#endif
