/*
 * The layout of the tables in the destination's schema sluice, by version.  The version that is there stands in
 * sluice.layout; where that table is missing, but others are there, it is 1, that of version 0.1.0 of the program.
 *
 * A later version adds columns (one line in state_columns[] each), which disturbs no daemon of an earlier version, or
 * carries out statements (state_steps[]), for which no daemon of another task may be alive: all tasks of a
 * destination share the schema.
 */
#ifndef SLUICE_STATE_LAYOUT_H
#define SLUICE_STATE_LAYOUT_H

#include "buffer.h"
#include "dialect/dialect.h"

#define STATE_LAYOUT_FIRST 1
#define STATE_LAYOUT_PRESENT 4

struct state_table {
	const char *name;
	const char *columns; /* of the first layout, with the constraints of the present one */
	const char *distribution;
};

struct state_column {
	int since; /* the layout that brought it */
	const char *table;
	const char *name;
	const char *type; /* with a default where it is NOT NULL */
};

struct state_step {
	int since;
	const char *sql; /* statements, each ended by a semicolon */
};

extern const struct state_table state_tables[];
extern const unsigned state_table_count;

/* CREATE TABLE with all columns of the present layout. */
void state_layout_put_create(struct buffer *sql, const struct dialect *dialect,
							 const struct state_table *table);
/* The statements from one layout to the present one, the stored version not included. */
void state_layout_put_upgrade(struct buffer *sql, int from);
/* Makes the stored version the present one; `present`: sluice.layout is there. */
void state_layout_put_version(struct buffer *sql, const struct dialect *dialect, bool present);
/* Whether daemons of an earlier layout go on working while the schema comes to the present one. */
bool state_layout_is_additive(int from);
/* A column as it is selected from a schema of that layout: NULL where it is not there yet. */
void state_layout_put_column(struct buffer *sql, int layout, const char *table, const char *name);
/* sluice.tables.state as table_state_parse() reads it, likewise. */
void state_layout_put_state(struct buffer *sql, int layout);

#endif
