/*
 * The order in which a net change's rows are looked up at the destination: that
 * of their keys, so that a statement goes through the target's index, and
 * mostly through its pages, from one end to the other instead of at random.
 *
 * It is the order of the keys' bytes, which for positive integers and for text
 * under the "C" collation is the index's own, and otherwise still brings like
 * keys together.  What a statement does does not depend on it.
 */
#ifndef SLUICE_KEY_ORDER_H
#define SLUICE_KEY_ORDER_H

#include "net_change.h"

/* The numbers of all entries of a net change with MATCH_KEY, in the arena; NULL: they are in that order already. */
uint32_t *key_order(const struct net_change *net, struct arena *arena);

#endif
