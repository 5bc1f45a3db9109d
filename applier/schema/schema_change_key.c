#include "schema_change_parts.h"

#include <string.h>

#include "base/sql.h"
#include "dialect/ddl_index.h"
#include "tables/mapping.h"
#include "tables/stored_definition.h"

/* ---- the index that finds rows, whose entries have a limit that the values of some types exceed */

static bool
is_short(const struct source_column *column)
{
	static const char *const names[] = {"int2", "int4", "int8",		 "oid",
										"uuid", "date", "timestamp", "timestamptz"};

	if (strcmp(column->base_schema, "pg_catalog") != 0)
		return false;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(column->base_name, names[i]) == 0)
			return true;
	return false;
}

/* A quoted name ends with a quotation mark. */
static bool
is_finding_index(const struct target_index *index)
{
	const size_t suffix = sizeof DDL_FINDING_INDEX - 1;
	size_t len = strlen(index->name);

	len -= len > 0 && index->name[len - 1] == '"';
	return index->plain && !index->constraint && index->column_count == 1 && len > suffix &&
		   memcmp(index->name + len - suffix, DDL_FINDING_INDEX, suffix) == 0;
}

/* Whether the index goes for good. */
static bool
index_is_given_up(const struct plan *p, const struct target_index *index)
{
	for (unsigned i = 0; is_finding_index(index) && i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *before = stored_definition_find(p->before, column->attnum);
		const struct target_column *target = before ? schema_change_target_of(p, column) : NULL;
		bool chosen;

		if (target && target->attnum == index->columns[0] &&
			schema_change_is_retyped(column, before, target, &chosen))
			return !is_short(column);
	}
	return false;
}

/* ---- indexes: Greenplum does not alter the type of an indexed column */

static bool
index_is_lifted(const struct plan *p, const struct target_index *index)
{
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *before = stored_definition_find(p->before, column->attnum);
		const struct target_column *target = before ? schema_change_target_of(p, column) : NULL;
		bool chosen;

		if (!target || !schema_change_is_retyped(column, before, target, &chosen))
			continue;
		if (!index->plain)
			return true;
		for (unsigned j = 0; j < index->column_count; j++)
			if (index->columns[j] == target->attnum)
				return true;
	}
	return false;
}

/* A partitioned table's indexes are those of its partitions, which this does not handle. */
static bool
lifts_indexes(const struct plan *p)
{
	return p->question->dialect->has_segments && !p->table->target.partitioned;
}

void
schema_change_drop_indexes(struct plan *p)
{
	for (unsigned i = 0; i < p->table->target.index_count; i++) {
		const struct target_index *index = &p->table->target.indexes[i];

		if (!index_is_given_up(p, index) && !(lifts_indexes(p) && index_is_lifted(p, index)))
			continue;
		if (index->constraint) {
			buffer_printf(schema_change_alter(p), " DROP CONSTRAINT ");
			sql_identifier(&p->change->sql, index->constraint);
			buffer_printf(&p->change->sql, ";\n");
		} else {
			buffer_printf(&p->change->sql, "DROP INDEX %s;\n", index->name);
		}
	}
}

void
schema_change_add_indexes(struct plan *p)
{
	for (unsigned i = 0; lifts_indexes(p) && i < p->table->target.index_count; i++) {
		const struct target_index *index = &p->table->target.indexes[i];

		if (!index_is_lifted(p, index) || index_is_given_up(p, index))
			continue;
		if (index->constraint) {
			buffer_printf(schema_change_alter(p), " ADD CONSTRAINT ");
			sql_identifier(&p->change->sql, index->constraint);
			buffer_printf(&p->change->sql, " ");
		}
		buffer_printf(&p->change->sql, "%s;\n", index->definition);
	}
}

/* ---- the primary key */

static unsigned
primary_attnums(const struct source_table *source, const struct source_column *key[TABLE_MAX_KEY])
{
	unsigned count = 0;

	for (int at = 1; at <= TABLE_MAX_KEY; at++)
		for (unsigned i = 0; i < source->column_count; i++)
			if (source->columns[i].primary_position == at && count < TABLE_MAX_KEY)
				key[count++] = &source->columns[i];
	return count;
}

static bool
primary_changed(const struct plan *p)
{
	const struct source_column *before[TABLE_MAX_KEY], *after[TABLE_MAX_KEY];
	unsigned before_count = primary_attnums(p->before, before),
			 after_count = primary_attnums(p->after, after);

	if (before_count != after_count)
		return true;
	for (unsigned i = 0; i < before_count; i++) {
		const struct source_column *column = stored_definition_find(p->after, before[i]->attnum);

		if (!column || !column->primary_position)
			return true;
	}
	return false;
}

/* How the target's primary key compares with the source's new one. */
enum key_fit {
	KEY_EQUAL,	  /* the same columns */
	KEY_HARMLESS, /* all rows of the source satisfy it */
	KEY_OTHER,
};

