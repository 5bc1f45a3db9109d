/*
 * Compares the configuration's selection with the existing tables: patterns without a match, overrides
 * without a table, tables that are their own target.
 */
#include <stdlib.h>
#include <string.h>

#include "pattern.h"
#include "precheck_item.h"

/* ---- patterns */

static bool
matches_any(const struct catalog *catalog, const struct pattern *pattern)
{
	if (pattern_is_literal(pattern))
		return catalog_find(catalog, pattern->schema.text, pattern->table.text) != NULL;
	for (unsigned i = 0; i < catalog->count; i++)
		if (pattern_matches(pattern, catalog->tables[i].source.schema, catalog->tables[i].source.name))
			return true;
	return false;
}

static struct pattern_list
excluded_tables(const struct config *config)
{
	struct pattern_list excluded = {0};

	for (unsigned i = 0; i < config->tables.exclude.count; i++)
		(void) pattern_list_add(&excluded, config->tables.exclude.items[i]);
	return excluded;
}

static bool
is_excluded(const struct pattern_list *excluded, const struct pattern *pattern)
{
	return pattern_list_matches(excluded, pattern->schema.text, pattern->table.text);
}

/* Why a relation with the included name was not selected. */
static const char *
explain_kind(char kind, char persistence, bool partition)
{
	switch (kind) {
	case 'v':
	case 'm':
		return "it is a view";
	case 'f':
		return "it is a foreign table";
	case 'S':
		return "it is a sequence";
	case 'r':
	case 'p':
		break;
	default:
		return "it is not a table";
	}
	if (persistence == 'u')
		return "it is unlogged, so its changes are not in the WAL: ALTER TABLE … SET LOGGED";
	if (persistence == 't')
		return "it is temporary";
	return partition ? "it is a partition of a selected table, through which its rows come"
					 : "it cannot be replicated";
}

/*
 * A task that has worked before goes on without a table that was dropped, and starts to replicate a new
 * table of that name.
 */
static bool
may_be_gone(const struct precheck_context *c, const char *written)
{
	const struct string_list *known = c->precheck->known_names;

	if (precheck_is_fresh(c) || !known)
		return !precheck_is_fresh(c);
	for (unsigned i = 0; i < known->count; i++)
		if (strcmp(known->items[i], written) == 0)
			return true;
	return false;
}

static bool
report_literal(struct precheck_context *c, const char *written, const struct pattern *pattern,
			   struct error *err)
{
	static const char sql[] = "SELECT c.relkind, c.relpersistence, c.relispartition FROM pg_class c"
							  " JOIN pg_namespace n ON n.oid = c.relnamespace"
							  " WHERE n.nspname = $1 AND c.relname = $2";
	const struct param params[] = {param_text(pattern->schema.text), param_text(pattern->table.text)};
	struct result *res;

	if (!connection_execute(c->source, sql, params, 2, &res, err))
		return false;
	if (result_rows(res) == 0 && !may_be_gone(c, written))
		precheck_add(c, CHECK_FAILED, "selection", written,
					 "there is no such table at the source: correct tables.include");
	else if (result_rows(res) == 0)
		precheck_add(c, CHECK_WARNING, "selection", written,
					 "there is no such table at the source: it is taken in when there is one");
	else
		precheck_add(
			c, result_bool(res, 0, 2) ? CHECK_WARNING : CHECK_FAILED, "selection", written, "%s",
			explain_kind(result_text(res, 0, 0)[0], result_text(res, 0, 1)[0], result_bool(res, 0, 2)));
	result_free(res);
	return true;
}

static bool
check_pattern(struct precheck_context *c, const struct pattern_list *excluded, const char *written,
			  const struct pattern *pattern, struct error *err)
{
	if (matches_any(c->catalog, pattern))
		return true;
	if (!pattern_is_literal(pattern)) {
		precheck_add(c, CHECK_WARNING, "selection", written, "the pattern matches no table");
		return true;
	}
	if (is_excluded(excluded, pattern)) {
		precheck_add(c, CHECK_WARNING, "selection", written,
					 "it is included by name, and left out by tables.exclude or \"sluice table remove\"");
		return true;
	}
	return report_literal(c, written, pattern, err);
}

static bool
check_patterns(struct precheck_context *c, struct error *err)
{
	const struct string_list *include = &c->config->tables.include;
	struct pattern_list excluded = excluded_tables(c->config);
	struct pattern pattern;
	bool asked = true;

	for (unsigned i = 0; asked && i < include->count; i++) {
		if (pattern_parse(include->items[i], &pattern))
			continue; /* the configuration has been checked */
		asked = check_pattern(c, &excluded, include->items[i], &pattern, err);
		pattern_free(&pattern);
	}
	pattern_list_free(&excluded);
	return asked;
}

