#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/memory.h"

#define CHUNK_BYTES ((size_t) 256 << 10)
#define CHUNK_LIMIT ((size_t) LZ4_MAX_INPUT_SIZE)
/* Buffers that a huge piece has enlarged beyond this are freed. */
#define KEEP_BYTES (4 * CHUNK_BYTES)

struct chunk_head {
	uint32_t raw_bytes;
	uint32_t stored_bytes;
};

struct spill {
	const char *directory;
	int fd; /* -1: no file yet */
	bool reading;
	bool last_read;			/* the chunk that was never written to the file has been read */
	struct buffer chunk;	/* being filled, or read */
	struct buffer squeezed; /* scratch */
	uint64_t bytes;
};

static void
init_buffers(struct spill *spill)
{
	memory_buffer_init_limited(&spill->chunk, CHUNK_LIMIT);
	memory_buffer_init(&spill->squeezed);
}

static void
free_buffers(struct spill *spill)
{
	buffer_fini(&spill->chunk);
	buffer_fini(&spill->squeezed);
}

struct spill *
spill_create(const char *directory)
{
	struct spill *spill = memory_alloc_zero(1, sizeof *spill);

	spill->directory = directory;
	spill->fd = -1;
	init_buffers(spill);
	return spill;
}

void
spill_destroy(struct spill *spill)
{
	if (!spill)
		return;
	if (spill->fd >= 0)
		close(spill->fd);
	free_buffers(spill);
	free(spill);
}

/* The problem of a spill directory, from errno. */
static bool
directory_error(const char *directory, const char *what, struct error *err)
{
	int reason = errno;
	bool full = reason == ENOSPC || reason == EDQUOT || reason == EFBIG;
	bool too_many = reason == EMFILE || reason == ENFILE;
	bool passing = full || too_many || reason == EIO || reason == ENOMEM;
	const char *hint = "Let apply.spill_directory name a folder that this user can write to.";

	if (full)
		hint = "Make room there; the task goes on by itself.";
	if (reason == EIO || reason == ENOMEM)
		hint = "Check that host's disk and memory; the task tries again by itself.";
	if (too_many)
		hint = "Raise the limit of open files: each large transaction that is open at the source needs one.";
	error_set(err, passing ? ERROR_RETRY : ERROR_DATA, "cannot %s a spill file in %s: %s", what, directory,
			  strerror(reason));
	return error_hint(err, "%s", hint);
}

static bool
file_error(const struct spill *spill, const char *what, struct error *err)
{
	return directory_error(spill->directory, what, err);
}

bool
spill_prepare(const char *directory, struct error *err)
{
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return directory_error(directory, "make", err);
	return access(directory, W_OK | X_OK) == 0 || directory_error(directory, "make", err);
}

