#include "fold_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/sql.h"
#include "schema/schema_watch.h"
#include "state/state_tables.h"
#include "tables/table_definition.h"

static bool
is_gone(struct fold *f, struct table *table, struct error *err)
{
	return schema_notes_add(&f->setup.memories->notes, table, SCHEMA_GONE, "it was dropped at the source",
							err);
}

/* Its copy may be of either definition, what waits for it is of both. */
static void
note_altered(const struct fold *f, struct table *table, const struct change_relation *relation)
{
	if (!relation || !table_definition_matches(&table->source, relation))
		table->altered_lsn = f->commit_lsn;
}

/* One table that the plugin tells of; `follows` where it is to be looked at. */
static bool
take_definition(struct fold *f, uint32_t oid, uint32_t number, bool gone, struct table **looked,
				struct error *err)
{
	const struct change_relation *relation = number ? change_relation_of(&f->decoder, number) : NULL;
	struct table *table = fold_table(f, relation ? relation->oid : oid);

	*looked = NULL;
	if (!table)
		return !relation || fold_leave_out_stranger(f, relation, err);
	if (table->late)
		note_altered(f, table, relation);
	if (!fold_follows(f, table) || table->late)
		return true;
	if (gone)
		return is_gone(f, table, err);
	if (relation && !table_definition_matches(&table->source, relation) &&
		!fold_follow_definition(f, table, relation, err))
		return false;
	*looked = table;
	return true;
}

/* Written down in the source's transaction, since the tables' rows may be locked by it. */
static bool
write_definitions(struct fold *f, struct table **tables, unsigned count, struct error *err)
{
	struct buffer sql;

	if (!fold_drain(f))
		return fold_interrupted(err);
	if (!pipeline_open_transaction(f->setup.pipeline, err))
		return false;
	f->touched = true;
	sql_init(&sql);
	for (unsigned i = 0; i < count; i++)
		if (fold_follows(f, tables[i]))
			state_tables_put_definition(&sql, f->setup.config->task, tables[i], &tables[i]->source);
	return connection_execute_buffer(pipeline_destination(f->setup.pipeline), &sql, NULL, err) ||
		   error_context(err, "writing sluice.tables");
}

static bool
look(struct fold *f, struct table **tables, unsigned count, struct error *err)
{
	bool moved;

	if (count == 0)
		return true;
	if (!fold_await_visibility(f, tables[0], err) ||
		!schema_watch(f->setup.source, tables, count, &f->setup.memories->notes, &moved, err))
		return false;
	return !moved || write_definitions(f, tables, count, err);
}

/* "OID=number OID=0 OID=?", see change.h. */
bool
fold_definitions(struct fold *f, struct bytes content, struct error *err)
{
	struct table **tables = catalog_alloc(content.len / 2 + f->setup.catalog->count + 1, sizeof *tables);
	char *text = catalog_alloc(content.len + 1, 1), *at = text;
	unsigned count = 0;
	bool ok = true;

	memcpy(text, content.data, content.len);
	if (*at == '*')
		for (at++; count < f->setup.catalog->count; count++) {
			tables[count] = &f->setup.catalog->tables[count];
			if (tables[count]->late)
				note_altered(f, tables[count], NULL);
		}
	while (ok && *at) {
		uint32_t oid = (uint32_t) strtoul(at, &at, 10);
		bool gone = at[0] == '=' && at[1] == '0';
		uint32_t number = *at == '=' ? (uint32_t) strtoul(at + 1, NULL, 10) : 0;

		ok = take_definition(f, oid, number, gone, &tables[count], err);
		count += ok && tables[count];
		at += strcspn(at, " ");
		at += *at == ' ';
	}
	ok = ok && look(f, tables, count, err);
	free(tables);
	free(text);
	return ok;
}
