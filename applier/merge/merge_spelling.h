/*
 * Keys whose bytes differ though their type holds them equal: numeric 20.0 and
 * 20.00, citext A and a.
 *
 * Where an operation is left out, the row of one spelling may not have gone
 * before that of another one comes, in the same batch, too.
 */
#ifndef SLUICE_MERGE_SPELLING_H
#define SLUICE_MERGE_SPELLING_H

#include "merge_builder.h"

/* Whether rows that the batch inserts may have equal keys; true where that is not known. */
bool merge_spelling_may_meet(const struct merge_builder *b);

/* The entries to be inserted, `inserts` of them, in the order in which they got their rows; in the builder's arena. */
const uint32_t *merge_spelling_order(const struct merge_builder *b);

#endif
