#include "schema_change_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "tables/mapping.h"
#include "tables/stored_definition.h"

/* The worst verdict stands, with its reason. */
static void PRINTF_LIKE(3, 4) judge(struct plan *p, enum schema_verdict verdict, const char *format, ...)
{
	va_list args;

	if (p->change->verdict >= verdict)
		return;
	p->change->verdict = verdict;
	va_start(args, format);
	vsnprintf(p->change->reason, sizeof p->change->reason, format, args);
	va_end(args);
}

/* ---- statements */

struct buffer *
schema_change_alter(struct plan *p)
{
	struct buffer *sql = &p->change->sql;

	judge(p, SCHEMA_ALTER, "%s", "");
	buffer_printf(sql, "ALTER TABLE ");
	sql_qualified(sql, p->table->target_schema, p->table->target_name);
	return sql;
}

static struct buffer *
alter_column(struct plan *p, const char *column)
{
	struct buffer *sql = schema_change_alter(p);

	buffer_printf(sql, " ALTER COLUMN ");
	sql_identifier(sql, mapping_target_name(p->table, column));
	return sql;
}

static const struct target_column *
target_column(const struct plan *p, const char *name)
{
	return mapping_find_target(p->table, name);
}

/* The target column for a column's former name; the configuration may not mention that name any more. */
static const struct target_column *
former_column(const struct plan *p, const char *name)
{
	return target_find_column(&p->table->target, mapping_target_name(p->table, name));
}

/* ---- columns that the configuration names */

static bool
list_has(const struct string_list *list, const char *name)
{
	for (unsigned i = 0; i < list->count; i++)
		if (strcmp(list->items[i], name) == 0)
			return true;
	return false;
}

static bool
is_part_of_name(char c)
{
	return isalnum((unsigned char) c) || c == '_' || c == '$' || (unsigned char) c >= 0x80;
}

/* Whether a condition contains the column's name as a word, in any case. */
static bool
condition_names(const char *condition, const char *column)
{
	size_t len = strlen(column);

	for (const char *at = condition; *at; at++)
		if (strncasecmp(at, column, len) == 0 && (at == condition || !is_part_of_name(at[-1])) &&
			!is_part_of_name(at[len]))
			return true;
	return false;
}

/* Whether the table's override names the column: once that is renamed or dropped, the override is wrong. */
static bool
is_configured(const struct plan *p, const char *column)
{
	const struct table_override *override = p->table->override;

	if (!override)
		return false;
	return list_has(&override->columns, column) || list_has(&override->key, column) ||
		   list_has(&override->distributed_by, column) ||
		   strcmp(mapping_target_name(p->table, column), column) != 0 ||
		   (override->where && condition_names(override->where, column));
}

static bool
is_dropped(const struct plan *p, const struct source_column *column)
{
	return !stored_definition_find(p->after, column->attnum);
}

/* Whether it was dropped, and a new column got its name, so that the configuration speaks of that one. */
static bool
is_replaced(const struct plan *p, const struct source_column *column)
{
	const struct source_column *heir = source_find_column(p->after, column->name);

	return is_dropped(p, column) && heir && !stored_definition_find(p->before, heir->attnum);
}

static void
judge_configured(struct plan *p)
{
	for (unsigned i = 0; i < p->before->column_count; i++) {
		const struct source_column *column = &p->before->columns[i];
		const struct source_column *after = stored_definition_find(p->after, column->attnum);

		if ((after && strcmp(after->name, column->name) == 0) || !is_configured(p, column->name))
			continue;
		if (!is_replaced(p, column))
			judge(p, SCHEMA_REFUSE,
				  "column \"%s\" was %s, and tables.overrides in the configuration speaks of it: correct "
				  "that there",
				  column->name, after ? "renamed" : "dropped");
		else if (!p->question->emptied) /* a condition may select other rows */
			judge(p, SCHEMA_COPY,
				  "column \"%s\", of which tables.overrides speaks, was dropped, and another has its name",
				  column->name);
	}
}

/* A key that the source moved to columns which the configuration leaves out. */
static void
refuse_key_left_out(struct plan *p)
{
	unsigned key[TABLE_MAX_KEY], count = table_match_key(p->table, key);

	for (unsigned i = 0; i < count; i++) {
		const char *name = p->after->columns[key[i]].name;

		if (!mapping_selects(p->table, name))
			judge(p, SCHEMA_REFUSE,
				  "column \"%s\", of its key, is not among tables.overrides[].columns in the configuration: "
				  "add it there",
				  name);
	}
}

/* ---- dropped columns */

