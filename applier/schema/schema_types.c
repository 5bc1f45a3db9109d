#include "schema_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/sql.h"
#include "servers/text_arrays.h"
#include "servers/trial.h"
#include "tables/mapping.h"

/* ---- which types */

/* The user-defined type of the column's values (for an array: of its elements; for a domain: its base); 0: built in. */
static uint32_t
user_type(const struct source_column *column)
{
	if (column->builtin)
		return 0;
	return column->element ? column->element : column->base_type;
}

/*
 * A type of the source and the one that a target's column has for it, which keeps its name when the source's is renamed.
 * The texts belong to the catalog.
 */
struct type_pair {
	uint32_t source;
	const char *schema, *name; /* at the destination; of an array its own */
};

static void
add_pair(struct buffer *pairs, const struct type_pair *pair)
{
	const struct type_pair *known = (const struct type_pair *) pairs->data;

	for (size_t i = 0; i < pairs->len / sizeof *known; i++)
		if (known[i].source == pair->source && strcmp(known[i].schema, pair->schema) == 0 &&
			strcmp(known[i].name, pair->name) == 0)
			return;
	buffer_put(pairs, pair, sizeof *pair);
}

/* Columns whose target is still to be made get the type of the source's name. */
static void
add_table_pairs(struct buffer *pairs, const struct table *table)
{
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *column = &table->source.columns[i];
		const struct target_column *target;

		if (!user_type(column))
			continue;
		target = target_find_column(&table->target, mapping_target_name(table, column->name));
		add_pair(pairs, target
							? &(struct type_pair){user_type(column), target->base_schema, target->base_name}
							: &(struct type_pair){user_type(column), column->base_schema, column->base_name});
	}
}

static void
put_oids(struct buffer *oids, const struct buffer *pairs)
{
	const struct type_pair *pair = (const struct type_pair *) pairs->data;

	for (size_t i = 0; i < pairs->len / sizeof *pair; i++) {
		char oid[16];

		snprintf(oid, sizeof oid, "%u", pair[i].source);
		sql_array_element(oids, oid);
	}
	sql_array_end(oids);
}

bool
schema_types_concern(const struct schema_types *types)
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

/*
 * The labels or attributes of the source: columns 0, the number of the pair, and 1, the name.  And those that the
 * destination lacks: columns 0, the number of the row in `wanted`, and 1 and 2, schema and name of the type there.
 */
struct lacks {
	struct buffer pairs;
	struct result *wanted;
	struct result *missing;
};

static uint32_t
source_type(const struct lacks *lacks, unsigned wanted)
{
	return ((const struct type_pair *) lacks->pairs.data)[result_int(lacks->wanted, wanted, 0)].source;
}

/* What is wanted becomes $1, $2, $3: schema, type, name. */
static bool
ask_destination(struct connection *destination, const char *sql, struct lacks *lacks, struct error *err)
{
	struct text_arrays names;
	bool ok;

	text_arrays_init(&names, 3);
	for (unsigned row = 0; row < result_rows(lacks->wanted); row++) {
		const struct type_pair *pair =
			(const struct type_pair *) lacks->pairs.data + result_int(lacks->wanted, row, 0);

		text_arrays_add(&names,
						(const char *const[]){pair->schema, pair->name, result_text(lacks->wanted, row, 1)});
	}
	ok = text_arrays_execute(&names, destination, sql, &lacks->missing, err);
	text_arrays_fini(&names);
	return ok;
}

