#include "selection.h"

#include "base/memory.h"
#include "base/sql.h"
#include "state_install.h"
#include "state_text.h"

const char selection_columns[] = "task text, source_schema text, source_name text, added boolean NOT NULL,"
								 " PRIMARY KEY (task, source_schema, source_name)";

static void
copy_list(struct arena *memory, struct string_list *list)
{
	char **items = arena_alloc(memory, (list->count + 1) * sizeof *items);

	for (unsigned i = 0; i < list->count; i++)
		items[i] = list->items[i];
	list->items = items;
}

void
selection_init(struct selection *selection, const struct config *config)
{
	selection->config = *config;
	arena_init(&selection->memory, 4096);
	copy_list(&selection->memory, &selection->config.tables.include);
	copy_list(&selection->memory, &selection->config.tables.exclude);
}

void
selection_fini(struct selection *selection)
{
	arena_fini(&selection->memory);
	*selection = (struct selection){0};
}

/* Appends a quoted name, which as a pattern matches this table only. */
static void
append(struct arena *memory, struct string_list *list, const char *schema, const char *name)
{
	char **items = arena_alloc(memory, (list->count + 1) * sizeof *items);
	struct buffer pattern;

	for (unsigned i = 0; i < list->count; i++)
		items[i] = list->items[i];
	memory_buffer_init(&pattern);
	sql_qualified(&pattern, schema, name);
	buffer_put_u8(&pattern, '\0');
	items[list->count] = arena_strdup(memory, (const char *) pattern.data);
	buffer_fini(&pattern);
	list->items = items;
	list->count++;
}

void
selection_include(struct selection *selection, const char *schema, const char *name)
{
	append(&selection->memory, &selection->config.tables.include, schema, name);
}

void
selection_leave_out(struct selection *selection, const char *schema, const char *name)
{
	append(&selection->memory, &selection->config.tables.exclude, schema, name);
}

bool
selection_read(struct selection *selection, struct connection *destination, struct error *err)
{
	struct param param = param_text(selection->config.task);
	struct result *res;
	struct state_installed installed;

	if (!state_install_read(destination, &installed, err))
		return false;
	if (!installed.selection)
		return true;
	if (!connection_execute(destination,
							"SELECT source_schema, source_name, added FROM sluice.selection WHERE task = $1"
							" ORDER BY 1, 2",
							&param, 1, &res, err))
		return error_context(err, "reading sluice.selection");
	for (unsigned i = 0; i < result_rows(res); i++)
		append(&selection->memory,
			   result_bool(res, i, 2) ? &selection->config.tables.include : &selection->config.tables.exclude,
			   state_text_read(&selection->memory, result_text(res, i, 0)),
			   state_text_read(&selection->memory, result_text(res, i, 1)));
	result_free(res);
	return true;
}

/* The parameters that name a row. */
static void
name_row(struct arena *memory, const char *task, const char *schema, const char *name, struct param params[3])
{
	params[0] = param_text(task);
	params[1] = param_text(state_text_stored(memory, schema));
	params[2] = param_text(state_text_stored(memory, name));
}

bool
selection_mark_of(struct connection *destination, const char *task, const char *schema, const char *name,
				  enum selection_mark *mark, struct error *err)
{
	struct arena memory;
	struct param params[3];
	struct result *res;
	bool ok;

	arena_init(&memory, 1024);
	name_row(&memory, task, schema, name, params);
	ok = connection_execute(destination,
							"SELECT added FROM sluice.selection WHERE task = $1 AND source_schema = $2"
							" AND source_name = $3",
							params, 3, &res, err);
	arena_fini(&memory);
	if (!ok)
		return error_context(err, "reading sluice.selection");
	*mark = SELECTION_AS_CONFIGURED;
	if (result_rows(res))
		*mark = result_bool(res, 0, 0) ? SELECTION_ADDED : SELECTION_REMOVED;
	result_free(res);
	return true;
}

bool
selection_write(struct connection *destination, const char *task, const char *schema, const char *name,
				enum selection_mark mark, struct error *err)
{
	struct param params[4] = {[3] = param_text(mark == SELECTION_ADDED ? "true" : "false")};
	struct arena memory;
	bool ok;

	arena_init(&memory, 1024);
	name_row(&memory, task, schema, name, params);
	ok = connection_execute(destination,
							"DELETE FROM sluice.selection WHERE task = $1 AND source_schema = $2"
							" AND source_name = $3",
							params, 3, NULL, err) &&
		 (mark == SELECTION_AS_CONFIGURED ||
		  connection_execute(destination,
							 "INSERT INTO sluice.selection (task, source_schema, source_name, added)"
							 " VALUES ($1, $2, $3, $4)",
							 params, 4, NULL, err));
	arena_fini(&memory);
	return ok || error_context(err, "writing sluice.selection");
}
