#include "ddl_index.h"

#include <stdio.h>
#include <string.h>

#include "base/sql.h"
#include "ddl_column.h"
#include "tables/mapping.h"

/* ---- keys */

/* Whether the target is to have the primary key of the source. */
static unsigned
primary_key(const struct table *table, unsigned key[TABLE_MAX_KEY])
{
	const struct source_table *source = &table->source;
	unsigned count = 0;

	for (unsigned i = 0; i < source->column_count; i++) {
		int at = source->columns[i].primary_position;

		if (at < 1 || at > TABLE_MAX_KEY)
			continue;
		if (!mapping_selects(table, source->columns[i].name))
			return 0;
		key[at - 1] = i;
		count++;
	}
	return count;
}

unsigned
ddl_primary_key(const struct dialect *dialect, const struct table *table, unsigned key[TABLE_MAX_KEY])
{
	unsigned count = primary_key(table, key);

	return count > 0 && dialect->allows_unique(table, key, count) ? count : 0;
}

bool
ddl_lacks_primary_key(const struct dialect *dialect, const struct table *table)
{
	unsigned key[TABLE_MAX_KEY];

	return primary_key(table, key) > 0 && ddl_primary_key(dialect, table, key) == 0;
}

static bool
key_has(const unsigned *key, unsigned count, unsigned column)
{
	for (unsigned i = 0; i < count; i++)
		if (key[i] == column)
			return true;
	return false;
}

/* Whether two keys consist of the same columns. */
static bool
same_columns(const unsigned *a, unsigned a_count, const unsigned *b, unsigned b_count)
{
	if (a_count != b_count)
		return false;
	for (unsigned i = 0; i < a_count; i++)
		if (!key_has(b, b_count, a[i]))
			return false;
	return true;
}

void
ddl_put_key(struct buffer *sql, const struct table *table, const unsigned *key, unsigned count)
{
	buffer_put_u8(sql, '(');
	for (unsigned i = 0; i < count; i++) {
		if (i)
			buffer_printf(sql, ", ");
		sql_identifier(sql, mapping_target_name(table, table->source.columns[key[i]].name));
	}
	buffer_put_u8(sql, ')');
}

/* Every batch finds its rows by the match key: without an index each would read the whole table. The index is not
 * unique if the destination allows no unique one. */
void
ddl_put_match_index(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	unsigned primary[TABLE_MAX_KEY], match[TABLE_MAX_KEY];
	unsigned primary_count = ddl_primary_key(dialect, table, primary);
	unsigned count = table_match_key(table, match);

	if (count == 0 || same_columns(primary, primary_count, match, count))
		return;
	buffer_printf(sql, "CREATE %sINDEX ON ", dialect->allows_unique(table, match, count) ? "UNIQUE " : "");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_put_u8(sql, ' ');
	ddl_put_key(sql, table, match, count);
	buffer_printf(sql, ";\n");
}

/* ---- secondary indexes */

/* The match key has an index already. */
static bool
is_match_index(const struct table *table, const struct index_spec *index)
{
	unsigned match[TABLE_MAX_KEY];
	unsigned count = table_match_key(table, match);

	return index->plain && index->unique && same_columns(match, count, index->columns, index->column_count);
}

/* A server cuts a longer name off at its end. */
#define NAME_BYTES_MAX (DDL_NAME_BYTES - 1)

/* Writes as much of the name as leaves room for `end`, and then that. */
static void
cut_name(char out[DDL_NAME_BYTES], const char *name, const char *end)
{
	size_t len = strlen(name), room = NAME_BYTES_MAX - strlen(end);

	if (len > room)
		for (len = room; len > 0 && ((unsigned char) name[len] & 0xC0) == 0x80;)
			len--;
	snprintf(out, DDL_NAME_BYTES, "%.*s%s", (int) len, name, end);
}

/* Index names are unique within a schema, so they are kept only if the table keeps its schema and name. */
static bool
keeps_name(const struct table *table)
{
	return strcmp(table->target_schema, table->source.schema) == 0 &&
		   strcmp(table->target_name, table->source.name) == 0;
}

void
ddl_index_name(char out[DDL_NAME_BYTES], const struct table *table, const struct index_spec *index)
{
	char end[16] = "";

	if (!keeps_name(table))
		snprintf(end, sizeof end, "_%u", index->oid);
	cut_name(out, index->name, end);
}

