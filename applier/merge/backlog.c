#include "backlog.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"

/* Precedes each message in a chunk of a spill. */
struct entry_head {
	uint64_t commit_lsn;
	int64_t commit_time;
	uint32_t xid;
	uint32_t message_bytes;
};

struct backlog {
	const char *directory;
	struct spill *written;
	struct spill *read;	 /* the spill being read; NULL: none */
	struct bytes chunk;	 /* the chunk being read */
	struct buffer piece; /* scratch */
	uint64_t count;
};

struct backlog *
backlog_create(const char *directory)
{
	struct backlog *backlog = memory_alloc_zero(1, sizeof *backlog);

	backlog->directory = directory;
	backlog->written = spill_create(directory);
	memory_buffer_init(&backlog->piece);
	return backlog;
}

void
backlog_destroy(struct backlog *backlog)
{
	if (!backlog)
		return;
	spill_destroy(backlog->written);
	spill_destroy(backlog->read);
	buffer_fini(&backlog->piece);
	free(backlog);
}

/* Head and message are appended as one piece, so that they are in the same chunk. */
bool
backlog_add(struct backlog *backlog, const struct backlog_entry *entry, struct error *err)
{
	struct entry_head head = {
		.commit_lsn = entry->commit_lsn,
		.commit_time = entry->commit_time,
		.xid = entry->xid,
		.message_bytes = (uint32_t) entry->message.len,
	};

	buffer_reset(&backlog->piece);
	buffer_put(&backlog->piece, &head, sizeof head);
	buffer_put(&backlog->piece, entry->message.data, entry->message.len);
	if (!spill_append(backlog->written, backlog->piece.data, backlog->piece.len, err))
		return false;
	backlog->count++;
	return true;
}

/* Reads the next chunk; it is empty at the end of the backlog. */
static bool
next_chunk(struct backlog *backlog, struct error *err)
{
	while (backlog->chunk.len == 0) {
		if (!backlog->read && spill_bytes(backlog->written) == 0)
			return true;
		if (!backlog->read) {
			backlog->read = backlog->written;
			backlog->written = spill_create(backlog->directory);
		}
		if (!spill_read(backlog->read, &backlog->chunk, err))
			return false;
		if (backlog->chunk.len == 0) {
			spill_destroy(backlog->read);
			backlog->read = NULL;
		}
	}
	return true;
}

bool
backlog_take(struct backlog *backlog, struct backlog_entry *entry, bool *found, struct error *err)
{
	struct entry_head head;
	size_t bytes;

	if (!next_chunk(backlog, err))
		return false;
	*found = backlog->chunk.len > 0;
	if (!*found)
		return true;
	memcpy(&head, backlog->chunk.data, sizeof head);
	bytes = sizeof head + head.message_bytes;
	*entry = (struct backlog_entry){
		.commit_lsn = head.commit_lsn,
		.commit_time = head.commit_time,
		.xid = head.xid,
		.message = {backlog->chunk.data + sizeof head, head.message_bytes},
	};
	backlog->chunk = (struct bytes){backlog->chunk.data + bytes, backlog->chunk.len - bytes};
	backlog->count--;
	return true;
}

uint64_t
backlog_count(const struct backlog *backlog)
{
	return backlog->count;
}

size_t
backlog_memory(const struct backlog *backlog)
{
	return spill_memory(backlog->written) + (backlog->read ? spill_memory(backlog->read) : 0) +
		   backlog->piece.cap;
}