static void
drop_columns(struct plan *p)
{
	for (unsigned i = 0; i < p->before->column_count; i++) {
		const struct source_column *column = &p->before->columns[i];
		const struct target_column *target = target_column(p, column->name);
		/* Must be dropped: a column of the same name takes its place, or rows without it would be refused. */
		bool needed = source_find_column(p->after, column->name) ||
					  (target && target->not_null && !target->has_default);

		if (!is_dropped(p, column) || !target || (p->question->needed_only && !needed) ||
			(is_configured(p, column->name) && !is_replaced(p, column)))
			continue;
		buffer_printf(schema_change_alter(p), " DROP COLUMN ");
		sql_identifier(&p->change->sql, target->name);
		buffer_printf(&p->change->sql, ";\n");
	}
}

/* ---- renamed columns */

static void
put_rename(struct plan *p, const char *from, const char *to)
{
	buffer_printf(schema_change_alter(p), " RENAME COLUMN ");
	sql_identifier(&p->change->sql, from);
	buffer_printf(&p->change->sql, " TO ");
	sql_identifier(&p->change->sql, to);
	buffer_printf(&p->change->sql, ";\n");
}

/* A column that only the target has is in the way of the new name.  A person decides; the statements that the message
 * offers keep it under another name. */
static void
put_rename_aside(struct plan *p, const char *name)
{
	char aside[64];

	snprintf(aside, sizeof aside, "%.50s_before", name);
	put_rename(p, name, aside);
}

/* The column's old definition, where it was renamed and the target has not been yet; NULL otherwise. */
static const struct source_column *
renamed_from(const struct plan *p, const struct source_column *column)
{
	const struct source_column *before = stored_definition_find(p->before, column->attnum);

	if (p->question->common_only || !before || strcmp(before->name, column->name) == 0 ||
		!former_column(p, before->name) || is_configured(p, before->name) ||
		!mapping_selects(p->table, column->name))
		return NULL;
	return before;
}

static bool
is_renamed(const struct plan *p, const char *old_name)
{
	const struct source_column *before = source_find_column(p->before, old_name);
	const struct source_column *after = before ? stored_definition_find(p->after, before->attnum) : NULL;

	return after && strcmp(after->name, old_name) != 0;
}

/* Whether the target has a column of the name that another column is to get: that one must be renamed first. */
static bool
is_in_the_way(const struct plan *p, const char *name)
{
	const struct source_column *before = source_find_column(p->before, name);

	return target_column(p, name) && !(before && is_dropped(p, before));
}

/* Columns that swap names are renamed in two steps, by way of a temporary name. */
static void
rename_columns(struct plan *p)
{
	char by_way[64];

	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *from = renamed_from(p, column);

		if (!from || !is_in_the_way(p, column->name))
			continue;
		if (!is_renamed(p, column->name)) {
			judge(p, SCHEMA_REFUSE, "column \"%s\" was renamed to \"%s\", which the target has already",
				  from->name, column->name);
			put_rename_aside(p, column->name);
			continue;
		}
		snprintf(by_way, sizeof by_way, "sluice_renamed_%d", column->attnum);
		put_rename(p, from->name, by_way);
	}
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *from = renamed_from(p, column);

		if (!from)
			continue;
		snprintf(by_way, sizeof by_way, "sluice_renamed_%d", column->attnum);
		put_rename(p, is_in_the_way(p, column->name) && is_renamed(p, column->name) ? by_way : from->name,
				   column->name);
	}
}

/* ---- columns that both definitions have: type, NOT NULL */

const struct target_column *
schema_change_target_of(const struct plan *p, const struct source_column *column)
{
	const struct source_column *from = renamed_from(p, column);

	return from ? former_column(p, from->name) : target_column(p, column->name);
}

static const char *
type_of(struct buffer *type, const struct source_column *column)
{
	buffer_reset(type);
	ddl_put_column_type(type, column);
	buffer_put_u8(type, '\0');
	return (const char *) type->data;
}

static bool
is_text(const struct target_column *column)
{
	return strcmp(column->formatted, "text") == 0 || strcmp(column->formatted, "character varying") == 0;
}

static void
put_retype(struct plan *p, const struct source_column *column, const struct target_column *target)
{
	struct buffer type, *sql;

	memory_buffer_init(&type);
	type_of(&type, column);
	/* The default may have no conversion to the new type: ALTER COLUMN TYPE would fail. */
	if (target->has_default)
		buffer_printf(alter_column(p, column->name), " DROP DEFAULT;\n");
	sql = alter_column(p, column->name);
	buffer_printf(sql, " TYPE %s USING ", (const char *) type.data);
	p->change->needs_empty |= p->question->emptied;
	if (p->question->emptied)
		buffer_printf(sql, "NULL");
	else
		sql_identifier(sql, mapping_target_name(p->table, column->name));
	buffer_printf(sql, "::%s;\n", (const char *) type.data);
	buffer_fini(&type);
}

