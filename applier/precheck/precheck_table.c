/*
 * The checks of one table that need no query: its definitions at both servers and its override. A table
 * without any finding gets one line that says what happens to it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "precheck_item.h"
#include "precheck_names.h"
#include "precheck_type.h"
#include "schema/schema_decision.h"
#include "servers/missing_columns.h"
#include "tables/mapping.h"

/* Above this size, matching whole rows costs more than people expect. */
#define LARGE_TABLE_ROWS 100000

/* ---- identity and key */

static bool
has_primary_key(const struct source_table *source)
{
	for (unsigned i = 0; i < source->column_count; i++)
		if (source->columns[i].primary_position > 0)
			return true;
	return false;
}

/* Whether the server logs the column's old value with an update or delete. */
static bool
is_logged(const struct source_table *source, const struct source_column *column)
{
	switch (source->identity) {
	case 'f':
		return true;
	case 'i':
		return column->identity_position > 0;
	default:
		return column->primary_position > 0;
	}
}

static void
check_identity(struct precheck_context *c, const struct table *table)
{
	const char *name = precheck_table_name(c, table);

	/* precheck_mapping() reports a table without columns. */
	if (table->source.column_count == 0 || !(table->operations & (OPERATION_UPDATE | OPERATION_DELETE)))
		return;
	if (table_lacks_identity(table))
		precheck_add(
			c, CHECK_FAILED, "identity", name,
			"it has no replica identity for its updates and deletes: give it a primary key, or %s; or leave"
			" update and delete out of operations",
			precheck_full_identity(c, table));
	else if (table->source.identity == 'f' && table_match_key(table, (unsigned[TABLE_MAX_KEY]){0}) == 0 &&
			 table->source.estimated_rows > LARGE_TABLE_ROWS)
		precheck_add(c, CHECK_WARNING, "identity", name,
					 "it has no key and about %lld rows: each batch with updates or deletes of it reads the "
					 "target as a whole,"
					 " twice, unless the target has an index over a column that nearly tells rows apart: "
					 "give it a key, or the"
					 " target such an index",
					 (long long) table->source.estimated_rows);
}

static void
check_key_column(struct precheck_context *c, const struct table *table, const char *column_name)
{
	const struct source_column *column = source_find_column(&table->source, column_name);
	const char *name = precheck_table_name(c, table);

	if (!column)
		precheck_add(c, CHECK_FAILED, "key", name, "the column \"%s\" of its key does not exist",
					 column_name);
	else if (!is_logged(&table->source, column) && table->operations & (OPERATION_UPDATE | OPERATION_DELETE))
		precheck_add(
			c, CHECK_FAILED, "key", name,
			"the column \"%s\" of its key is not part of the replica identity: %s; or choose another key",
			column_name, precheck_full_identity(c, table));
	else if (!column->not_null)
		precheck_add(c, CHECK_WARNING, "key", name,
					 "the column \"%s\" of its key may be null: a row where it is null is not found again",
					 column_name);
}

static void
check_key(struct precheck_context *c, const struct table *table)
{
	const struct table_override *override = table->override;

	if (!override)
		return;
	if (override->key.count > TABLE_MAX_KEY)
		precheck_add(c, CHECK_FAILED, "key", precheck_table_name(c, table), "it has more than %d columns",
					 TABLE_MAX_KEY);
	for (unsigned i = 0; i < override->key.count; i++)
		check_key_column(c, table, override->key.items[i]);
}

/* ---- a target that is to be made */

static void
check_new_types(struct precheck_context *c, const struct table *table)
{
	struct buffer type;
	struct precheck_names lost;

	memory_buffer_init(&type);
	precheck_names_init(&lost);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *column = &table->source.columns[i];
		char change[200];

		buffer_reset(&type);
		if (!mapping_selects(table, column->name) || !ddl_put_column_type(&type, column))
			continue;
		snprintf(change, sizeof change, " (%s becomes %.*s)", column->formatted, (int) type.len,
				 (const char *) type.data);
		precheck_names_add(&lost, column->name, change);
	}
	if (lost.count)
		precheck_add(
			c, CHECK_WARNING, "types", precheck_table_name(c, table),
			"the destination lacks types, others take their place: %s; create a type there first where"
			" it is to stay",
			precheck_names_text(&lost));
	precheck_names_fini(&lost);
	buffer_fini(&type);
}

