#include "newcomers.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "servers/source.h"

/* What was refused may have been mended at the destination, which nobody tells. */
#define TRY_AGAIN_MS 60000
/* So many that are not fit are told apart from the others, since each costs some trials. */
#define SINGLE_REFUSALS_MAX 20

void
newcomers_fini(struct newcomers *newcomers)
{
	catalog_free(&newcomers->refused);
	free(newcomers->tried);
	*newcomers = (struct newcomers){0};
}

void
newcomers_leave_out(const struct newcomers *newcomers, struct selection *selection)
{
	for (unsigned i = 0; i < newcomers->refused.count; i++)
		selection_leave_out(selection, newcomers->refused.tables[i].source.schema,
							newcomers->refused.tables[i].source.name);
}

static void
refuse(struct newcomers *newcomers, const struct source_table *source)
{
	struct catalog *refused = &newcomers->refused;
	struct table *table;

	refused->tables = memory_resize(refused->tables, refused->count + 1, sizeof *refused->tables);
	table = &refused->tables[refused->count++];
	*table = (struct table){0};
	table->source.oid = source->oid;
	table->source.schema = memory_strdup(source->schema);
	table->source.name = memory_strdup(source->name);
}

bool
newcomers_refuse_new(struct newcomers *newcomers, const struct catalog *catalog)
{
	unsigned before = newcomers->refused.count;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];

		if (table->state == TABLE_WAITING || (table->predecessor && table_waits(table)))
			refuse(newcomers, &table->source);
	}
	return newcomers->refused.count > before;
}

/* ---- who is new */

static bool
is_new(const struct catalog *catalog, const struct source_table *source)
{
	const struct table *table = catalog_find(catalog, source->schema, source->name);

	/* One that bears another name now is the stream's affair. */
	return !(table && table->source.oid == source->oid) && !catalog_find_oid(catalog, source->oid);
}

/* Leaves the new ones in the list. */
static void
keep_new(const struct catalog *catalog, struct catalog *list)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < list->count; i++) {
		if (is_new(catalog, &list->tables[i].source))
			list->tables[kept++] = list->tables[i];
		else
			source_table_free(&list->tables[i].source);
	}
	list->count = kept;
}

/* Who they are, and what may make them fit. */
static char *
describe(const struct catalog *list)
{
	struct buffer text;

	memory_buffer_init(&text);
	for (unsigned i = 0; i < list->count; i++)
		buffer_printf(&text, "%u%c ", list->tables[i].source.oid, list->tables[i].source.identity);
	buffer_put_u8(&text, '\0');
	return (char *) text.data;
}

/* ---- whether they are fit */

/* Tries some of the list, which follow each other. */
static bool
try_tables(const struct newcomers_look *look, const struct catalog *list, unsigned first, unsigned count,
		   struct error *err)
{
	struct selection selection;
	bool ok;

	selection_init(&selection, look->config);
	for (unsigned i = 0; i < list->count; i++)
		if (i < first || i >= first + count)
			selection_leave_out(&selection, list->tables[i].source.schema, list->tables[i].source.name);
	ok = look->try(look->arg, &selection.config, err);
	selection_fini(&selection);
	return ok;
}

static void
report(const struct source_table *source, const struct error *err)
{
	char sentence[ERROR_MESSAGE_MAX + ERROR_HINT_MAX];

	error_sentence(err, sentence, sizeof sentence);
	if (source)
		log_warning("the new table %s.%s is left out until this is mended: %s", source->schema, source->name,
					sentence);
	else
		log_warning("new tables are left out until this is mended: %s", sentence);
}

/* False only when a server could not be asked. */
static bool
is_refusal(const struct error *err)
{
	return err->class == ERROR_PRECONDITION || err->class == ERROR_CONFIG;
}

static void
refuse_tables(struct newcomers *newcomers, const struct catalog *list, unsigned first, unsigned count,
			  const struct error *err)
{
	report(count == 1 ? &list->tables[first].source : NULL, err);
	for (unsigned i = first; i < first + count; i++)
		refuse(newcomers, &list->tables[i].source);
}

/* Where not all of them are fit, each half is tried, down to the single ones that are not. */
static bool
try_some(struct newcomers *newcomers, const struct newcomers_look *look, const struct catalog *list,
		 unsigned first, unsigned count, bool *accepted, struct error *err)
{
	unsigned half = count / 2;

	if (try_tables(look, list, first, count, err)) {
		*accepted = true;
		return true;
	}
	if (!is_refusal(err))
		return false;
	if (count == 1 || newcomers->refused.count >= SINGLE_REFUSALS_MAX) {
		refuse_tables(newcomers, list, first, count, err);
		return true;
	}
	return try_some(newcomers, look, list, first, half, accepted, err) &&
		   try_some(newcomers, look, list, first + half, count - half, accepted, err);
}

static bool
try_all(struct newcomers *newcomers, const struct newcomers_look *look, const struct catalog *list,
		bool *accepted, struct error *err)
{
	catalog_free(&newcomers->refused);
	if (!try_some(newcomers, look, list, 0, list->count, accepted, err))
		return false;
	if (*accepted)
		log_info("%u tables are new at the source", list->count - newcomers->refused.count);
	return true;
}

bool
newcomers_look(struct newcomers *newcomers, const struct newcomers_look *look, bool *accepted,
			   struct error *err)
{
	struct catalog list;
	char *about;
	bool ok = true;

	*accepted = false;
	if (!source_list_tables(look->source, look->config, &list, err))
		return false;
	keep_new(look->catalog, &list);
	about = describe(&list);
	if (list.count > 0 && (!newcomers->tried || strcmp(newcomers->tried, about) != 0 ||
						   look->now_ms - newcomers->tried_ms >= TRY_AGAIN_MS)) {
		newcomers->tried_ms = look->now_ms;
		ok = try_all(newcomers, look, &list, accepted, err);
	}
	free(newcomers->tried);
	newcomers->tried = about;
	catalog_free(&list);
	return ok;
}
