/*
 * sluice.comparisons at the destination: the outcome of each table's last `sluice compare --record`, by the
 * source's pg_class.oid.  Made by the first of them; without it nothing was recorded.
 */
#ifndef SLUICE_COMPARISONS_H
#define SLUICE_COMPARISONS_H

#include "base/arena.h"
#include "dialect/dialect.h"
#include "io/connection.h"

struct comparison {
	uint32_t oid;
	char *source; /* sql_table_name(), as it was then */
	int64_t at;	  /* microseconds since 1970 */
	uint64_t lsn;
	bool equal;
};

struct comparisons {
	struct comparison *items; /* by OID */
	unsigned count;
};

MUST_CHECK bool comparisons_exist(struct connection *destination, bool *exist, struct error *err);
/* Those of the task that were made after `since` (0: all), in `memory`. */
MUST_CHECK bool comparisons_read(struct connection *destination, const char *task, int64_t since,
								 struct arena *memory, struct comparisons *comparisons, struct error *err);
/* NULL where there is none of the table. */
const struct comparison *comparisons_find(const struct comparisons *comparisons, uint32_t oid);
/* Replaces those of the same tables, in one transaction; `at` is the server's time. */
MUST_CHECK bool comparisons_record(struct connection *destination, const struct dialect *dialect,
								   const char *task, const struct comparison *items, unsigned count,
								   struct error *err);

#endif
