#include "unfinished.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_index.h"
#include "state_indexes.h"
#include "state_text.h"
#include "tables/stored_definition.h"

const char unfinished_columns[] =
	"target bigint, step integer, statement text NOT NULL, PRIMARY KEY (target, step)";

/* Writes the OID of the table at the destination. */
static void
put_target(struct buffer *sql, const struct table *table)
{
	struct buffer name;

	memory_buffer_init(&name);
	sql_qualified(&name, table->target_schema, table->target_name);
	buffer_put_u8(&name, '\0');
	sql_literal(sql, (const char *) name.data);
	buffer_printf(sql, "::regclass::oid::bigint");
	buffer_fini(&name);
}

/* `index` NULL: the statement makes none of the source's indexes. */
static void
put_step(struct buffer *sql, const struct table *table, int step, const char *statement,
		 const struct index_spec *index)
{
	char name[DDL_NAME_BYTES];

	if (index)
		ddl_index_name(name, table, index);
	buffer_printf(
		sql,
		"INSERT INTO sluice.unfinished (target, step, statement, index_name, index_oid, signature) VALUES (");
	put_target(sql, table);
	buffer_printf(sql, ", %d, ", step);
	sql_literal(sql, statement);
	buffer_printf(sql, ", ");
	sql_optional_literal(sql, index ? name : NULL);
	if (index)
		buffer_printf(sql, ", %u, ", index->oid);
	else
		buffer_printf(sql, ", NULL, ");
	sql_optional_literal(sql, index ? index->signature : NULL);
	buffer_printf(sql, ");\n");
}

/* The statement ends with ";" and a line break, which are removed. */
static void
put_index_step(struct buffer *sql, const struct table *table, unsigned step, struct buffer *statement,
			   const struct index_spec *index)
{
	buffer_truncate(statement, statement->len - sizeof(";\n") + 1);
	buffer_put_u8(statement, '\0');
	put_step(sql, table, (int) step, (const char *) statement->data, index);
}

void
unfinished_put(struct buffer *sql, const struct dialect *dialect, const char *task, const struct table *table)
{
	const struct creation_spec *spec = table->source.creation_spec;
	struct buffer statement, target;
	struct arena memory;
	const char *remark;

	/* An earlier table may have had the same OID. */
	buffer_printf(sql, "DELETE FROM sluice.unfinished WHERE target = ");
	put_target(sql, table);
	buffer_printf(sql, ";\n");
	sql_init(&target);
	put_target(&target, table);
	state_indexes_put_mark(sql, task, sql_text(&target));
	buffer_printf(sql, ";\n");
	buffer_fini(&target);
	memory_buffer_init(&statement);
	buffer_printf(&statement, "%u\n", table->source.oid);
	stored_definition_put(&statement, &table->source);
	buffer_put_u8(&statement, '\0');
	arena_init(&memory, 1024);
	put_step(sql, table, UNFINISHED_COPY, state_text_stored(&memory, (const char *) statement.data), NULL);
	arena_fini(&memory);
	for (unsigned i = 0; spec && i < spec->index_count; i++) {
		buffer_reset(&statement);
		if (ddl_put_index(&statement, dialect, table, &spec->indexes[i], &remark))
			put_index_step(sql, table, i, &statement, &spec->indexes[i]);
	}
	buffer_reset(&statement);
	if (spec && ddl_put_finding_index(&statement, table))
		put_index_step(sql, table, spec->index_count, &statement, NULL);
	buffer_fini(&statement);
}

void
unfinished_put_copied(struct buffer *sql, uint32_t target_oid)
{
	buffer_printf(sql, "DELETE FROM sluice.unfinished WHERE target = %u AND step = %d", target_oid,
				  UNFINISHED_COPY);
}

enum unfinished_origin
unfinished_compare(const char *text, const struct source_table *source)
{
	struct source_table made;
	struct arena memory;
	char *definition;
	unsigned long oid = strtoul(text, &definition, 10);
	bool known, same;

	arena_init(&memory, 1024);
	known = *definition == '\n' && stored_definition_parse(state_text_read(&memory, definition + 1), &made);
	arena_fini(&memory);
	if (!known)
		return UNFINISHED_UNKNOWN;
	same = oid == source->oid && stored_definition_same(&made, source);
	source_table_free(&made);
	return same ? UNFINISHED_SAME : UNFINISHED_OTHER;
}
