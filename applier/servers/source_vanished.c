#include "source_vanished.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"

bool
source_find_table(struct connection *source, uint32_t oid, uint32_t xid, bool *exists, bool *visible,
				  struct error *err)
{
	/* The stream's xid has 32 bits; the epoch is taken from the snapshot. */
	static const char sql[] =
		"WITH s AS (SELECT txid_current_snapshot() AS snapshot),"
		" x AS (SELECT snapshot, txid_snapshot_xmax(snapshot) AS xmax,"
		" (txid_snapshot_xmax(snapshot) >> 32 << 32) + $2::bigint AS xid FROM s)"
		" SELECT EXISTS (SELECT 1 FROM pg_class WHERE oid = $1::oid),"
		" txid_visible_in_snapshot(CASE WHEN xid > xmax THEN xid - 4294967296 ELSE xid END, snapshot) FROM x";
	char oid_text[16], xid_text[16];
	const struct param params[] = {param_text(oid_text), param_text(xid_text)};
	struct result *res;

	snprintf(oid_text, sizeof oid_text, "%u", oid);
	snprintf(xid_text, sizeof xid_text, "%u", xid);
	if (!connection_execute(source, sql, params, 2, &res, err))
		return false;
	*exists = result_bool(res, 0, 0);
	*visible = result_bool(res, 0, 1);
	result_free(res);
	return true;
}

static void
put_oid(struct buffer *oids, uint32_t oid)
{
	char text[16];

	snprintf(text, sizeof text, "%u", oid);
	sql_array_element(oids, text);
}

bool
source_read_names(struct connection *source, const uint32_t *oids, unsigned count, struct result **res,
				  struct error *err)
{
	static const char sql[] = "SELECT c.oid, n.nspname, c.relname FROM pg_class c"
							  " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])";
	struct buffer array;
	struct param param;
	bool ok;

	sql_init(&array);
	for (unsigned i = 0; i < count; i++)
		put_oid(&array, oids[i]);
	sql_array_end(&array);
	param = param_text(sql_text(&array));
	ok = connection_execute(source, sql, &param, 1, res, err);
	buffer_fini(&array);
	return ok || error_context(err, "reading the names of tables at the source");
}

static struct table *
find_vanished(struct catalog *catalog, const struct result *res, unsigned row)
{
	return catalog_find_oid(catalog, (uint32_t) result_int(res, row, 0));
}

/*
 * Runs in a transaction of its own: one that also read the catalogs would keep their locks and could
 * deadlock with sessions that drop tables.
 */
bool
source_remove_vanished(struct connection *source, struct catalog *catalog, struct error *err)
{
	static const char sql[] =
		"SELECT o FROM unnest($1::oid[]) o WHERE has_table_privilege(o, 'SELECT') IS NULL";
	struct buffer oids;
	struct param param;
	struct result *res;
	bool ok;

	memory_buffer_init(&oids);
	for (unsigned i = 0; i < catalog->count; i++)
		put_oid(&oids, catalog->tables[i].source.oid);
	sql_array_end(&oids);
	param = param_text((const char *) oids.data);
	ok = connection_execute(source, sql, &param, 1, &res, err);
	buffer_fini(&oids);
	if (!ok)
		return error_context(err, "looking for tables that were dropped meanwhile");
	for (unsigned i = 0; ok && i < result_rows(res); i++) {
		struct table *table = find_vanished(catalog, res, i);

		if (table && table->source.creation_spec)
			ok =
				error_set(err, ERROR_RESTART, "%s.%s was dropped while the catalogs were read: starting over",
						  table->source.schema, table->source.name);
		else if (table)
			catalog_remove(catalog, table);
	}
	result_free(res);
	return ok;
}

bool
source_is_vanished(const struct error *err)
{
	static const char *const states[] = {
		"42P01", /* undefined table */
		"42703", /* undefined column */
		"42704", /* undefined object, such as a type */
		"42883", /* undefined function */
		"3F000", /* undefined schema */
		"22P03", /* invalid internal value for enum: its type was dropped */
		"XX000", /* could not open relation with OID …, cache lookup failed for … */
	};

	for (size_t i = 0; i < sizeof states / sizeof *states; i++)
		if (strcmp(err->sqlstate, states[i]) == 0)
			return true;
	return false;
}

void
source_restart_if_vanished(struct error *err)
{
	struct error cause = *err;

	if (err->class != ERROR_DATA || !source_is_vanished(err))
		return;
	error_set(err, ERROR_RESTART, "tables or types were dropped while the catalogs were read: starting over");
	error_hint(err, "The server said: %.900s.", cause.message);
}
