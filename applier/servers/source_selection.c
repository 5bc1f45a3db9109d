#include "source_selection.h"

#include <stdlib.h>

#include "base/memory.h"
#include "common/pattern.h"
#include "tables/mapping.h"

/* ---- which tables the patterns select */

/* Members of extensions are left out: CREATE EXTENSION makes them at the destination. */
static const char candidates_sql[] =
	"SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, i.inhparent"
	" FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_inherits i ON c.relispartition AND i.inhrelid = c.oid"
	" WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p'"
	" AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sluice')"
	" AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid"
	"  AND d.deptype = 'e')"
	" ORDER BY c.oid";

struct candidate {
	uint32_t oid;
	const char *schema;
	const char *name;
	char kind;
	char identity;
	uint32_t parent; /* of a partition, otherwise 0 */
	bool selected;
};

struct selection {
	struct candidate *candidates; /* ordered by OID */
	unsigned count;
	struct pattern_list include;
	struct pattern_list exclude;
};

static struct candidate *
find_candidate(const struct selection *selection, uint32_t oid)
{
	unsigned low = 0, high = selection->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;
		struct candidate *candidate = &selection->candidates[middle];

		if (candidate->oid == oid)
			return candidate;
		if (candidate->oid > oid)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/*
 * Whether the patterns select the table itself. A partition is selected only by its literal name in
 * tables.include.
 */
static bool
matches(const struct selection *selection, const struct candidate *candidate)
{
	if (pattern_list_matches(&selection->exclude, candidate->schema, candidate->name))
		return false;
	return candidate->parent
			   ? pattern_list_find(&selection->include, candidate->schema, candidate->name) != PATTERN_NONE
			   : pattern_list_matches(&selection->include, candidate->schema, candidate->name);
}

/* A partition's rows are streamed with its nearest selected ancestor. */
static bool
has_selected_ancestor(const struct selection *selection, const struct candidate *candidate)
{
	while (candidate->parent) {
		candidate = find_candidate(selection, candidate->parent);
		if (!candidate)
			return false;
		if (matches(selection, candidate))
			return true;
	}
	return false;
}

static unsigned
choose(struct selection *selection)
{
	unsigned selected = 0;

	for (unsigned i = 0; i < selection->count; i++) {
		struct candidate *candidate = &selection->candidates[i];

		candidate->selected = matches(selection, candidate) && !has_selected_ancestor(selection, candidate);
		selected += candidate->selected;
	}
	return selected;
}

static bool
add_patterns(struct pattern_list *list, const struct string_list *texts, const char *key, struct error *err)
{
	for (unsigned i = 0; i < texts->count; i++) {
		const char *problem = pattern_list_add(list, texts->items[i]);

		if (problem)
			return error_set(err, ERROR_CONFIG, "%s: \"%s\": %s", key, texts->items[i], problem);
	}
	return true;
}

static void
read_candidates(struct selection *selection, const struct result *res)
{
	selection->count = result_rows(res);
	selection->candidates = memory_alloc_zero(selection->count, sizeof(*selection->candidates));
	for (unsigned i = 0; i < selection->count; i++)
		selection->candidates[i] = (struct candidate){
			.oid = (uint32_t) result_int(res, i, 0),
			.schema = result_text(res, i, 1),
			.name = result_text(res, i, 2),
			.kind = result_text(res, i, 3)[0],
			.identity = result_text(res, i, 4)[0],
			.parent = (uint32_t) result_int(res, i, 5),
		};
}

static void
add_tables(const struct selection *selection, struct catalog *catalog, unsigned count)
{
	catalog->tables = memory_alloc_zero(count, sizeof(*catalog->tables));
	for (unsigned i = 0; i < selection->count; i++) {
		const struct candidate *candidate = &selection->candidates[i];

		if (!candidate->selected)
			continue;
		catalog->tables[catalog->count++].source = (struct source_table){
			.oid = candidate->oid,
			.schema = memory_strdup(candidate->schema),
			.name = memory_strdup(candidate->name),
			.partitioned = candidate->kind == 'p',
			.partition = candidate->parent != 0,
			.identity = candidate->identity,
		};
	}
}

bool
source_select_tables(struct connection *source, const struct config *config, struct catalog *catalog,
					 struct error *err)
{
	struct selection selection = {0};
	struct result *res = NULL;
	bool ok = add_patterns(&selection.include, &config->tables.include, "tables.include", err) &&
			  add_patterns(&selection.exclude, &config->tables.exclude, "tables.exclude", err) &&
			  connection_execute(source, candidates_sql, NULL, 0, &res, err);

	if (ok) {
		read_candidates(&selection, res);
		add_tables(&selection, catalog, choose(&selection));
		result_free(res);
	}
	free(selection.candidates);
	pattern_list_free(&selection.include);
	pattern_list_free(&selection.exclude);
	return ok;
}

bool
source_list_tables(struct connection *source, const struct config *config, struct catalog *catalog,
				   struct error *err)
{
	*catalog = (struct catalog){0};
	if (source_select_tables(source, config, catalog, err)) {
		catalog_sort(catalog);
		return true;
	}
	catalog_free(catalog);
	return error_context(err, "reading the tables of the source");
}

/* ---- what the configuration says of a table */

static void
map_table(struct table *table, const struct config *config)
{
	table->operations = config->operations;
	table->partial = config->schema.changes == SCHEMA_CHANGES_IGNORE;
	table->target_schema = memory_strdup(table->source.schema);
	table->target_name = memory_strdup(table->source.name);
}

/* The target's name has to be parsed like a pattern. */
static bool
apply_target(struct table *table, const char *target, struct error *err)
{
	struct pattern name;
	const char *problem = pattern_parse(target, &name);

	if (problem)
		return error_set(err, ERROR_CONFIG, "tables.overrides: target \"%s\": %s", target, problem);
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = memory_strdup(name.schema.text);
	table->target_name = memory_strdup(name.table.text);
	pattern_free(&name);
	return true;
}

static bool
apply_override(struct catalog *catalog, const struct table_override *override, struct error *err)
{
	struct pattern name;
	const char *problem = pattern_parse(override->source, &name);
	struct table *table;

	if (problem)
		return error_set(err, ERROR_CONFIG, "tables.overrides: source \"%s\": %s", override->source, problem);
	table = catalog_find(catalog, name.schema.text, name.table.text);
	pattern_free(&name);
	if (!table)
		return true;
	table->override = override;
	if (override->operations)
		table->operations = override->operations;
	return !override->target || apply_target(table, override->target, err);
}

bool
source_apply_config(struct catalog *catalog, const struct config *config, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++)
		map_table(&catalog->tables[i], config);
	for (unsigned i = 0; i < config->tables.override_count; i++)
		if (!apply_override(catalog, &config->tables.overrides[i], err))
			return false;
	mapping_find_shared(catalog);
	for (unsigned i = 0; i < catalog->count; i++)
		catalog->tables[i].rows_may_be_absent = mapping_copies_in_part(&catalog->tables[i], config);
	return true;
}