static void
put_constraint(struct buffer *sql, const struct table *table, const char *name, const char *constraint)
{
	buffer_printf(sql, "ALTER TABLE ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_printf(sql, " ADD CONSTRAINT ");
	sql_identifier(sql, name);
	buffer_printf(sql, " %s;\n", constraint);
}

void
ddl_put_create_index(struct buffer *sql, const struct table *table, const char *name, bool unique,
					 bool concurrently, const char *tail)
{
	buffer_printf(sql, "CREATE %sINDEX %s", unique ? "UNIQUE " : "", concurrently ? "CONCURRENTLY " : "");
	sql_identifier(sql, name);
	buffer_printf(sql, " ON ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_printf(sql, " %s;\n", tail);
}

void
ddl_put_index_comment(struct buffer *sql, const char *schema, const char *name, const char *comment)
{
	buffer_printf(sql, "COMMENT ON INDEX ");
	sql_qualified(sql, schema, name);
	buffer_printf(sql, " IS ");
	sql_literal(sql, comment);
	buffer_printf(sql, ";\n");
}

/* The source's text of the index names the source's columns, and for a plain index no others than those listed. */
static bool
keeps_columns(const struct table *table, const struct index_spec *index)
{
	if (!index->plain && !mapping_keeps_columns(table))
		return false;
	for (unsigned i = 0; i < index->column_count; i++) {
		const char *name = table->source.columns[index->columns[i]].name;

		if (!mapping_selects(table, name) || strcmp(mapping_target_name(table, name), name) != 0)
			return false;
	}
	return true;
}

static const char not_unique[] = "storage or distribution does not allow it";

static bool
allows_unique(const struct dialect *dialect, const struct table *table, const struct index_spec *index)
{
	return dialect->allows_unique(table, index->columns, index->column_count);
}

bool
ddl_allows_index(const struct dialect *dialect, const struct table *table, const struct index_spec *index,
				 const char **remark)
{
	*remark = index->refused;
	if (index->refused || is_match_index(table, index))
		return false;
	if (!keeps_columns(table, index))
		*remark = "columns of the table are left out or renamed";
	else if (index->only_unique && !allows_unique(dialect, table, index))
		*remark = not_unique;
	return !*remark;
}

bool
ddl_put_index(struct buffer *sql, const struct dialect *dialect, const struct table *table,
			  const struct index_spec *index, const char **remark)
{
	char name[DDL_NAME_BYTES];
	bool unique = index->unique && allows_unique(dialect, table, index);

	if (!ddl_allows_index(dialect, table, index, remark))
		return false;
	ddl_index_name(name, table, index);
	if (index->constraint && unique)
		put_constraint(sql, table, name, index->constraint);
	else
		ddl_put_create_index(sql, table, name, unique, false, index->tail);
	if (index->unique && !unique)
		*remark = not_unique;
	if (index->comment)
		ddl_put_index_comment(sql, table->target_schema, name, index->comment);
	return true;
}

/* Another index of the table may serve as well. */
static bool
leads_index(const struct creation_spec *spec, unsigned column)
{
	for (unsigned i = 0; i < spec->index_count; i++)
		if (spec->indexes[i].plain && spec->indexes[i].columns[0] == column)
			return true;
	return false;
}

bool
ddl_put_finding_index(struct buffer *sql, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;
	char name[DDL_NAME_BYTES];
	unsigned column;

	if (!spec || !spec->found_by || leads_index(spec, spec->found_by - 1))
		return false;
	column = spec->found_by - 1;
	buffer_printf(sql, "CREATE INDEX ");
	cut_name(name, table->target_name, DDL_FINDING_INDEX);
	sql_identifier(sql, name);
	buffer_printf(sql, " ON ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_put_u8(sql, ' ');
	ddl_put_key(sql, table, &column, 1);
	buffer_printf(sql, ";\n");
	return true;
}

void
ddl_put_after_copy(struct buffer *sql, const struct dialect *dialect, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;

	for (unsigned i = 0; spec && i < spec->index_count; i++) {
		const struct index_spec *index = &spec->indexes[i];
		const char *remark;
		bool put = ddl_put_index(sql, dialect, table, index, &remark);

		if (!remark)
			continue;
		buffer_printf(sql, put				   ? "-- the index "
						   : index->constraint ? "-- without the constraint "
											   : "-- without the index ");
		ddl_put_remark(sql, index->name);
		buffer_printf(sql, put ? " is not unique: " : ": ");
		ddl_put_remark(sql, remark);
		buffer_put_u8(sql, '\n');
	}
	ddl_put_finding_index(sql, table);
}
