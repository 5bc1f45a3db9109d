/*
 * sluice.comparisons at the destination: the outcome of the last `sluice compare --record` of each table,
 * by the table's pg_class.oid at the source. The first recorded comparison creates it; if it does not
 * exist, nothing was recorded.
 */
#ifndef SLUICE_COMPARISONS_H
#define SLUICE_COMPARISONS_H

#include "base/arena.h"
#include "dialect/dialect.h"
#include "io/connection.h"

struct comparison {
	uint32_t oid;
	char *source; /* sql_table_name() at the time of the comparison */
	int64_t at;	  /* microseconds since 1970 */
	uint64_t lsn;
	bool equal;
};

struct comparisons {
	struct comparison *items; /* ordered by OID */
	unsigned count;
};

MUST_CHECK bool comparisons_exist(struct connection *destination, bool *exist, struct error *err);
/* Reads the task's comparisons that were made after `since` (0: all of them); allocated in `memory`. */
MUST_CHECK bool comparisons_read(struct connection *destination, const char *task, int64_t since,
								 struct arena *memory, struct comparisons *comparisons, struct error *err);
/* NULL if the table has none. */
const struct comparison *comparisons_find(const struct comparisons *comparisons, uint32_t oid);
/*
 * Replaces the comparisons of the same tables, in one transaction. Uses the server's time instead of
 * items[].at.
 */
MUST_CHECK bool comparisons_record(struct connection *destination, const struct dialect *dialect,
								   const char *task, const struct comparison *items, unsigned count,
								   struct error *err);

#endif
