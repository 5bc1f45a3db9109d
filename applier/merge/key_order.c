#include "key_order.h"

#include <stdlib.h>

/* A key and its first bytes as a number, by which nearly all comparisons are decided. */
struct sortable {
	uint64_t prefix;
	const uint8_t *rest;
	uint32_t rest_len;
	uint32_t entry;
};

/* An encoded key begins with the length of its first part (keymap's keys are sequences of COPY fields). As text
 * numbers are ordered with it, so that 9 goes before 10. */
static struct sortable
sortable(const struct net_change *net, uint32_t entry)
{
	const struct keymap_key *key = keymap_key(&net->map, entry);
	const uint8_t *bytes = key->ptr;
	uint32_t skip = net->shape->text || key->len < 4 ? 0 : 4, used = skip;
	uint64_t prefix = 0;

	for (unsigned i = 0; i < sizeof prefix; i++)
		prefix = prefix << 8 | (used < key->len ? bytes[used++] : 0);
	return (struct sortable){prefix, bytes + used, key->len - used, entry};
}

static int
compare(const void *left, const void *right)
{
	const struct sortable *x = left, *y = right;
	int order;

	if (x->prefix != y->prefix)
		return x->prefix < y->prefix ? -1 : 1;
	order = memcmp(x->rest, y->rest, x->rest_len < y->rest_len ? x->rest_len : y->rest_len);
	if (order != 0)
		return order;
	if (x->rest_len != y->rest_len)
		return x->rest_len < y->rest_len ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

uint32_t *
key_order(const struct net_change *net, struct arena *arena)
{
	uint32_t count = net_change_count(net), *order;
	struct sortable *keys = arena_alloc(arena, (count + 1) * sizeof *keys);
	bool ordered = true;

	for (uint32_t i = 0; i < count; i++) {
		keys[i] = sortable(net, i);
		ordered = ordered && (i == 0 || compare(&keys[i - 1], &keys[i]) < 0);
	}
	if (ordered)
		return NULL;
	qsort(keys, count, sizeof *keys, compare);
	order = arena_alloc(arena, count * sizeof *order);
	for (uint32_t i = 0; i < count; i++)
		order[i] = keys[i].entry;
	return order;
}
