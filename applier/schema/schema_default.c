#include "schema_default.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "servers/trial.h"
#include "state/state_tables.h"
#include "tables/mapping.h"
#include "tables/stored_definition.h"

static bool
same_default(const struct source_column *a, const struct source_column *b)
{
	if (!a->default_sql || !b->default_sql)
		return a->default_sql == b->default_sql;
	return strcmp(a->default_sql, b->default_sql) == 0;
}

bool
schema_default_differs(const struct config *config, const struct source_table *stands,
					   const struct source_table *now)
{
	if (config->schema.changes != SCHEMA_CHANGES_FOLLOW || !stored_definition_same(stands, now))
		return false;
	for (unsigned i = 0; i < stands->column_count; i++)
		if (!same_default(&stands->columns[i], &now->columns[i]))
			return true;
	return false;
}

static void
put_alter(struct buffer *sql, const struct table *table, const struct target_column *target)
{
	sql_init(sql);
	buffer_printf(sql, "ALTER TABLE ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_printf(sql, " ALTER COLUMN ");
	sql_identifier(sql, target->name);
}

static bool
set_default(struct connection *destination, const struct table *table, const struct target_column *target,
			const struct source_column *column, bool *done, struct error *err)
{
	struct buffer sql;
	bool ok;

	*done = false;
	if (column->default_refused) {
		log_warning("the destination goes without the default %s of the column %s of %s.%s: %s",
					column->default_sql, target->name, table->target_schema, table->target_name,
					column->default_refused);
		return true;
	}
	put_alter(&sql, table, target);
	buffer_printf(&sql, " SET DEFAULT %s", column->default_sql);
	ok = trial_or_without(destination, sql_text(&sql), done, err, "the default %s of the column %s of %s.%s",
						  column->default_sql, target->name, table->target_schema, table->target_name);
	if (ok && *done)
		log_table(LOG_INFO, &table->source, "%s.%s has another default: %s", table->source.schema,
				  table->source.name, sql_text(&sql));
	buffer_fini(&sql);
	return ok;
}

static bool
drop_default(struct connection *destination, const struct table *table, const struct target_column *target,
			 struct error *err)
{
	struct buffer sql;

	if (!target->has_default)
		return true;
	put_alter(&sql, table, target);
	buffer_printf(&sql, " DROP DEFAULT");
	log_table(LOG_INFO, &table->source, "%s.%s has another default: %s", table->source.schema,
			  table->source.name, sql_text(&sql));
	return connection_execute_buffer(destination, &sql, NULL, err);
}

static bool
follow_column(struct connection *destination, const struct table *table, const struct source_column *column,
			  struct error *err)
{
	const struct target_column *target = mapping_find_target(table, column->name);
	bool done = false;

	if (!mapping_selects(table, column->name) || !target || target->generated)
		return true;
	if (column->default_sql && !set_default(destination, table, target, column, &done, err))
		return false;
	return done || drop_default(destination, table, target, err);
}

bool
schema_default_follow(struct connection *destination, const struct table *table, struct source_table *stands,
					  const struct source_table *now, struct error *err)
{
	for (unsigned i = 0; i < stands->column_count; i++) {
		struct source_column *column = &stands->columns[i];

		if (same_default(column, &now->columns[i]))
			continue;
		if (!follow_column(destination, table, &now->columns[i], err))
			return error_context(err, "following a default of %s.%s", table->source.schema,
								 table->source.name);
		stored_definition_copy_default(column, &now->columns[i]);
	}
	return true;
}

/* ---- at a start */

static bool
settle_table(struct connection *destination, const struct config *config, struct table *table,
			 struct error *err)
{
	struct buffer sql;
	bool ok = connection_execute(destination, "BEGIN", NULL, 0, NULL, err) &&
			  schema_default_follow(destination, table, table->defined, &table->source, err);

	if (!ok)
		return false;
	sql_init(&sql);
	state_tables_put_definition(&sql, config->task, table);
	buffer_printf(&sql, "COMMIT");
	return connection_execute_buffer(destination, &sql, NULL, err);
}

bool
schema_default_settle(struct connection *destination, const struct config *config, struct catalog *catalog,
					  struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];

		if (!table->defined || !table->target.exists || table_is_held(table) ||
			!schema_default_differs(config, table->defined, &table->source))
			continue;
		if (!settle_table(destination, config, table, err))
			return false;
	}
	return true;
}
