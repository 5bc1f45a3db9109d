#include "index_lists.h"

#include <inttypes.h>

#include "base/sql.h"
#include "lsn.h"
#include "servers/index_specs.h"
#include "state/state_indexes.h"
#include "tables/creation_specs.h"

#define MEMORY_BYTES ((size_t) 1 << 14)
/* pg_get_indexdef() waits for whoever has locked the table, at either server, and the stream would wait with it. */
#define LOCK_TIMEOUT "SET LOCAL lock_timeout = 200"

void
index_lists_init(struct index_lists *lists)
{
	*lists = (struct index_lists){0};
	arena_init(&lists->memory, MEMORY_BYTES);
}

void
index_lists_fini(struct index_lists *lists)
{
	result_free(lists->source);
	result_free(lists->rows);
	result_free(lists->found);
	arena_fini(&lists->memory);
}

bool
index_lists_may_follow(const struct config *config, const struct table *table)
{
	return config->schema.changes == SCHEMA_CHANGES_FOLLOW && !table->shared_with && table->target.exists;
}

bool
index_lists_is_refusal(const struct connection *conn, const struct error *err)
{
	return !connection_is_lost(conn) && err->sqlstate[0];
}

/* ---- the source */

enum { SOURCE_TABLE, SOURCE_SIGNATURE, SOURCE_OID, SOURCE_UNIQUE };

bool
index_lists_read_source(struct index_lists *lists, struct connection *source, struct table *const *tables,
						unsigned count, struct error *err)
{
	struct buffer oids;
	struct param param;
	bool ok;

	sql_init(&oids);
	for (unsigned i = 0; i < count; i++)
		buffer_printf(&oids, "%c%" PRIu32, i ? ',' : '{', tables[i]->source.oid);
	buffer_put_u8(&oids, '}');
	param = param_text(sql_text(&oids));
	ok = connection_execute(source,
							"SELECT i.indrelid, " INDEX_SIGNATURE_SQL ", i.indexrelid, i.indisunique"
							" FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid"
							" WHERE i.indrelid = ANY ($1::oid[]) AND " INDEX_FOLLOWED_SQL
							" ORDER BY i.indrelid::bigint, i.indexrelid",
							&param, 1, &lists->source, err) ||
		 error_context(err, "reading the indexes of the source");
	buffer_fini(&oids);
	return ok;
}

bool
index_lists_read_lsn(struct connection *source, uint64_t *lsn, struct error *err)
{
	struct result *res;
	bool ok;

	if (!connection_execute(source,
							"SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()"
							" ELSE pg_current_wal_insert_lsn() END",
							NULL, 0, &res, err))
		return error_context(err, "asking the source for its position");
	ok = lsn_parse(result_text(res, 0, 0), lsn);
	result_free(res);
	return ok || error_set(err, ERROR_DATA, "the source does not say at which LSN it is");
}

bool
index_lists_read_specs(struct connection *source, struct table *table, uint64_t *lsn, struct error *err)
{
	struct describe describe;
	struct vetting vetting;
	bool ok;

	describe_init(&describe, 1);
	describe_add(&describe, table->source.oid, table);
	describe_sort(&describe);
	vetting_init(&vetting, table->source.creation_spec->memory);
	ok = connection_execute(source, "BEGIN; " LOCK_TIMEOUT, NULL, 0, NULL, err) &&
		 index_specs_read(&describe, source, err);
	if (ok) {
		index_specs_vet(&vetting, table->source.creation_spec);
		ok = vetting_run(&vetting, source, err);
	}
	ok = ok && connection_execute(source, "COMMIT", NULL, 0, NULL, err) &&
		 index_lists_read_lsn(source, lsn, err);
	vetting_fini(&vetting);
	describe_fini(&describe);
	return ok;
}

/* ---- the rows */

bool
index_lists_read_rows(struct index_lists *lists, struct connection *control, const char *task,
					  const struct table *table, struct error *err)
{
	return state_indexes_read(control, task, table ? table->target.oid : 0, &lists->rows, err);
}

/* The rows [first, end) of those with the number in the column, by which they are ordered. */
static void
find_range(const struct result *res, unsigned column, uint32_t number, unsigned *first, unsigned *end)
{
	unsigned low = 0, high = result_rows(res);

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (result_int(res, middle, column) < (int64_t) number)
			low = middle + 1;
		else
			high = middle;
	}
	*first = *end = low;
	while (*end < result_rows(res) && result_int(res, *end, column) == (int64_t) number)
		(*end)++;
}

/* The first row of a target that was created is its mark; false: there is none. */
static bool
find_rows(const struct index_lists *lists, const struct table *table, unsigned *first, unsigned *end)
{
	find_range(lists->rows, STATE_INDEX_TARGET, table->target.oid, first, end);
	if (*first == *end || result_text(lists->rows, *first, STATE_INDEX_SIGNATURE)[0] != '\0')
		return false;
	(*first)++;
	return true;
}

bool
index_lists_has_target(const struct index_lists *lists, const struct table *table)
{
	unsigned first, end;

	return find_rows(lists, table, &first, &end);
}

bool
index_lists_has_rows(const struct index_lists *lists, const struct table *table)
{
	unsigned first, end;

	return find_rows(lists, table, &first, &end) && end > first;
}

/* ---- plans */

void
index_lists_plan(struct index_lists *lists, const struct config *config, const struct table *table,
				 struct index_plan *plan)
{
	struct index_wanted *wanted;
	struct index_row *rows;
	unsigned first, end;

