/*
 * Queries to the source: its identity, its tables, its slots.  All use an
 * ordinary connection, and only source_drop_slot() changes anything.
 */
#ifndef SLUICE_SOURCE_H
#define SLUICE_SOURCE_H

#include "io/connection.h"
#include "tables/catalog.h"

struct source_identity {
	char system[32]; /* pg_control_system(), or IDENTIFY_SYSTEM's systemid */
	int64_t timeline;
	char database[256];
	uint64_t current_lsn; /* pg_current_wal_lsn(); of the flush position */
	int version;
	char encoding[64]; /* server_encoding, in which the plugin sends strings */
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
	char lost_by[32];	 /* where it is lost: wal_removed, idle_timeout, … */
	int64_t retained_bytes;
	int64_t safe_bytes;	  /* WAL until the server may give it up; negative: there is no limit */
	uint64_t current_lsn; /* of the source, as of the same moment */
};

/* Waits until asynchronous commits that readers of the source may have seen are behind current_lsn. */
MUST_CHECK bool source_await_flush(struct connection *source, struct error *err);
MUST_CHECK bool source_identify(struct connection *source, struct source_identity *identity,
								struct error *err);
MUST_CHECK bool source_read_slot(struct connection *source, const char *slot, struct source_slot *out,
								 struct error *err);
/*
 * Finds a table that the stream has mentioned in transaction `xid`:
 * whether it exists now, and whether that transaction's work can be seen yet
 * (a commit reaches the stream before it becomes visible).
 */
MUST_CHECK bool source_find_table(struct connection *source, uint32_t oid, uint32_t xid, bool *exists,
								  bool *visible, struct error *err);
/*
 * Reads tables by OID as they are now: names, columns, keys and storage; those that are gone, or are
 * no permanent tables any more, are missing.  Ordered by OID.
 */
MUST_CHECK bool source_read_tables(struct connection *source, const uint32_t *oids, unsigned count,
								   struct catalog *seen, struct error *err);
/* Fills in what is to be known of the columns' types; all = false when one is gone. */
MUST_CHECK bool source_read_types(struct connection *source, struct source_column *columns, unsigned count,
								  bool *all, struct error *err);
/*
 * The value that rows got in a column that was added to them without a rewrite; NULL where none is kept.
 * there = false: there is no such column any more.
 */
MUST_CHECK bool source_read_missing(struct connection *source, uint32_t oid, int attnum, bool *there,
									char **value, struct error *err);
/* Takes tables out of the catalog that were dropped while they were read: of some queries they have no rows, and of others
 * nonsense, since functions of the server (rights, sizes, expressions) read the present catalog.  An ERROR_RESTART where that concerns the definition of a table to be made. */
MUST_CHECK bool source_remove_vanished(struct connection *source, struct catalog *catalog, struct error *err);
/* Whether the error is that of an object which was there a moment ago, as in a catalog that is read while others drop
 * tables. */
bool source_is_vanished(const struct error *err);
/* Then the next attempt reads what is there. */
void source_restart_if_vanished(struct error *err);
MUST_CHECK bool source_drop_slot(struct connection *source, const char *slot, struct error *err);
/* The selected tables with names, OIDs and identities alone, in one cheap query. */
MUST_CHECK bool source_list_tables(struct connection *source, const struct config *config,
								   struct catalog *catalog, struct error *err);
/* Every selected table with its columns, mapping and operations (target empty), ordered; few
 * queries whatever the number of tables.  A literal include that matches nothing is an ERROR_PRECONDITION
 * only in the precheck: here it is no error. */
MUST_CHECK bool source_read_catalog(struct connection *source, const struct config *config,
									struct catalog *catalog, struct error *err);

#endif
