#include "state_indexes.h"

#include <inttypes.h>

#include "base/sql.h"

const char state_indexes_columns[] =
	"task text NOT NULL, target bigint, signature text, source_oid bigint, name text, index_oid bigint,"
	" definition text, PRIMARY KEY (target, signature)";

/* ---- reading */

bool
state_indexes_read(struct connection *destination, const char *task, uint32_t target_oid, struct result **res,
				   struct error *err)
{
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	buffer_printf(&sql, "SELECT target, signature, source_oid, name, index_oid, definition"
						" FROM sluice.indexes WHERE task = ");
	sql_literal(&sql, task);
	if (target_oid)
		buffer_printf(&sql, " AND target = %" PRIu32, target_oid);
	buffer_printf(&sql, " ORDER BY target, signature <> '', signature");
	ok = connection_execute_buffer(destination, &sql, res, err) ||
		 error_context(err, "reading sluice.indexes");
	buffer_fini(&sql);
	return ok;
}

struct index_row
state_indexes_row(const struct result *res, unsigned row)
{
	bool made = !result_is_null(res, row, STATE_INDEX_OID);

	return (struct index_row){
		.signature = result_text(res, row, STATE_INDEX_SIGNATURE),
		.source_oid = (uint32_t) result_int(res, row, STATE_INDEX_SOURCE_OID),
		.name = result_text(res, row, STATE_INDEX_NAME),
		.oid = made ? (uint32_t) result_int(res, row, STATE_INDEX_OID) : 0,
		.definition = made ? result_text(res, row, STATE_INDEX_DEFINITION) : NULL,
	};
}

/* ---- writing */

void
state_indexes_put_mark(struct buffer *sql, const char *task, const char *target)
{
	buffer_printf(sql,
				  "DELETE FROM sluice.indexes WHERE target = %s;"
				  " INSERT INTO sluice.indexes (task, target, signature) VALUES (",
				  target);
	sql_literal(sql, task);
	buffer_printf(sql, ", %s, '')", target);
}

static void
put_where(struct buffer *sql, uint32_t target_oid, const char *signature)
{
	buffer_printf(sql, " WHERE target = %" PRIu32 " AND signature = ", target_oid);
	sql_literal(sql, signature);
}

void
state_indexes_put_forget(struct buffer *sql, uint32_t target_oid, const char *signature)
{
	buffer_printf(sql, "DELETE FROM sluice.indexes");
	put_where(sql, target_oid, signature);
}

void
state_indexes_put_forget_target(struct buffer *sql, const char *task, int64_t target_oid)
{
	buffer_printf(sql, "DELETE FROM sluice.indexes WHERE target = %" PRId64 " AND task = ", target_oid);
	sql_literal(sql, task);
}

void
state_indexes_put_building(struct buffer *sql, const char *task, uint32_t target_oid,
						   const struct index_wanted *wanted, const char *name)
{
	buffer_printf(sql, "INSERT INTO sluice.indexes (task, target, signature, source_oid, name) VALUES (");
	sql_literal(sql, task);
	buffer_printf(sql, ", %" PRIu32 ", ", target_oid);
	sql_literal(sql, wanted->signature);
	buffer_printf(sql, ", %" PRIu32 ", ", wanted->oid);
	sql_literal(sql, name);
	buffer_printf(sql, ")");
}

void
state_indexes_put_made(struct buffer *sql, uint32_t target_oid, const char *signature, uint32_t source_oid,
					   const struct index_found *found, const char *name)
{
	buffer_printf(sql, "UPDATE sluice.indexes SET source_oid = %" PRIu32, source_oid);
	if (found) {
		buffer_printf(sql, ", index_oid = %" PRIu32 ", name = ", found->oid);
		sql_literal(sql, name);
		buffer_printf(sql, ", definition = ");
		sql_literal(sql, found->definition);
	}
	put_where(sql, target_oid, signature);
}

void
state_indexes_put_step(struct buffer *sql, const char *task, int64_t target, int64_t step)
{
	buffer_printf(
		sql, "INSERT INTO sluice.indexes (task, target, signature, source_oid, name, index_oid, definition)"
			 " SELECT ");
	sql_literal(sql, task);
	buffer_printf(sql,
				  "::text, u.target, u.signature, u.index_oid, u.index_name, c.oid::bigint,"
				  " " STATE_INDEX_DEFINITION_SQL " FROM sluice.unfinished u"
				  " JOIN pg_class c ON c.relname = u.index_name JOIN pg_index i ON i.indexrelid = "
				  "c.oid" STATE_INDEX_CONSTRAINT_SQL " WHERE u.target = %" PRId64 " AND u.step = %" PRId64
				  " AND u.signature IS NOT NULL AND i.indrelid = %" PRId64
				  " AND NOT EXISTS (SELECT 1 FROM sluice.indexes x WHERE x.target = u.target"
				  "  AND x.signature = u.signature)",
				  target, step, target);
}

void
state_indexes_put_drop(struct buffer *sql, const struct index_found *found, const char *schema,
					   const char *table)
{
	if (found->constraint) {
		buffer_printf(sql, "ALTER TABLE ");
		sql_qualified(sql, schema, table);
		buffer_printf(sql, " DROP CONSTRAINT ");
		sql_identifier(sql, found->name);
	} else {
		buffer_printf(sql, "DROP INDEX ");
		sql_qualified(sql, found->schema, found->name);
	}
	buffer_printf(sql,
				  "; SELECT 1 / CASE WHEN EXISTS (SELECT 1 FROM pg_class WHERE oid = %" PRIu32
				  ") THEN 0 ELSE 1 END",
				  found->oid);
}
