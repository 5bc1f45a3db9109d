/*
 * sluice.unfinished: statements that build the indexes and constraints of created tables once the rows are
 * copied. They are stored in the transaction that creates the table and removed in the one that executes
 * them, which is up to copy/after_copy.
 *
 * The first step marks a target that the program created and into which no copy has been completed. Instead
 * of a statement it has the source's table from which the target was made: a line with its OID, then its
 * definition as stored_definition.h writes it.
 */
#ifndef SLUICE_UNFINISHED_H
#define SLUICE_UNFINISHED_H

#include "buffer.h"
#include "dialect/dialect.h"
#include "tables/catalog.h"

/* Columns of the table: OID of the target, number of the step, statement. */
extern const char unfinished_columns[];

/* Number of that step, lower than all others. */
#define UNFINISHED_COPY (-1)

/*
 * Writes statements that store what is left to do for a table that is created in the same transaction, and that its
 * indexes follow those of the source.
 */
void unfinished_put(struct buffer *sql, const struct dialect *dialect, const char *task,
					const struct table *table);
/* From what a target was made, by the text of the first step. */
enum unfinished_origin {
	UNFINISHED_UNKNOWN, /* an earlier version wrote no text */
	UNFINISHED_SAME,	/* from the table as it is */
	UNFINISHED_OTHER,	/* from another table, or before the table was altered */
};
enum unfinished_origin unfinished_compare(const char *text, const struct source_table *source);
/* Writes a statement for the transaction that completes the copy into a target. */
void unfinished_put_copied(struct buffer *sql, uint32_t target_oid);

#endif
