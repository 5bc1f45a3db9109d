#include "schema_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "servers/trial.h"

/* ---- which types */

/* The user-defined type of the column's values (for an array: of its elements; for a domain: its base); 0: built in. */
static uint32_t
user_type(const struct source_column *column)
{
	if (column->builtin)
		return 0;
	return column->element ? column->element : column->base_type;
}

static void
put_types(struct buffer *oids, const struct catalog *catalog)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct source_table *source = &catalog->tables[i].source;

		for (unsigned j = 0; j < source->column_count; j++) {
			char oid[16];

			if (!user_type(&source->columns[j]))
				continue;
			snprintf(oid, sizeof oid, "%u", user_type(&source->columns[j]));
			sql_array_element(oids, oid);
		}
	}
	sql_array_end(oids);
}

static bool
concern(const struct schema_types *types)
{
	if (types->config->schema.changes != SCHEMA_CHANGES_FOLLOW)
		return false;
	for (unsigned i = 0; i < types->catalog->count; i++) {
		const struct source_table *source = &types->catalog->tables[i].source;

		for (unsigned j = 0; j < source->column_count; j++)
			if (user_type(&source->columns[j]))
				return true;
	}
	return false;
}

/* `wanted` has the labels or attributes of the source, one row each: schema, type, name; they become $1, $2, $3. */
static bool
ask_destination(struct connection *destination, const char *sql, const struct result *wanted,
				struct result **res, struct error *err)
{
	enum { columns = 3 };
	struct buffer arrays[columns];
	struct param params[columns];
	bool ok;

	for (unsigned i = 0; i < columns; i++) {
		sql_init(&arrays[i]);
		for (unsigned row = 0; row < result_rows(wanted); row++)
			sql_array_element(&arrays[i], result_text(wanted, row, i));
		sql_array_end(&arrays[i]);
		params[i] = param_text(sql_text(&arrays[i]));
	}
	ok = connection_execute(destination, sql, params, columns, res, err);
	for (unsigned i = 0; i < columns; i++)
		buffer_fini(&arrays[i]);
	return ok;
}

static bool
same_type(const struct result *res, unsigned a, unsigned b)
{
	return strcmp(result_text(res, a, 0), result_text(res, b, 0)) == 0 &&
		   strcmp(result_text(res, a, 1), result_text(res, b, 1)) == 0;
}

/* A refusal is only logged: perhaps no row needs the change. */
static bool
add(struct connection *destination, const char *sql, struct error *err)
{
	bool done;

	if (!trial_or_without(destination, sql, &done, err,
						  "the change of a type that rows may need (run it there: %s)", sql))
		return false;
	if (done)
		log_info("a type has changed: %s", sql);
	return true;
}

static void
put_alter_type(struct buffer *sql, const struct result *res, unsigned row)
{
	sql_init(sql);
	buffer_printf(sql, "ALTER TYPE ");
	sql_qualified(sql, result_text(res, row, 0), result_text(res, row, 1));
}

/* ---- labels of enums */

static const char labels_sql[] = "SELECT n.nspname, t.typname, e.enumlabel, t.oid FROM pg_type t JOIN "
								 "pg_namespace n ON n.oid = t.typnamespace"
								 " JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.oid = ANY ($1::oid[])"
								 " ORDER BY 1, 2, e.enumsortorder";

/* The numbers of the labels that the destination lacks, and whether it has labels that the source lacks. */
static const char lacking_labels_sql[] =
	"SELECT w.i - 1, EXISTS (SELECT 1 FROM pg_enum e WHERE e.enumtypid = t.oid AND e.enumlabel::text NOT IN"
	"  (SELECT x.l FROM unnest($1::text[], $2::text[], $3::text[]) x (s, n, l) WHERE x.s = w.s AND x.n = "
	"w.n))"
	" FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY w (s, n, l, i)"
	" JOIN pg_namespace s ON s.nspname = w.s::name"
	" JOIN pg_type t ON t.typnamespace = s.oid AND t.typname = w.n::name AND t.typtype = 'e'"
	" WHERE NOT EXISTS (SELECT 1 FROM pg_enum e WHERE e.enumtypid = t.oid AND e.enumlabel::text = w.l)"
	" ORDER BY w.i";

/* A label is added after its predecessor, which exists by now; the first label before the next that exists. */
static void
put_label(struct buffer *sql, const struct result *labels, const bool *lacking, unsigned row)
{
	put_alter_type(sql, labels, row);
	buffer_printf(sql, " ADD VALUE ");
	sql_literal(sql, result_text(labels, row, 2));
	if (row > 0 && same_type(labels, row, row - 1)) {
		buffer_printf(sql, " AFTER ");
		sql_literal(sql, result_text(labels, row - 1, 2));
		return;
	}
	for (unsigned next = row + 1; next < result_rows(labels) && same_type(labels, row, next); next++) {
		if (lacking[next])
			continue;
		buffer_printf(sql, " BEFORE ");
		sql_literal(sql, result_text(labels, next, 2));
		return;
	}
}

static bool
add_labels(const struct schema_types *types, const struct result *labels, const struct result *missing,
		   struct error *err)
{
	bool *lacking = memory_alloc_zero(result_rows(labels), sizeof *lacking);
	bool ok = true;