/* Whether a person chose the target's type: it is not the one that the source's old type is created with. */
static bool
has_chosen_type(const struct source_column *before, const struct target_column *target)
{
	struct buffer type;
	bool chosen;

	memory_buffer_init(&type);
	chosen = before->formatted && strcmp(target->formatted, type_of(&type, before)) != 0;
	buffer_fini(&type);
	return chosen;
}

bool
schema_change_is_retyped(const struct source_column *column, const struct source_column *before,
						 const struct target_column *target, bool *chosen)
{
	struct buffer type;
	bool other;

	*chosen = false;
	if (column->type == before->type && column->typmod == before->typmod)
		return false;
	memory_buffer_init(&type);
	other = strcmp(target->formatted, type_of(&type, column)) != 0;
	buffer_fini(&type);
	*chosen = other && has_chosen_type(before, target);
	return other && !(*chosen && is_text(target));
}

static void
retype_column(struct plan *p, const struct source_column *column, const struct source_column *before,
			  const struct target_column *target)
{
	bool chosen, retyped = schema_change_is_retyped(column, before, target, &chosen);

	if (column->type == before->type && column->typmod == before->typmod)
		return;
	if (!p->question->emptied && p->question->rewritten)
		judge(p, SCHEMA_COPY, "column \"%s\" changed its type to %s, and the server rewrote its values",
			  column->name, column->formatted);
	else if (chosen && retyped)
		judge(p, SCHEMA_REFUSE, "column \"%s\" changed its type to %s; the target's is %s", column->name,
			  column->formatted, target->formatted);
	if (retyped)
		put_retype(p, column, target);
}

static void
retype_columns(struct plan *p)
{
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *before = stored_definition_find(p->before, column->attnum);
		const struct target_column *target = before ? schema_change_target_of(p, column) : NULL;

		if (target)
			retype_column(p, column, before, target);
	}
}

static void
change_nulls(struct plan *p, bool not_null)
{
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *before = stored_definition_find(p->before, column->attnum);
		const struct target_column *target = before ? schema_change_target_of(p, column) : NULL;

		if (!target || before->not_null == column->not_null || column->not_null != not_null ||
			target->not_null == not_null || (not_null && p->question->needed_only))
			continue;
		buffer_printf(alter_column(p, column->name), not_null ? " SET NOT NULL;\n" : " DROP NOT NULL;\n");
		p->change->needs_empty |= not_null && p->question->emptied;
	}
}

/* ---- new columns */

static void
put_added(struct plan *p, const struct source_column *column, const char *value)
{
	struct buffer *sql = schema_change_alter(p);

	buffer_printf(sql, " ADD COLUMN ");
	sql_identifier(sql, mapping_target_name(p->table, column->name));
	buffer_put_u8(sql, ' ');
	ddl_put_column_type(sql, column);
	if (value) {
		buffer_printf(sql, " DEFAULT ");
		sql_literal(sql, value);
		buffer_printf(sql, "::");
		ddl_put_column_type(sql, column);
	}
	if (column->not_null && !p->question->needed_only) {
		buffer_printf(sql, " NOT NULL");
		p->change->needs_empty |= p->question->emptied;
	}
	buffer_printf(sql, ";\n");
}

/* Whether the target's column of that name is dropped or renamed by the same change. */
static bool
is_vacated(const struct plan *p, const char *name)
{
	const struct source_column *before = source_find_column(p->before, name);

	return before && (is_dropped(p, before) || is_renamed(p, name));
}

static void
add_column(struct plan *p, const struct source_column *column, const struct schema_value *value)
{
	bool there = target_column(p, column->name) && !is_vacated(p, column->name);

	if (!mapping_selects(p->table, column->name))
		return;
	if (p->question->emptied) {
		if (!there)
			put_added(p, column, NULL);
	} else if (there) {
		judge(p, SCHEMA_COPY, "column \"%s\" is new, and the target had one of that name", column->name);
	} else if (!value || !value->known || (!value->text && p->question->rewritten)) {
		judge(p, SCHEMA_COPY, "column \"%s\" is new, and the values of existing rows cannot be determined",
			  column->name);
		put_added(p, column, NULL);
	} else {
		put_added(p, column, value->text);
	}
}

/* Adds a column that the target does not have although the source's definition before had it. */
static void
add_lost_column(struct plan *p, const struct source_column *column)
{
	if (!mapping_selects(p->table, column->name) || schema_change_target_of(p, column))
		return;
	if (!p->question->emptied)
		judge(p, SCHEMA_COPY, "the target lacks column \"%s\"", column->name);
	put_added(p, column, NULL);
}

