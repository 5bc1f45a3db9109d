/*
 * A very small database in memory, with just enough SQL to execute the statements of a
 * merge plan, so that random histories can be checked
 * without a server.
 *
 * It is stricter than a server: a unique constraint is checked at every row,
 * an UPDATE in which a row has two matches fails, and so does any unknown
 * statement.  Values are the bytes of the stream.
 */
#ifndef SLUICE_MINISQL_H
#define SLUICE_MINISQL_H

#include "base/arena.h"
#include "io/connection.h"

struct cell {
	const uint8_t *data; /* NULL: a NULL */
	uint32_t len;
};

#define MINISQL_COLUMNS 24

struct minisql_table {
	struct minisql_table *next;
	const char *name; /* schema.table, without quotes */
	const char *columns[MINISQL_COLUMNS];
	struct cell defaults[MINISQL_COLUMNS];
	unsigned column_count;
	uint32_t unique[4]; /* bitmaps over the columns */
	unsigned unique_count;
	struct cell **rows;
	unsigned row_count;
	unsigned row_capacity;
};

struct minisql {
	struct arena *arena; /* everything lives here */
	struct minisql_table *tables;
	bool text; /* COPY data, parameters and numbers are text */
	char problem[512];
};

struct minisql_table *minisql_create(struct minisql *db, const char *name);
void minisql_add_column(struct minisql *db, struct minisql_table *table, const char *name,
						struct cell fallback);
struct minisql_table *minisql_find(const struct minisql *db, const char *name);

bool minisql_same(struct cell a, struct cell b);
/* Sorts the rows, for comparing. */
void minisql_sort(struct minisql_table *table);

/* False with db->problem.  `copied` is the data of a COPY. */
bool minisql_execute(struct minisql *db, const char *sql, const struct param *params, struct bytes copied,
					 int64_t *affected);

#endif
