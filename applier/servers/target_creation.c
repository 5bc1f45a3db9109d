#include "target_creation.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl.h"
#include "dialect/ddl_type.h"
#include "state/unfinished.h"
#include "tables/mapping.h"
#include "target.h"

/* Each created table keeps several locks until the commit, on every segment. */
#define CREATED_AT_ONCE 500

static bool
execute_buffer(struct connection *destination, struct buffer *sql, struct error *err)
{
	return sql->len == 0 || connection_execute(destination, sql_text(sql), NULL, 0, NULL, err);
}

/* Creates the schemas that do not exist yet, and the types. */
static bool
create_schemas(struct connection *destination, const struct dialect *dialect, const struct catalog *catalog,
			   struct error *err)
{
	struct string_list existing = {0};
	struct buffer sql;
	struct result *res;
	bool ok;

	if (!connection_execute(destination, "SELECT nspname FROM pg_namespace", NULL, 0, &res, err))
		return false;
	existing.items = memory_alloc_zero(result_rows(res), sizeof(*existing.items));
	for (; existing.count < result_rows(res); existing.count++)
		existing.items[existing.count] = memory_strdup(result_text(res, existing.count, 0));
	result_free(res);
	memory_buffer_init(&sql);
	ddl_put_create_schemas(&sql, dialect, catalog, &existing);
	ddl_put_create_types(&sql, catalog);
	ok = execute_buffer(destination, &sql, err) ||
		 error_context(err, "creating the schemas and types of the targets");
	buffer_fini(&sql);
	for (unsigned i = 0; i < existing.count; i++)
		free(existing.items[i]);
	free(existing.items);
	return ok;
}

static bool
create_table(struct connection *destination, const struct dialect *dialect, const char *task,
			 const struct table *table, struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	ddl_put_create_table(&sql, dialect, table);
	unfinished_put(&sql, dialect, task, table);
	ok = execute_buffer(destination, &sql, err) ||
		 error_context(err, "creating %s.%s", table->target_schema, table->target_name);
	buffer_fini(&sql);
	return ok;
}

/* Creates missing tables from *next on, at most CREATED_AT_ONCE. */
static bool
create_some(struct connection *destination, const struct dialect *dialect, const char *task,
			const struct catalog *catalog, unsigned *next, struct error *err)
{
	for (unsigned created = 0; *next < catalog->count && created < CREATED_AT_ONCE; (*next)++) {
		if (catalog->tables[*next].target.exists || !mapping_is_first(catalog, *next))
			continue;
		if (!create_table(destination, dialect, task, &catalog->tables[*next], err))
			return false;
		created++;
	}
	return true;
}

/* The first transaction creates the schemas, too. */
static bool
create_all(struct connection *destination, const struct dialect *dialect, const char *task,
		   const struct catalog *catalog, struct error *err)
{
	for (unsigned next = 0; next < catalog->count;) {
		if (!connection_execute(destination, "BEGIN", NULL, 0, NULL, err))
			return false;
		if ((next == 0 && !create_schemas(destination, dialect, catalog, err)) ||
			!create_some(destination, dialect, task, catalog, &next, err)) {
			struct error ignored;

			/* The transaction has failed; if the ROLLBACK fails as well, the connection is lost. */
			(void) !connection_execute(destination, "ROLLBACK", NULL, 0, NULL, &ignored);
			return false;
		}
		if (!connection_execute(destination, "COMMIT", NULL, 0, NULL, err))
			return false;
	}
	return true;
}

bool
target_create_missing(struct connection *destination, const struct dialect *dialect, const char *task,
					  struct catalog *catalog, struct error *err)
{
	bool missing = false;

	for (unsigned i = 0; i < catalog->count; i++) {
		catalog->tables[i].created = !catalog->tables[i].target.exists;
		missing = missing || catalog->tables[i].created;
	}
	if (!missing)
		return true;
	return create_all(destination, dialect, task, catalog, err) &&
		   target_read_catalog(destination, dialect, catalog, err);
}
