#include "state_waiting.h"

#include <stdio.h>

#include "base/sql.h"
#include "state_text.h"

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
	const char *const texts[] = {waiting->reason, waiting->schema, waiting->name, waiting->target_schema,
								 waiting->target_name};
	struct param params[2 + sizeof texts / sizeof *texts] = {param_text(task), param_text(oid)};
	struct arena memory;
	struct result *res;
	bool updated, ok;

	arena_init(&memory, 1024);
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++)
		params[2 + i] = param_text(state_text_stored(&memory, texts[i]));
	snprintf(oid, sizeof oid, "%u", waiting->oid);
	ok = connection_execute(destination, update, params, 3, &res, err);
	updated = ok && result_affected(res) > 0;
	if (ok)
		result_free(res);
	ok = ok && (updated || connection_execute(destination, insert, params, 7, NULL, err));
	arena_fini(&memory);
	return ok || error_context(err, "writing sluice.tables");
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
