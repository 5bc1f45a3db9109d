/*
 * Reads the values of the rows that `compare` found to differ, on both sides,
 * and marks the values that differ.
 */
#ifndef SLUICE_COMPARE_DETAILS_H
#define SLUICE_COMPARE_DETAILS_H

#include "compare.h"
#include "compare_images.h"

/* Sets the values of all findings of a table that compare_scan_enter() has locked; they live in `memory`. */
MUST_CHECK bool compare_details_read(struct compare_table *it, const struct compare_ends *ends,
									 const struct compare_images *images, struct arena *memory,
									 struct error *err);

#endif
