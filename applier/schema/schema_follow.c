#include "schema_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "schema_decision.h"
#include "schema_name.h"
#include "servers/source_catalog.h"
#include "servers/target.h"
#include "state/state_tables.h"

/* One changed definition that is being followed. */
struct following {
	const struct schema_follow *setup;
	struct table *table;		 /* with the old definition */
	struct table next;			 /* with the new definition, and the target as it is */
	struct schema_value *values; /* by column of the new definition */
	unsigned value_count;
	struct catalog seen;
	const struct source_table *today; /* the source's catalog, in `seen`; NULL: the table is gone */
	bool types_gone;
};

/* ---- the new definition */

static void
take_column(struct source_column *column, const struct change_column *from, const struct source_table *before)
{
	const struct source_column *same = stored_definition_find(before, from->attnum);

	*column = (struct source_column){
		.attnum = from->attnum,
		.name = memory_strdup(from->name),
		.type = from->type,
		.typmod = from->typmod,
		.not_null = from->flags & COLUMN_NOT_NULL,
		.generated = from->flags & COLUMN_GENERATED,
		.identity = from->flags & COLUMN_IDENTITY ? 'd' : 0,
	};
	if (same) {
		column->version = same->version;
		column->unique_position = same->unique_position;
		column->primary_position = same->primary_position;
		column->identity_position = same->identity_position;
	}
}

/* The relation description marks a key's columns without their order in the index, which does not matter here. */
static void
take_key(struct source_table *source, const struct change_relation *relation, uint8_t flag, bool primary)
{
	int position = 0;

	for (unsigned i = 0; i < source->column_count; i++) {
		int *at = primary ? &source->columns[i].primary_position : &source->columns[i].identity_position;

		*at = relation->columns[i].flags & flag ? ++position : 0;
	}
}

static void
take_relation(struct following *f, const struct change_relation *relation)
{
	const struct source_table *before = &f->table->source;
	struct source_table *source = &f->next.source;

	*source = (struct source_table){
		.oid = relation->oid,
		.schema = memory_strdup(relation->schema),
		.name = memory_strdup(relation->name),
		.partitioned = before->partitioned,
		.partition = before->partition,
		.identity = before->partitioned ? before->identity : relation->identity,
		.estimated_rows = before->estimated_rows,
		.bytes = before->bytes,
		.storage = before->storage ? memory_strdup(before->storage) : NULL,
		.columns = memory_alloc_zero(relation->column_count, sizeof *source->columns),
		.column_count = relation->column_count,
	};
	for (unsigned i = 0; i < relation->column_count; i++)
		take_column(&source->columns[i], &relation->columns[i], before);
	stored_definition_keep_defaults(source, before);
	take_key(source, relation, COLUMN_PRIMARY, true);
	if (relation->identity == 'i')
		take_key(source, relation, COLUMN_KEY, false);
}

/* ---- what the source says today */

/* Storage and column versions of the catalog belong to the new definition only while the two are the same. */
static void
take_storage(struct source_table *source, const struct source_table *today)
{
	if (!stored_definition_same(source, today))
		return;
	free(source->storage);
	source->storage = today->storage ? memory_strdup(today->storage) : NULL;
	for (unsigned i = 0; i < source->column_count; i++) {
		source->columns[i].version = today->columns[i].version;
		source->columns[i].unique_position = today->columns[i].unique_position;
		source->columns[i].primary_position = today->columns[i].primary_position;
	}
}

static bool
read_source(struct following *f, struct error *err)
{
	if (!source_read_tables(f->setup->source, &f->next.source.oid, 1, &f->seen, err))
		return false;
	if (f->seen.count > 0) {
		f->today = &f->seen.tables[0].source;
		take_storage(&f->next.source, f->today);
	}
	return true;
}

static bool
read_values(struct following *f, struct error *err)
{
	f->value_count = f->next.source.column_count;
	f->values = memory_alloc_zero(f->value_count, sizeof *f->values);
	for (unsigned i = 0; i < f->value_count; i++) {
		const struct source_column *column = &f->next.source.columns[i];
		struct schema_value *value = &f->values[i];

		if (column->generated || stored_definition_find(&f->table->source, column->attnum))
			continue;
		if (!source_read_missing(f->setup->source, f->next.source.oid, column->attnum, &value->known,
								 &value->text, err))
			return false;
	}
	return true;
}

/* ---- adopting the new definition */

static void
take_new_name(struct table *table)
{
	free(table->target_schema);
	free(table->target_name);
	table->target_schema = memory_strdup(table->source.schema);
	table->target_name = memory_strdup(table->source.name);
}

/* Must run before the target's new name is set: the row in sluice.tables is found by the old one. */
static bool
write_definition(struct following *f, struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	state_tables_put_definition(&sql, f->setup->config->task, &f->next);
	buffer_put_u8(&sql, '\0');
	ok = connection_execute(f->setup->destination, (const char *) sql.data, NULL, 0, NULL, err);
	buffer_fini(&sql);
	return ok || error_context(err, "writing sluice.tables");
}

/* Exchanges the table's old contents for the new ones; release() frees the old. */
static void
replace(struct following *f)
{
	struct table *table = f->table;
	struct table before = *table;

	/* Nothing else: what upkeep notes about the table may have changed since it was copied. */
	table->source = f->next.source;
	table->target = f->next.target;
	table->target_schema = f->next.target_schema;
	table->target_name = f->next.target_name;
	table->as_text |= f->next.as_text;
	f->next = before;
}