static bool
same_type(const struct result *wanted, unsigned a, unsigned b)
{
	return result_int(wanted, a, 0) == result_int(wanted, b, 0);
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
put_alter_type(struct buffer *sql, const struct result *missing, unsigned row)
{
	sql_init(sql);
	buffer_printf(sql, "ALTER TYPE ");
	sql_qualified(sql, result_text(missing, row, 1), result_text(missing, row, 2));
}

/*
 * Common to both queries: what is wanted with the type that has it at the destination, of an array the elements'.  A type
 * that is reached by its name and by its array's counts once.
 */
#define WANTED                                                                                               \
	"WITH w AS (SELECT u.i, u.l, e.oid, e.typtype, e.typrelid, n.nspname, e.typname,"                        \
	"  row_number() OVER (PARTITION BY e.oid, u.l ORDER BY u.i) AS nth"                                      \
	"  FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY u (s, n, l, i)"                       \
	"  JOIN pg_namespace s ON s.nspname = u.s::name"                                                         \
	"  JOIN pg_type t ON t.typnamespace = s.oid AND t.typname = u.n::name"                                   \
	"  JOIN pg_type e ON e.oid = CASE WHEN t.typlen = -1 AND t.typelem <> 0 THEN t.typelem ELSE t.oid END"   \
	"  JOIN pg_namespace n ON n.oid = e.typnamespace)"

/* ---- labels of enums */

static const char labels_sql[] =
	"SELECT w.i - 1, e.enumlabel FROM unnest($1::oid[]) WITH ORDINALITY w (oid, i)"
	" JOIN pg_enum e ON e.enumtypid = w.oid ORDER BY w.i, e.enumsortorder";

/* Column 3: whether the destination's enum has labels that the source's lacks. */
static const char lacking_labels_sql[] =
	WANTED " SELECT w.i - 1, w.nspname, w.typname, EXISTS (SELECT 1 FROM pg_enum e WHERE e.enumtypid = w.oid"
		   "  AND e.enumlabel::text NOT IN (SELECT x.l FROM w x WHERE x.oid = w.oid))"
		   " FROM w WHERE w.typtype = 'e' AND w.nth = 1"
		   " AND NOT EXISTS (SELECT 1 FROM pg_enum e WHERE e.enumtypid = w.oid AND e.enumlabel::text = w.l)"
		   " ORDER BY w.i";

/* A label is added after its predecessor, which exists by now; the first label before the next that exists. */
static void
put_label(struct buffer *sql, const struct result *labels, const bool *lacking, unsigned row)
{
	buffer_printf(sql, " ADD VALUE ");
	sql_literal(sql, result_text(labels, row, 1));
	if (row > 0 && same_type(labels, row, row - 1)) {
		buffer_printf(sql, " AFTER ");
		sql_literal(sql, result_text(labels, row - 1, 1));
		return;
	}
	for (unsigned next = row + 1; next < result_rows(labels) && same_type(labels, row, next); next++) {
		if (lacking[next])
			continue;
		buffer_printf(sql, " BEFORE ");
		sql_literal(sql, result_text(labels, next, 1));
		return;
	}
}

static bool
add_labels(const struct schema_types *types, const struct lacks *lacks, struct error *err)
{
	const struct result *missing = lacks->missing;
	bool *lacking = memory_alloc_zero(result_rows(lacks->wanted), sizeof *lacking);
	bool ok = true;

	for (unsigned i = 0; i < result_rows(missing); i++)
		lacking[result_int(missing, i, 0)] = true;
	for (unsigned i = 0; ok && i < result_rows(missing); i++) {
		struct buffer sql;

		put_alter_type(&sql, missing, i);
		put_label(&sql, lacks->wanted, lacking, (unsigned) result_int(missing, i, 0));
		ok = add(types->destination, sql_text(&sql), err);
		buffer_fini(&sql);
	}
	free(lacking);
	return ok;
}

/* ---- attributes of composite types */

static const char attributes_sql[] =
	"SELECT w.i - 1, a.attname, format_type(a.atttypid, a.atttypmod)"
	" FROM unnest($1::oid[]) WITH ORDINALITY w (oid, i) JOIN pg_type t ON t.oid = w.oid"
	" JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'"
	" JOIN pg_attribute a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
	" ORDER BY w.i, a.attnum";

/* Only of types whose attributes there all exist at the source. */
static const char lacking_attributes_sql[] =
	WANTED ", h AS (SELECT a.attrelid, a.attname::text AS a FROM pg_attribute a JOIN pg_class c"
		   "  ON c.oid = a.attrelid AND c.relkind = 'c' WHERE a.attrelid IN (SELECT typrelid FROM w)"
		   "  AND a.attnum > 0 AND NOT a.attisdropped)"
		   " SELECT w.i - 1, w.nspname, w.typname FROM w"
		   " WHERE w.nth = 1 AND EXISTS (SELECT 1 FROM h WHERE h.attrelid = w.typrelid)"
		   " AND NOT EXISTS (SELECT 1 FROM h WHERE h.attrelid = w.typrelid AND h.a = w.l)"
		   " AND NOT EXISTS (SELECT 1 FROM h WHERE h.attrelid = w.typrelid"
		   "  AND NOT EXISTS (SELECT 1 FROM w x WHERE x.oid = w.oid AND x.l = h.a)) ORDER BY w.i";

static bool
add_attributes(const struct schema_types *types, const struct lacks *lacks, struct error *err)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < result_rows(lacks->missing); i++) {
		unsigned row = (unsigned) result_int(lacks->missing, i, 0);
		struct buffer sql;

		put_alter_type(&sql, lacks->missing, i);
		buffer_printf(&sql, " ADD ATTRIBUTE ");
		sql_identifier(&sql, result_text(lacks->wanted, row, 1));
		buffer_printf(&sql, " %s", result_text(lacks->wanted, row, 2));
		ok = add(types->destination, sql_text(&sql), err);
		buffer_fini(&sql);
	}
	return ok;
}

