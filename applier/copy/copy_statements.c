#include "copy_statements.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/memory.h"
#include "base/sql.h"
#include "merge/copy_rows.h"
#include "tables/mapping.h"

struct fed_column {
	const struct source_column *source;
	const struct target_column *target;
};

static struct fed_column *
allocate_columns(const struct table *table)
{
	return memory_alloc_zero(table->source.column_count + 1, sizeof(struct fed_column));
}

/* Collects the columns that are copied; returns how many. */
static unsigned
fed_columns(const struct table *table, struct fed_column *fed)
{
	unsigned count = 0;

	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];
		const struct target_column *target = mapping_find_target(table, source->name);

		if (target && !target->generated)
			fed[count++] = (struct fed_column){source, target};
	}
	return count;
}

static bool
needs_select(const struct table *table)
{
	if (table->source.partitioned || mapping_where(table))
		return true;
	for (unsigned i = 0; i < table->source.column_count; i++)
		if (table->source.columns[i].generated)
			return true;
	return false;
}

static void
put_source_columns(struct buffer *sql, const struct fed_column *fed, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (i)
			buffer_put_u8(sql, ',');
		sql_identifier(sql, fed[i].source->name);
	}
}

static void
put_part(struct buffer *sql, const struct table *table, const struct copy_part *part)
{
	/* The table filter may refer to the table by its name; a part is read from a leaf. */
	buffer_printf(sql, " FROM ONLY ");
	sql_qualified(sql, part->leaf->schema, part->leaf->name);
	buffer_printf(sql, " AS ");
	sql_identifier(sql, table->source.name);
	buffer_printf(sql, " WHERE true");
	if (part->first > 0)
		buffer_printf(sql, " AND ctid >= '(%" PRIu32 ",0)'::tid", part->first);
	if (part->end > 0)
		buffer_printf(sql, " AND ctid < '(%" PRIu32 ",0)'::tid", part->end);
}

static void
put_all(struct buffer *sql, const struct table *table)
{
	buffer_printf(sql, table->source.partitioned ? " FROM " : " FROM ONLY ");
	sql_qualified(sql, table->source.schema, table->source.name);
	buffer_printf(sql, " WHERE true");
}

static void
put_rows(struct buffer *sql, const struct table *table, const struct copy_part *part)
{
	if (part)
		put_part(sql, table, part);
	else
		put_all(sql, table);
	/* The newline ends a comment that a condition may end with. */
	if (mapping_where(table))
		buffer_printf(sql, " AND (%s\n)", mapping_where(table));
}

static void
put_select(struct buffer *sql, const struct table *table, const struct copy_part *part,
		   const struct fed_column *fed, unsigned count)
{
	buffer_printf(sql, "(SELECT ");
	put_source_columns(sql, fed, count);
	put_rows(sql, table, part);
	buffer_put_u8(sql, ')');
}

const char copy_same_order[] =
	"SET LOCAL synchronize_seqscans = off; SET LOCAL max_parallel_workers_per_gather = 0";

void
copy_put_row_place(struct buffer *sql, const struct table *table, const struct copy_part *part, int64_t row)
{
	/* tableoid and ctid need no qualification: user columns cannot have the names of system columns. */
	buffer_printf(sql, "SELECT tableoid::pg_catalog.regclass::text, ctid::text");
	put_rows(sql, table, part);
	buffer_printf(sql, " LIMIT 1 OFFSET %" PRId64, row - 1);
}

/* COPY of the table itself is a little faster, but does not work with a partitioned table, generated columns or a
 * condition. */
void
copy_put_out(struct buffer *sql, const struct table *table, const struct copy_part *part)
{
	struct fed_column *fed = allocate_columns(table);
	unsigned count = fed_columns(table, fed);

	buffer_printf(sql, "COPY ");
	if (part || needs_select(table)) {
		put_select(sql, table, part, fed, count);
	} else {
		sql_qualified(sql, table->source.schema, table->source.name);
		buffer_printf(sql, " (");
		put_source_columns(sql, fed, count);
		buffer_put_u8(sql, ')');
	}
	buffer_printf(sql, " TO STDOUT%s", copy_format_clause(table->as_text));
	buffer_put_u8(sql, '\0');
	free(fed);
}

void
copy_put_in(struct buffer *sql, const struct table *table)
{
	struct fed_column *fed = allocate_columns(table);
	unsigned count = fed_columns(table, fed);

	buffer_printf(sql, "COPY ");
	sql_qualified(sql, table->target_schema, table->target_name);
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(sql, i ? ", " : " (");
		sql_identifier(sql, fed[i].target->name);
	}
	buffer_printf(sql, ") FROM STDIN%s", copy_format_clause(table->as_text));
	buffer_put_u8(sql, '\0');
	free(fed);
}

