/*
 * One catalog query for many tables. Their OIDs are sent as one parameter; the rows come back ordered by
 * OID and are handed out table by table.
 */
#ifndef SLUICE_DESCRIBE_H
#define SLUICE_DESCRIBE_H

#include "buffer.h"
#include "io/connection.h"
#include "tables/catalog.h"

/*
 * Common table expressions. `bases` (domain, oid, typmod) maps each domain to its innermost base type and
 * to the type modifier that applies to that.
 */
#define DESCRIBE_DOMAIN_BASES                                                                                \
	"WITH RECURSIVE steps (domain, oid, typmod) AS ("                                                        \
	"  SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'"                                  \
	"  UNION ALL SELECT s.domain, t.typbasetype, t.typtypmod FROM steps s JOIN pg_type t ON t.oid = s.oid"   \
	"   WHERE t.typtype = 'd'),"                                                                             \
	" bases AS (SELECT s.domain, s.oid, s.typmod FROM steps s JOIN pg_type t ON t.oid = s.oid"               \
	"  WHERE t.typtype <> 'd')"

struct describe_table {
	uint32_t oid; /* at the server that is queried: the source or the destination */
	struct table *table;
};

struct describe {
	struct describe_table *tables;
	unsigned count;
	struct buffer oids; /* all OIDs as the text of an array */
};

/* Receives the rows [first, end) of one table. */
typedef void (*describe_reader)(struct table *table, const struct result *res, unsigned first, unsigned end);

void describe_init(struct describe *describe, unsigned capacity);
void describe_fini(struct describe *describe);
/* Two tables may have the same OID: each of them gets the rows. */
void describe_add(struct describe *describe, uint32_t oid, struct table *table);
/* To be called after the last describe_add() and before the first describe_run(). */
void describe_sort(struct describe *describe);

/*
 * `sql` takes the OIDs as $1::oid[]. Its first column must be the table's OID, and it must be ordered by
 * that.
 */
MUST_CHECK bool describe_run(const struct describe *describe, struct connection *conn, const char *sql,
							 describe_reader read, struct error *err);

#endif