/* ---- labels and attributes */

static bool
find(const struct schema_types *types, const char *wanted_sql, const char *missing_sql, struct lacks *lacks,
	 struct error *err)
{
	struct buffer oids;
	struct param param;
	bool ok;

	memory_buffer_init(&lacks->pairs);
	for (unsigned i = 0; i < types->catalog->count; i++)
		add_table_pairs(&lacks->pairs, &types->catalog->tables[i]);
	sql_init(&oids);
	put_oids(&oids, &lacks->pairs);
	param = param_text(sql_text(&oids));
	ok = connection_execute(types->source, wanted_sql, &param, 1, &lacks->wanted, err);
	buffer_fini(&oids);
	if (ok && !ask_destination(types->destination, missing_sql, lacks, err)) {
		result_free(lacks->wanted);
		ok = false;
	}
	if (ok)
		return true;
	buffer_fini(&lacks->pairs);
	return error_context(err, "comparing types");
}

static void
release(struct lacks *lacks)
{
	result_free(lacks->wanted);
	result_free(lacks->missing);
	buffer_fini(&lacks->pairs);
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

	if (!schema_types_concern(types))
		return true;
	if (!find(types, labels_sql, lacking_labels_sql, &labels, err))
		return false;
	for (unsigned i = 0; i < result_rows(labels.missing); i++)
		if (result_bool(labels.missing, i, 3))
			note_tables(types->catalog, source_type(&labels, (unsigned) result_int(labels.missing, i, 0)),
						"a label of an enum was renamed", notes);
	release(&labels);
	if (!find(types, attributes_sql, lacking_attributes_sql, &attributes, err))
		return false;
	for (unsigned i = 0; i < result_rows(attributes.missing); i++)
		note_tables(types->catalog, source_type(&attributes, (unsigned) result_int(attributes.missing, i, 0)),
					"a composite type has got an attribute", notes);
	release(&attributes);
	return true;
}

bool
schema_types_complete(const struct schema_types *types, struct error *err)
{
	struct lacks lacks;
	bool ok;

	if (!schema_types_concern(types))
		return true;
	if (!find(types, labels_sql, lacking_labels_sql, &lacks, err))
		return false;
	ok = add_labels(types, &lacks, err);
	release(&lacks);
	if (!ok || !find(types, attributes_sql, lacking_attributes_sql, &lacks, err))
		return false;
	ok = add_attributes(types, &lacks, err);
	release(&lacks);
	return ok;
}
