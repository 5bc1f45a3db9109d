/* The result of a step: whether it affected the number of rows that it must, and the message if not. */
#ifndef SLUICE_MERGE_OUTCOME_H
#define SLUICE_MERGE_OUTCOME_H

#include "io/result.h"
#include "merge_plan.h"

/* Counts the rows that a step has affected. ERROR_DATA if the step, together with those in its count, affected
 * another number than it must. */
MUST_CHECK bool merge_outcome_take(const struct merge_step *step, int64_t rows, struct error *err);
/* Whether applying the batch again with MERGE_NAMING would name the row that the target lacks. */
bool merge_outcome_can_be_named(const struct merge_step *step);
/* Adds to the error the key of the row that a MERGE_ROW_NAMED query found, or that the step is for. */
void merge_outcome_name_row(const struct merge_step *step, const struct result *res, struct error *err);

#endif