static void
check_distribution(struct precheck_context *c, const struct table *table)
{
	const struct string_list *by = &table->override->distributed_by;
	bool keyed = has_primary_key(&table->source);
	const char *name = precheck_table_name(c, table);

	for (unsigned i = 0; i < by->count; i++) {
		const struct source_column *column = source_find_column(&table->source, by->items[i]);

		if (!column)
			precheck_add(c, CHECK_FAILED, "distribution", name,
						 "the column \"%s\" of distributed_by does not exist: it takes names of the source",
						 by->items[i]);
		else if (!mapping_selects(table, by->items[i]))
			precheck_add(c, CHECK_FAILED, "distribution", name,
						 "the column \"%s\" of distributed_by is not among its columns", by->items[i]);
		else if (keyed && column->primary_position == 0 && dialect_storage_has_keys(table->override->storage))
			precheck_add(c, CHECK_FAILED, "distribution", name,
						 "the column \"%s\" of distributed_by is not part of the primary key, which must"
						 " contain the distribution key",
						 by->items[i]);
	}
}

static void
check_storage(struct precheck_context *c, const struct table *table)
{
	char word[16];

	if (table->override->storage < TABLE_STORAGE_BEAM)
		return;
	snprintf(word, sizeof word, " %s ", dialect_storage_name(table->override->storage));
	if (!c->dialect->has_access_methods || !strstr(c->session->storages, word))
		precheck_add(c, CHECK_FAILED, "distribution", precheck_table_name(c, table),
					 "the destination does not have the storage%s(no access method of that name): give the"
					 " table another one",
					 word);
}

static void
check_new_options(struct precheck_context *c, const struct table *table)
{
	const struct table_override *override = table->override;

	if (!override)
		return;
	if (c->dialect->has_segments && override->fillfactor && override->storage != TABLE_STORAGE_HEAP)
		precheck_add(c, CHECK_FAILED, "distribution", precheck_table_name(c, table),
					 "fillfactor is for heap storage: set storage to heap, too, or remove fillfactor");
	if (c->dialect->has_segments) {
		check_distribution(c, table);
		check_storage(c, table);
	} else if (override->distributed_by.count > 0 || override->storage != TABLE_STORAGE_DEFAULT) {
		precheck_add(c, CHECK_FAILED, "distribution", precheck_table_name(c, table),
					 "distributed_by and storage are for Greenplum, the destination is %s: remove them",
					 c->dialect->name);
	}
}

static void
check_new_target(struct precheck_context *c, const struct table *table)
{
	if (!c->config->schema.create) {
		precheck_add(c, CHECK_FAILED, "target", precheck_target_name(c, table),
					 "it does not exist, and schema.create is off: create it (\"sluice schema\" prints how)");
		return;
	}
	check_new_types(c, table);
	check_new_options(c, table);
}

/* ---- a target that exists */

static bool
is_match_key(const struct table *table, const struct source_column *column)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(table, key);

	for (unsigned i = 0; i < count; i++)
		if (&table->source.columns[key[i]] == column)
			return true;
	return false;
}

/* Existing rows would lack the columns' values; only a new copy brings them. */
static void
fail_missing(struct precheck_context *c, const struct table *table)
{
	static const char otherwise[] =
		"or leave them out by tables.overrides[].columns: then their data is not replicated";
	const char *target = precheck_target_name(c, table), *name = precheck_table_name(c, table);
	struct buffer sql;

	sql_init(&sql);
	missing_columns_put_remedy(&sql, table);
	if (table_follows(table))
		precheck_add(c, CHECK_FAILED, "columns", target,
					 "it lacks columns of %s: %s; then \"sluice table resync %s\"; %s", name, sql_text(&sql),
					 name, otherwise);
	else
		precheck_add(c, CHECK_FAILED, "columns", target, "it lacks columns of %s: %s; %s", name,
					 sql_text(&sql), otherwise);
	buffer_fini(&sql);
}

