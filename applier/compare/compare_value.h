/*
 * The canonical form of one value, which is the same text on both servers exactly when the values are: what SQL makes
 * it of a column of the source, of one of the target, or of a text that was sent along.
 */
#ifndef SLUICE_COMPARE_VALUE_H
#define SLUICE_COMPARE_VALUE_H

#include "buffer.h"
#include "compare_plan.h"

enum compare_from {
	COMPARE_SOURCE,
	COMPARE_TARGET,
	COMPARE_IMAGES, /* rows that are sent along, one text[] for each carried column: $1, $2 … */
};

/* Whether the text that both servers make of the pair's values may have floats in it. */
bool compare_value_prints_floats(const struct compare_pair *pair);

/* Under which name the statement knows the table. */
const char *compare_value_alias(const struct compare_plan *plan, enum compare_from from);
/* The pair's column on one side, as a string of its own; buffer_fini() is due. */
void compare_value_make_reference(struct buffer *text, const struct compare_plan *plan,
								  const struct compare_pair *pair, enum compare_from from);

/* The canonical value of a pair's column, and the text of that. */
void compare_value_put(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
					   enum compare_from from);
void compare_value_put_text(struct buffer *sql, const struct compare_plan *plan,
							const struct compare_pair *pair, enum compare_from from);

/* `ref` as the type writes it. */
void compare_value_put_source_output(struct buffer *sql, const char *ref, const struct source_column *column);
void compare_value_put_target_output(struct buffer *sql, const char *ref, const struct target_column *column);
/* `ref`, a text, as a value of the column's type, or of the type below a domain. */
void compare_value_put_input(struct buffer *sql, const char *ref, const struct source_column *column);

#endif
