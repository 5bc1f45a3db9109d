/*
 * One catalog query for many tables: their OIDs go over as one parameter, the
 * rows come back ordered by OID and are handed out table by table.
 */
#ifndef SLUICE_DESCRIBE_H
#define SLUICE_DESCRIBE_H

#include "buffer.h"
#include "io/connection.h"
#include "tables/catalog.h"

/* Common table expressions: bases (domain, oid, typmod) leads from each domain
 * to its innermost base type, and to the modifier that applies there. */
#define DESCRIBE_DOMAIN_BASES                                                                                \
	"WITH RECURSIVE steps (domain, oid, typmod) AS ("                                                        \
	"  SELECT oid, typbasetype, typtypmod FROM pg_type WHERE typtype = 'd'"                                  \
	"  UNION ALL SELECT s.domain, t.typbasetype, t.typtypmod FROM steps s JOIN pg_type t ON t.oid = s.oid"   \
	"   WHERE t.typtype = 'd'),"                                                                             \
	" bases AS (SELECT s.domain, s.oid, s.typmod FROM steps s JOIN pg_type t ON t.oid = s.oid"               \
	"  WHERE t.typtype <> 'd')"

struct describe_table {
	uint32_t oid; /* of whichever side is asked */
	struct table *table;
};

struct describe {
	struct describe_table *tables;
	unsigned count;
	struct buffer oids; /* of all, as an array constant */
};

/* Takes the rows of one table, from `first` on to before `end`. */
typedef void (*describe_reader)(struct table *table, const struct result *res, unsigned first, unsigned end);

/* For at most `capacity` tables. */
void describe_init(struct describe *describe, unsigned capacity);
void describe_fini(struct describe *describe);
/* Two tables may have the same OID: both get its rows. */
void describe_add(struct describe *describe, uint32_t oid, struct table *table);
/* After the last describe_add(), before the first describe_run(). */
void describe_sort(struct describe *describe);

/* `sql` takes the OIDs as $1::oid[]; its first column is the table's, by which it is ordered. */
MUST_CHECK bool describe_run(const struct describe *describe, struct connection *conn, const char *sql,
							 describe_reader read, struct error *err);

#endif
