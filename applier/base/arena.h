/*
 * A bump arena: many small allocations, freed all at once.
 *
 *	chunk: | header | used ........ | free .... |   the current chunk
 *	   |
 *	   v next
 *	chunk: | header | used ................. |      full, or one large allocation
 *
 * What an arena hands out lives until arena_reset() or arena_fini() and never
 * moves.  The first chunks are smaller, so that little that is kept takes little.
 * An allocation larger than a quarter of a chunk gets a chunk of its
 * own, so that it does not waste the rest of the current one.  Out of memory
 * ends the process with a message: a restart is safe, a half-done batch is not.
 *
 * An arena belongs to one thread at a time.
 */
#ifndef SLUICE_ARENA_H
#define SLUICE_ARENA_H

#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks; /* the current one first; NULL before the first use */
	size_t chunk_bytes;			/* payload of an ordinary chunk, once the arena has grown */
	size_t next_bytes;			/* of the next one */
	size_t held_bytes;
};

/* Allocates nothing yet. */
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