/* The source column that feeds the target column once the change is carried out; NULL: none. */
static const struct source_column *
feeding_column(const struct plan *p, const struct target_column *target)
{
	for (unsigned i = 0; i < p->after->column_count; i++)
		if (schema_change_target_of(p, &p->after->columns[i]) == target)
			return &p->after->columns[i];
	return NULL;
}

static enum key_fit
compare_keys(const struct plan *p)
{
	const struct target_table *target = &p->table->target;
	const struct source_column *key[TABLE_MAX_KEY];
	unsigned count = primary_attnums(p->after, key), target_count = 0;
	bool takes_all = true;

	for (unsigned i = 0; i < target->column_count; i++) {
		const struct source_column *feeding = feeding_column(p, &target->columns[i]);

		if (!target->columns[i].key_position)
			continue;
		target_count++;
		takes_all = takes_all && feeding && feeding->not_null;
	}
	for (unsigned i = 0; i < count; i++) {
		const struct target_column *column = schema_change_target_of(p, key[i]);

		if (!column || !column->key_position)
			return KEY_OTHER;
	}
	if (count == target_count)
		return KEY_EQUAL;
	return count > 0 && takes_all ? KEY_HARMLESS : KEY_OTHER;
}

/* Whether the target's key has to be dropped.  Its columns are compared, not its name. */
static bool
key_is_outdated(const struct plan *p)
{
	enum key_fit fit = compare_keys(p);

	return p->table->target.primary_name && primary_changed(p) && fit != KEY_EQUAL &&
		   !(fit == KEY_HARMLESS && p->question->needed_only);
}

/* Greenplum does not alter the type of a key column: the key is dropped before and added again after. */
static bool
lifts_key(const struct plan *p)
{
	if (!p->question->dialect->has_segments || !p->table->target.primary_name || key_is_outdated(p))
		return false;
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *before = stored_definition_find(p->before, column->attnum);
		const struct target_column *target = before ? schema_change_target_of(p, column) : NULL;
		bool chosen;

		if (target && target->key_position && schema_change_is_retyped(column, before, target, &chosen))
			return true;
	}
	return false;
}

void
schema_change_drop_primary(struct plan *p)
{
	struct buffer *sql;

	if (!key_is_outdated(p) && !lifts_key(p))
		return;
	sql = schema_change_alter(p);
	buffer_printf(sql, " DROP CONSTRAINT ");
	sql_identifier(sql, p->table->target.primary_name);
	buffer_printf(sql, ";\n");
}

/* Adds the key again, under its name and with its columns in the same order. */
static void
put_lifted_key(struct plan *p)
{
	const struct target_table *target = &p->table->target;
	struct buffer *sql = schema_change_alter(p);

	buffer_printf(sql, " ADD CONSTRAINT ");
	sql_identifier(sql, target->primary_name);
	buffer_printf(sql, " PRIMARY KEY (");
	for (int at = 1; at <= TABLE_MAX_KEY; at++) {
		for (unsigned i = 0; i < target->column_count; i++) {
			const struct source_column *feeding = feeding_column(p, &target->columns[i]);

			if (target->columns[i].key_position != at)
				continue;
			buffer_printf(sql, at > 1 ? ", " : "");
			sql_identifier(sql,
						   feeding ? mapping_target_name(p->table, feeding->name) : target->columns[i].name);
		}
	}
	buffer_printf(sql, ");\n");
}

/*
 * On Greenplum a unique index must contain the distribution key, of which a table whose rows lie at random has none, and the
 * table must be heap, not append-optimized.
 */
static bool
allows_primary(const struct plan *p)
{
	const struct target_table *target = &p->table->target;
	bool distributed = false;

	if (!p->question->dialect->has_segments)
		return true;
	if (target->storage != TARGET_HEAP)
		return false;
	for (unsigned i = 0; i < target->column_count; i++) {
		const struct source_column *column = feeding_column(p, &target->columns[i]);

		if (target->columns[i].distribution_position && !(column && column->primary_position))
			return false;
		distributed |= target->columns[i].distribution_position > 0;
	}
	return distributed;
}

void
schema_change_add_primary(struct plan *p)
{
	const struct source_column *key[TABLE_MAX_KEY];
	unsigned count = primary_attnums(p->after, key);
	struct buffer *sql;

	if (lifts_key(p)) {
		put_lifted_key(p);
		return;
	}
	if (count == 0 || p->question->needed_only || !primary_changed(p) || !allows_primary(p) ||
		(p->table->target.primary_name && !key_is_outdated(p)))
		return;
	for (unsigned i = 0; i < count; i++)
		if (!mapping_selects(p->table, key[i]->name))
			return;
	p->change->needs_empty |= p->question->emptied;
	sql = schema_change_alter(p);
	buffer_printf(sql, " ADD PRIMARY KEY (");
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(sql, i ? ", " : "");
		sql_identifier(sql, mapping_target_name(p->table, key[i]->name));
	}
	buffer_printf(sql, ");\n");
}
