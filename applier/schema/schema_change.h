/*
 * What has to be done to a target when the definition of its source changed:
 * compares two definitions by attnum, so that a renamed column is told from one
 * that was dropped and another that was added, and writes the statements.
 *
 * Every step is based on the target as it is: what is there already is not done again.
 */
#ifndef SLUICE_SCHEMA_CHANGE_H
#define SLUICE_SCHEMA_CHANGE_H

#include "base/error.h"
#include "buffer.h"
#include "dialect/dialect.h"
#include "tables/catalog.h"

/* What the source's catalog says of the value that rows have in a column which was added to them. */
struct schema_value {
	bool known;
	char *text; /* NULL with known: none, unless the table was rewritten, which leaves no word of it */
};

struct schema_question {
	const struct dialect *dialect;
	const struct source_table *before;
	/* The new definition as `source`, types looked up; the target as it is. */
	const struct table *table;
	const struct schema_value *values; /* by column of the new definition; may be NULL with `emptied` */
	bool rewritten;					   /* the source may have rewritten the table */
	bool emptied;					   /* the rows are copied again in any case */
	bool needed_only;				   /* leave out what rows can be taken without */
	bool common_only;				   /* go on with the columns that both have */
};

enum schema_verdict {
	SCHEMA_FITS,   /* nothing is to be done */
	SCHEMA_ALTER,  /* `sql` brings the target in line */
	SCHEMA_COPY,   /* the rows' values cannot be known: `reason` */
	SCHEMA_REFUSE, /* a person has to decide: `reason` */
};

struct schema_change {
	enum schema_verdict verdict;
	struct buffer sql; /* statements, each with a semicolon and a new line; a NUL behind the last */
	char reason[512];
	bool renamed;	  /* the target takes the table's new name */
	bool needs_empty; /* rows that are there may keep the statements from succeeding */
};

void schema_change_plan(struct schema_change *change, const struct schema_question *question);
void schema_change_fini(struct schema_change *change);
/* The statements in one line, for messages; "" where there are none.  It runs as it stands, whatever rows are there. */
void schema_change_line(const struct schema_change *change, const struct table *table, char *out,
						size_t out_bytes);

#endif
