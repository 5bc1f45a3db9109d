#include "comparisons.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/sql.h"
#include "lsn.h"
#include "state_text.h"

bool
comparisons_exist(struct connection *destination, bool *exist, struct error *err)
{
	static const char sql[] =
		"SELECT count(*) > 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE n.nspname = 'sluice' AND c.relname = 'comparisons'";
	struct result *res;

	if (!connection_execute(destination, sql, NULL, 0, &res, err))
		return false;
	*exist = result_bool(res, 0, 0);
	result_free(res);
	return true;
}

static void
take_rows(const struct result *res, struct arena *memory, struct comparisons *comparisons)
{
	comparisons->count = result_rows(res);
	comparisons->items = arena_alloc_zero(memory, comparisons->count * sizeof *comparisons->items);
	for (unsigned i = 0; i < comparisons->count; i++) {
		struct comparison *item = &comparisons->items[i];

		item->oid = (uint32_t) result_int(res, i, 0);
		item->source = arena_strdup(memory, state_text_read(memory, result_text(res, i, 1)));
		item->at = result_int(res, i, 2);
		item->equal = result_bool(res, i, 4);
		if (!lsn_parse(result_text(res, i, 3), &item->lsn))
			item->lsn = 0;
	}
}

bool
comparisons_read(struct connection *destination, const char *task, int64_t since, struct arena *memory,
				 struct comparisons *comparisons, struct error *err)
{
	static const char sql[] =
		"SELECT source_oid, source, (extract(epoch FROM compared_at) * 1000000)::bigint, lsn, equal"
		" FROM sluice.comparisons WHERE task = $1"
		" AND (extract(epoch FROM compared_at) * 1000000)::bigint > $2::bigint ORDER BY 1";
	char after[24];
	const struct param params[] = {param_text(task), param_text(after)};
	struct result *res;
	bool exist;

	*comparisons = (struct comparisons){0};
	snprintf(after, sizeof after, "%" PRId64, since);
	if (!comparisons_exist(destination, &exist, err))
		return false;
	if (!exist)
		return true;
	if (!connection_execute(destination, sql, params, 2, &res, err))
		return false;
	take_rows(res, memory, comparisons);
	result_free(res);
	return true;
}

static int
compare_oids(const void *a, const void *b)
{
	uint32_t x = ((const struct comparison *) a)->oid, y = ((const struct comparison *) b)->oid;

	return (x > y) - (x < y);
}

const struct comparison *
comparisons_find(const struct comparisons *comparisons, uint32_t oid)
{
	const struct comparison key = {.oid = oid};

	return comparisons->count
			   ? bsearch(&key, comparisons->items, comparisons->count, sizeof key, compare_oids)
			   : NULL;
}

static void
put_item(struct buffer *sql, const char *task, const struct comparison *item)
{
	char lsn[LSN_TEXT_BYTES];

	buffer_printf(sql, "DELETE FROM sluice.comparisons WHERE task = ");
	sql_literal(sql, task);
	buffer_printf(sql, " AND source_oid = %" PRIu32 ";\nINSERT INTO sluice.comparisons VALUES (", item->oid);
	sql_literal(sql, task);
	buffer_printf(sql, ", %" PRIu32 ", ", item->oid);
	state_text_put(sql, item->source);
	buffer_printf(sql, ", clock_timestamp(), '%s', %s);\n", lsn_format(item->lsn, lsn),
				  item->equal ? "true" : "false");
}

bool
comparisons_record(struct connection *destination, const struct dialect *dialect, const char *task,
				   const struct comparison *items, unsigned count, struct error *err)
{
	struct buffer sql;
	bool exist;

	if (!comparisons_exist(destination, &exist, err))
		return false;
	sql_init(&sql);
	if (!exist)
		buffer_printf(&sql,
					  "CREATE TABLE sluice.comparisons (task text NOT NULL, source_oid bigint NOT NULL,"
					  " source text NOT NULL, compared_at timestamptz NOT NULL, lsn pg_lsn NOT NULL,"
					  " equal boolean NOT NULL, PRIMARY KEY (task, source_oid))%s;\n",
					  dialect->has_segments ? " DISTRIBUTED BY (task)" : "");
	for (unsigned i = 0; i < count; i++)
		put_item(&sql, task, &items[i]);
	return connection_execute_buffer(destination, &sql, NULL, err) ||
		   error_context(err, "recording the comparison");
}