/* Reports what happens with columns that the target lacks. */
static void
report_missing(struct precheck_context *c, const struct table *table, const char *missing, bool key)
{
	const char *target = precheck_target_name(c, table), *name = precheck_table_name(c, table);
	bool added = missing_columns_wanted(c->config, table), meets_rows = missing_columns_meet_rows(c->config);

	if (added && meets_rows && !key)
		precheck_add(
			c, CHECK_WARNING, "columns", target,
			"it lacks columns of %s, which run will add: %s; rows that are there get NULL, or what the source"
			" keeps for its rows that are older than the column",
			name, missing);
	else if (added && !meets_rows)
		precheck_add(c, CHECK_OK, "columns", target, "it lacks columns of %s, which run will add: %s", name,
					 missing);
	else if (table->partial && !key)
		precheck_add(c, CHECK_WARNING, "columns", target,
					 "it lacks columns of %s, whose data is not replicated (schema.changes: ignore): %s",
					 name, missing);
	else
		fail_missing(c, table);
}

static void
check_missing_columns(struct precheck_context *c, const struct table *table)
{
	struct precheck_names missing;
	bool key = false;

	precheck_names_init(&missing);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *column = &table->source.columns[i];
		char type[200];

		if (!mapping_selects(table, column->name) || mapping_find_target(table, column->name))
			continue;
		snprintf(type, sizeof type, " %s", column->formatted);
		precheck_names_add(&missing, mapping_target_name(table, column->name), type);
		key = key || is_match_key(table, column);
	}
	if (missing.count)
		report_missing(c, table, precheck_names_text(&missing), key);
	precheck_names_fini(&missing);
}

static void
check_unfed_columns(struct precheck_context *c, const struct table *table)
{
	struct precheck_names unfed;

	precheck_names_init(&unfed);
	for (unsigned i = 0; i < table->target.column_count; i++) {
		const struct target_column *column = &table->target.columns[i];

		if (column->not_null && !column->has_default && !column->generated && !column->identity_always &&
			!mapping_find_source(table, column->name))
			precheck_names_add(&unfed, column->name, "");
	}
	if (unfed.count)
		precheck_add(c, CHECK_FAILED, "columns", precheck_target_name(c, table),
					 "the source does not feed %s, which must not be null and has no default: give a default,"
					 " or drop the NOT NULL",
					 precheck_names_text(&unfed));
	precheck_names_fini(&unfed);
}

static void
check_kept_columns(struct precheck_context *c, const struct table *table)
{
	struct buffer lost;

	sql_init(&lost);
	if (schema_decision_put_lost_values(&lost, table, NULL))
		precheck_add(c, CHECK_FAILED, "columns", precheck_target_name(c, table), "%s", sql_text(&lost));
	buffer_fini(&lost);
}

static void
check_writable(struct precheck_context *c, const struct table *table, const struct source_column *from,
			   const struct target_column *column)
{
	const char *name = precheck_target_name(c, table);

	/*
	 * A column generated at both servers is computed by the destination, unless it is part of the match key.
	 */
	if (column->generated && (!from->generated || is_match_key(table, from)))
		precheck_add(c, CHECK_FAILED, "columns", name,
					 "the column \"%s\" is generated and cannot be fed: make it a plain column",
					 column->name);
}

