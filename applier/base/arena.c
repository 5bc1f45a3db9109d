#include "arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Lets AddressSanitizer detect a use after arena_reset(). */
#if defined(__has_include) && __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, bytes) ((void) (address), (void) (bytes))
#define ASAN_UNPOISON_MEMORY_REGION(address, bytes) ((void) (address), (void) (bytes))
#endif

/* Payload of the first chunk. Later chunks double up to chunk_bytes. */
#define FIRST_CHUNK_BYTES ((size_t) 4096)

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* bytes of the payload */
	size_t used;
	bool alone; /* made for one large allocation */
	alignas(max_align_t) unsigned char payload[];
};

void
arena_init(struct arena *arena, size_t chunk_bytes)
{
	*arena = (struct arena){.chunk_bytes = chunk_bytes < 64 ? 64 : chunk_bytes};
	arena->next_bytes = arena->chunk_bytes < FIRST_CHUNK_BYTES ? arena->chunk_bytes : FIRST_CHUNK_BYTES;
}

static void
chunk_free(struct arena *arena, struct arena_chunk *chunk)
{
	arena->held_bytes -= sizeof(*chunk) + chunk->size;
	free(chunk);
}

void
arena_fini(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		chunk_free(arena, chunk);
	}
}

void
arena_reset(struct arena *arena)
{
	struct arena_chunk *kept = NULL;

	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		/* The first ordinary chunk in the list is the newest one and therefore the largest. */
		if (!kept && chunk->size <= arena->chunk_bytes && !chunk->alone)
			kept = chunk;
		else
			chunk_free(arena, chunk);
	}
	if (kept) {
		kept->next = NULL;
		kept->used = 0;
		ASAN_POISON_MEMORY_REGION(kept->payload, kept->size);
		arena->chunks = kept;
	}
}

static struct arena_chunk *
chunk_create(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk))
		memory_exhausted(size);
	chunk = memory_alloc(sizeof(*chunk) + size);
	chunk->next = NULL;
	chunk->size = size;
	chunk->used = 0;
	chunk->alone = false;
	ASAN_POISON_MEMORY_REGION(chunk->payload, size);
	arena->held_bytes += sizeof(*chunk) + size;
	return chunk;
}

static void
grow_next(struct arena *arena)
{
	size_t doubled = 2 * arena->next_bytes;

	arena->next_bytes = doubled < arena->chunk_bytes ? doubled : arena->chunk_bytes;
}

/*
 * Makes a chunk for the bytes: a new current one, or one of their own behind the current one, which stays
 * in use.
 */
static struct arena_chunk *
chunk_for(struct arena *arena, size_t bytes)
{
	struct arena_chunk *chunk;

	while (bytes > arena->next_bytes / 4 && arena->next_bytes < arena->chunk_bytes)
		grow_next(arena);
	if (bytes <= arena->next_bytes / 4) {
		chunk = chunk_create(arena, arena->next_bytes);
		grow_next(arena);
	} else {
		chunk = chunk_create(arena, bytes);
		chunk->alone = true;
		if (arena->chunks) {
			chunk->next = arena->chunks->next;
			arena->chunks->next = chunk;
			return chunk;
		}
	}
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	return chunk;
}

static void *
alloc(struct arena *arena, size_t bytes, size_t alignment)
{
	struct arena_chunk *chunk = arena->chunks;
	size_t at = chunk ? (chunk->used + alignment - 1) & ~(alignment - 1) : 0;

	if (!chunk || at > chunk->size || bytes > chunk->size - at) {
		chunk = chunk_for(arena, bytes);
		at = 0;
	}
	chunk->used = at + bytes;
	ASAN_UNPOISON_MEMORY_REGION(chunk->payload + at, bytes);
	return chunk->payload + at;
}

void *
arena_alloc(struct arena *arena, size_t bytes)
{
	return alloc(arena, bytes, alignof(max_align_t));
}

void *
arena_alloc_unaligned(struct arena *arena, size_t bytes)
{
	return alloc(arena, bytes, 1);
}

void *
arena_alloc_zero(struct arena *arena, size_t bytes)
{
	return memset(arena_alloc(arena, bytes), 0, bytes);
}

void *
arena_copy(struct arena *arena, const void *bytes, size_t len)
{
	void *copy = arena_alloc_unaligned(arena, len);

	if (len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *
arena_strdup(struct arena *arena, const char *string)
{
	return arena_copy(arena, string, strlen(string) + 1);
}

size_t
arena_bytes(const struct arena *arena)
{
	return arena->held_bytes;
}
