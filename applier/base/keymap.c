#include "keymap.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "memory.h"

#define SLOTS_MIN 16
#define SLOTS_MAX (UINT32_C(1) << 31)

/* A cleared map with at most this many slots keeps its memory. */
#define SLOTS_KEPT 4096

/*
 * The 32 bits of the hash determine the slot, and rule out most other keys before their bytes are
 * compared. Growing need not compute them again.
 */
struct keymap_slot {
	uint32_t hash;
	uint32_t next_index; /* the key's index + 1; 0: empty */
};

void
keymap_init(struct keymap *map)
{
	*map = (struct keymap){0};
}

void
keymap_fini(struct keymap *map)
{
	free(map->slots);
	free(map->keys);
	keymap_init(map);
}

void
keymap_clear(struct keymap *map)
{
	/*
	 * Clearing takes time in proportion to the slots: after one huge batch, every small batch would pay for
	 * it.
	 */
	if (map->slot_count > SLOTS_KEPT && map->key_count < map->slot_count / 8) {
		keymap_fini(map);
		return;
	}
	if (map->key_count > 0)
		memset(map->slots, 0, map->slot_count * sizeof(*map->slots));
	map->key_count = 0;
}

static uint32_t
hash_of(const void *key, uint32_t len)
{
	XXH64_hash_t hash = XXH3_64bits(key, len);

	return (uint32_t) (hash ^ hash >> 32);
}

/* The slot that holds the key, or the empty slot where it belongs. */
static struct keymap_slot *
probe(const struct keymap *map, const void *key, uint32_t len, uint32_t hash)
{
	uint32_t mask = map->slot_count - 1;

	for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
		struct keymap_slot *slot = &map->slots[at];
		const struct keymap_key *candidate;

		if (slot->next_index == 0)
			return slot;
		if (slot->hash != hash)
			continue;
		candidate = &map->keys[slot->next_index - 1];
		if (candidate->len == len && (len == 0 || memcmp(candidate->ptr, key, len) == 0))
			return slot;
	}
}

static void
grow_slots(struct keymap *map)
{
	uint32_t count = map->slot_count ? map->slot_count * 2 : SLOTS_MIN;
	struct keymap_slot *slots;

	if (map->slot_count == SLOTS_MAX)
		memory_exhausted(2 * (size_t) SLOTS_MAX * sizeof(*slots));
	slots = memory_alloc_zero(count, sizeof(*slots));
	for (uint32_t i = 0; i < map->slot_count; i++) {
		uint32_t at = map->slots[i].hash & (count - 1);

		if (map->slots[i].next_index == 0)
			continue;
		while (slots[at].next_index != 0)
			at = (at + 1) & (count - 1);
		slots[at] = map->slots[i];
	}
	free(map->slots);
	map->slots = slots;
	map->slot_count = count;
}

static void
grow_keys(struct keymap *map)
{
	uint32_t capacity = map->key_capacity ? map->key_capacity + map->key_capacity / 2 : SLOTS_MIN;

	map->keys = memory_resize(map->keys, capacity, sizeof(*map->keys));
	map->key_capacity = capacity;
}

uint32_t
keymap_find(const struct keymap *map, const void *key, uint32_t len)
{
	if (map->key_count == 0)
		return KEYMAP_NONE;
	/* An empty slot's index 0 becomes KEYMAP_NONE. */
	return probe(map, key, len, hash_of(key, len))->next_index - 1;
}

uint32_t
keymap_insert(struct keymap *map, struct arena *arena, const void *key, uint32_t len, bool *found)
{
	uint32_t hash = hash_of(key, len);
	struct keymap_slot *slot;

	if ((uint64_t) map->key_count * 10 >= (uint64_t) map->slot_count * 7)
		grow_slots(map);
	slot = probe(map, key, len, hash);
	*found = slot->next_index != 0;
	if (!*found) {
		if (map->key_count == map->key_capacity)
			grow_keys(map);
		map->keys[map->key_count++] = (struct keymap_key){arena_copy(arena, key, len), len};
		*slot = (struct keymap_slot){hash, map->key_count};
	}
	return slot->next_index - 1;
}

const struct keymap_key *
keymap_key(const struct keymap *map, uint32_t index)
{
	return &map->keys[index];
}

uint32_t
keymap_count(const struct keymap *map)
{
	return map->key_count;
}

size_t
keymap_bytes(const struct keymap *map)
{
	return map->slot_count * sizeof(*map->slots) + map->key_capacity * sizeof(*map->keys);
}
