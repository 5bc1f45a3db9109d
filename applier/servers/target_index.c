#include "target_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "tables/mapping.h"

/* ---- what identifies a row, and which columns are guarded */

static struct target_column *
column_by_attnum(const struct target_table *target, long attnum)
{
	for (unsigned i = 0; i < target->column_count; i++)
		if (target->columns[i].attnum == attnum)
			return &target->columns[i];
	return NULL;
}

/* Reads a list such as "2 1" into columns; returns how many, at most `max`. */
static unsigned
read_attnums(const struct target_table *target, const char *attnums, unsigned max,
			 struct target_column *columns[TABLE_MAX_KEY])
{
	unsigned count = 0;
	char *end;

	while (count < max && count < TABLE_MAX_KEY) {
		long attnum = strtol(attnums, &end, 10);
		struct target_column *column = column_by_attnum(target, attnum);

		if (end == attnums || !column)
			break;
		columns[count++] = column;
		attnums = end;
	}
	return count;
}

void
target_read_distribution(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct target_column *columns[TABLE_MAX_KEY];
	unsigned count = read_attnums(&table->target, result_text(res, first, 1), TABLE_MAX_KEY, columns);

	(void) end;
	for (unsigned i = 0; i < count; i++)
		columns[i]->distribution_position = (int) i + 1;
}

void
target_read_partition_keys(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	for (unsigned row = first; row < end; row++) {
		const char *name = result_text(res, row, 1);

		for (unsigned i = 0; i < table->target.column_count; i++)
			if (name[0] == '\0' || strcmp(table->target.columns[i].name, name) == 0)
				table->target.columns[i].guarded = true;
	}
}

/* Whether the columns are exactly those of the match key. */
static bool
is_match_key(const struct table *table, struct target_column *const *columns, unsigned count)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned key_count = table_match_key(table, key), found = 0;

	for (unsigned i = 0; i < key_count; i++)
		for (unsigned j = 0; j < count; j++)
			found += mapping_find_target(table, table->source.columns[key[i]].name) == columns[j];
	return key_count == count && found == count;
}

static void
guard_all(struct target_table *target)
{
	for (unsigned i = 0; i < target->column_count; i++)
		target->columns[i].guarded = true;
}

/*
 * Marks the columns whose values a unique entry depends on: rows that exchange such values would collide
 * in the middle of one UPDATE. A generated column depends on columns that the catalog does not name, and
 * so does an expression over the whole row: then all columns are marked.
 */
static void
guard(struct target_table *target, struct target_column *const *columns, unsigned count, const char *used)
{
	char *end;

	for (unsigned i = 0; i < count; i++) {
		columns[i]->guarded = true;
		if (columns[i]->generated)
			guard_all(target);
	}
	for (;; used = end) {
		long attnum = strtol(used, &end, 10);
		struct target_column *column = column_by_attnum(target, attnum);

		if (end == used)
			return;
		if (!column || column->generated)
			guard_all(target);
		else
			column->guarded = true;
	}
}

/* Rows with different keys cannot collide in an index that contains the whole key. */
static bool
holds_match_key(const struct table *table, struct target_column *const *columns, unsigned count)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned key_count = table_match_key(table, key), found = 0;

	for (unsigned i = 0; i < key_count; i++)
		for (unsigned j = 0; j < count; j++)
			found += mapping_find_target(table, table->source.columns[key[i]].name) == columns[j];
	return key_count > 0 && found >= key_count;
}

void
target_put_unique_indexes_query(struct buffer *sql, const struct dialect *dialect)
{
	buffer_printf(
		sql,
		"SELECT i.indrelid, i.indisprimary, %s, i.indkey::text,"
		" i.indexprs IS NULL AND i.indpred IS NULL AND NOT i.indisexclusion,"
		" (SELECT k.conname FROM pg_constraint k WHERE i.indisprimary AND k.conrelid = i.indrelid"
		"  AND k.contype = 'p'), i.indisexclusion,"
		" CASE WHEN i.indexprs IS NULL AND i.indpred IS NULL THEN '' ELSE (SELECT"
		"  string_agg(d.refobjsubid::text, ' ') FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND"
		"  d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid) END"
		" FROM pg_index i WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisunique OR i.indisexclusion)"
		" ORDER BY i.indrelid",
		dialect->catalog.key_columns);
}

void
target_read_unique_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	for (unsigned row = first; row < end; row++) {
		struct target_column *columns[TABLE_MAX_KEY];
		unsigned key_columns = (unsigned) result_int(res, row, 2);
		unsigned count = read_attnums(&table->target, result_text(res, row, 3), key_columns, columns);

		for (unsigned i = 0; i < count && result_bool(res, row, 1); i++)
			columns[i]->key_position = (int) i + 1;
		if (!result_is_null(res, row, 5)) {
			free(table->target.primary_name);
			table->target.primary_name = memory_strdup(result_text(res, row, 5));
		}
		if (result_bool(res, row, 4) && is_match_key(table, columns, count))
			table->target.has_match_unique = true;
		else if (result_bool(res, row, 6) || !holds_match_key(table, columns, count))
			guard(&table->target, columns, count, result_text(res, row, 7));
	}
}

/* ---- secondary indexes, which prevent a change of a column's type */

const char target_secondary_indexes_sql[] =
	"SELECT i.indrelid, quote_ident(n.nspname) || '.' || quote_ident(c.relname),"
	" CASE WHEN k.oid IS NULL THEN pg_get_indexdef(i.indexrelid) ELSE pg_get_constraintdef(k.oid) END, "
	"k.conname,"
	" i.indkey::text, i.indexprs IS NULL AND i.indpred IS NULL FROM pg_index i"
	" JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
	" LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid"
	"  AND k.contype IN ('u', 'x')"
	" WHERE i.indrelid = ANY ($1::oid[]) AND NOT i.indisprimary ORDER BY i.indrelid, i.indexrelid";

static void
read_secondary_index(struct table *table, struct target_index *index, const struct result *res, unsigned row)
{
	struct target_column *columns[TABLE_MAX_KEY];

	*index = (struct target_index){
		.name = memory_strdup(result_text(res, row, 1)),
		.definition = memory_strdup(result_text(res, row, 2)),
		.constraint = result_is_null(res, row, 3) ? NULL : memory_strdup(result_text(res, row, 3)),
		.plain = result_bool(res, row, 5),
	};
	index->column_count = read_attnums(&table->target, result_text(res, row, 4), TABLE_MAX_KEY, columns);
	for (unsigned i = 0; i < index->column_count; i++)
		index->columns[i] = columns[i]->attnum;
}

void
target_read_secondary_indexes(struct table *table, const struct result *res, unsigned first, unsigned end)
{
	struct target_table *target = &table->target;

	target->indexes = memory_alloc_zero(end - first, sizeof *target->indexes);
	for (unsigned row = first; row < end; row++)
		read_secondary_index(table, &target->indexes[target->index_count++], res, row);
}
