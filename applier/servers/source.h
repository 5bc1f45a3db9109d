/*
 * The source server itself: its identity, its WAL position, its slots. All functions use an ordinary
 * connection, and only source_drop_slot() changes anything. The source's tables are in source_catalog.h.
 */
#ifndef SLUICE_SOURCE_H
#define SLUICE_SOURCE_H

#include <stdint.h>

#include "io/connection.h"

struct source_identity {
	char system[32]; /* pg_control_system(), or IDENTIFY_SYSTEM's systemid */
	int64_t timeline;
	char database[256];
	uint64_t current_lsn; /* the flush position, or on a standby the replay position */
	int version;
};

struct source_slot {
	bool exists;
	char plugin[64];
	char database[256];
	bool logical;
	bool active;
	int64_t active_pid;
	uint64_t confirmed_flush_lsn;
	uint64_t restart_lsn;
	char wal_status[16]; /* reserved, extended, unreserved, lost */
	char lost_by[32];	 /* why it is lost: wal_removed, idle_timeout, … */
	int64_t retained_bytes;
	/* WAL that may still be written before the server may give the slot up; negative: no limit */
	int64_t safe_bytes;
	uint64_t current_lsn; /* of the source, read at the same moment */
};

/* Waits until asynchronous commits that readers of the source may have seen lie before current_lsn. */
MUST_CHECK bool source_await_flush(struct connection *source, struct error *err);
MUST_CHECK bool source_identify(struct connection *source, struct source_identity *identity,
								struct error *err);
MUST_CHECK bool source_read_slot(struct connection *source, const char *slot, struct source_slot *out,
								 struct error *err);
MUST_CHECK bool source_drop_slot(struct connection *source, const char *slot, struct error *err);

#endif
