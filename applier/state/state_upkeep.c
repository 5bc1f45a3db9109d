#include "state_upkeep.h"

#include <inttypes.h>

#include "base/sql.h"
#include "state_text.h"

void
state_upkeep_put(struct buffer *sql, const char *task, const struct state_upkeep *tables, unsigned count)
{
	buffer_printf(sql,
				  "UPDATE sluice.tables AS t SET dead_rows = v.dead_rows, upkeep = v.upkeep FROM (VALUES ");
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(sql, "%s(%" PRIu32 "::bigint, %" PRId64 "::bigint, ", i ? ", " : "",
					  tables[i].source_oid, tables[i].dead_rows);
		state_text_put(sql, tables[i].note);
		buffer_printf(sql, "::text)");
	}
	buffer_printf(sql,
				  ") AS v (source_oid, dead_rows, upkeep) WHERE t.source_oid = v.source_oid AND t.task = ");
	sql_literal(sql, task);
}
