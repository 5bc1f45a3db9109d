/*
 * A hash map from key bytes to a dense index 0, 1, 2 ... in order of insertion.
 *
 *	slots (power of two, linear probing, at most 70 % full)
 *	    | hash, index | empty | hash, index | ...
 *	                |
 *	keys            v
 *	    | ptr, len | ptr, len | ...        the bytes lie in the owner's arena
 *
 * The owner keeps its data about a key in an array of its own, at the same index. Keys are compared byte
 * by byte; a key may be empty. Keys cannot be removed one by one, only all at once.
 */
#ifndef SLUICE_KEYMAP_H
#define SLUICE_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"

#define KEYMAP_NONE UINT32_MAX

struct keymap_key {
	const void *ptr;
	uint32_t len;
};

struct keymap_slot;

struct keymap {
	struct keymap_slot *slots;
	struct keymap_key *keys;
	uint32_t slot_count; /* 0 or a power of two */
	uint32_t key_count;
	uint32_t key_capacity;
};

void keymap_init(struct keymap *map);
void keymap_fini(struct keymap *map);

/*
 * Removes all keys; to be called before the arena with their bytes is reset. Keeps the map's memory unless
 * it is much too large for what the map held.
 */
void keymap_clear(struct keymap *map);

/* The key's index, or KEYMAP_NONE. */
uint32_t keymap_find(const struct keymap *map, const void *key, uint32_t len);

/* The key's index. A new key is copied into the arena and gets the next index. */
uint32_t keymap_insert(struct keymap *map, struct arena *arena, const void *key, uint32_t len, bool *found);

/*
 * The key with that index. The struct is valid until the next insertion, the bytes as long as the arena.
 */
const struct keymap_key *keymap_key(const struct keymap *map, uint32_t index);

uint32_t keymap_count(const struct keymap *map);

/* Memory of the map itself, without the bytes of the keys. */
size_t keymap_bytes(const struct keymap *map);

#endif
