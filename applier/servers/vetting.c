#include "vetting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "tables/expression.h"

struct vetted {
	const char *tree;
	const char **refused;
};

void
vetting_init(struct vetting *vetting, struct arena *memory)
{
	*vetting = (struct vetting){.memory = memory};
}

void
vetting_fini(struct vetting *vetting)
{
	free(vetting->items);
}

void
vetting_add(struct vetting *vetting, const char *tree, const char **refused)
{
	if (vetting->count == vetting->room) {
		vetting->room = vetting->room ? vetting->room * 2 : 64;
		vetting->items = memory_resize(vetting->items, vetting->room, sizeof *vetting->items);
	}
	vetting->items[vetting->count++] = (struct vetted){.tree = tree, .refused = refused};
}

/* ---- what the source is asked */

static const char facts_sql[] =
	"SELECT 'f' AS kind, p.oid, p.proname, p.oid < 16384 AND p.pronamespace = 'pg_catalog'::regnamespace,"
	"  p.provolatile, p.oid::regprocedure::text FROM pg_proc p WHERE p.oid = ANY ($1::oid[])"
	" UNION ALL SELECT 'o', o.oid, p.proname, o.oid < 16384 AND o.oprnamespace = 'pg_catalog'::regnamespace"
	"  AND p.oid < 16384 AND p.pronamespace = 'pg_catalog'::regnamespace, p.provolatile,"
	"  o.oid::regoperator::text FROM pg_operator o JOIN pg_proc p ON p.oid = o.oprcode"
	"  WHERE o.oid = ANY ($2::oid[])"
	" ORDER BY 1, 2";

/* OIDs of functions and of operators, with duplicates. */
struct wanted {
	uint32_t *oids[2];
	unsigned count[2];
	unsigned room[2];
};

static bool
collect(void *arg, enum expression_object object, uint32_t oid)
{
	struct wanted *wanted = arg;

	if (wanted->count[object] == wanted->room[object]) {
		wanted->room[object] = wanted->room[object] ? wanted->room[object] * 2 : 64;
		wanted->oids[object] =
			memory_resize(wanted->oids[object], wanted->room[object], sizeof **wanted->oids);
	}
	wanted->oids[object][wanted->count[object]++] = oid;
	return true;
}

static int
compare_oids(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *) a, right = *(const uint32_t *) b;

	return left < right ? -1 : left > right;
}

/* Writes each OID once, as the text of an array. */
static void
put_oids(struct buffer *array, uint32_t *oids, unsigned count)
{
	char text[16];

	if (count > 1)
		qsort(oids, count, sizeof *oids, compare_oids);
	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && oids[i] == oids[i - 1])
			continue;
		snprintf(text, sizeof text, "%u", oids[i]);
		sql_array_element(array, text);
	}
	sql_array_end(array);
}

static bool
ask(struct connection *source, struct wanted *wanted, struct result **facts, struct error *err)
{
	struct buffer arrays[2];
	struct param params[2];
	bool ok;

	for (unsigned i = 0; i < 2; i++) {
		sql_init(&arrays[i]);
		put_oids(&arrays[i], wanted->oids[i], wanted->count[i]);
		params[i] = param_text(sql_text(&arrays[i]));
	}
	ok = connection_execute(source, facts_sql, params, 2, facts, err);
	for (unsigned i = 0; i < 2; i++)
		buffer_fini(&arrays[i]);
	return ok;
}

/* ---- the verdict */

struct judging {
	const struct result *facts; /* NULL: there was nothing to ask */
	char *reason;
};

enum { FACT_KIND, FACT_OID, FACT_NAME, FACT_BUILTIN, FACT_VOLATILITY, FACT_SHOWN };

/* Finds the row of the object; false if it no longer exists. */
static bool
find_fact(const struct result *facts, char kind, uint32_t oid, unsigned *row)
{
	unsigned low = 0, high = facts ? result_rows(facts) : 0;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		char there = result_text(facts, middle, FACT_KIND)[0];
		uint32_t other = (uint32_t) result_int(facts, middle, FACT_OID);

		*row = middle;
		if (there == kind && other == oid)
			return true;
		if (there > kind || (there == kind && other > oid))
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

static bool
judge(void *arg, enum expression_object object, uint32_t oid)
{
	struct judging *judging = arg;
	const struct result *facts = judging->facts;
	bool function = object == EXPRESSION_FUNCTION;
	unsigned row;

	if (!find_fact(facts, function ? 'f' : 'o', oid, &row)) {
		snprintf(judging->reason, EXPRESSION_REASON_MAX, "a function or operator of it is gone");
		return false;
	}
	if (result_bool(facts, row, FACT_BUILTIN) &&
		expression_allows(result_text(facts, row, FACT_NAME), result_text(facts, row, FACT_VOLATILITY)[0]))
		return true;
	if (result_bool(facts, row, FACT_BUILTIN) && strcmp(result_text(facts, row, FACT_NAME), "nextval") == 0)
		snprintf(judging->reason, EXPRESSION_REASON_MAX, "sequences are not replicated");
	else
		snprintf(judging->reason, EXPRESSION_REASON_MAX, "the %s %s is not known to be harmless",
				 function ? "function" : "operator", result_text(facts, row, FACT_SHOWN));
	return false;
}

static void
judge_all(struct vetting *vetting, const struct result *facts)
{
	char reason[EXPRESSION_REASON_MAX];
	struct judging judging = {.facts = facts, .reason = reason};

	for (unsigned i = 0; i < vetting->count; i++) {
		const struct vetted *item = &vetting->items[i];

		if (*item->refused)
			continue;
		if (*item->tree == '\0')
			*item->refused = "the expression is too long";
		else if (!expression_read(item->tree, judge, &judging, reason))
			*item->refused = arena_strdup(vetting->memory, reason);
	}
}

bool
vetting_run(struct vetting *vetting, struct connection *source, struct error *err)
{
	char ignored[EXPRESSION_REASON_MAX];
	struct wanted wanted = {0};
	struct result *facts = NULL;
	bool ok = true;

	for (unsigned i = 0; i < vetting->count; i++)
		(void) !expression_read(vetting->items[i].tree, collect, &wanted, ignored);
	if (wanted.count[0] + wanted.count[1] > 0)
		ok = ask(source, &wanted, &facts, err);
	free(wanted.oids[0]);
	free(wanted.oids[1]);
	if (!ok)
		return error_context(err, "asking the source for functions and operators of expressions");
	judge_all(vetting, facts);
	if (facts)
		result_free(facts);
	return true;
}