	for (unsigned i = 0; i < result_rows(missing); i++)
		lacking[result_int(missing, i, 0)] = true;
	for (unsigned i = 0; ok && i < result_rows(missing); i++) {
		struct buffer sql;

		put_label(&sql, labels, lacking, (unsigned) result_int(missing, i, 0));
		ok = add(types->destination, sql_text(&sql), err);
		buffer_fini(&sql);
	}
	free(lacking);
	return ok;
}

/* ---- attributes of composite types */

static const char attributes_sql[] =
	"SELECT n.nspname, t.typname, a.attname, format_type(a.atttypid, a.atttypmod), t.oid FROM pg_type t"
	" JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'"
	" JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
	" WHERE t.oid = ANY ($1::oid[]) ORDER BY 1, 2, a.attnum";

/* The numbers of the attributes that the destination lacks, of types whose attributes there all exist at the source. */
static const char lacking_attributes_sql[] =
	"WITH w AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY u (s, n, a, i)),"
	" h AS (SELECT s.nspname::text AS s, t.typname::text AS n, a.attname::text AS a FROM pg_type t"
	"  JOIN pg_namespace s ON s.oid = t.typnamespace JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = "
	"'c'"
	"  JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
	"  WHERE (s.nspname::text, t.typname::text) IN (SELECT s, n FROM w))"
	" SELECT w.i - 1 FROM w WHERE EXISTS (SELECT 1 FROM h WHERE h.s = w.s AND h.n = w.n)"
	" AND NOT EXISTS (SELECT 1 FROM h WHERE h.s = w.s AND h.n = w.n AND h.a = w.a)"
	" AND NOT EXISTS (SELECT 1 FROM h WHERE h.s = w.s AND h.n = w.n"
	"  AND NOT EXISTS (SELECT 1 FROM w x WHERE x.s = h.s AND x.n = h.n AND x.a = h.a)) ORDER BY w.i";

static bool
add_attributes(const struct schema_types *types, const struct result *attributes,
			   const struct result *missing, struct error *err)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < result_rows(missing); i++) {
		unsigned row = (unsigned) result_int(missing, i, 0);
		struct buffer sql;

		put_alter_type(&sql, attributes, row);
		buffer_printf(&sql, " ADD ATTRIBUTE ");
		sql_identifier(&sql, result_text(attributes, row, 2));
		buffer_printf(&sql, " %s", result_text(attributes, row, 3));
		ok = add(types->destination, sql_text(&sql), err);
		buffer_fini(&sql);
	}
	return ok;
}

/* ---- labels and attributes */

/* What the source has, and which of it the destination lacks. */
struct lacks {
	struct result *wanted;
	struct result *missing;
};

static bool
find(const struct schema_types *types, const char *wanted_sql, const char *missing_sql, struct lacks *lacks,
	 struct error *err)
{
	struct buffer oids;
	struct param param;
	bool ok;

	sql_init(&oids);
	put_types(&oids, types->catalog);
	param = param_text(sql_text(&oids));
	ok = connection_execute(types->source, wanted_sql, &param, 1, &lacks->wanted, err);
	buffer_fini(&oids);
	if (ok && !ask_destination(types->destination, missing_sql, lacks->wanted, &lacks->missing, err)) {
		result_free(lacks->wanted);
		ok = false;
	}
	return ok || error_context(err, "comparing types");
}

static void
release(struct lacks *lacks)
{
	result_free(lacks->wanted);
	result_free(lacks->missing);
}

static void
note_tables(const struct catalog *catalog, uint32_t type, const char *reason, struct schema_notes *notes)
{
	for (unsigned i = 0; i < catalog->count; i++) {
		const struct table *table = &catalog->tables[i];
		struct error ignored;

		for (unsigned j = 0; j < table->source.column_count; j++) {
			if (user_type(&table->source.columns[j]) != type || !table_follows(table))
				continue;
			(void) schema_notes_add(notes, table, SCHEMA_COPIED_AGAIN, reason, &ignored);
			break;
		}
	}
}

bool
schema_types_note(const struct schema_types *types, struct schema_notes *notes, struct error *err)
{
	struct lacks labels, attributes;

	if (!concern(types))
		return true;
	if (!find(types, labels_sql, lacking_labels_sql, &labels, err))
		return false;
	for (unsigned i = 0; i < result_rows(labels.missing); i++)
		if (result_bool(labels.missing, i, 1))
			note_tables(types->catalog,
						(uint32_t) result_int(labels.wanted, (unsigned) result_int(labels.missing, i, 0), 3),
						"a label of an enum was renamed", notes);
	release(&labels);
	if (!find(types, attributes_sql, lacking_attributes_sql, &attributes, err))
		return false;
	for (unsigned i = 0; i < result_rows(attributes.missing); i++)
		note_tables(
			types->catalog,
			(uint32_t) result_int(attributes.wanted, (unsigned) result_int(attributes.missing, i, 0), 4),
			"a composite type has got an attribute", notes);
	release(&attributes);
	return true;
}

bool
schema_types_complete(const struct schema_types *types, struct error *err)
{
	struct lacks lacks;
	bool ok;

	if (!concern(types))
		return true;
	if (!find(types, labels_sql, lacking_labels_sql, &lacks, err))
		return false;
	ok = add_labels(types, lacks.wanted, lacks.missing, err);
	release(&lacks);
	if (!ok || !find(types, attributes_sql, lacking_attributes_sql, &lacks, err))
		return false;
	ok = add_attributes(types, lacks.wanted, lacks.missing, err);
	release(&lacks);
	return ok;
}