static void
add_columns(struct plan *p)
{
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];

		if (stored_definition_find(p->before, column->attnum))
			add_lost_column(p, column);
		else
			add_column(p, column, p->question->values ? &p->question->values[i] : NULL);
	}
}

/*
 * With changes: ignore a target's column keeps the name under which it gets values.  Where another column of the source has
 * that name now, the values of older rows are not that column's.
 */
static void
judge_taken_names(struct plan *p)
{
	for (unsigned i = 0; i < p->after->column_count; i++) {
		const struct source_column *column = &p->after->columns[i];
		const struct source_column *before = stored_definition_find(p->before, column->attnum);
		const struct source_column *former = source_find_column(p->before, column->name);

		if ((before && before == former) || (former && is_dropped(p, former)) || p->question->emptied ||
			!target_column(p, column->name))
			continue;
		judge(p, SCHEMA_COPY, "column \"%s\" is another one now, and the target had one of that name",
			  column->name);
	}
}

/* ---- the table's own name */

static void
rename_table(struct plan *p)
{
	const struct table *table = p->table;
	const char *schema = p->after->schema, *name = p->after->name;
	struct buffer *sql;

	if (strcmp(p->before->schema, schema) == 0 && strcmp(p->before->name, name) == 0)
		return;
	/* Where the rows are copied again, table->override was looked up by the new name: it fits. */
	if (table->override && p->question->emptied && table->override->target)
		return;
	if (table->override && !p->question->emptied) {
		judge(p, SCHEMA_REFUSE,
			  "it was renamed to %s.%s, and tables.overrides in the configuration names it %s.%s", schema,
			  name, p->before->schema, p->before->name);
		return;
	}
	if (strcmp(schema, "sluice") == 0) {
		judge(p, SCHEMA_REFUSE,
			  "it was moved to the schema %s, which at the destination is that of the task's state", schema);
		return;
	}
	p->change->renamed = true;
	if (strcmp(table->target_schema, schema) == 0 && strcmp(table->target_name, name) == 0)
		return;
	if (strcmp(table->target_name, name) != 0) {
		sql = schema_change_alter(p);
		buffer_printf(sql, " RENAME TO ");
		sql_identifier(sql, name);
		buffer_printf(sql, ";\n");
	}
	if (strcmp(table->target_schema, schema) == 0)
		return;
	judge(p, SCHEMA_ALTER, "%s", "");
	sql = &p->change->sql;
	buffer_printf(sql, "CREATE SCHEMA IF NOT EXISTS ");
	sql_identifier(sql, schema);
	buffer_printf(sql, ";\nALTER TABLE ");
	sql_qualified(sql, table->target_schema, name);
	buffer_printf(sql, " SET SCHEMA ");
	sql_identifier(sql, schema);
	buffer_printf(sql, ";\n");
}

/* ---- all of it */

void
schema_change_plan(struct schema_change *change, const struct schema_question *question)
{
	struct plan p = {
		.change = change,
		.question = question,
		.table = question->table,
		.before = question->before,
		.after = &question->table->source,
	};

	*change = (struct schema_change){.verdict = SCHEMA_FITS};
	memory_buffer_init(&change->sql);
	judge_configured(&p);
	refuse_key_left_out(&p);
	schema_change_drop_primary(&p);
	schema_change_drop_indexes(&p);
	drop_columns(&p);
	if (!question->common_only)
		rename_columns(&p);
	retype_columns(&p);
	change_nulls(&p, false);
	if (question->common_only)
		judge_taken_names(&p);
	else
		add_columns(&p);
	change_nulls(&p, true);
	schema_change_add_primary(&p);
	schema_change_add_indexes(&p);
	rename_table(&p);
	buffer_put_u8(&change->sql, '\0');
}

void
schema_change_fini(struct schema_change *change)
{
	buffer_fini(&change->sql);
}

void
schema_change_line(const struct schema_change *change, const struct table *table, char *out, size_t out_bytes)
{
	struct buffer sql;
	size_t len;

	sql_init(&sql);
	if (change->needs_empty) {
		buffer_printf(&sql, "TRUNCATE ");
		mapping_put_target_rows(&sql, table);
		buffer_printf(&sql, "; ");
	}
	buffer_printf(&sql, "%s", (const char *) change->sql.data);
	snprintf(out, out_bytes, "%s", sql_text(&sql));
	buffer_fini(&sql);
	len = strlen(out);
	while (len > 0 && (out[len - 1] == '\n' || out[len - 1] == ';'))
		out[--len] = '\0';
	for (char *c = out; *c; c++)
		if (*c == '\n')
			*c = ' ';
}
