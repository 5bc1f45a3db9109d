/*
 * What the rows hold that `compare` found to differ: the values of both sides,
 * and which of them are not the same.
 */
#ifndef SLUICE_COMPARE_DETAILS_H
#define SLUICE_COMPARE_DETAILS_H

#include "compare.h"
#include "compare_images.h"

/* Sets the values of all findings of a table that is locked for reading; they live in `memory`. */
MUST_CHECK bool compare_details_read(struct compare_table *it, const struct compare_ends *ends,
									 const struct compare_images *images, struct arena *memory,
									 struct error *err);

#endif
