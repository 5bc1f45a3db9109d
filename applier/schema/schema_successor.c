#include "schema_successor.h"

#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "tables/mapping.h"

/* One row for each secondary unique index: its columns, in a form that can be compared; the statement that drops it. */
#define UNIQUE_OF                                                                                            \
	"SELECT array_agg(a.attname::text ORDER BY a.attname)::text || (i.indpred IS NULL)::text,"               \
	" CASE WHEN c.conname IS NULL THEN 'DROP INDEX ' || quote_ident(n.nspname) || '.' || "                   \
	"quote_ident(x.relname)"                                                                                 \
	" ELSE 'ALTER TABLE ' || quote_ident(n.nspname) || '.' || quote_ident(t.relname)"                        \
	" || ' DROP CONSTRAINT ' || quote_ident(c.conname) END"                                                  \
	" FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid"         \
	" JOIN pg_namespace n ON n.oid = t.relnamespace"                                                         \
	" JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)"                               \
	" LEFT JOIN pg_constraint c ON c.conindid = x.oid AND c.contype = 'u' AND c.conrelid = t.oid"            \
	" WHERE n.nspname = $1 AND t.relname = $2 AND i.indisunique AND NOT i.indisprimary"                      \
	" GROUP BY i.indexrelid, i.indpred IS NULL, n.nspname, x.relname, t.relname, c.conname"

static bool
read_unique(struct connection *conn, const char *schema, const char *name, struct result **res,
			struct error *err)
{
	const struct param params[] = {param_text(schema), param_text(name)};

	return connection_execute(conn, UNIQUE_OF, params, 2, res, err);
}

static bool
has(const struct result *res, const char *demand)
{
	for (unsigned i = 0; i < result_rows(res); i++)
		if (strcmp(result_text(res, i, 0), demand) == 0)
			return true;
	return false;
}

static bool
drop(struct connection *destination, const char *sql, struct error *err)
{
	if (connection_execute(destination, sql, NULL, 0, NULL, err)) {
		log_info("%s", sql);
		return true;
	}
	if (err->class != ERROR_DATA)
		return false;
	log_warning("the destination refuses \"%s\": %s", sql, err->message);
	return true;
}

static bool
free_target(struct connection *source, struct connection *destination, const struct table *table,
			struct error *err)
{
	struct result *now, *there;
	bool ok;

	if (!read_unique(source, table->source.schema, table->source.name, &now, err))
		return false;
	ok = read_unique(destination, table->target_schema, table->target_name, &there, err);
	if (ok) {
		for (unsigned i = 0; ok && i < result_rows(there); i++)
			if (!has(now, result_text(there, i, 0)))
				ok = drop(destination, result_text(there, i, 1), err);
		result_free(there);
	}
	result_free(now);
	return ok;
}

bool
schema_successor_free_targets(struct connection *source, struct connection *destination,
							  const struct catalog *catalog, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (table->predecessor && mapping_keeps_columns(table) &&
			!free_target(source, destination, table, err))
			return error_context(err, "taking over the target of the table that was %s.%s before",
								 table->source.schema, table->source.name);
	}
	return true;
}
