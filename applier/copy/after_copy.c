#include "after_copy.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "servers/target.h"
#include "servers/trial.h"
#include "state/state_indexes.h"

struct work {
	struct loop *loop;
	const char *task;
	struct connection *destination;
	const struct dialect *dialect;
};

static void
put_forget(struct buffer *sql, int64_t target, int64_t step)
{
	buffer_printf(sql, "DELETE FROM sluice.unfinished WHERE target = %" PRId64 " AND step = %" PRId64, target,
				  step);
}

/* One transaction executes the statement, stores which index it made, and removes it from sluice.unfinished. */
static void
put_step_transaction(struct buffer *sql, const char *task, const char *statement, int64_t target,
					 int64_t step)
{
	buffer_printf(sql, "BEGIN; %s; ", statement);
	state_indexes_put_step(sql, task, target, step);
	buffer_printf(sql, "; ");
	put_forget(sql, target, step);
	buffer_printf(sql, "; COMMIT;\n");
}

static bool
take_step(const struct work *work, const char *statement, int64_t target, int64_t step, struct error *err)
{
	int64_t began_ms = loop_now_ms(work->loop);
	struct buffer sql;
	bool done, ok;

	sql_init(&sql);
	put_step_transaction(&sql, work->task, statement, target, step);
	ok = trial_or_without(work->destination, sql_text(&sql), &done, err, "\"%s\"", statement);
	buffer_fini(&sql);
	if (!ok)
		return error_context(err, "%s", statement);
	if (done) {
		log_info("%s: done in %.1f s", statement, (double) (loop_now_ms(work->loop) - began_ms) / 1000);
		return true;
	}
	sql_init(&sql);
	put_forget(&sql, target, step);
	return connection_execute_buffer(work->destination, &sql, NULL, err);
}

static struct table *
find_target(const struct catalog *catalog, int64_t oid)
{
	for (unsigned i = 0; i < catalog->count; i++)
		if (catalog->tables[i].target.exists && catalog->tables[i].target.oid == oid)
			return &catalog->tables[i];
	return NULL;
}

/* The rows come ordered by target. */
static bool
take_steps(const struct work *work, const struct catalog *catalog, const struct result *res,
		   struct error *err)
{
	for (unsigned row = 0; row < result_rows(res); row++) {
		int64_t target = result_int(res, row, 0);
		struct table *table = find_target(catalog, target);
		bool last = row + 1 == result_rows(res) || result_int(res, row + 1, 0) != target;

		if (!table || !table_follows(table))
			continue;
		if (!take_step(work, result_text(res, row, 2), target, result_int(res, row, 1), err))
			return false;
		if (last && !target_read_table(work->destination, work->dialect, table, err))
			return false;
	}
	return true;
}

static bool
read_steps(struct connection *destination, struct result **res, struct error *err)
{
	return connection_execute(destination,
							  "SELECT target, step, statement FROM sluice.unfinished WHERE step >= 0"
							  " ORDER BY target, step",
							  NULL, 0, res, err) ||
		   error_context(err, "looking for indexes to build");
}

bool
after_copy_run(struct loop *loop, struct connection *destination, const struct dialect *dialect,
			   const char *task, struct catalog *catalog, struct error *err)
{
	struct work work = {.loop = loop, .task = task, .destination = destination, .dialect = dialect};
	struct result *res;
	bool ok;

	if (!read_steps(destination, &res, err))
		return false;
	ok = take_steps(&work, catalog, res, err);
	result_free(res);
	return ok;
}

bool
after_copy_put_replaying(struct buffer *sql, struct connection *destination, const char *task,
						 const struct catalog *catalog, struct error *err)
{
	struct result *res;

	if (!read_steps(destination, &res, err))
		return false;
	for (unsigned row = 0; row < result_rows(res); row++) {
		const struct table *table = find_target(catalog, result_int(res, row, 0));

		if (table && table->state == TABLE_REPLAYING)
			put_step_transaction(sql, task, result_text(res, row, 2), result_int(res, row, 0),
								 result_int(res, row, 1));
	}
	buffer_put_u8(sql, '\0');
	result_free(res);
	return true;
}