/* The columns as the catalog has them, to be compared with those in the snapshot. */
static void
put_known_columns(struct buffer *sql, const struct source_table *source)
{
	buffer_printf(sql, "ARRAY[");
	for (unsigned i = 0; i < source->column_count; i++) {
		const struct source_column *column = &source->columns[i];
		struct buffer text;

		memory_buffer_init(&text);
		buffer_printf(&text, "%d %u %s", column->attnum, column->type, column->name);
		buffer_put_u8(&text, '\0');
		buffer_printf(sql, i ? ", " : "");
		sql_literal(sql, (const char *) text.data);
		buffer_fini(&text);
	}
	buffer_printf(sql, "]::text[]");
}

/* Column names and types may have changed after the catalog was read and before the snapshot. */
static void
put_column_comparison(struct buffer *sql, const struct source_table *source)
{
	buffer_printf(sql,
				  " AND ARRAY(SELECT a.attnum || ' ' || a.atttypid || ' ' || a.attname FROM pg_attribute a"
				  " WHERE a.attrelid = %u AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'"
				  " ORDER BY a.attnum) = ",
				  source->oid);
	put_known_columns(sql, source);
}

void
copy_put_unchanged_check(struct buffer *sql, const struct table *table)
{
	struct buffer name;

	memory_buffer_init(&name);
	sql_qualified(&name, table->source.schema, table->source.name);
	buffer_put_u8(&name, '\0');
	buffer_printf(sql,
				  "SAVEPOINT before_lock; LOCK TABLE %s IN ACCESS SHARE MODE;"
				  " SELECT to_regclass(",
				  (const char *) name.data);
	sql_literal(sql, (const char *) name.data);
	buffer_printf(sql,
				  ")::oid = %u AND (SELECT bool_and(pg_relation_filenode(c.oid) = c.relfilenode"
				  " OR pg_relation_filenode(c.oid) IS NULL) FROM pg_class c WHERE c.oid = %u"
				  " OR c.oid IN (SELECT relid FROM pg_partition_tree(%u)))",
				  table->source.oid, table->source.oid, table->source.oid);
	put_column_comparison(sql, &table->source);
	buffer_put_u8(sql, '\0');
	buffer_fini(&name);
}

/* Only heap tables are divided by blocks: the ctid of other table access methods may not be a block number. */
void
copy_put_leaves(struct buffer *sql, const struct table *table, bool ranges)
{
	buffer_printf(sql,
				  "SELECT n.nspname, c.relname, pg_table_size(c.oid), CASE WHEN %s AND m.amname = 'heap'"
				  " THEN pg_relation_size(c.oid) / current_setting('block_size')::bigint ELSE -1 END"
				  " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
				  " LEFT JOIN pg_am m ON m.oid = c.relam WHERE c.relkind <> 'p' AND (c.oid = %u"
				  " OR c.oid IN (SELECT relid FROM pg_partition_tree(%u))) ORDER BY c.oid",
				  ranges ? "true" : "false", table->source.oid, table->source.oid);
	buffer_put_u8(sql, '\0');
}

/* The statements that create an index again drop it first, so that they also work where it exists. */
void
copy_put_indexes(struct buffer *sql, const struct table *table)
{
	buffer_printf(
		sql,
		"SELECT CASE WHEN k.oid IS NULL THEN 'DROP INDEX ' || x.name"
		" ELSE 'ALTER TABLE ' || t.name || ' DROP CONSTRAINT ' || quote_ident(k.conname) END,"
		" CASE WHEN k.oid IS NULL THEN 'DROP INDEX IF EXISTS ' || x.name || '; '"
		"  || pg_get_indexdef(i.indexrelid)"
		" ELSE 'ALTER TABLE ' || t.name || ' DROP CONSTRAINT IF EXISTS ' || quote_ident(k.conname) ||"
		"  '; ALTER TABLE ' || t.name || ' ADD CONSTRAINT ' || quote_ident(k.conname) || ' '"
		"  || pg_get_constraintdef(k.oid) END"
		" FROM pg_index i JOIN (SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name"
		"  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) t ON t.oid = i.indrelid"
		" JOIN (SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name"
		"  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace) x ON x.oid = i.indexrelid"
		" LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')"
		" WHERE i.indrelid = %u ORDER BY i.indisprimary DESC, i.indexrelid",
		table->target.oid);
	buffer_put_u8(sql, '\0');
}
