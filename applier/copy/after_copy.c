#include "after_copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "servers/target.h"
#include "servers/trial.h"
#include "tables/index_list.h"

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

/* The entry: the index is ours, or left where the destination refuses it. */
static void
put_entry(struct buffer *sql, const char *task, struct table *table, const char *entry, bool done)
{
	struct index_list list, line;
	struct buffer text;

	index_list_read(&line, entry);
	if (line.count == 0)
		return;
	if (!done)
		line.entries->state = INDEX_LEFT;
	sql_init(&text);
	index_entry_put(&text, line.entries);
	buffer_printf(sql, "; UPDATE sluice.tables SET indexes = coalesce(indexes, '') || ");
	sql_literal(sql, sql_text(&text));
	buffer_printf(sql, " WHERE task = ");
	sql_literal(sql, task);
	buffer_printf(sql, " AND source_oid = %" PRIu32, table->source.oid);
	buffer_fini(&text);
	index_list_read(&list, table->indexes);
	index_entry_set(index_list_place(&list, line.entries->oid), line.entries->state, line.entries->signature,
					0, line.entries->name);
	free(table->indexes);
	table->indexes = index_list_text(&list);
	index_list_fini(&list);
	index_list_fini(&line);
}

struct step {
	struct table *table;
	int64_t target;
	int64_t number;
	const char *statement;
	const char *entry; /* NULL: none */
};

static struct step
read_step(const struct result *res, unsigned row, struct table *table)
{
	return (struct step){
		.table = table,
		.target = result_int(res, row, 0),
		.number = result_int(res, row, 1),
		.statement = result_text(res, row, 2),
		.entry = result_is_null(res, row, 3) ? NULL : result_text(res, row, 3),
	};
}

/* One transaction executes the statement and removes it from sluice.unfinished. */
static void
put_step_transaction(struct buffer *sql, const char *task, const struct step *step)
{
	buffer_printf(sql, "BEGIN; %s; ", step->statement);
	put_forget(sql, step->target, step->number);
	put_entry(sql, task, step->table, step->entry, true);
	buffer_printf(sql, "; COMMIT;\n");
}

static bool
take_step(const struct work *work, const struct step *step, struct error *err)
{
	int64_t began_ms = loop_now_ms(work->loop);
	struct buffer sql;
	bool done, ok;

	sql_init(&sql);
	put_step_transaction(&sql, work->task, step);
	ok = trial_or_without(work->destination, sql_text(&sql), &done, err, "\"%s\"", step->statement);
	buffer_fini(&sql);
	if (!ok)
		return error_context(err, "%s", step->statement);
	if (done) {
		log_info("%s: done in %.1f s", step->statement, (double) (loop_now_ms(work->loop) - began_ms) / 1000);
		return true;
	}
	sql_init(&sql);
	put_forget(&sql, step->target, step->number);
	put_entry(&sql, work->task, step->table, step->entry, false);
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
		struct step step;

		if (!table || !table_follows(table))
			continue;
		step = read_step(res, row, table);
		if (!take_step(work, &step, err))
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
							  "SELECT target, step, statement, entry FROM sluice.unfinished WHERE step >= 0"
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
						 struct catalog *catalog, struct error *err)
{
	struct result *res;

	if (!read_steps(destination, &res, err))
		return false;
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct table *table = find_target(catalog, result_int(res, row, 0));
		struct step step = read_step(res, row, table);

		if (table && table->state == TABLE_REPLAYING)
			put_step_transaction(sql, task, &step);
	}
	buffer_put_u8(sql, '\0');
	result_free(res);
	return true;
}
