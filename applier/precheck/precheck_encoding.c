/*
 * Encodings: those of both databases, and whether the destination's encoding has all letters of the names,
 * within the length limit of a name.
 */
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "base/sqlstate.h"
#include "common/quote.h"
#include "precheck_item.h"
#include "precheck_names.h"
#include "tables/mapping.h"

#define NAME_MAX_BYTES 63 /* NAMEDATALEN - 1 */

static bool
is(const char *encoding, const char *name)
{
	return strcmp(encoding, name) == 0;
}

void
precheck_encodings(struct precheck_context *c)
{
	const char *source = connection_server_encoding(c->source);
	const char *destination = connection_server_encoding(c->destination);

	if (is(source, "SQL_ASCII"))
		precheck_add(
			c, CHECK_WARNING, "encoding", "source",
			"the database is SQL_ASCII: its text goes to the destination as it is stored, and a row with"
			" text that is not valid %s is refused",
			is(destination, "SQL_ASCII") ? "there" : destination);
	else if (!is(destination, source) && !is(destination, "UTF8") && !is(destination, "SQL_ASCII"))
		precheck_add(c, CHECK_WARNING, "encoding", "destination",
					 "it is %s, the source is %s: a row with a character that %s lacks is refused",
					 destination, source, destination);
}

/* ---- names */

static bool
is_ascii(const char *name)
{
	for (; *name; name++)
		if ((unsigned char) *name > 127)
			return false;
	return true;
}

/*
 * The non-ASCII names of one table: `targets` are the names at the destination, `sources` those at the source that
 * differ from them; the task's state at the destination stores both.
 */
struct letters {
	const struct table *table;
	struct precheck_names names; /* all of them, for the message */
	struct buffer targets, sources;
	unsigned target_count;
	bool valid; /* all are valid UTF-8 */
};

static bool
add_name(struct letters *letters, struct buffer *array, const char *name)
{
	if (is_ascii(name))
		return false;
	letters->valid = letters->valid && quote_is_utf8(name, strlen(name));
	precheck_names_add(&letters->names, name, "");
	sql_array_element(array, name);
	return true;
}

static void
add_pair(struct letters *letters, const char *source, const char *target)
{
	if (add_name(letters, &letters->targets, target))
		letters->target_count++;
	if (strcmp(source, target) != 0)
		(void) add_name(letters, &letters->sources, source);
}

static void
collect(struct letters *letters, const struct table *table)
{
	*letters = (struct letters){.table = table, .valid = true};
	precheck_names_init(&letters->names);
	memory_buffer_init(&letters->targets);
	memory_buffer_init(&letters->sources);
	add_pair(letters, table->source.schema, table->target_schema);
	add_pair(letters, table->source.name, table->target_name);
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const char *name = table->source.columns[i].name;

		add_pair(letters, name, mapping_target_name(table, name));
	}
	sql_array_end(&letters->targets);
	sql_array_end(&letters->sources);
}

static void
release(struct letters *letters)
{
	precheck_names_fini(&letters->names);
	buffer_fini(&letters->targets);
	buffer_fini(&letters->sources);
}

/*
 * Asks the destination for the length of the longest target name in its encoding.  If that encoding lacks a letter of
 * any name, the query fails.
 */
static bool
measure(struct precheck_context *c, struct letters *letters, int64_t *bytes, struct error *err)
{
	const struct param params[] = {param_text(sql_text(&letters->targets)),
								   param_text(sql_text(&letters->sources))};
	struct result *res;

	if (!connection_execute(
			c->destination,
			"SELECT pg_catalog.max(pg_catalog.octet_length(n)) FROM pg_catalog.unnest($1::text[]) n"
			" WHERE $2::text[] IS NOT NULL",
			params, 2, &res, err))
		return false;
	*bytes = result_int(res, 0, 0);
	result_free(res);
	return true;
}

static bool
judge(struct precheck_context *c, struct letters *letters, struct error *err)
{
	const char *table = precheck_table_name(c, letters->table);
	const char *source = connection_server_encoding(c->source);
	const char *destination = connection_server_encoding(c->destination);
	int64_t bytes;

	if (!letters->valid) {
		precheck_add(
			c, CHECK_FAILED, "names", table,
			"the source is %s, and its name or a column's is not valid UTF-8: rename it there, or leave the"
			" table out",
			source);
		return true;
	}
	if (letters->target_count > 0 && is(source, "SQL_ASCII") && !is(destination, "UTF8") &&
		!is(destination, "SQL_ASCII")) {
		precheck_add(
			c, CHECK_FAILED, "names", table,
			"the source is SQL_ASCII and the destination %s, which gets its text as it is stored, so that"
			" names must be ASCII: rename %s with \"target\" or \"rename\" of tables.overrides",
			destination, precheck_names_text(&letters->names));
		return true;
	}
	if (!measure(c, letters, &bytes, err)) {
		if (!sqlstate_is_of_encoding(err->sqlstate))
			return false;
		c->lacks_letters = true;
		precheck_add(
			c, CHECK_FAILED, "names", table,
			"the destination's encoding %s, in which the task's state is written, too, lacks a letter of %s:"
			" rename it at the source, or leave the table out",
			destination, precheck_names_text(&letters->names));
	} else if (bytes > NAME_MAX_BYTES) {
		precheck_add(
			c, CHECK_FAILED, "names", table,
			"in %s a name takes %lld bytes, and the destination's names have at most %d: rename it with"
			" \"target\" or \"rename\" of tables.overrides: %s",
			destination, (long long) bytes, NAME_MAX_BYTES, precheck_names_text(&letters->names));
	}
	return true;
}

bool
precheck_letters(struct precheck_context *c, struct error *err)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < c->catalog->count; i++) {
		struct letters letters;

		c->about = &c->catalog->tables[i];
		collect(&letters, c->about);
		if (letters.names.count > 0 && !table_is_held(c->about))
			ok = judge(c, &letters, err);
		release(&letters);
	}
	c->about = NULL;
	return ok;
}
