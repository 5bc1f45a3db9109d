#include "missing_columns.h"

#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "tables/mapping.h"
#include "target.h"
#include "trial.h"

bool
missing_columns_wanted(const struct config *config, const struct table *table)
{
	return config->schema.changes == SCHEMA_CHANGES_FOLLOW && !table->defined && table->target.exists &&
		   (table->target.kind == 'r' || table->target.kind == 'p');
}

bool
missing_columns_meet_rows(const struct config *config)
{
	return config->initial_copy.mode == COPY_MODE_NONE ||
		   config->initial_copy.existing == COPY_EXISTING_APPEND;
}

static bool
lacks(const struct table *table, const struct source_column *column)
{
	return mapping_selects(table, column->name) && !mapping_find_target(table, column->name);
}

static void
put_column(struct buffer *sql, const struct config *config, const struct table *table,
		   const struct source_column *column, bool with_default, bool not_null)
{
	struct source_column added = *column;
	struct column_definition definition = {
		.default_sql = column->default_sql,
		.default_refused = column->default_sql ? ddl_refuses_default(column->default_sql) : NULL,
	};

	/* Rows of others have no value for it. */
	added.not_null = column->not_null && not_null && !missing_columns_meet_rows(config);
	buffer_printf(sql, "ALTER TABLE ");
	sql_qualified(sql, table->target_schema, table->target_name);
	buffer_printf(sql, " ADD COLUMN ");
	ddl_put_column(sql, mapping_target_name(table, column->name), &added, with_default ? &definition : NULL);
}

/* Whether a table before this one that has the same target adds the column already. */
static bool
is_added_before(const struct config *config, const struct catalog *catalog, unsigned number, const char *name)
{
	const struct table *table = &catalog->tables[number];

	for (unsigned i = 0; i < number; i++) {
		const struct table *other = &catalog->tables[i];

		if (!missing_columns_wanted(config, other) || other->target.oid != table->target.oid)
			continue;
		for (unsigned j = 0; j < other->source.column_count; j++)
			if (lacks(other, &other->source.columns[j]) &&
				strcmp(mapping_target_name(other, other->source.columns[j].name), name) == 0)
				return true;
	}
	return false;
}

void
missing_columns_put(struct buffer *sql, const struct config *config, const struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		for (unsigned j = 0; missing_columns_wanted(config, table) && j < table->source.column_count; j++) {
			const struct source_column *column = &table->source.columns[j];

			if (!lacks(table, column) ||
				is_added_before(config, catalog, i, mapping_target_name(table, column->name)))
				continue;
			put_column(sql, config, table, column, true, true);
			buffer_printf(sql, ";\n");
		}
	}
}

/* Without what was refused: the default, and NOT NULL where rows are there that are yet to be cleared. */
static bool
add_plain_column(struct connection *destination, const struct config *config, const struct table *table,
				 const struct source_column *column, struct buffer *sql, struct error *err)
{
	bool has_rows;

	if (!target_has_rows(destination, table, &has_rows, err))
		return false;
	buffer_reset(sql);
	put_column(sql, config, table, column, false, !has_rows);
	return connection_execute(destination, sql_text(sql), NULL, 0, NULL, err);
}

static bool
add_column(struct connection *destination, const struct config *config, const struct table *table,
		   const struct source_column *column, struct error *err)
{
	struct buffer sql;
	bool done, ok;

	sql_init(&sql);
	put_column(&sql, config, table, column, true, true);
	ok = trial_or_without(destination, sql_text(&sql), &done, err, "%s%s of the new column %s of %s.%s",
						  column->default_sql ? "the default " : "NOT NULL",
						  column->default_sql ? column->default_sql : "", column->name, table->target_schema,
						  table->target_name);
	if (ok && !done)
		ok = add_plain_column(destination, config, table, column, &sql, err);
	if (ok)
		log_info("the target of %s.%s lacked a column: %s", table->source.schema, table->source.name,
				 sql_text(&sql));
	buffer_fini(&sql);
	return ok;
}

static bool
add_columns(struct connection *destination, const struct dialect *dialect, const struct config *config,
			struct table *table, struct error *err)
{
	bool added = false;

	for (unsigned i = 0; i < table->source.column_count; i++) {
		if (!lacks(table, &table->source.columns[i]))
			continue;
		/* Another table of the same target may have added it. */
		if (!added && !target_read_table(destination, dialect, table, err))
			return false;
		if (lacks(table, &table->source.columns[i]) &&
			!add_column(destination, config, table, &table->source.columns[i], err))
			return error_context(err, "adding a column to %s.%s", table->target_schema, table->target_name);
		added = true;
	}
	return !added || target_read_table(destination, dialect, table, err);
}

bool
missing_columns_add(struct connection *destination, const struct dialect *dialect,
					const struct config *config, struct catalog *catalog, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *table = &catalog->tables[i];
		bool wanted = missing_columns_wanted(config, table), lacking = false;

		for (unsigned j = 0; wanted && j < table->source.column_count; j++)
			lacking = lacking || lacks(table, &table->source.columns[j]);
		if (!lacking)
			continue;
		if (!connection_execute(destination, "BEGIN", NULL, 0, NULL, err) ||
			!add_columns(destination, dialect, config, table, err) ||
			!connection_execute(destination, "COMMIT", NULL, 0, NULL, err))
			return false;
	}
	return true;
}
