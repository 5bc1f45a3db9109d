#include "state_waiting.h"

#include <stdio.h>

#include "base/sql.h"

#define IS_IT "task = $1 AND source_oid = $2::bigint AND state LIKE 'waiting%'"

bool
state_waiting_write(struct connection *destination, const char *task, const struct state_waiting *waiting,
					struct error *err)
{
	static const char update[] = "UPDATE sluice.tables SET error = $3 WHERE " IS_IT;
	static const char insert[] =
		"INSERT INTO sluice.tables (task, source_oid, error, source_schema, source_name, target_schema,"
		" target_name, state, snapshot_lsn, rows_copied) SELECT $1::text, $2::bigint, $3::text, $4::text, "
		"$5::text,"
		" $6::text, $7::text, 'waiting', '0/0', 0 WHERE NOT EXISTS (SELECT 1 FROM sluice.tables"
		" WHERE task = $1 AND source_oid = $2::bigint)";
	char oid[16];
	const struct param params[] = {param_text(task),
								   param_text(oid),
								   param_text(waiting->reason),
								   param_text(waiting->schema),
								   param_text(waiting->name),
								   param_text(waiting->target_schema),
								   param_text(waiting->target_name)};
	struct result *res;
	bool updated;

	snprintf(oid, sizeof oid, "%u", waiting->oid);
	if (!connection_execute(destination, update, params, 3, &res, err))
		return error_context(err, "writing sluice.tables");
	updated = result_affected(res) > 0;
	result_free(res);
	return updated || connection_execute(destination, insert, params, 7, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

bool
state_waiting_remove(struct connection *destination, const char *task, const struct state_waiting *waiting,
					 struct error *err)
{
	static const char drop[] = "DELETE FROM sluice.tables WHERE task = $1 AND source_oid = $2::bigint"
							   " AND state = 'waiting'";
	static const char update[] = "UPDATE sluice.tables SET error = NULL WHERE " IS_IT;
	char oid[16];
	const struct param params[] = {param_text(task), param_text(oid)};

	snprintf(oid, sizeof oid, "%u", waiting->oid);
	return (connection_execute(destination, drop, params, 2, NULL, err) &&
			connection_execute(destination, update, params, 2, NULL, err)) ||
		   error_context(err, "writing sluice.tables");
}
