#include "shape.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/memory.h"
#include "mapping.h"

static void
missing_column(const struct shape *shape, const struct change_column *column, struct error *err)
{
	const struct table *table = shape->table;
	const char *name = mapping_target_name(table, column->name);

	error_set(err, ERROR_DATA, "column \"%s\" of %s.%s has no counterpart in the target %s.%s", column->name,
			  shape->relation->schema, shape->relation->name, table->target_schema, table->target_name);
	error_hint(err,
			   "Do to the target what was done to the source: ALTER TABLE %s.%s ADD COLUMN \"%s\" %s with the"
			   " same default, or RENAME COLUMN; then start again.",
			   table->target_schema, table->target_name, name, column->type_name);
}

static bool
map_columns(struct shape *shape, struct error *err)
{
	const struct change_relation *relation = shape->relation;

	shape->fed = memory_alloc_zero(relation->column_count, sizeof *shape->fed);
	for (unsigned i = 0; i < relation->column_count; i++) {
		const char *name = relation->columns[i].name;
		const struct target_column *target = mapping_find_target(shape->table, name);

		if (!mapping_selects(shape->table, name)) {
			shape->subset = true;
			continue;
		}
		if (!target && shape->table->partial)
			continue;
		if (!target) {
			missing_column(shape, &relation->columns[i], err);
			return false;
		}
		/* The destination computes the value from the same columns. */
		if (target->generated)
			continue;
		shape->fed[shape->fed_count++] = (struct shape_column){.source = i, .target = target};
	}
	return true;
}

static bool
is_fed(const struct shape *shape, const struct target_column *column)
{
	for (unsigned i = 0; i < shape->fed_count; i++)
		if (shape->fed[i].target == column)
			return true;
	return false;
}

static void
find_unfed(struct shape *shape)
{
	const struct target_table *target = &shape->table->target;

	shape->unfed = memory_alloc_zero(target->column_count, sizeof *shape->unfed);
	for (unsigned i = 0; i < target->column_count; i++)
		if (!target->columns[i].generated && !is_fed(shape, &target->columns[i]))
			shape->unfed[shape->unfed_count++] = &target->columns[i];
}

/* Finds the position in `fed` of the source column with that name. */
static bool
find_fed(const struct shape *shape, const char *name, unsigned *position)
{
	for (unsigned i = 0; i < shape->fed_count; i++) {
		if (strcmp(shape->relation->columns[shape->fed[i].source].name, name) == 0) {
			*position = i;
			return true;
		}
	}
	return false;
}

static bool
key_error(const struct shape *shape, const char *column, struct error *err)
{
	error_set(err, ERROR_DATA, "key column \"%s\" of %s.%s is not among the columns that are replicated",
			  column, shape->relation->schema, shape->relation->name);
	return error_hint(err, "Choose a key of columns that both sides have.");
}

/* With the identity DEFAULT or INDEX, the stream has only the key columns of an old row. */
static bool
key_from_identity(struct shape *shape, struct error *err)
{
	const struct change_relation *relation = shape->relation;

	for (unsigned i = 0; i < relation->column_count; i++) {
		if (!(relation->columns[i].flags & COLUMN_KEY))
			continue;
		if (shape->key_count == TABLE_MAX_KEY)
			return error_set(err, ERROR_DATA, "the replica identity of %s.%s has more than %d columns",
							 relation->schema, relation->name, TABLE_MAX_KEY);
		if (!find_fed(shape, relation->columns[i].name, &shape->key[shape->key_count]))
			return key_error(shape, relation->columns[i].name, err);
		shape->key_count++;
	}
	return true;
}

static const struct change_column *
find_described(const struct shape *shape, const char *name)
{
	for (unsigned i = 0; i < shape->relation->column_count; i++)
		if (strcmp(shape->relation->columns[i].name, name) == 0)
			return &shape->relation->columns[i];
	return NULL;
}

/*
 * Whether the table had that key when the relation description was sent. The catalog may be newer, and
 * merging by columns that were not unique would lose rows.
 */
static bool
had_key(const struct shape *shape, const unsigned *key, unsigned count)
{
	unsigned primary = 0;

	for (unsigned i = 0; i < shape->relation->column_count; i++)
		primary += (shape->relation->columns[i].flags & COLUMN_PRIMARY) != 0;
	for (unsigned i = 0; i < count; i++) {
		const struct source_column *known = &shape->table->source.columns[key[i]];
		const struct change_column *column = find_described(shape, known->name);
		unsigned flag = known->primary_position ? COLUMN_PRIMARY : COLUMN_NOT_NULL;

		if (!column || !(column->flags & flag) || (known->primary_position && primary != count))
			return false;
	}
	return true;
}

