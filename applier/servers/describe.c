#include "describe.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/sql.h"

void
describe_init(struct describe *describe, unsigned capacity)
{
	*describe = (struct describe){0};
	describe->tables = memory_alloc_zero(capacity, sizeof(*describe->tables));
	memory_buffer_init(&describe->oids);
}

void
describe_fini(struct describe *describe)
{
	free(describe->tables);
	buffer_fini(&describe->oids);
}

void
describe_add(struct describe *describe, uint32_t oid, struct table *table)
{
	char text[16];

	describe->tables[describe->count++] = (struct describe_table){.oid = oid, .table = table};
	snprintf(text, sizeof(text), "%u", oid);
	sql_array_element(&describe->oids, text);
}

static int
compare_oids(const void *a, const void *b)
{
	const struct describe_table *left = a, *right = b;

	return left->oid < right->oid ? -1 : left->oid > right->oid;
}

void
describe_sort(struct describe *describe)
{
	if (describe->count > 1)
		qsort(describe->tables, describe->count, sizeof(*describe->tables), compare_oids);
	sql_array_end(&describe->oids);
}

static uint32_t
row_oid(const struct result *res, unsigned row)
{
	return (uint32_t) result_int(res, row, 0);
}

/* Tables and rows are both ordered by OID, so one pass over both is enough. */
static void
hand_out(const struct describe *describe, const struct result *res, describe_reader read)
{
	unsigned at = 0;

	for (unsigned row = 0, end; row < result_rows(res); row = end) {
		uint32_t oid = row_oid(res, row);

		for (end = row + 1; end < result_rows(res) && row_oid(res, end) == oid;)
			end++;
		while (at < describe->count && describe->tables[at].oid < oid)
			at++;
		for (; at < describe->count && describe->tables[at].oid == oid; at++)
			read(describe->tables[at].table, res, row, end);
	}
}

bool
describe_run(const struct describe *describe, struct connection *conn, const char *sql, describe_reader read,
			 struct error *err)
{
	struct param oids = param_text((const char *) describe->oids.data);
	struct result *res;

	if (describe->count == 0)
		return true;
	if (!connection_execute(conn, sql, &oids, 1, &res, err))
		return false;
	hand_out(describe, res, read);
	result_free(res);
	return true;
}
