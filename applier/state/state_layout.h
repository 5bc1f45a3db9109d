/*
 * The layout of the tables in the destination's schema sluice, by version. The installed version is stored
 * in sluice.layout. If only that table is missing, the version is 1, the layout of sluice 0.1.0.
 *
 * A later version either adds columns (one line each in state_columns[]), which daemons of earlier
 * versions tolerate; or it executes statements (state_steps[]), during which no daemon of another task may
 * run, since all tasks of a destination share the schema.
 */
#ifndef SLUICE_STATE_LAYOUT_H
#define SLUICE_STATE_LAYOUT_H

#include "buffer.h"
#include "dialect/dialect.h"

#define STATE_LAYOUT_FIRST 1
#define STATE_LAYOUT_PRESENT 5

struct state_table {
	const char *name;
	const char *columns; /* columns of the first layout, with the constraints of the present one */
	const char *distribution;
};

struct state_column {
	int since; /* the layout that added the column */
	const char *table;
	const char *name;
	const char *type; /* with a default if the column is NOT NULL */
};

struct state_step {
	int since;
	const char *sql; /* statements, each ended by a semicolon */
};

extern const struct state_table state_tables[];
extern const unsigned state_table_count;

/* Writes CREATE TABLE with all columns of the present layout. */
void state_layout_put_create(struct buffer *sql, const struct dialect *dialect,
							 const struct state_table *table);
/* Writes the statements that upgrade layout `from` to the present one, except for the stored version. */
void state_layout_put_upgrade(struct buffer *sql, int from);
/* Writes the statements that store the present version; `present`: sluice.layout exists. */
void state_layout_put_version(struct buffer *sql, const struct dialect *dialect, bool present);
/* Whether daemons of layout `from` keep working when the schema is upgraded to the present layout. */
bool state_layout_is_additive(int from);
/* Writes a column for a SELECT on a schema with that layout: NULL if the layout does not have it. */
void state_layout_put_column(struct buffer *sql, int layout, const char *table, const char *name);
/* Writes sluice.tables.state for such a SELECT, converted to what table_state_parse() reads. */
void state_layout_put_state(struct buffer *sql, int layout);

#endif
