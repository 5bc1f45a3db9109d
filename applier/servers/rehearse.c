#include "rehearse.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "dialect/ddl_column.h"
#include "dialect/ddl_type.h"
#include "trial.h"

/* Defaults that are tried with one statement, since most are accepted. */
#define DEFAULTS_AT_ONCE 200

static bool
execute(struct connection *destination, const char *sql, struct error *err)
{
	return connection_execute(destination, sql, NULL, 0, NULL, err);
}

/*
 * Tries one statement within the transaction. False only if the server could not be asked; *refused
 * becomes the server's reason, or NULL.
 */
static bool
try_statement(struct connection *destination, struct arena *memory, struct buffer *sql, const char **refused,
			  struct error *err)
{
	struct error refusal;

	*refused = NULL;
	if (!trial_execute(destination, sql_text(sql), &refusal, err))
		return false;
	if (refusal.message[0])
		*refused = arena_strdup(memory, refusal.message);
	return true;
}

/* ---- types */

static const char existing_sql[] =
	"SELECT w.i - 1, t.typarray <> 0 FROM unnest($1::text[], $2::text[]) WITH ORDINALITY w (s, n, i)"
	" JOIN pg_namespace s ON s.nspname = w.s::name"
	" JOIN pg_type t ON t.typnamespace = s.oid AND t.typname = w.n::name";

/* Returns the indexes of the types that exist, and whether each has an array type. */
static bool
find_types(struct connection *destination, const struct creation_specs *specs, struct result **res,
		   struct error *err)
{
	struct buffer schemas, names;
	struct param params[2];
	bool ok;

	memory_buffer_init(&schemas);
	memory_buffer_init(&names);
	for (unsigned i = 0; i < specs->type_count; i++) {
		const struct type_spec *type = &specs->types[i];

		sql_array_element(&schemas, type->lacks_letters ? "" : type->schema);
		sql_array_element(&names, type->lacks_letters ? "" : type->name);
	}
	sql_array_end(&schemas);
	sql_array_end(&names);
	params[0] = param_text(sql_text(&schemas));
	params[1] = param_text(sql_text(&names));
	ok = connection_execute(destination, existing_sql, params, 2, res, err);
	buffer_fini(&schemas);
	buffer_fini(&names);
	return ok;
}

/* Types that other types are made of may exist already. */
static bool
find_existing(struct connection *destination, struct creation_specs *specs, struct error *err)
{
	struct result *res;

	if (!find_types(destination, specs, &res, err))
		return false;
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct type_spec *type = &specs->types[result_int(res, row, 0)];

		type->exists = true;
		type->refused = NULL;
	}
	result_free(res);
	return true;
}

/* Finds what CREATE TYPE made along with the types: arrays and multiranges. */
static bool
find_made(struct connection *destination, struct creation_specs *specs, struct error *err)
{
	struct result *res;

	if (!find_types(destination, specs, &res, err))
		return false;
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct type_spec *type = &specs->types[result_int(res, row, 0)];

		type->has_array = result_bool(res, row, 1);
		type->exists = type->exists || !type->body;
	}
	result_free(res);
	for (unsigned i = 0; i < specs->type_count; i++)
		if (!specs->types[i].body && !specs->types[i].exists)
			specs->types[i].refused = "the destination makes no multiranges";
	return true;
}

static bool
try_type(struct connection *destination, struct creation_specs *specs, struct type_spec *type,
		 struct error *err)
{
	struct buffer sql;
	const char *refused;
	bool ok;

	memory_buffer_init(&sql);
	/* A schema that is refused needs no report of its own: the type in it is refused, too. */
	buffer_printf(&sql, "CREATE SCHEMA IF NOT EXISTS ");
	sql_identifier(&sql, type->schema);
	ok = try_statement(destination, &specs->memory, &sql, &refused, err);
	buffer_reset(&sql);
	ddl_put_create_type(&sql, type);
	ok = ok && try_statement(destination, &specs->memory, &sql, &type->refused, err);
	buffer_fini(&sql);
	return ok;
}

static bool
try_types(struct connection *destination, struct catalog *catalog, struct error *err)
{
	struct creation_specs *specs = catalog->creation_specs;
	bool ok = find_existing(destination, specs, err);

	for (unsigned i = 0; ok && i < specs->type_count; i++) {
		struct type_spec *type = &specs->types[i];

		if (type->exists || type->refused || !type->body)
			continue;
		ok = try_type(destination, specs, type, err);
		if (!ok || !type->refused || !type->plain_body)
			continue;
		type->body = type->plain_body;
		ok = try_type(destination, specs, type, err);
	}
	return ok && find_made(destination, specs, err);
}

