#include "feeders.h"

#include "base/memory.h"
#include "base/sql.h"
#include "state_install.h"

static bool
read_rows(struct connection *destination, const char *task, const struct table *tables, unsigned count,
		  struct result **res, struct error *err)
{
	static const char sql[] =
		"SELECT w.i - 1, min(t.task) FROM unnest($2::text[], $3::text[]) WITH ORDINALITY w (s, n, i)"
		" JOIN sluice.tables t ON t.target_schema = w.s AND t.target_name = w.n"
		" WHERE t.task <> $1 AND t.state <> 'dropped' GROUP BY w.i";
	struct buffer schemas, names;
	bool ok;

	sql_init(&schemas);
	sql_init(&names);
	for (unsigned i = 0; i < count; i++) {
		sql_array_element(&schemas, tables[i].target_schema);
		sql_array_element(&names, tables[i].target_name);
	}
	sql_array_end(&schemas);
	sql_array_end(&names);
	ok = connection_execute(destination, sql,
							(const struct param[]){param_text(task), param_text(sql_text(&schemas)),
												   param_text(sql_text(&names))},
							3, res, err);
	buffer_fini(&schemas);
	buffer_fini(&names);
	return ok || error_context(err, "reading sluice.tables");
}

static bool
read_feeders(struct connection *destination, const char *task, const struct table *tables, unsigned count,
			 struct arena *memory, const char **feeders, struct error *err)
{
	struct state_installed installed;
	struct result *res;

	if (!state_install_read(destination, &installed, err))
		return false;
	if (!installed.tables || count == 0)
		return true;
	if (!read_rows(destination, task, tables, count, &res, err))
		return false;
	for (unsigned i = 0; i < result_rows(res); i++)
		feeders[result_int(res, i, 0)] = arena_strdup(memory, result_text(res, i, 1));
	result_free(res);
	return true;
}

bool
feeders_read(struct connection *destination, const char *task, const struct catalog *catalog,
			 struct arena *memory, const char ***feeders, struct error *err)
{
	*feeders = arena_alloc_zero(memory, (catalog->count + 1) * sizeof **feeders);
	return read_feeders(destination, task, catalog->tables, catalog->count, memory, *feeders, err);
}

bool
feeders_find(struct connection *destination, const char *task, const struct table *table,
			 struct arena *memory, const char **feeder, struct error *err)
{
	*feeder = NULL;
	return read_feeders(destination, task, table, 1, memory, feeder, err);
}