static bool
open_file(struct spill *spill, struct error *err)
{
	char path[4096];

	if (spill->fd >= 0)
		return true;
	/* A file without a name leaves nothing behind, however the process ends. */
	spill->fd = open(spill->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (spill->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return spill->fd >= 0 || file_error(spill, "make", err);
	/* Some file systems do not support O_TMPFILE. */
	snprintf(path, sizeof path, "%s/sluice-XXXXXX", spill->directory);
	spill->fd = mkostemp(path, O_CLOEXEC);
	if (spill->fd < 0)
		return file_error(spill, "make", err);
	unlink(path);
	return true;
}

static bool
write_all(struct spill *spill, const void *data, size_t len, struct error *err)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t written = write(spill->fd, at, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return file_error(spill, "write", err);
		at += written;
		len -= (size_t) written;
	}
	return true;
}

static bool
read_all(struct spill *spill, void *data, size_t len, struct error *err)
{
	uint8_t *at = data;

	while (len > 0) {
		ssize_t got = read(spill->fd, at, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got == 0)
			return error_set(err, ERROR_BUG, "a spill file ends too early");
		if (got < 0)
			return file_error(spill, "read", err);
		at += got;
		len -= (size_t) got;
	}
	return true;
}

static void
need(struct buffer *b, size_t bytes)
{
	buffer_reset(b);
	if (!buffer_reserve(b, bytes))
		memory_exhausted(bytes);
}

static bool
write_chunk(struct spill *spill, struct error *err)
{
	int bound = LZ4_compressBound((int) spill->chunk.len);
	struct chunk_head head = {.raw_bytes = (uint32_t) spill->chunk.len};
	int stored;

	if (!open_file(spill, err))
		return false;
	need(&spill->squeezed, (size_t) bound);
	stored = LZ4_compress_default((const char *) spill->chunk.data, (char *) spill->squeezed.data,
								  (int) spill->chunk.len, bound);
	if (stored <= 0)
		return error_set(err, ERROR_BUG, "lz4 cannot compress %zu bytes", spill->chunk.len);
	head.stored_bytes = (uint32_t) stored;
	if (!write_all(spill, &head, sizeof head, err) ||
		!write_all(spill, spill->squeezed.data, head.stored_bytes, err))
		return false;
	buffer_reset(&spill->chunk);
	if (spill_memory(spill) > KEEP_BYTES) {
		free_buffers(spill);
		init_buffers(spill);
	}
	return true;
}

bool
spill_release(struct spill *spill, struct error *err)
{
	if (spill->chunk.len > 0 && !write_chunk(spill, err))
		return false;
	free_buffers(spill);
	init_buffers(spill);
	return true;
}

bool
spill_append(struct spill *spill, const void *data, size_t len, struct error *err)
{
	if (spill->chunk.len > 0 && spill->chunk.len + len > CHUNK_BYTES && !write_chunk(spill, err))
		return false;
	buffer_put(&spill->chunk, data, len);
	spill->bytes += len;
	return true;
}

/* The last chunk was never written to the file: it is read from memory. */
static struct bytes
last_chunk(struct spill *spill)
{
	if (spill->last_read)
		return (struct bytes){NULL, 0};
	spill->last_read = true;
	return (struct bytes){spill->chunk.data, spill->chunk.len};
}

static bool
begin_reading(struct spill *spill, struct error *err)
{
	if (spill->reading)
		return true;
	spill->reading = true;
	if (spill->fd < 0)
		return true;
	if (spill->chunk.len > 0 && !write_chunk(spill, err))
		return false;
	spill->last_read = true;
	return lseek(spill->fd, 0, SEEK_SET) == 0 || file_error(spill, "read", err);
}

static bool
at_end(struct spill *spill, bool *end, struct error *err)
{
	off_t at = lseek(spill->fd, 0, SEEK_CUR);
	off_t size = lseek(spill->fd, 0, SEEK_END);

	if (at < 0 || size < 0 || lseek(spill->fd, at, SEEK_SET) < 0)
		return file_error(spill, "read", err);
	*end = at == size;
	return true;
}

static bool
read_chunk(struct spill *spill, struct bytes *chunk, struct error *err)
{
	struct chunk_head head;

	if (!read_all(spill, &head, sizeof head, err))
		return false;
	need(&spill->squeezed, head.stored_bytes);
	need(&spill->chunk, head.raw_bytes);
	if (!read_all(spill, spill->squeezed.data, head.stored_bytes, err))
		return false;
	if (LZ4_decompress_safe((const char *) spill->squeezed.data, (char *) spill->chunk.data,
							(int) head.stored_bytes, (int) head.raw_bytes) != (int) head.raw_bytes)
		return error_set(err, ERROR_BUG, "a spill file is damaged");
	if (spill->squeezed.cap > KEEP_BYTES) {
		buffer_fini(&spill->squeezed);
		memory_buffer_init(&spill->squeezed);
	}
	*chunk = (struct bytes){spill->chunk.data, head.raw_bytes};
	return true;
}

bool
spill_read(struct spill *spill, struct bytes *chunk, struct error *err)
{
	bool end = false;

	*chunk = (struct bytes){NULL, 0};
	if (!begin_reading(spill, err))
		return false;
	if (spill->fd < 0) {
		*chunk = last_chunk(spill);
		return true;
	}
	if (!at_end(spill, &end, err))
		return false;
	return end || read_chunk(spill, chunk, err);
}

uint64_t
spill_bytes(const struct spill *spill)
{
	return spill->bytes;
}

uint64_t
spill_written(const struct spill *spill)
{
	if (spill->fd < 0)
		return 0;
	return spill->reading ? spill->bytes : spill->bytes - spill->chunk.len;
}

size_t
spill_memory(const struct spill *spill)
{
	return spill->chunk.cap + spill->squeezed.cap;
}
