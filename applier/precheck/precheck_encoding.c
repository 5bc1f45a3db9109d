/*
 * Encodings: of both databases, and whether the destination's has the letters of the names that it gets, and room for
 * them.
 */
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
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

/* The names of a table beyond ASCII that the destination gets. */
struct letters {
	const struct table *table;
	struct precheck_names names; /* for a person */
	struct buffer array;		 /* for the server */
	bool valid;					 /* they are UTF-8 */
};

static void
add_name(struct letters *letters, const char *name)
{
	if (is_ascii(name))
		return;
	letters->valid = letters->valid && quote_is_utf8(name, strlen(name));
	precheck_names_add(&letters->names, name, "");
	sql_array_element(&letters->array, name);
}

static void
collect(struct letters *letters, const struct table *table)
{
	*letters = (struct letters){.table = table, .valid = true};
	precheck_names_init(&letters->names);
	memory_buffer_init(&letters->array);
	add_name(letters, table->target_schema);
	add_name(letters, table->target_name);
	for (unsigned i = 0; i < table->source.column_count; i++)
		add_name(letters, mapping_target_name(table, table->source.columns[i].name));
	sql_array_end(&letters->array);
}

/* The longest in the destination's encoding; asked there. */
static bool
measure(struct precheck_context *c, const struct letters *letters, int64_t *bytes, struct error *err)
{
	struct param param = param_text(sql_text((struct buffer *) &letters->array));
	struct result *res;

	if (!connection_execute(
			c->destination,
			"SELECT pg_catalog.max(pg_catalog.octet_length(n)) FROM pg_catalog.unnest($1::text[]) n", &param,
			1, &res, err))
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
	if (is(source, "SQL_ASCII") && !is(destination, "UTF8") && !is(destination, "SQL_ASCII")) {
		precheck_add(
			c, CHECK_FAILED, "names", table,
			"the source is SQL_ASCII and the destination %s, which gets its text as it is stored, so that"
			" names must be ASCII: rename %s with \"target\" or \"rename\" of tables.overrides",
			destination, precheck_names_text(&letters->names));
		return true;
	}
	if (!measure(c, letters, &bytes, err)) {
		if (strncmp(err->sqlstate, "22", 2) != 0)
			return false;
		precheck_add(
			c, CHECK_FAILED, "names", table,
			"the destination's encoding %s lacks a letter of %s: rename it with \"target\" or \"rename\" of"
			" tables.overrides, or leave the table out",
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
		precheck_names_fini(&letters.names);
		buffer_fini(&letters.array);
	}
	c->about = NULL;
	return ok;
}
