#include <stdio.h>

#include "base/memory.h"
#include "dialect/ddl.h"
#include "servers/creation_spec.h"
#include "servers/missing_columns.h"
#include "state/state_install.h"
#include "verbs.h"

static bool
read_schemas(struct connection *destination, struct string_list *schemas, struct arena *memory,
			 struct error *err)
{
	struct result *res;

	if (!connection_execute(destination, "SELECT nspname FROM pg_namespace", NULL, 0, &res, err))
		return false;
	schemas->items = arena_alloc(memory, result_rows(res) * sizeof *schemas->items);
	for (; schemas->count < result_rows(res); schemas->count++)
		schemas->items[schemas->count] = arena_strdup(memory, result_text(res, schemas->count, 0));
	result_free(res);
	return true;
}

static bool
put_statements(struct buffer *sql, const struct config *config, const struct verb_ends *ends,
			   struct arena *memory, struct error *err)
{
	struct string_list schemas = {0};

	if (!state_install_put(ends->destination, ends->dialect, sql, err) ||
		!read_schemas(ends->destination, &schemas, memory, err))
		return false;
	if (!missing_columns_put(sql, ends->source, config, &ends->catalog, err))
		return false;
	ddl_put_create(sql, ends->dialect, &ends->catalog, &schemas);
	return true;
}

bool
verb_schema(struct loop *loop, const struct config *config, const struct command *command, struct error *err)
{
	struct verb_ends ends = {0};
	struct arena memory;
	struct buffer sql;
	bool done;

	(void) command;
	arena_init(&memory, 4096);
	memory_buffer_init(&sql);
	done = verb_open_source(&ends, loop, config, err) && verb_open_destination(&ends, loop, config, err) &&
		   (config = verb_select_tables(&ends, config, err)) && verb_read_catalog(&ends, config, err) &&
		   creation_spec_read(ends.source, ends.destination, config, &ends.catalog, err) &&
		   put_statements(&sql, config, &ends, &memory, err);
	if (done && sql.len > 0)
		fwrite(sql.data, 1, sql.len, stdout);
	buffer_fini(&sql);
	arena_fini(&memory);
	verb_ends_close(&ends);
	return done;
}
