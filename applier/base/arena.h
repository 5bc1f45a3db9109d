/*
 * A bump arena: many small allocations, freed all at once.
 *
 *	chunk: | header | used ........ | free .... |   the current chunk
 *	   |
 *	   v next
 *	chunk: | header | used ................. |      full, or one large allocation
 *
 * Memory from an arena never moves and lives until arena_reset() or arena_fini(). The first chunks are
 * smaller, so that a nearly empty arena takes little memory. An allocation larger than a quarter of a
 * chunk gets a chunk of its own, so that the rest of the current chunk is not wasted. Out of memory ends
 * the process with a message: a restart is safe, a half-done batch is not.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef SLUICE_ARENA_H
#define SLUICE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the current one first; NULL before the first use */
	size_t chunk_bytes;			/* payload of an ordinary chunk once the arena has grown to full size */
	size_t next_bytes;			/* payload of the next chunk */
	size_t held_bytes;
};

void arena_init(struct arena *arena, size_t chunk_bytes);
void arena_fini(struct arena *arena);

/* Frees everything that was handed out; keeps the largest ordinary chunk for reuse. */
void arena_reset(struct arena *arena);

/* Never NULL, not even for 0 bytes.  The memory is not initialised. */
void *arena_alloc(struct arena *arena, size_t bytes);			/* aligned for any type */
void *arena_alloc_unaligned(struct arena *arena, size_t bytes); /* packed: for byte strings */
void *arena_alloc_zero(struct arena *arena, size_t bytes);		/* aligned, all zero */

/* Copies of bytes (unaligned) and of a NUL-terminated string. */
void *arena_copy(struct arena *arena, const void *bytes, size_t len);
char *arena_strdup(struct arena *arena, const char *string);

/* Memory held from the system, headers included. */
size_t arena_bytes(const struct arena *arena);

#endif
