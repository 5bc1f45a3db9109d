/* Targets with several sources: conditions under which each table's changes affect only its own rows. */
#include <string.h>

#include "base/memory.h"
#include "dialect/ddl_column.h"
#include "precheck_item.h"
#include "precheck_names.h"
#include "tables/mapping.h"

/* The first of the tables that share the table's target. */
static const struct table *
first_of(const struct precheck_context *c, const struct table *table)
{
	const struct table *first = c->catalog->tables;

	while (!table_shares_target(first, table))
		first++;
	return first;
}

/* ---- the configuration */

static void
check_append(struct precheck_context *c, const struct table *table)
{
	if (c->config->initial_copy.mode == COPY_MODE_FULL &&
		c->config->initial_copy.existing != COPY_EXISTING_APPEND)
		precheck_add(c, CHECK_FAILED, "target", precheck_target_name(c, table),
					 "it has several sources, %s: give all but one another target in tables.overrides; or, to"
					 " merge them, set initial_copy.existing to append",
					 table->shared_with);
}

static void
check_truncate(struct precheck_context *c, const struct table *table)
{
	if (table->operations & OPERATION_TRUNCATE)
		precheck_add(c, CHECK_FAILED, "target", precheck_table_name(c, table),
					 "its target has several sources, %s: a TRUNCATE would take the others' rows; leave"
					 " truncate out of its operations",
					 table->shared_with);
}

/* ---- the keys */

static void
add_key(const struct table *table, struct precheck_names *names)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(table, key);

	for (unsigned i = 0; i < count; i++)
		precheck_names_add(names, mapping_target_name(table, table->source.columns[key[i]].name), "");
}

/* Whether both keys consist of the same target columns. */
static bool
same_key(const struct table *a, const struct table *b)
{
	unsigned x[TABLE_MAX_KEY], y[TABLE_MAX_KEY], found = 0;
	unsigned x_count = table_match_key(a, x), y_count = table_match_key(b, y);

	for (unsigned i = 0; i < x_count; i++)
		for (unsigned j = 0; j < y_count; j++)
			found += strcmp(mapping_target_name(a, a->source.columns[x[i]].name),
							mapping_target_name(b, b->source.columns[y[j]].name)) == 0;
	return x_count == y_count && found == x_count;
}

static void
check_same_key(struct precheck_context *c, const struct table *table, const struct table *first)
{
	struct precheck_names ours, theirs;

	if (same_key(table, first))
		return;
	precheck_names_init(&ours);
	precheck_names_init(&theirs);
	add_key(table, &ours);
	add_key(first, &theirs);
	precheck_add(c, CHECK_FAILED, "key", precheck_table_name(c, table),
				 "its target has several sources, which must have one key: here it is (%s), of %s it is (%s);"
				 " set tables.overrides[].key",
				 precheck_names_text(&ours), precheck_table_name(c, first), precheck_names_text(&theirs));
	precheck_names_fini(&ours);
	precheck_names_fini(&theirs);
}

static void
check_collisions_show(struct precheck_context *c, const struct table *table)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(table, key);
	bool unique =
		table->target.exists ? table->target.has_match_unique : c->dialect->allows_unique(table, key, count);

	if (count > 0 && !unique)
		precheck_add(c, CHECK_WARNING, "key", precheck_target_name(c, table),
					 "it has several sources, %s, and no unique index over their key: keys that collide would"
					 " not be noticed",
					 table->shared_with);
}

/* ---- a target that is to be made */

static bool
same_type(const struct source_column *a, const struct source_column *b)
{
	struct buffer x, y;
	bool same;

	memory_buffer_init(&x);
	memory_buffer_init(&y);
	ddl_put_column_type(&x, a);
	ddl_put_column_type(&y, b);
	same = x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
	buffer_fini(&x);
	buffer_fini(&y);
	return same;
}

/* The target is made from the first table's columns, and must have the columns of all others. */
static void
check_same_columns(struct precheck_context *c, const struct table *table, const struct table *first)
{
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *column = &table->source.columns[i];
		const struct source_column *other =
			mapping_find_source(first, mapping_target_name(table, column->name));

		if (!mapping_selects(table, column->name) || (other && same_type(column, other)))
			continue;
		precheck_add(c, CHECK_FAILED, "target", precheck_target_name(c, table),
					 "the column \"%s\" of %s is %s in %s, for which it is to be made: make it yourself, so"
					 " that it takes both",
					 column->name, precheck_table_name(c, table), other ? "another type" : "missing",
					 precheck_table_name(c, first));
	}
}

void
precheck_shared(struct precheck_context *c)
{
	for (unsigned i = 0; i < c->catalog->count; i++) {
		const struct table *table = &c->catalog->tables[i];
		const struct table *first;

		c->about = NULL;
		if (!table->shared_with)
			continue;
		c->about = table;
		check_truncate(c, table);
		first = first_of(c, table);
		if (table == first) {
			check_append(c, table);
			check_collisions_show(c, table);
			continue;
		}
		check_same_key(c, table, first);
		if (!table->target.exists)
			check_same_columns(c, table, first);
	}
	c->about = NULL;
}