/* With identity FULL the whole old row is known, so any key will do. */
static bool
key_from_table(struct shape *shape, struct error *err)
{
	const struct table_override *override = shape->table->override;
	unsigned key[TABLE_MAX_KEY];
	unsigned count = table_match_key(shape->table, key);

	if (!(override && override->key.count > 0) && !had_key(shape, key, count))
		return true;
	for (unsigned i = 0; i < count; i++) {
		const char *name = shape->table->source.columns[key[i]].name;

		if (!find_fed(shape, name, &shape->key[shape->key_count]))
			return key_error(shape, name, err);
		shape->key_count++;
	}
	return true;
}

static bool
choose_match(struct shape *shape, struct error *err)
{
	bool full = shape->relation->identity == 'f';

	if (!(full ? key_from_table(shape, err) : key_from_identity(shape, err)))
		return false;
	if (shape->key_count > 0)
		shape->match = MATCH_KEY;
	else
		shape->match = full ? MATCH_ROW : MATCH_NOTHING;
	return true;
}

bool
shape_is_key(const struct shape *shape, unsigned position)
{
	for (unsigned i = 0; i < shape->key_count; i++)
		if (shape->key[i] == position)
			return true;
	return false;
}

/*
 * Reasons to guard a column: an UPDATE checks unique constraints row by row, so rows cannot exchange their
 * values; Greenplum 6 cannot move a row to another partition, and moves one to another segment only under
 * conditions; an identity column GENERATED ALWAYS accepts a given value only in INSERT and COPY.
 */
static void
find_guarded(struct shape *shape)
{
	shape->guarded = memory_alloc(shape->fed_count * sizeof *shape->guarded);
	for (unsigned i = 0; i < shape->fed_count; i++) {
		const struct target_column *target = shape->fed[i].target;

		if (!shape_is_key(shape, i) &&
			(target->guarded || target->distribution_position > 0 || target->identity_always))
			shape->guarded[shape->guarded_count++] = i;
	}
}

/*
 * Rows may be absent because of how the target was filled, or because an operation is not followed. A row
 * that newly matches a condition arrives as an update, unless the source logged the whole old row; and if
 * updates are not followed, a row whose key changed keeps its old key at the target.
 */
static bool
rows_may_be_absent(const struct shape *shape)
{
	const struct table *table = shape->table;
	const unsigned needed = OPERATION_INSERT | OPERATION_UPDATE;

	return table->rows_may_be_absent || (table->override && table->override->rows_may_be_absent) ||
		   (mapping_where(table) && shape->relation->identity != 'f') ||
		   (table->operations & needed) != needed;
}

bool
shape_init(struct shape *shape, unsigned number, const struct change_relation *relation,
		   const struct table *table, bool triggers_fire, struct error *err)
{
	*shape = (struct shape){
		.number = number,
		.relation = relation,
		.table = table,
		.text = (relation->flags & RELATION_TEXT) != 0,
		.triggers = triggers_fire && table->target.has_triggers,
		.in_place = table->target.storage == TARGET_HEAP,
	};
	if (!map_columns(shape, err))
		return false;
	find_unfed(shape);
	if (shape->fed_count == 0 && shape->unfed_count > 0)
		return error_set(err, ERROR_DATA, "%s.%s has no column to replicate to the target %s.%s",
						 relation->schema, relation->name, table->target_schema, table->target_name);
	if (!choose_match(shape, err))
		return false;
	find_guarded(shape);
	shape->rows_may_be_absent = rows_may_be_absent(shape);
	if (table->as_text && !shape->text) {
		error_set(err, ERROR_DATA,
				  "the columns of %s.%s changed to types that the target %s.%s does not have",
				  relation->schema, relation->name, table->target_schema, table->target_name);
		return error_hint(err, "Bring the target's column types in line, then start again.");
	}
	return true;
}

void
shape_fini(struct shape *shape)
{
	free(shape->fed);
	free(shape->unfed);
	free(shape->guarded);
	shape->guarded = NULL;
	shape->fed = NULL;
	shape->unfed = NULL;
}