static void
check_type(struct precheck_context *c, const struct table *table, const struct source_column *from,
		   const struct target_column *to)
{
	const char *name = precheck_target_name(c, table);

	switch (precheck_type_fit(from, to)) {
	case TYPE_FITS:
		break;
	case TYPE_NARROWS:
		precheck_add(
			c, CHECK_WARNING, "types", name,
			"the column \"%s\" is %s, at the source %s: a value that does not fit is rounded or stops"
			" the run",
			to->name, to->formatted, from->formatted);
		break;
	case TYPE_REZONED:
		precheck_add(c, CHECK_WARNING, "types", name,
					 "the column \"%s\" is %s, at the source %s: its values are interpreted as UTC", to->name,
					 to->formatted, from->formatted);
		break;
	case TYPE_CLASHES:
		precheck_add(c, CHECK_FAILED, "types", name,
					 "the column \"%s\" is %s, at the source %s, which does not convert: change it", to->name,
					 to->formatted, from->formatted);
		break;
	}
}

static void
check_nullable(struct precheck_context *c, const struct table *table, const struct source_column *from,
			   const struct target_column *to)
{
	if (to->not_null && !from->not_null)
		precheck_add(c, CHECK_WARNING, "columns", precheck_target_name(c, table),
					 "the column \"%s\" must not be null, at the source it may: a null stops the run",
					 to->name);
}

/* Whether the table waits for another copy, before which its target is altered to fit. */
static bool
is_copied_again(const struct table *table)
{
	return table->defined && table_waits(table);
}

/* Rows of tables that inherit from the target do not come from the source. */
static void
check_children(struct precheck_context *c, const struct table *table)
{
	if (!table->target.has_children)
		return;
	if (table->target.routes_rows)
		precheck_add(c, CHECK_FAILED, "target", precheck_target_name(c, table),
					 "a trigger puts its rows into tables that inherit from it, where they would not be found"
					 " again: make it a partitioned table, or drop the trigger");
	else
		precheck_add(c, CHECK_WARNING, "target", precheck_target_name(c, table),
					 "other tables inherit from it: their rows are left alone, and not compared");
}

static void
check_existing_target(struct precheck_context *c, const struct table *table)
{
	if (table->target.kind != 'r' && table->target.kind != 'p') {
		precheck_add(c, CHECK_FAILED, "target", precheck_target_name(c, table),
					 "something of that name exists, but it is not a table that can be written");
		return;
	}
	check_children(c, table);
	if (!is_copied_again(table))
		check_missing_columns(c, table);
	check_unfed_columns(c, table);
	check_kept_columns(c, table);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *from = &table->source.columns[i];
		const struct target_column *to = mapping_find_target(table, from->name);

		if (!to)
			continue;
		check_writable(c, table, from, to);
		check_type(c, table, from, to);
		check_nullable(c, table, from, to);
	}
}

/* ---- the table as a whole */

static void
describe_key(const struct table *table, struct precheck_names *names)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(table, key);

	for (unsigned i = 0; i < count; i++)
		precheck_names_add(names, mapping_target_name(table, table->source.columns[key[i]].name), "");
}

static void
report_fine(struct precheck_context *c, const struct table *table)
{
	struct precheck_names key;

	precheck_names_init(&key);
	describe_key(table, &key);
	precheck_add(c, CHECK_OK, "table", precheck_table_name(c, table), "into %s%s, %s%s",
				 precheck_target_name(c, table), table->target.exists ? "" : " (to be made)",
				 key.count ? "key " : "no key", key.count ? precheck_names_text(&key) : "");
	precheck_names_fini(&key);
}

void
precheck_table(struct precheck_context *c, const struct table *table)
{
	unsigned before = c->precheck->warnings + c->precheck->failures;

	if (table_is_held(table)) {
		precheck_add(c, CHECK_WARNING, "held", precheck_table_name(c, table), "it is held: %s", table->error);
		return;
	}
	check_identity(c, table);
	check_key(c, table);
	precheck_mapping(c, table);
	if (table->target.exists)
		check_existing_target(c, table);
	else
		check_new_target(c, table);
	if (c->precheck->warnings + c->precheck->failures == before)
		report_fine(c, table);
}