static bool
adopt(struct following *f, bool renamed, struct error *err)
{
	if (renamed)
		take_new_name(&f->next);
	if (!write_definition(f, err) ||
		!target_read_table(f->setup->destination, f->setup->dialect, &f->next, err))
		return false;
	replace(f);
	return true;
}

/* ---- carrying out the decision */

static bool
note(struct following *f, enum schema_outcome outcome, const struct schema_decision *decision,
	 struct error *err)
{
	return schema_notes_add(f->setup->notes, f->table, outcome, decision->reason, err);
}

/* The target's new name may still be that of another table's target, whose own rename follows in the stream. */
static bool
make_way(struct following *f, const struct schema_change *change, struct error *err)
{
	const struct source_table *source = &f->next.source;

	return !change->renamed ||
		   schema_name_make_way(f->setup->destination, f->setup->config->task, f->setup->catalog, &f->next,
								source->schema, source->name, err);
}

static bool
execute(struct following *f, struct schema_decision *decision, const struct schema_case *c, struct error *err)
{
	const struct schema_change *change = &decision->change;
	char line[ERROR_HINT_MAX];

	schema_change_line(change, &f->next, line, sizeof line);
	if (make_way(f, change, err) &&
		connection_execute(f->setup->destination, (const char *) change->sql.data, NULL, 0, NULL, err)) {
		log_table(LOG_INFO, &f->table->source, "%s.%s has changed its definition: %s",
				  f->table->source.schema, f->table->source.name, line);
		f->setup->followed(f->setup->arg, f->table, line);
		return adopt(f, change->renamed, err);
	}
	if (err->class != ERROR_DATA)
		return false;
	schema_decision_refused(decision, c, err);
	return note(f, SCHEMA_HELD, decision, err);
}

static bool
carry_out(struct following *f, struct schema_decision *decision, const struct schema_case *c,
		  struct error *err)
{
	switch (decision->action) {
	case SCHEMA_ADOPT:
		log_table(LOG_INFO, &f->table->source, "%s.%s has changed its definition; its target fits",
				  f->table->source.schema, f->table->source.name);
		f->setup->followed(f->setup->arg, f->table, "its target fits");
		return adopt(f, decision->change.renamed, err);
	case SCHEMA_EXECUTE:
		return execute(f, decision, c, err);
	case SCHEMA_COPY_AGAIN:
		return note(f, SCHEMA_COPIED_AGAIN, decision, err);
	case SCHEMA_HOLD:
		return note(f, SCHEMA_HELD, decision, err);
	}
	return true;
}

static bool
decide_and_carry_out(struct following *f, struct error *err)
{
	struct schema_case c = {
		.config = f->setup->config,
		.dialect = f->setup->dialect,
		.stored = &f->table->source,
		.table = &f->next,
		.today = f->today,
		.values = f->values,
		.types_gone = f->types_gone,
	};
	struct schema_decision decision;
	bool ok;

	schema_decision_make(&decision, &c);
	ok = carry_out(f, &decision, &c, err);
	schema_decision_fini(&decision);
	return ok;
}

static bool
read_target(struct following *f, struct error *err)
{
	return target_read_table(f->setup->destination, f->setup->dialect, &f->next, err);
}

static void
release(struct following *f)
{
	for (unsigned i = 0; i < f->value_count; i++)
		free(f->values[i].text);
	free(f->values);
	catalog_free(&f->seen);
	source_table_free(&f->next.source);
	target_table_free(&f->next.target);
	free(f->next.target_schema);
	free(f->next.target_name);
}

static void
begin(struct following *f, const struct schema_follow *setup, struct table *table)
{
	*f = (struct following){.setup = setup, .table = table, .next = *table};
	f->next.target = (struct target_table){0};
	f->next.target_schema = memory_strdup(table->target_schema);
	f->next.target_name = memory_strdup(table->target_name);
}

bool
schema_follow(const struct schema_follow *setup, struct table *table, const struct change_relation *relation,
			  struct error *err)
{
	struct following f;
	bool all = true, ok;

	begin(&f, setup, table);
	take_relation(&f, relation);
	ok = source_read_types(setup->source, f.next.source.columns, f.next.source.column_count, &all, err);
	f.types_gone = !all;
	ok = ok && (f.types_gone || (read_source(&f, err) && read_values(&f, err) && read_target(&f, err))) &&
		 decide_and_carry_out(&f, err);
	release(&f);
	return ok;
}

/* A rename alone rewrites nothing: storage and versions are copied from the old definition. */
bool
schema_follow_name(const struct schema_follow *setup, struct table *table, const char *schema,
				   const char *name, struct error *err)
{
	struct following f;
	bool ok;

	begin(&f, setup, table);
	stored_definition_copy(&f.next.source, &table->source);
	free(f.next.source.schema);
	free(f.next.source.name);
	f.next.source.schema = memory_strdup(schema);
	f.next.source.name = memory_strdup(name);
	f.today = &f.next.source;
	ok = read_target(&f, err) && decide_and_carry_out(&f, err);
	release(&f);
	return ok;
}
