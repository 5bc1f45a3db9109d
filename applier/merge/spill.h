/*
 * A temporary file for data that does not fit into memory: pieces of bytes,
 * written and read in order, compressed with lz4.
 *
 *	file: | raw bytes u32 | stored bytes u32 | lz4 block | …  one for each chunk
 *
 * The file has no name once it is open, so that nothing is left behind, however
 * the process ends. A full disk is ERROR_RETRY: the next attempt goes on when
 * there is space.
 */
#ifndef SLUICE_SPILL_H
#define SLUICE_SPILL_H

#include "base/error.h"
#include "buffer.h"

struct spill;

/* Creates the directory if it does not exist, for this user alone; false when no file can be created in it. */
MUST_CHECK bool spill_prepare(const char *directory, struct error *err);

/* Opens no file before the first chunk is full. `directory` must outlive it. */
struct spill *spill_create(const char *directory);
void spill_destroy(struct spill *spill);

/* Appends a piece, which is read again within one chunk. */
MUST_CHECK bool spill_append(struct spill *spill, const void *data, size_t len, struct error *err);

/* Reads the next chunk, one or more whole pieces; empty at the end. It is valid until the next call. After the first
 * read nothing can be appended. */
MUST_CHECK bool spill_read(struct spill *spill, struct bytes *chunk, struct error *err);

/* Moves what is in memory to the file, and frees the memory; more can be appended. */
MUST_CHECK bool spill_release(struct spill *spill, struct error *err);

/* Bytes appended so far, before compression. */
uint64_t spill_bytes(const struct spill *spill);
/* How many of them are in the file. */
uint64_t spill_written(const struct spill *spill);
/* Memory in use. */
size_t spill_memory(const struct spill *spill);

#endif