	find_range(lists->source, SOURCE_TABLE, table->source.oid, &first, &end);
	wanted = arena_alloc_zero(&lists->memory, (end - first + 1) * sizeof *wanted);
	*plan = (struct index_plan){.target = table->target.oid, .wanted = wanted};
	for (unsigned row = first; row < end; row++)
		wanted[plan->wanted_count++] = (struct index_wanted){
			.signature = result_text(lists->source, row, SOURCE_SIGNATURE),
			.oid = (uint32_t) result_int(lists->source, row, SOURCE_OID),
			.selected =
				index_specs_selects(config->schema.indexes, result_bool(lists->source, row, SOURCE_UNIQUE)),
		};
	if (!find_rows(lists, table, &first, &end))
		return;
	plan->rows = rows = arena_alloc_zero(&lists->memory, (end - first + 1) * sizeof *rows);
	for (unsigned row = first; row < end; row++)
		rows[plan->row_count++] = state_indexes_row(lists->rows, row);
}

enum {
	FOUND_OID,
	FOUND_TABLE,
	FOUND_SCHEMA,
	FOUND_NAME,
	FOUND_DEFINITION,
	FOUND_UNIQUE,
	FOUND_VALID,
	FOUND_CONSTRAINT
};

static void
put_found_query(struct buffer *sql, const struct index_plan *plan)
{
	buffer_printf(sql,
				  "SELECT i.indexrelid, i.indrelid, n.nspname, c.relname, " STATE_INDEX_DEFINITION_SQL
				  ", i.indisunique, i.indisvalid, k.oid IS NOT NULL"
				  " FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
				  " JOIN pg_namespace n ON n.oid = c.relnamespace" STATE_INDEX_CONSTRAINT_SQL
				  " WHERE i.indrelid = %" PRIu32,
				  plan->target);
	for (unsigned i = 0; i < plan->row_count; i++) {
		if (plan->rows[i].oid != 0)
			continue;
		buffer_printf(sql, " OR c.relname = ");
		sql_literal(sql, plan->rows[i].name);
	}
}

static void
take_found(struct index_lists *lists, struct index_plan *plan)
{
	const struct result *res = lists->found;
	struct index_found *found = arena_alloc_zero(&lists->memory, (result_rows(res) + 1) * sizeof *found);

	plan->found = found;
	plan->found_count = result_rows(res);
	for (unsigned row = 0; row < result_rows(res); row++)
		found[row] = (struct index_found){
			.oid = (uint32_t) result_int(res, row, FOUND_OID),
			.table = (uint32_t) result_int(res, row, FOUND_TABLE),
			.schema = result_text(res, row, FOUND_SCHEMA),
			.name = result_text(res, row, FOUND_NAME),
			.definition = result_text(res, row, FOUND_DEFINITION),
			.unique = result_bool(res, row, FOUND_UNIQUE),
			.valid = result_bool(res, row, FOUND_VALID),
			.constraint = result_bool(res, row, FOUND_CONSTRAINT),
		};
}

bool
index_lists_read_found(struct index_lists *lists, struct connection *control, const struct table *table,
					   struct index_plan *plan, bool *locked, struct error *err)
{
	struct buffer sql;
	bool ok;

	result_free(lists->found);
	lists->found = NULL;
	sql_init(&sql);
	if (locked)
		buffer_printf(&sql, LOCK_TIMEOUT "; ");
	put_found_query(&sql, plan);
	ok = connection_execute_buffer(control, &sql, &lists->found, err);
	buffer_fini(&sql);
	if (locked)
		*locked = !ok && index_lists_is_refusal(control, err);
	if (ok)
		take_found(lists, plan);
	return ok || (locked && *locked) ||
		   error_context(err, "reading the indexes of %s.%s", table->target_schema, table->target_name);
}

/* ---- what stands in the way */

/* Looking at partitions locks them. */
static void
put_obstacle_query(struct buffer *sql, const struct table *table, int server_version)
{
	buffer_printf(
		sql,
		LOCK_TIMEOUT
		"; SELECT NOT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
		" WHERE c.oid = %" PRIu32 " AND n.nspname = ",
		table->target.oid);
	sql_literal(sql, table->target_schema);
	buffer_printf(sql, " AND c.relname = ");
	sql_literal(sql, table->target_name);
	buffer_printf(sql, "), ");
	/* Older servers attach nothing. */
	if (table->target.partitioned && server_version >= 120000)
		buffer_printf(sql,
					  "EXISTS (SELECT 1 FROM pg_partition_tree(%" PRIu32
					  ") p JOIN pg_index i ON i.indrelid = p.relid"
					  " WHERE p.level > 0 AND NOT EXISTS (SELECT 1 FROM pg_inherits h WHERE h.inhrelid = "
					  "i.indexrelid))",
					  table->target.oid);
	else
		buffer_printf(sql, "false");
}

bool
index_lists_find_obstacle(struct connection *control, const struct table *table, const char **obstacle,
						  struct error *err)
{
	struct result *res;
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	put_obstacle_query(&sql, table, connection_server_version(control));
	ok = connection_execute_buffer(control, &sql, &res, err);
	buffer_fini(&sql);
	*obstacle = "the target is locked";
	if (!ok)
		return index_lists_is_refusal(control, err) ||
			   error_context(err, "looking at %s.%s", table->target_schema, table->target_name);
	*obstacle = result_bool(res, 0, 0)	 ? "another table has the target's name"
				: result_bool(res, 0, 1) ? "a partition of the target has an index of its own"
										 : NULL;
	result_free(res);
	return true;
}
