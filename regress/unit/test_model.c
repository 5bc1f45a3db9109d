/*
 * Random histories: the net changes of each batch, merged into tables of
 * minisql by the statements of its plans in the order of batch_order, must leave
 * what the raw changes leave when they are applied one after another.
 *
 * A history is a seed and a set of steps; each step draws from its own random
 * numbers, so that a history that fails can be shortened by leaving steps out.
 *
 *	SEED=n    only the history of that seed, or with MODEL_COUNT from there on
 *	MODEL_COUNT=n   so many histories instead of the usual number
 *	MODEL_SERVER=conninfo   on that server, too, in its schema "mo""del"
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server.h"

#define USUAL_COUNT 5000
#define MAX_STEPS 120

/* ---- applying a batch */

static void
run_on_server(struct history *h, const struct merge_step *step, struct bytes copied, int64_t expected)
{
	int64_t affected;

	if (!server_execute(h->server, step, copied, &affected))
		history_fail(h, "server", server_problem(h->server));
	else if (affected != expected && strncmp(step->sql, "CREATE", 6) != 0)
		history_fail(h, step->sql, "the server touched another number of rows");
}

static bool
run_step(struct history *h, struct merge_step *step)
{
	struct error err = {0};
	struct buffer data;
	int64_t affected;
	bool ok;

	buffer_init(&data, HISTORY_FRAME_LIMIT, NULL, NULL);
	if (step->kind == MERGE_COPY) {
		while (copy_walk_next(&step->walk, &data, data.len + 1))
			;
	}
	HISTORY_NOTE(h, "    %s\n", step->sql);
	h->statements++;
	ok = !step->walk.broken &&
		 minisql_execute(&h->target, step->sql, step->params, (struct bytes){data.data, data.len}, &affected);
	if (ok && h->server)
		run_on_server(h, step, (struct bytes){data.data, data.len}, affected);
	buffer_fini(&data);
	if (!ok)
		return history_fail(h, step->sql, step->walk.broken ? "a row lacks a value" : h->target.problem);
	if (h->problem[0])
		return false;
	return merge_outcome_take(step, affected, &err) || history_fail(h, step->sql, err.message);
}

static bool
apply(struct history *h)
{
	struct batch_order order;
	struct merge_step *step;
	struct error err = {0};

	if (h->server && !h->in_transaction && !server_begin(h->server))
		return history_fail(h, "server", server_problem(h->server));
	h->in_transaction = true;
	batch_order_init(&order, h->batch, h->dialect, MERGE_FAST, &h->stagings);
	do {
		if (!batch_order_next(&order, &step, &err))
			return history_fail(h, "planning", err.message);
		if (step && !run_step(h, step))
			return false;
	} while (step);
	batch_reset(h->batch);
	return true;
}

static bool
commit(struct history *h)
{
	h->in_transaction = false;
	stagings_committed(&h->stagings);
	for (struct minisql_table *table = h->target.tables; table; table = table->next)
		if (strncmp(table->name, "pg_temp.", 8) == 0)
			table->row_count = 0;
	return !h->server || server_commit(h->server) || history_fail(h, "server", server_problem(h->server));
}

/* ---- comparing */

static bool
same_tables(const struct minisql_table *a, const struct minisql_table *b)
{
	if (a->row_count != b->row_count)
		return false;
	for (unsigned i = 0; i < a->row_count; i++)
		for (unsigned c = 0; c < a->column_count; c++)
			if (!minisql_same(a->rows[i][c], b->rows[i][c]))
				return false;
	return true;
}

static void
show_table(struct history *h, const char *what, const struct minisql_table *table)
{
	HISTORY_NOTE(h, "%s:\n", what);
	for (unsigned i = 0; h->log && i < table->row_count; i++) {
		for (unsigned c = 0; c < table->column_count; c++) {
			HISTORY_NOTE(h, " %s=", table->columns[c]);
			for (unsigned k = 0; k < table->rows[i][c].len; k++)
				HISTORY_NOTE(h, table->rows[i][c].data[k] >= 32 ? "%c" : "<%02x>", table->rows[i][c].data[k]);
			if (!table->rows[i][c].data)
				HISTORY_NOTE(h, "NULL");
		}
		HISTORY_NOTE(h, "\n");
	}
}

/* Somebody at the destination gives the rows values of their own. */
static void
stamp_unfed(struct history *h, struct world_table *t)
{
	char text[24];

	for (unsigned i = 0; i < t->target->row_count; i++) {
		for (unsigned c = history_target_place(t, UNFED_FIRST); c < t->target->column_count; c++) {
			int len = snprintf(text, sizeof text, "stamp %lu", (unsigned long) ++h->stamp);

			t->target->rows[i][c] = t->reference->rows[i][c] = history_cell(h, text, (size_t) len);
		}
	}
}

/* Somebody at the destination removes rows.  Both tables are sorted. */
static void
prune(struct history *h, struct world_table *t)
{
	uint64_t random = h->seed + ++h->stamp;

	for (unsigned i = 0; i < t->target->row_count; i++) {
		if (!history_chance(&random, 25))
			continue;
		t->target->rows[i] = t->target->rows[--t->target->row_count];
		t->reference->rows[i] = t->reference->rows[--t->reference->row_count];
	}
}

