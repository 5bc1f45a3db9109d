/*
 * Shared by the two files of a schema change: schema_change.c compares columns and names; schema_change_key.c compares
 * the primary key, and drops and restores keys and indexes of columns whose type changes.
 */
#ifndef SLUICE_SCHEMA_CHANGE_PARTS_H
#define SLUICE_SCHEMA_CHANGE_PARTS_H

#include "schema_change.h"

struct plan {
	struct schema_change *change;
	const struct schema_question *question;
	const struct table *table;
	const struct source_table *before;
	const struct source_table *after;
};

/* Begins ALTER TABLE on the target. */
struct buffer *schema_change_alter(struct plan *p);
/* The target's column as it was before the renames; NULL: it has none. */
const struct target_column *schema_change_target_of(const struct plan *p, const struct source_column *column);
/* Whether the target's column gets another type; `chosen`: a person chose the present one, and has to decide. */
bool schema_change_is_retyped(const struct source_column *column, const struct source_column *before,
							  const struct target_column *target, bool *chosen);

/* ---- schema_change_key.c */

/* The drop functions run before the columns are altered, the add functions after. */
void schema_change_drop_primary(struct plan *p);
void schema_change_drop_indexes(struct plan *p);
void schema_change_add_primary(struct plan *p);
void schema_change_add_indexes(struct plan *p);

#endif
