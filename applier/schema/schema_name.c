#include "schema_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "state/forget.h"
#include "state/state_tables.h"

struct table *
schema_name_find_holder(const struct catalog *catalog, const struct table *table, const char *schema,
						const char *name)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *other = &catalog->tables[i];

		if (other->source.oid != table->source.oid && strcmp(other->target_name, name) == 0 &&
			strcmp(other->target_schema, schema) == 0)
			return other;
	}
	return NULL;
}

static void
replace_name(char **name, const char *with)
{
	free(*name);
	*name = memory_strdup(with);
}

/* A table that does not follow is known by the name in its stored definition. */
static void
rename_table(struct table *table, const char *name)
{
	replace_name(&table->target_name, name);
	if (table_follows(table))
		replace_name(&table->source.name, name);
	else if (table->defined)
		replace_name(&table->defined->name, name);
}

static void
put_temporary(char name[64], const struct table *table)
{
	snprintf(name, 64, "sluice_renamed_%u", table->source.oid);
}

bool
schema_name_is_temporary(const struct table *table)
{
	char name[64];

	put_temporary(name, table);
	return strcmp(table->target_name, name) == 0;
}

bool
schema_name_make_way(struct connection *destination, const char *task, const struct catalog *catalog,
					 const struct table *table, const char *schema, const char *name, struct error *err)
{
	struct table *other = schema_name_find_holder(catalog, table, schema, name);
	struct buffer sql;
	char third[64];

	if (!other)
		return forget_free_name(destination, task, schema, name, err);
	/* A table that waits for its first copy does not own its target yet. */
	if (other->override || (table_waits(other) && !other->defined))
		return true;
	put_temporary(third, other);
	sql_init(&sql);
	buffer_printf(&sql, "ALTER TABLE IF EXISTS ");
	sql_qualified(&sql, other->target_schema, other->target_name);
	buffer_printf(&sql, " RENAME TO ");
	sql_identifier(&sql, third);
	buffer_printf(&sql, ";\n");
	rename_table(other, third);
	state_tables_put_definition(&sql, task, other);
	return connection_execute_buffer(destination, &sql, NULL, err);
}
