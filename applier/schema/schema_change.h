/*
 * The statements that bring a target in line when the definition of its source
 * table changed.  Columns are compared by attnum, so that a rename is not taken
 * for a drop and an add.
 *
 * Every step starts from the target as it is: what the target already has is not done again.
 */
#ifndef SLUICE_SCHEMA_CHANGE_H
#define SLUICE_SCHEMA_CHANGE_H

#include "base/error.h"
#include "buffer.h"
#include "dialect/dialect.h"
#include "tables/catalog.h"

/* The value that existing rows have in an added column (pg_attribute.attmissingval). */
struct schema_value {
	bool known;
	char *text; /* NULL with known: SQL NULL; after a rewrite it means nothing: the catalog lost the value */
};

struct schema_question {
	const struct dialect *dialect;
	const struct source_table *before;
	/* The new definition as `source`, types looked up; the target as it is. */
	const struct table *table;
	const struct schema_value *values; /* by column of the new definition; may be NULL with `emptied` */
	bool rewritten;					   /* the source may have rewritten the table */
	bool emptied;					   /* the rows are copied again in any case */
	bool needed_only;				   /* only what the target needs to take the rows */
	bool common_only;				   /* ignore renamed and added columns */
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
	bool needs_empty; /* the statements may fail unless the target is empty */
};

void schema_change_plan(struct schema_change *change, const struct schema_question *question);
void schema_change_fini(struct schema_change *change);
/* The statements in one line, for messages; "" where there are none.  They can be executed as shown, whatever rows the
 * target has. */
void schema_change_line(const struct schema_change *change, const struct table *table, char *out,
						size_t out_bytes);

#endif