/* ---- overrides */

/* A renamed table is held until its override is renamed, and that is reported already. */
static bool
was_held_as(const struct catalog *catalog, const struct pattern *pattern)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (table_is_held(table) && table->row >= TABLE_ROW_RENAMED && table->defined &&
			pattern_matches(pattern, table->defined->schema, table->defined->name))
			return true;
	}
	return false;
}

static void
check_override(struct precheck_context *c, const struct pattern_list *excluded, const char *written,
			   const struct pattern *pattern)
{
	if (matches_any(c->catalog, pattern) || was_held_as(c->catalog, pattern))
		return;
	/* The override of a table removed by "sluice table remove" may stay in the configuration. */
	if (is_excluded(excluded, pattern))
		precheck_add(
			c, CHECK_WARNING, "selection", written,
			"tables.overrides names it, and tables.exclude or \"sluice table remove\" leaves it out");
	else
		precheck_add(
			c, precheck_is_fresh(c) ? CHECK_FAILED : CHECK_WARNING, "selection", written,
			"tables.overrides names it, but it is not among the selected tables: correct one of them");
}

static void
check_overrides(struct precheck_context *c)
{
	struct pattern_list excluded = excluded_tables(c->config);
	struct pattern pattern;

	for (unsigned i = 0; i < c->config->tables.override_count; i++) {
		const char *written = c->config->tables.overrides[i].source;

		if (pattern_parse(written, &pattern))
			continue; /* the configuration has been checked */
		check_override(c, &excluded, written, &pattern);
		pattern_free(&pattern);
	}
	pattern_list_free(&excluded);
}

/* ---- targets */

/*
 * Identifies the running server and database. The start time is needed since clones have the same system
 * identifier.
 */
static bool
read_instance(struct precheck_context *c, struct connection *conn, char **instance, struct error *err)
{
	static const char sql[] = "SELECT system_identifier || ' ' || extract(epoch FROM"
							  " pg_postmaster_start_time()) || ' ' || current_database()"
							  " FROM pg_control_system()";
	struct result *res;

	if (!connection_execute(conn, sql, NULL, 0, &res, err))
		return false;
	*instance = arena_strdup(&c->memory, result_text(res, 0, 0));
	result_free(res);
	return true;
}

/* A destination without pg_control_system() is older than any source, so it is not the source. */
static bool
is_same_database(struct precheck_context *c, bool *same, struct error *err)
{
	static const char known[] = "SELECT 1 FROM pg_proc WHERE proname = 'pg_control_system'";
	char *here, *there;
	struct result *res;

	if (!connection_execute(c->destination, known, NULL, 0, &res, err))
		return false;
	*same = result_rows(res) > 0;
	result_free(res);
	if (!*same)
		return true;
	if (!read_instance(c, c->source, &here, err) || !read_instance(c, c->destination, &there, err))
		return false;
	*same = strcmp(here, there) == 0;
	return true;
}

/* A table that is its own target would be changed by its own changes, without end. */
static bool
check_loop(struct precheck_context *c, struct error *err)
{
	bool same;

	if (!is_same_database(c, &same, err))
		return false;
	for (unsigned i = 0; same && i < c->catalog->count; i++) {
		const struct table *table = &c->catalog->tables[i];

		c->about = table;
		if (table->target.exists && table->target.oid == table->source.oid)
			precheck_add(c, CHECK_FAILED, "target", precheck_table_name(c, table),
						 "source and destination are the same database, and it is its own target");
	}
	c->about = NULL;
	return true;
}

/* A pattern may match tables that are created later. */
static bool
has_patterns(const struct config *config)
{
	bool has = false;

	for (unsigned i = 0; !has && i < config->tables.include.count; i++) {
		struct pattern pattern;

		if (pattern_parse(config->tables.include.items[i], &pattern))
			continue; /* the configuration has been checked */
		has = !pattern_is_literal(&pattern);
		pattern_free(&pattern);
	}
	return has;
}

bool
precheck_selection(struct precheck_context *c, struct error *err)
{
	if (c->catalog->count == 0 && (has_patterns(c->config) || !precheck_is_fresh(c)))
		precheck_add(c, CHECK_WARNING, "selection", NULL,
					 "no table is selected at present: those that appear are taken in");
	else if (c->catalog->count == 0)
		precheck_add(c, CHECK_FAILED, "selection", NULL, "no table is selected: correct tables.include");
	else
		precheck_add(c, CHECK_OK, "selection", NULL, "%u table%s", c->catalog->count,
					 c->catalog->count == 1 ? "" : "s");
	check_overrides(c);
	precheck_shared(c);
	return check_patterns(c, err) && check_loop(c, err);
}
