#include "missing_columns.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "source_catalog.h"
#include "tables/mapping.h"
#include "target.h"
#include "trial.h"

bool
missing_columns_wanted(const struct config *config, const struct table *table)
{
	return config->schema.changes == SCHEMA_CHANGES_FOLLOW &&
		   (!table->defined || table_has_old_rows(table)) && table->target.exists &&
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

/* One column to be added, and with what. */
struct addition {
	const struct table *table;
	const struct source_column *column;
	char *stored; /* the value that the source shows in its rows older than the column; NULL: none */
	/* the target keeps rows that were not copied: they get `stored`, whatever the default is */
	bool meets_rows;
	bool with_default;
	bool not_null;
};

static bool
read_addition(struct addition *addition, struct connection *source, const struct config *config,
			  const struct table *table, const struct source_column *column, struct error *err)
{
	bool there;

	*addition = (struct addition){
		.table = table,
		.column = column,
		.meets_rows = missing_columns_meet_rows(config),
		.with_default = true,
	};
	addition->not_null = column->not_null && !addition->meets_rows;
	return !addition->meets_rows ||
		   source_read_missing(source, table->source.oid, column->attnum, &there, &addition->stored, err);
}

static void
put_alter(struct buffer *sql, const struct table *table)
{
	buffer_printf(sql, "ALTER TABLE ");
	sql_qualified(sql, table->target_schema, table->target_name);
}

static void
put_stored(struct buffer *sql, const struct addition *addition)
{
	if (!addition->stored)
		return;
	buffer_printf(sql, " DEFAULT ");
	sql_literal(sql, addition->stored);
	buffer_printf(sql, "::");
	ddl_put_column_type(sql, addition->column);
}

/* Sets the default for future rows only; existing rows have already got `stored`. */
static void
put_default(struct buffer *sql, const struct addition *addition, const char *name)
{
	const struct source_column *column = addition->column;
	bool wanted = addition->with_default && column->default_sql && !column->default_refused;

	if (!wanted && !addition->stored)
		return;
	buffer_printf(sql, "; ");
	put_alter(sql, addition->table);
	buffer_printf(sql, " ALTER COLUMN ");
	sql_identifier(sql, name);
	if (wanted)
		buffer_printf(sql, " SET DEFAULT %s", column->default_sql);
	else
		buffer_printf(sql, " DROP DEFAULT");
}

static void
put_column(struct buffer *sql, const struct addition *addition)
{
	const char *name = mapping_target_name(addition->table, addition->column->name);
	struct source_column added = *addition->column;
	struct column_spec spec = {
		.default_sql = added.default_sql,
		.default_refused = added.default_refused,
	};
	bool at_once = addition->with_default && !addition->meets_rows;

	added.not_null = addition->not_null;
	put_alter(sql, addition->table);
	buffer_printf(sql, " ADD COLUMN ");
	ddl_put_column(sql, name, &added, at_once ? &spec : NULL);
	if (!addition->meets_rows)
		return;
	put_stored(sql, addition);
	put_default(sql, addition, name);
}

/* Whether an earlier table with the same target adds the column already. */
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

static bool
put_missing(struct buffer *sql, struct connection *source, const struct config *config,
			const struct table *table, const struct source_column *column, struct error *err)
{
	struct addition addition;

	if (!read_addition(&addition, source, config, table, column, err))
		return false;
	put_column(sql, &addition);
	buffer_printf(sql, ";\n");
	free(addition.stored);
	return true;
}

void
missing_columns_put_remedy(struct buffer *sql, const struct table *table)
{
	const char *separator = " ";

	put_alter(sql, table);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		struct source_column column = table->source.columns[i];

		if (!lacks(table, &column))
			continue;
		column.not_null = false;
		buffer_printf(sql, "%sADD COLUMN ", separator);
		ddl_put_column(sql, mapping_target_name(table, column.name), &column, NULL);
		separator = ", ";
	}
}

bool
missing_columns_put(struct buffer *sql, struct connection *source, const struct config *config,
					const struct catalog *catalog, struct error *err)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		for (unsigned j = 0; missing_columns_wanted(config, table) && j < table->source.column_count; j++) {
			const struct source_column *column = &table->source.columns[j];

			if (lacks(table, column) &&
				!is_added_before(config, catalog, i, mapping_target_name(table, column->name)) &&
				!put_missing(sql, source, config, table, column, err))
				return false;
		}
	}
	return true;
}

/*
 * Adds the column without what may have been refused: the default, and NOT NULL if the target still has
 * rows, which will be cleared later.
 */
static bool
add_plain_column(struct connection *destination, struct addition *addition, struct buffer *sql,
				 struct error *err)
{
	const struct table *table = addition->table;
	bool has_rows;

	if (!target_has_rows(destination, table, &has_rows, err))
		return false;
	addition->with_default = false;
	addition->not_null = addition->not_null && !has_rows;
	buffer_reset(sql);
	put_column(sql, addition);
	return connection_execute(destination, sql_text(sql), NULL, 0, NULL, err);
}

static bool
add_column(struct connection *destination, struct addition *addition, struct error *err)
{
	const struct table *table = addition->table;
	const struct source_column *column = addition->column;
	const char *expression = column->default_refused ? NULL : column->default_sql;
	struct buffer sql;
	bool done, ok;

	sql_init(&sql);
	put_column(&sql, addition);
	if (column->default_refused)
		log_warning("the destination goes without the default %s of the new column %s of %s.%s: %s",
					column->default_sql, column->name, table->target_schema, table->target_name,
					column->default_refused);
	ok = trial_or_without(destination, sql_text(&sql), &done, err, "%s%s of the new column %s of %s.%s",
						  expression ? "the default " : "NOT NULL", expression ? expression : "",
						  column->name, table->target_schema, table->target_name);
	if (ok && !done)
		ok = add_plain_column(destination, addition, &sql, err);
	if (ok)
		log_table(LOG_INFO, &table->source, "the target of %s.%s lacked a column: %s", table->source.schema,
				  table->source.name, sql_text(&sql));
	buffer_fini(&sql);
	return ok;
}

static bool
add_missing(struct connection *source, struct connection *destination, const struct config *config,
			const struct table *table, const struct source_column *column, struct error *err)
{
	struct addition addition;
	bool ok = read_addition(&addition, source, config, table, column, err) &&
			  (add_column(destination, &addition, err) ||
			   error_context(err, "adding a column to %s.%s", table->target_schema, table->target_name));

	free(addition.stored);
	return ok;
}

static bool
add_columns(struct connection *source, struct connection *destination, const struct dialect *dialect,
			const struct config *config, struct table *table, struct error *err)
{
	bool added = false;

	for (unsigned i = 0; i < table->source.column_count; i++) {
		if (!lacks(table, &table->source.columns[i]))
			continue;
		/* Another table of the same target may have added it. */
		if (!added && !target_read_table(destination, dialect, table, err))
			return false;
		if (lacks(table, &table->source.columns[i]) &&
			!add_missing(source, destination, config, table, &table->source.columns[i], err))
			return false;
		added = true;
	}
	return !added || target_read_table(destination, dialect, table, err);
}

bool
missing_columns_add(struct connection *source, struct connection *destination, const struct dialect *dialect,
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
			!add_columns(source, destination, dialect, config, table, err) ||
			!connection_execute(destination, "COMMIT", NULL, 0, NULL, err))
			return false;
	}
	return true;
}
