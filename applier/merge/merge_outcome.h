/*
 * What came of a step: whether it met the rows that it had to, and what to say
 * where it did not.
 */
#ifndef SLUICE_MERGE_OUTCOME_H
#define SLUICE_MERGE_OUTCOME_H

#include "io/result.h"
#include "merge_plan.h"

/* Takes note of the rows that a step has met.  ERROR_DATA where it, and the steps that it is counted with, met
 * another number than they had to. */
MUST_CHECK bool merge_outcome_take(const struct merge_step *step, int64_t rows, struct error *err);
/* Whether the row that was missed would be named by the same batch in MERGE_NAMING. */
bool merge_outcome_can_be_named(const struct merge_step *step);
/* The key of the row that a MERGE_ROW_NAMED step has found absent, or that the step is for, as context of the error. */
void merge_outcome_name_row(const struct merge_step *step, const struct result *res, struct error *err);

#endif
