#include "copy_refusal.h"

#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "copy_statements.h"
#include "servers/server_session.h"
#include "servers/slot_snapshot.h"

/* Where a row is in the source. */
struct place {
	const struct table *table;
	const char *leaf; /* quoted */
	const char *ctid;
};

static void
put_from(struct buffer *sql, const struct place *place)
{
	buffer_printf(sql, " FROM ONLY %s WHERE ctid = ", place->leaf);
	sql_literal(sql, place->ctid);
	buffer_printf(sql, "::pg_catalog.tid");
}

/* Writes "id = 7, at = 2024-01-01"; false: the table has no key, or it cannot be read. */
static bool
read_key(struct connection *source, const struct place *place, struct buffer *out)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(place->table, key);
	struct error unknown;
	struct buffer sql;
	struct result *res;
	bool found;

	if (count == 0)
		return false;
	sql_init(&sql);
	buffer_printf(&sql, "SELECT ");
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(&sql, i ? ", " : "");
		sql_identifier(&sql, place->table->source.columns[key[i]].name);
		buffer_printf(&sql, "::text");
	}
	put_from(&sql, place);
	/* Nothing follows in this transaction, so a failure may abort it. */
	if (!connection_execute_buffer(source, &sql, &res, &unknown))
		return false;
	found = result_rows(res) == 1;
	for (unsigned i = 0; found && i < count; i++) {
		buffer_printf(out, i ? ", " : "");
		sql_identifier(out, place->table->source.columns[key[i]].name);
		buffer_printf(out, " = %s", result_text(res, 0, i));
	}
	result_free(res);
	return found;
}

/* The column whose value cannot be converted; NULL: none, or the question failed otherwise. */
static const char *
find_column(struct connection *source, const struct place *place, const char *encoding)
{
	for (unsigned i = 0; i < place->table->source.column_count; i++) {
		const char *name = place->table->source.columns[i].name;
		struct error refused = {0};
		struct buffer sql;

		sql_init(&sql);
		buffer_printf(&sql, "SAVEPOINT col; SELECT pg_catalog.octet_length(pg_catalog.convert_to(");
		sql_identifier(&sql, name);
		buffer_printf(&sql, "::text, ");
		sql_literal(&sql, encoding);
		buffer_printf(&sql, "))");
		put_from(&sql, place);
		if (connection_execute_buffer(source, &sql, NULL, &refused))
			continue;
		if (strncmp(refused.sqlstate, "22", 2) == 0)
			return name;
		if (!connection_execute(source, "ROLLBACK TO col", NULL, 0, NULL, &refused))
			return NULL;
	}
	return NULL;
}

/* The encoding that lacks a character of the row where the server has not named the column; NULL: it is about something else.
 * Of a row in COPY's text form the destination names the line alone. */
static const char *
lacking_encoding(const struct copy *copy, const struct error *err)
{
	if (!sqlstate_is_of_encoding(err->sqlstate))
		return NULL;
	if (copy->refused_at_source)
		return "UTF8";
	if (copy->refused->as_text)
		return connection_server_encoding(copy->setup->control);
	return NULL;
}

static void
name_place(struct connection *source, const struct place *place, const char *encoding, struct error *err)
{
	const char *column = encoding ? find_column(source, place, encoding) : NULL;
	struct error unknown;
	struct buffer key;

	if (column) {
		error_context(err, "column %s", column);
		if (!connection_execute(source, "ROLLBACK TO col", NULL, 0, NULL, &unknown))
			return;
	}
	sql_init(&key);
	if (!read_key(source, place, &key))
		buffer_printf(&key, "ctid = %s", place->ctid);
	error_row(err, (const char *) key.data, (int) key.len);
	buffer_fini(&key);
}

static void
name_row(struct connection *source, const struct copy *copy, struct error *err)
{
	const struct table *table = copy->refused;
	struct error unknown;
	struct result *res;
	struct buffer sql;

	sql_init(&sql);
	copy_put_row_place(&sql, table, copy->refused_part, err->copy_row);
	if (!connection_execute_buffer(source, &sql, &res, &unknown))
		return;
	if (result_rows(res) == 1) {
		struct place place = {.table = table, .leaf = result_text(res, 0, 0), .ctid = result_text(res, 0, 1)};

		name_place(source, &place, lacking_encoding(copy, err), err);
	}
	result_free(res);
}

void
copy_refusal_name_row(const struct copy *copy, struct error *err)
{
	const struct initial_copy_setup *setup = copy->setup;
	struct connection *source;
	struct error unknown;

	if (!copy->refused || err->copy_row <= 0 || loop_stop_requested(setup->loop))
		return;
	source = server_session_source(setup->loop, setup->config, "sluice copy", &unknown);
	if (!source)
		return;
	if (slot_snapshot_use(source, setup->snapshot, &unknown) &&
		connection_execute(source, copy_same_order, NULL, 0, NULL, &unknown))
		name_row(source, copy, err);
	connection_close(source);
}
