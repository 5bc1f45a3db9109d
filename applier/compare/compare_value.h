/*
 * The canonical form of one value: the same text on both servers exactly when the values are equal.  These functions
 * write the SQL for it, for a column of the source, for one of the target, or for a text in a parameter.
 */
#ifndef SLUICE_COMPARE_VALUE_H
#define SLUICE_COMPARE_VALUE_H

#include "buffer.h"
#include "compare_plan.h"

enum compare_from {
	COMPARE_SOURCE,
	COMPARE_TARGET,
	COMPARE_IMAGES, /* rows in parameters, one text[] for each carried column: $1, $2 … */
};

/* Whether the text of the pair's values may contain floats. */
bool compare_value_prints_floats(const struct compare_pair *pair);

/* The name of the table in the statement. */
const char *compare_value_alias(const struct compare_plan *plan, enum compare_from from);
/* Initializes `text` with the qualified name of the pair's column on one side; end with buffer_fini(). */
void compare_value_make_reference(struct buffer *text, const struct compare_plan *plan,
								  const struct compare_pair *pair, enum compare_from from);

/* The canonical value of a pair's column, and the same as text. */
void compare_value_put(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
					   enum compare_from from);
void compare_value_put_text(struct buffer *sql, const struct compare_plan *plan,
							const struct compare_pair *pair, enum compare_from from);

/* The value `ref` as the type's output function writes it. */
void compare_value_put_source_output(struct buffer *sql, const char *ref, const struct source_column *column);
void compare_value_put_target_output(struct buffer *sql, const char *ref, const struct target_column *column);
/*
 * The same for a person to read.  A built-in type's value is printed by the server that the session is with: a process of a Greenplum
 * segment that began after the session has extra_float_digits of its own, with which two floats that differ look the same.
 */
void compare_value_put_target_shown(struct buffer *sql, const char *ref, const struct target_column *column);
/* The text `ref` as a value of the column's type, or of a domain's base type. */
void compare_value_put_input(struct buffer *sql, const char *ref, const struct source_column *column);

#endif