static bool
compare_with_server(struct history *h, const struct world_table *t)
{
	struct minisql_table *found = server_read(h->server, h, t);

	if (!found)
		return history_fail(h, "server", server_problem(h->server));
	minisql_sort(found);
	if (same_tables(t->target, found))
		return true;
	show_table(h, "expected on the server", t->target);
	show_table(h, "found on the server", found);
	return history_fail(h, t->name, "the server's table differs");
}

static bool
compare(struct history *h)
{
	for (unsigned i = 0; i < h->table_count; i++) {
		struct world_table *t = &h->tables[i];

		minisql_sort(t->reference);
		minisql_sort(t->target);
		if (!same_tables(t->reference, t->target)) {
			show_table(h, "expected", t->reference);
			show_table(h, "found", t->target);
			return history_fail(h, t->name, "the target differs");
		}
		if (h->server && !compare_with_server(h, t))
			return false;
		stamp_unfed(h, t);
		if (t->pruned)
			prune(h, t);
		if (h->server && (t->unfed > 0 || t->pruned) && !server_fill(h->server, h, t))
			return history_fail(h, "server", server_problem(h->server));
	}
	return true;
}

/* ---- histories */

static bool
apply_and_compare(struct history *h)
{
	HISTORY_NOTE(h, "  batch\n");
	if (!apply(h))
		return false;
	return commit(h) && compare(h);
}

static bool
run_steps(struct history *h)
{
	for (unsigned i = 0; i < MAX_STEPS; i++) {
		uint64_t random = h->seed * 1000003 + i;

		(void) history_draw(&random);
		if (h->enabled && !h->enabled[i])
			continue;
		if (history_chance(&random, 8)) {
			if (!apply_and_compare(h))
				return false;
		} else if (history_chance(&random, 4)) {
			HISTORY_NOTE(h, "  round\n");
			if (!apply(h))
				return false;
		} else if (!history_step(h, &random)) {
			return false;
		}
	}
	return apply_and_compare(h);
}

static bool
start_server(struct history *h)
{
	return !h->server || server_create(h->server, h) || history_fail(h, "server", server_problem(h->server));
}

/* False when the history fails; then `why` says how. */
static bool
run_history(uint64_t seed, struct server *server, const bool *enabled, FILE *log, char why[2048],
			int64_t *statements)
{
	struct history *h = calloc(1, sizeof *h);
	bool ok;

	if (!h)
		abort();
	h->seed = seed;
	h->apply = apply;
	h->fresh = 1000;
	h->server = server;
	h->dialect = server ? server_dialect(server) : NULL;
	h->enabled = enabled;
	h->log = log;
	ok = history_start(h) && start_server(h) && run_steps(h);
	snprintf(why, 2048, "%s", h->problem);
	*statements += h->statements;
	if (!ok && h->server && h->in_transaction)
		(void) server_commit(h->server);
	history_finish(h);
	free(h);
	return ok;
}

/* Leaves out every step without which it still fails. */
static void
shorten(uint64_t seed, struct server *server, bool *enabled)
{
	char why[2048];
	int64_t statements = 0;

	for (unsigned size = MAX_STEPS / 2; size > 0; size /= 2) {
		for (unsigned from = 0; from < MAX_STEPS; from += size) {
			bool before[MAX_STEPS];

			memcpy(before, enabled, sizeof before);
			for (unsigned i = from; i < from + size && i < MAX_STEPS; i++)
				enabled[i] = false;
			if (run_history(seed, server, enabled, NULL, why, &statements))
				memcpy(enabled, before, sizeof before);
		}
	}
}

static void
report(uint64_t seed, struct server *server)
{
	bool enabled[MAX_STEPS];
	char why[2048];
	int64_t statements = 0;

	memset(enabled, true, sizeof enabled);
	shorten(seed, server, enabled);
	fprintf(stderr, "SEED=%lu fails; a short history of it:\n", (unsigned long) seed);
	(void) run_history(seed, server, enabled, stderr, why, &statements);
	fprintf(stderr, "%s\n", why);
}

static void
test_histories(void **state)
{
	const char *only = getenv("SEED");
	const char *count = getenv("MODEL_COUNT");
	const char *conninfo = getenv("MODEL_SERVER");
	struct server *server = NULL;
	uint64_t first = only ? strtoull(only, NULL, 10) : 1;
	uint64_t last = first - 1 + (count ? strtoull(count, NULL, 10) : only ? 1 : USUAL_COUNT);
	int64_t statements = 0;
	char why[2048];

	(void) state;
	if (conninfo) {
		server = server_open(conninfo, why);
		if (!server)
			fail_msg("%s", why);
	}
	for (uint64_t seed = first; seed <= last; seed++) {
		if (run_history(seed, server, NULL, NULL, why, &statements))
			continue;
		report(seed, server);
		fail_msg("seed %lu: %s", (unsigned long) seed, why);
	}
	server_close(server);
	/* Nothing would be found where nothing is executed. */
	assert_true(statements > (int64_t) (last - first));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_histories),
	};

	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
