#include "refused.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "state/state_tables.h"
#include "tables/mapping.h"

static const char target_remedy[] = "let the target take it";

/* The message names the remedy for a held table, where err->hint has the one for a run that ended. */
static void
hold(const struct config *config, struct table *table, const struct error *err, const char *remedy)
{
	struct log_about about;

	table_move(table, TABLE_HELD_FOR_RESYNC);
	free(table->error);
	table->error = memory_printf("%s; %s, then %s", err->message, remedy, mapping_copy_remedy(config, table));
	about = log_about_error(err);
	about.schema = table->source.schema;
	about.table = table->source.name;
	log_write_about(LOG_WARNING, &about, "%s.%s is held, the other tables continue: %s", about.schema,
					about.table, table->error);
}

/* A table that is being copied into the same target changes its state by itself; only another attempt can hold it, too. */
static bool
is_being_copied_into(const struct catalog *catalog, const struct table *table)
{
	for (unsigned i = 0; i < catalog->count; i++)
		if (table_shares_target(&catalog->tables[i], table) && table_is_copying(&catalog->tables[i]))
			return true;
	return false;
}

bool
refused_hold(const struct config *config, struct catalog *catalog, struct batch *batch,
			 const struct table *table, const struct error *err)
{
	if (config->apply.refused != REFUSED_HOLD || is_being_copied_into(catalog, table))
		return false;
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *it = &catalog->tables[i];

		if (!table_shares_target(it, table) || it->state == TABLE_HELD_FOR_RESYNC)
			continue;
		hold(config, it, err, target_remedy);
		batch_hold(batch, it, err->row);
	}
	return true;
}

/* Writes the new states at once. */
static void
hold_now(const struct config *config, struct catalog *catalog, struct connection *control,
		 const struct table *table, const char *remedy, struct error *err)
{
	struct error cause = *err, failure;
	struct buffer sql;
	bool ok;

	sql_init(&sql);
	for (unsigned i = 0; i < catalog->count; i++) {
		struct table *it = &catalog->tables[i];

		if (!table_shares_target(it, table) || it->state == TABLE_HELD_FOR_RESYNC)
			continue;
		hold(config, it, &cause, remedy);
		state_tables_put_refused(&sql, config->task, it, cause.row, 0);
		buffer_printf(&sql, ";");
	}
	ok = connection_execute(control, sql_text(&sql), NULL, 0, NULL, &failure);
	buffer_fini(&sql);
	if (ok)
		error_set(err, ERROR_RESTART, "%s.%s is held: doing its transaction again without it",
				  table->source.schema, table->source.name);
	else
		*err = failure;
}

void
refused_hold_now(const struct config *config, struct catalog *catalog, struct connection *control,
				 const struct table *table, struct error *err)
{
	if (config->apply.refused == REFUSED_HOLD && !is_being_copied_into(catalog, table))
		hold_now(config, catalog, control, table, target_remedy, err);
}

/* Class 42, for example a column that does not exist: a changed definition holds a table in any case. */
static bool
is_of_definition(const struct error *err)
{
	return strncmp(err->sqlstate, "42", 2) == 0;
}

void
refused_hold_unsent(const struct config *config, struct catalog *catalog, struct connection *control,
					struct error *err)
{
	struct table *table = catalog_find(catalog, err->schema, err->table);

	if (err->class != ERROR_DATA || !table || !mapping_where(table))
		return;
	if (table_is_held(table))
		err->class = ERROR_RESTART; /* held since this attempt began */
	else if (config->apply.refused == REFUSED_HOLD || is_of_definition(err))
		hold_now(config, catalog, control, table, "correct that", err);
	else
		error_hint(err, "With apply.refused: hold only this table stops; once that is corrected, %s.",
				   mapping_copy_remedy(config, table));
}

#define INSUFFICIENT_PRIVILEGE "42501"

void
refused_check_rights(const struct config *config, struct error *err)
{
	if (config->apply.refused == REFUSED_HOLD && strcmp(err->sqlstate, INSUFFICIENT_PRIVILEGE) == 0)
		err->class = ERROR_RESTART;
}