/* ---- defaults */

struct attempt {
	const char *expression;
	const char *type;
	const char **refused; /* default_refused of one of the columns */
};

struct attempts {
	struct attempt *items;
	unsigned count;
	unsigned room;
};

static void
add_attempt(struct attempts *attempts, struct arena *memory, const struct source_column *column,
			struct column_spec *spec)
{
	struct buffer type;

	if (attempts->count == attempts->room) {
		attempts->room = attempts->room ? attempts->room * 2 : 64;
		attempts->items = memory_resize(attempts->items, attempts->room, sizeof(*attempts->items));
	}
	memory_buffer_init(&type);
	ddl_put_column_type(&type, column);
	attempts->items[attempts->count++] = (struct attempt){
		.expression = spec->default_sql,
		.type = arena_strdup(memory, sql_text(&type)),
		.refused = &spec->default_refused,
	};
	buffer_fini(&type);
}

static int
compare_attempts(const void *a, const void *b)
{
	const struct attempt *left = a, *right = b;
	int order = strcmp(left->expression, right->expression);

	return order ? order : strcmp(left->type, right->type);
}

static void
collect_attempts(struct attempts *attempts, struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct source_table *source = &catalog->tables[i].source;

		for (unsigned j = 0; source->creation_spec && j < source->column_count; j++) {
			struct column_spec *column = &source->creation_spec->columns[j];

			if (column->default_sql && !column->default_refused)
				add_attempt(attempts, &catalog->creation_specs->memory, &source->columns[j], column);
		}
	}
	if (attempts->count > 1)
		qsort(attempts->items, attempts->count, sizeof(*attempts->items), compare_attempts);
}

static void
put_attempt(struct buffer *sql, const struct attempt *attempt)
{
	buffer_printf(sql, "%s(%s)::%s", sql->len ? ", " : "EXPLAIN SELECT ", attempt->expression, attempt->type);
}

/* EXPLAIN resolves every name and type, and calls no volatile function. */
static bool
try_one_by_one(struct connection *destination, struct arena *memory, struct attempt *items, unsigned count,
			   struct error *err)
{
	const struct attempt *last = NULL;
	struct buffer sql;
	bool ok = true;

	memory_buffer_init(&sql);
	for (unsigned i = 0; ok && i < count; i++) {
		if (last && compare_attempts(last, &items[i]) == 0) {
			*items[i].refused = *last->refused;
			continue;
		}
		last = &items[i];
		buffer_reset(&sql);
		put_attempt(&sql, last);
		ok = try_statement(destination, memory, &sql, last->refused, err);
	}
	buffer_fini(&sql);
	return ok;
}

static bool
try_together(struct connection *destination, struct arena *memory, struct attempt *items, unsigned count,
			 struct error *err)
{
	const char *refused;
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	for (unsigned i = 0; i < count; i++)
		if (i == 0 || compare_attempts(&items[i - 1], &items[i]) != 0)
			put_attempt(&sql, &items[i]);
	ok = try_statement(destination, memory, &sql, &refused, err);
	buffer_fini(&sql);
	return ok && (!refused || try_one_by_one(destination, memory, items, count, err));
}

static bool
try_defaults(struct connection *destination, struct catalog *catalog, struct error *err)
{
	struct attempts attempts = {0};
	bool ok = true;

	collect_attempts(&attempts, catalog);
	for (unsigned i = 0; ok && i < attempts.count; i += DEFAULTS_AT_ONCE) {
		unsigned left = attempts.count - i;

		ok = try_together(destination, &catalog->creation_specs->memory, &attempts.items[i],
						  left < DEFAULTS_AT_ONCE ? left : DEFAULTS_AT_ONCE, err);
	}
	free(attempts.items);
	return ok;
}

/* ---- the transaction */

bool
rehearse_definitions(struct connection *destination, struct catalog *catalog, struct error *err)
{
	struct error ignored;
	bool ok;

	if (!execute(destination, "BEGIN", err))
		return false;
	ok = catalog->creation_specs->type_count == 0 || try_types(destination, catalog, err);
	if (ok)
		creation_specs_mark_types(catalog);
	ok = ok && try_defaults(destination, catalog, err);
	if (!ok) {
		/* The connection is lost, or will be given up. */
		(void) !execute(destination, "ROLLBACK", &ignored);
		return false;
	}
	return execute(destination, "ROLLBACK", err);
}
