/*
 * The changes of tables that are being copied in the background: kept here in
 * the order of their commits until the copy is complete and they can be applied
 * to it.
 *
 *	fold ──► written (spill) ──► read (spill) ──► fold again
 *
 * What is read was closed for writing; when it is used up, what was written
 * meanwhile takes its place.  Nothing of it outlives the process.
 */
#ifndef SLUICE_BACKLOG_H
#define SLUICE_BACKLOG_H

#include "spill.h"

struct backlog;

/* One message as it is in the plugin's frame, and its transaction. */
struct backlog_entry {
	uint64_t commit_lsn;
	int64_t commit_time;
	uint32_t xid;
	struct bytes message;
};

/* `directory` must outlive the backlog. */
struct backlog *backlog_create(const char *directory);
void backlog_destroy(struct backlog *backlog);

MUST_CHECK bool backlog_add(struct backlog *backlog, const struct backlog_entry *entry, struct error *err);
/* Takes the oldest message; it is valid until the next call. `found` is false when there is none. */
MUST_CHECK bool backlog_take(struct backlog *backlog, struct backlog_entry *entry, bool *found,
							 struct error *err);

/* The number of messages that wait. */
uint64_t backlog_count(const struct backlog *backlog);
/* Memory in use. */
size_t backlog_memory(const struct backlog *backlog);

#endif
