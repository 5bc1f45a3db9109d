/*
 * A temporary file for data that exceeds memory: pieces of bytes, written in
 * order and read back in order, lz4-compressed.
 *
 *	file: | raw bytes u32 | stored bytes u32 | lz4 block | …  one for each chunk
 *
 * The file is unlinked as soon as it is open, so that nothing is left behind
 * whatever ends the process.  A full disk is ERROR_RETRY: the session starts
 * over, and goes on once there is room.
 */
#ifndef SLUICE_SPILL_H
#define SLUICE_SPILL_H

#include "base/error.h"
#include "buffer.h"

struct spill;

/* Makes the directory where it is missing, for this user alone; false when no
 * file can be made in it. */
MUST_CHECK bool spill_prepare(const char *directory, struct error *err);

/* Opens nothing before the first chunk is full.  `directory` must outlive it. */
struct spill *spill_create(const char *directory);
void spill_destroy(struct spill *spill);

/* Appends a piece, which will come back within one chunk. */
MUST_CHECK bool spill_append(struct spill *spill, const void *data, size_t len, struct error *err);

/*
 * Reads the next chunk: whole pieces, one behind another; empty at the end.
 * The view is valid until the next call.  After the first read nothing can be appended.
 */
MUST_CHECK bool spill_read(struct spill *spill, struct bytes *chunk, struct error *err);

/* Moves what is still in memory to the file, and gives the memory back; more can be appended. */
MUST_CHECK bool spill_release(struct spill *spill, struct error *err);

/* Bytes appended so far, before compression. */
uint64_t spill_bytes(const struct spill *spill);
/* Those of them that are in the file. */
uint64_t spill_written(const struct spill *spill);
/* Memory held. */
size_t spill_memory(const struct spill *spill);

#endif
