#include "new_tables.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "common/pattern.h"
#include "servers/source_selection.h"
#include "state/state_waiting.h"

/* ---- waiting tables */

static struct waiting_table *
find(const struct new_tables *tables, uint32_t oid)
{
	for (unsigned i = 0; i < tables->count; i++)
		if (tables->waiting[i].oid == oid)
			return &tables->waiting[i];
	return NULL;
}

static void
release(struct waiting_table *waiting)
{
	free(waiting->schema);
	free(waiting->name);
	free(waiting->target_schema);
	free(waiting->target_name);
	free(waiting->reason);
}

void
new_tables_fini(struct new_tables *tables)
{
	for (unsigned i = 0; i < tables->count; i++)
		release(&tables->waiting[i]);
	free(tables->waiting);
	*tables = (struct new_tables){0};
}

void
new_tables_begin(struct new_tables *tables)
{
	for (unsigned i = 0; i < tables->count; i++)
		tables->waiting[i].seen = false;
}

bool
new_tables_has(const struct new_tables *tables, uint32_t oid)
{
	return find(tables, oid) != NULL;
}

/* A table that was renamed is written under its new name; the row with the old name is removed. */
static bool
is_as_before(const struct waiting_table *waiting, const struct table *table)
{
	return strcmp(waiting->schema, table->source.schema) == 0 &&
		   strcmp(waiting->name, table->source.name) == 0;
}

static struct waiting_table *
add(struct new_tables *tables)
{
	tables->waiting = memory_resize(tables->waiting, tables->count + 1, sizeof *tables->waiting);
	tables->waiting[tables->count] = (struct waiting_table){0};
	return &tables->waiting[tables->count++];
}

void
new_tables_wait(struct new_tables *tables, const struct table *table, const char *reason)
{
	struct waiting_table *waiting = find(tables, table->source.oid);

	if (waiting && !is_as_before(waiting, table))
		waiting = NULL;
	/* Of several reasons in one round the first is kept. */
	if (waiting && (waiting->seen || strcmp(waiting->reason, reason) == 0)) {
		waiting->seen = true;
		return;
	}
	log_table(LOG_WARNING, &table->source, "the new table %s.%s waits: %s", table->source.schema,
			  table->source.name, reason);
	if (!waiting)
		waiting = add(tables);
	release(waiting);
	*waiting = (struct waiting_table){
		.oid = table->source.oid,
		.schema = memory_strdup(table->source.schema),
		.name = memory_strdup(table->source.name),
		.target_schema = memory_strdup(table->target_schema),
		.target_name = memory_strdup(table->target_name),
		.reason = memory_strdup(reason),
		.seen = true,
	};
}

static bool
write_one(struct waiting_table *waiting, struct connection *destination, const char *task, struct error *err)
{
	const struct state_waiting row = {
		.oid = waiting->oid,
		.schema = waiting->schema,
		.name = waiting->name,
		.target_schema = waiting->target_schema,
		.target_name = waiting->target_name,
		.reason = waiting->reason,
	};

	if (!waiting->seen)
		return state_waiting_remove(destination, task, &row, err);
	waiting->written = waiting->written || state_waiting_write(destination, task, &row, err);
	return waiting->written;
}

bool
new_tables_settle(struct new_tables *tables, struct connection *destination, const char *task,
				  struct error *err)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < tables->count; i++)
		if (!write_one(&tables->waiting[i], destination, task, err))
			return false;
	for (unsigned i = 0; i < tables->count; i++) {
		if (tables->waiting[i].seen)
			tables->waiting[kept++] = tables->waiting[i];
		else
			release(&tables->waiting[i]);
	}
	tables->count = kept;
	return true;
}

bool
new_tables_settle_again(struct new_tables *tables, struct connection *destination, const char *task,
						struct error *err)
{
	for (unsigned i = 0; i < tables->count; i++)
		tables->waiting[i].written = false;
	return new_tables_settle(tables, destination, task, err);
}

/* ---- finding new tables */

static bool
is_new(const struct catalog *catalog, const struct source_table *source)
{
	const struct table *table = catalog_find(catalog, source->schema, source->name);

	/* A known table with another name now is not new: the stream brings the rename. */
	return !(table && table->source.oid == source->oid) && !catalog_find_oid(catalog, source->oid);
}

bool
new_tables_list(struct connection *source, const struct config *config, const struct catalog *catalog,
				struct catalog *list, struct error *err)
{
	if (!source_list_tables(source, config, list, err))
		return false;
	for (unsigned i = list->count; i-- > 0;)
		if (!is_new(catalog, &list->tables[i].source))
			catalog_remove(list, &list->tables[i]);
	return true;
}

static void
include_override(struct selection *selection, const char *name)
{
	struct pattern pattern;

	if (!name || pattern_parse(name, &pattern))
		return; /* the configuration has been checked */
	selection_include(selection, pattern.schema.text, pattern.table.text);
	pattern_free(&pattern);
}

void
new_tables_narrow(const struct catalog *list, struct selection *selection)
{
	const struct config *config = &selection->config;

	selection->config.tables.include.count = 0;
	for (unsigned i = 0; i < list->count; i++)
		selection_include(selection, list->tables[i].source.schema, list->tables[i].source.name);
	for (unsigned i = 0; i < config->tables.override_count; i++) {
		include_override(selection, config->tables.overrides[i].source);
		include_override(selection, config->tables.overrides[i].target);
	}
}
