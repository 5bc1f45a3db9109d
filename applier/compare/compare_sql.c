#include "compare_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "tables/mapping.h"

/* Rows a bucket that are quick to fetch and compare one by one. */
#define BUCKET_ROWS 500

/* ---- plans */

static bool
is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static bool
is_builtin(const char *schema)
{
	return strcmp(schema, "pg_catalog") == 0;
}

/* Whether the text that both servers make of a value may have floats in it. */
static bool
prints_floats(const struct compare_pair *pair)
{
	static const char *const of_extensions[] = {"cube", "_cube", "seg", "_seg", NULL};
	static const char *const strings[] = {"text", "_text", "varchar", "_varchar", "bpchar", "_bpchar", NULL};
	const struct source_column *source = pair->source;

	/* Then the target holds what the source printed. */
	if (is_builtin(pair->target->base_schema) && is_one_of(pair->target->base_name, strings))
		return false;
	return source->base_typtype == 'c' || source->base_typtype == 'r' ||
		   (source->element && !source->builtin) || is_one_of(source->base_name, of_extensions);
}

static void
find_key(struct compare_plan *plan)
{
	unsigned key[TABLE_MAX_KEY];
	unsigned count = table_match_key(plan->table, key);

	for (unsigned i = 0; i < count; i++) {
		unsigned pair = 0;

		while (pair < plan->pair_count && plan->pairs[pair].source != &plan->table->source.columns[key[i]])
			pair++;
		if (pair == plan->pair_count) {
			plan->key_count = 0;
			return;
		}
		plan->key[plan->key_count++] = pair;
	}
}

static unsigned
choose_digits(const struct table *table)
{
	int64_t buckets = table->source.estimated_rows / BUCKET_ROWS;

	return buckets <= 256 ? 2 : buckets <= 4096 ? 3 : 4;
}

static void
carry_others(struct compare_plan *plan)
{
	const struct table *table = plan->table;

	plan->carried_count = plan->pair_count;
	for (unsigned i = 0; mapping_where(table) && i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];

		if (!mapping_find_target(table, source->name))
			plan->pairs[plan->carried_count++] = (struct compare_pair){source, NULL};
	}
}

void
compare_plan_init(struct compare_plan *plan, const struct table *table, bool same_encoding,
				  int destination_version)
{
	*plan = (struct compare_plan){
		.table = table,
		.pairs = memory_alloc_zero(table->source.column_count, sizeof *plan->pairs),
		.bucket_digits = choose_digits(table),
		.convert = !same_encoding,
		.target_tree = table->target.partitioned && destination_version >= 120000,
	};
	for (unsigned i = 0; i < table->source.column_count; i++) {
		const struct source_column *source = &table->source.columns[i];
		const struct target_column *target = mapping_find_target(table, source->name);

		if (!target)
			continue;
		plan->pairs[plan->pair_count++] = (struct compare_pair){source, target};
		/* PostgreSQL 12 began to print the shortest digits that are exact. */
		plan->round_floats |=
			destination_version < 120000 && prints_floats(&plan->pairs[plan->pair_count - 1]);
	}
	carry_others(plan);
	find_key(plan);
}

void
compare_plan_fini(struct compare_plan *plan)
{
	free(plan->pairs);
	plan->pairs = NULL;
}

/* ---- one value */

static bool
same_type(const struct compare_pair *pair)
{
	return strcmp(pair->source->base_schema, pair->target->base_schema) == 0 &&
		   strcmp(pair->source->base_name, pair->target->base_name) == 0;
}

/*
 * How the type's values are written, which for some is not what a cast to text gives.  The cast of a type of users may be
 * a function of its owner's, which nobody but them should run; concat() takes what the type itself writes.
 */
static void
put_output(struct buffer *sql, const char *ref, const char *schema, const char *name)
{
	static const char *const cast_otherwise[] = {"bool", "bpchar", "char", "inet", "cidr", "xml", NULL};

	if (is_builtin(schema) && is_one_of(name, cast_otherwise))
		buffer_printf(sql, "CASE WHEN %s IS NOT NULL THEN concat(%s) END", ref, ref);
	else if (is_builtin(schema))
		buffer_printf(sql, "%s::text", ref);
	else /* a composite value of NULLs IS NULL, and none the less a value */
		buffer_printf(sql, "CASE WHEN pg_column_size(%s) IS NOT NULL THEN concat(%s) END", ref, ref);
}

/* A text as a value of the column's type, or the type below a domain; as above, not by a cast. */
static void
put_input(struct buffer *sql, const char *ref, const struct source_column *column)
{
	if (column->builtin)
		buffer_printf(sql, "%s::%s", ref, column->base_formatted);
	else
		buffer_printf(sql, "(SELECT v FROM json_to_record(json_build_object('v', %s)) AS j (v %s))", ref,
					  column->base_formatted);
}

static void
put_source_output(struct buffer *sql, const char *ref, const struct source_column *column)
{
	put_output(sql, ref, column->base_schema, column->base_name);
}

static void
put_target_output(struct buffer *sql, const char *ref, const struct target_column *column)
{
	put_output(sql, ref, column->base_schema, column->base_name);
}

/* The target's type with its modifier; of a domain the type below it. */
static void
put_target_type(struct buffer *sql, const struct target_column *target)
{
	bool domain = strcmp(target->type_schema, target->base_schema) != 0 ||
				  strcmp(target->type_name, target->base_name) != 0;

	if (domain)
		sql_qualified(sql, target->base_schema, target->base_name);
	else
		buffer_printf(sql, "%s", target->formatted);
}

/* The value in the target's type where both sides have that, otherwise as text: it
 * came to the target in the same way. */
static void
put_source_value(struct buffer *sql, const char *ref, const struct compare_pair *pair)
{
	bool modified = strcmp(pair->source->base_formatted, pair->target->formatted) != 0;

	if (same_type(pair) && (!modified || !is_builtin(pair->target->base_schema))) {
		buffer_printf(sql, "%s", ref);
		return;
	}
	buffer_put_u8(sql, '(');
	if (same_type(pair))
		buffer_printf(sql, "%s", ref);
	else
		put_source_output(sql, ref, pair->source);
	buffer_put_u8(sql, ')');
	if (!is_builtin(pair->target->base_schema))
		return;
	buffer_printf(sql, "::");
	put_target_type(sql, pair->target);
}

static void
put_target_value(struct buffer *sql, const char *ref, const struct compare_pair *pair)
{
	if (same_type(pair) || is_builtin(pair->target->base_schema))
		buffer_printf(sql, "%s", ref);
	else
		put_target_output(sql, ref, pair->target);
}

/* The function that gives a value of the type a form without digits; NULL: its text will do. */
static const char *
sender(const struct compare_pair *pair)
{
	static const char *const simple[] = {"float4",	"float8", "point",	"lseg", "path", "box",
										 "polygon", "line",	  "circle", "char", NULL};
	static const char *const arrays[] = {"_float4",	 "_float8", "_point",  "_lseg", "_path", "_box",
										 "_polygon", "_line",	"_circle", "_char", NULL};
	static const char *const functions[] = {"float4send",  "float8send", "point_send", "lseg_send",
											"path_send",   "box_send",	 "poly_send",  "line_send",
											"circle_send", "charsend"};
	const char *name = pair->target->base_name;

	if (!is_builtin(pair->target->base_schema))
		return NULL;
	for (unsigned i = 0; simple[i]; i++)
		if (strcmp(name, simple[i]) == 0)
			return functions[i];
	return is_one_of(name, arrays) ? "array_send" : NULL;
}

/* Conditions may name their table; the others' names are none that a table or column has. */
#define SENT "\"sluice sent\""
#define NUMBER "\"sluice number\""

static const char *
alias_of(const struct compare_plan *plan, enum compare_from from)
{
	return from == COMPARE_TARGET ? plan->table->target_name : plan->table->source.name;
}

/* The pair's column on one side. */
static void
put_reference(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
			  enum compare_from from)
{
	sql_identifier(sql, alias_of(plan, from));
	buffer_put_u8(sql, '.');
	sql_identifier(sql, from == COMPARE_TARGET ? pair->target->name : pair->source->name);
}

/* The same as a string of its own. */
static void
make_reference(struct buffer *text, const struct compare_plan *plan, const struct compare_pair *pair,
			   enum compare_from from)
{
	memory_buffer_init(text);
	put_reference(text, plan, pair, from);
	buffer_put_u8(text, '\0');
}

/* The pair's value in the form that both sides have in common. */
static void
put_common_value(struct buffer *sql, const char *ref, const struct compare_pair *pair, enum compare_from from)
{
	if (from == COMPARE_TARGET)
		put_target_value(sql, ref, pair);
	else
		put_source_value(sql, ref, pair);
}

/* The text of that. */
static void
put_common_text(struct buffer *sql, const char *ref, const struct compare_pair *pair, enum compare_from from)
{
	if (same_type(pair) && !is_builtin(pair->target->base_schema)) {
		put_target_output(sql, ref, pair->target);
		return;
	}
	buffer_put_u8(sql, '(');
	put_common_value(sql, ref, pair, from);
	buffer_printf(sql, ")::text");
}

/*
 * Printed with as many digits as an old destination prints, in this place of
 * the statement alone: other columns' text holds what the source prints otherwise.
 */
static void
put_rounded(struct buffer *sql, const char *ref, const struct compare_pair *pair, enum compare_from from)
{
	buffer_printf(sql, "CASE WHEN set_config('extra_float_digits', '0', true) <> '' THEN ");
	put_common_text(sql, ref, pair, from);
	buffer_printf(sql, " || left(set_config('extra_float_digits', '3', true), 0) END");
}

static bool
is_rounded(const struct compare_plan *plan, const struct compare_pair *pair, enum compare_from from)
{
	return plan->round_floats && from != COMPARE_TARGET && prints_floats(pair);
}

/* The canonical value of a pair's column. */
static void
put_value(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
		  enum compare_from from)
{
	const char *send = sender(pair);
	bool bytes = is_builtin(pair->target->base_schema) && strcmp(pair->target->base_name, "bytea") == 0;
	struct buffer ref;

	make_reference(&ref, plan, pair, from);
	if (send) {
		buffer_printf(sql, "encode(%s(", send);
		put_common_value(sql, (const char *) ref.data, pair, from);
		buffer_printf(sql, "), 'hex')");
	} else if (bytes) {
		buffer_printf(sql, "md5("); /* whose text would be twice as long */
		put_common_value(sql, (const char *) ref.data, pair, from);
		buffer_put_u8(sql, ')');
	} else if (is_rounded(plan, pair, from)) {
		put_rounded(sql, (const char *) ref.data, pair, from);
	} else {
		put_common_value(sql, (const char *) ref.data, pair, from);
	}
	buffer_fini(&ref);
}

/* ---- rows */

static void
put_row(struct buffer *sql, const struct compare_plan *plan, enum compare_from from, bool key)
{
	unsigned count = key ? plan->key_count : plan->pair_count;

	buffer_printf(sql, "ROW(");
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(sql, i ? ", " : "");
		put_value(sql, plan, &plan->pairs[key ? plan->key[i] : i], from);
	}
	buffer_printf(sql, ")::text");
}

static void
put_md5(struct buffer *sql, const struct compare_plan *plan, const char *text)
{
	if (plan->convert)
		buffer_printf(sql, "md5(convert_to(%s, 'UTF8'))", text);
	else
		buffer_printf(sql, "md5(%s)", text);
}

/* The images as a table with the source's columns and a number. */
static void
put_images(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "(SELECT " SENT "." NUMBER);
	for (unsigned i = 0; i < plan->carried_count; i++) {
		char ref[64];

		snprintf(ref, sizeof ref, SENT ".c%u", i + 1);
		buffer_printf(sql, ", ");
		put_input(sql, ref, plan->pairs[i].source);
		buffer_printf(sql, " AS ");
		sql_identifier(sql, plan->pairs[i].source->name);
	}
	buffer_printf(sql, " FROM unnest(");
	for (unsigned i = 0; i < plan->carried_count; i++)
		buffer_printf(sql, "%s$%u::text[]", i ? ", " : "", i + 1);
	buffer_printf(sql, ") WITH ORDINALITY AS " SENT " (");
	for (unsigned i = 0; i < plan->carried_count; i++)
		buffer_printf(sql, "c%u, ", i + 1);
	buffer_printf(sql, NUMBER "))");
}

static void
put_from(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	const struct table *table = plan->table;

	buffer_printf(sql, " FROM ");
	switch (from) {
	case COMPARE_SOURCE:
		buffer_printf(sql, table->source.partitioned ? "" : "ONLY ");
		sql_qualified(sql, table->source.schema, table->source.name);
		break;
	case COMPARE_TARGET:
		mapping_put_target_rows(sql, table);
		break;
	case COMPARE_IMAGES:
		put_images(sql, plan);
		break;
	}
	buffer_printf(sql, " AS ");
	sql_identifier(sql, alias_of(plan, from));
}

/* A condition may end with a comment. */
static void
put_filter(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	if (from != COMPARE_TARGET && mapping_where(plan->table))
		buffer_printf(sql, " WHERE (%s\n)", mapping_where(plan->table));
	else
		buffer_printf(sql, " WHERE true");
}

/* Every row as k and r, the text of all its columns. */
static void
put_texts(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	buffer_printf(sql, "SELECT ");
	buffer_printf(sql, from == COMPARE_IMAGES ? NUMBER ", " : "0 AS " NUMBER ", ");
	if (plan->key_count)
		put_row(sql, plan, from, true);
	else
		buffer_printf(sql, "''::text");
	buffer_printf(sql, " AS k, ");
	put_row(sql, plan, from, false);
	buffer_printf(sql, " AS r");
	put_from(sql, plan, from);
	put_filter(sql, plan, from);
}

/* The bucket of a row of put_texts(). */
static void
put_bucket(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "('x' || substr(");
	put_md5(sql, plan, plan->key_count ? "k" : "r");
	buffer_printf(sql, ", 1, %u))::bit(%u)::int", plan->bucket_digits, plan->bucket_digits * 4);
}

/* What is asked of a row of put_texts(); FROM and that follow. */
static void
put_selection(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "SELECT " NUMBER ", ");
	put_bucket(sql, plan);
	buffer_printf(sql, ", k, ");
	put_md5(sql, plan, "r");
	buffer_printf(sql, " FROM (");
}

/* ---- statements */

static void
put_known_column(struct buffer *sql, int attnum, uint32_t type, const char *name)
{
	struct buffer text;

	memory_buffer_init(&text);
	buffer_printf(&text, "%d %u %s", attnum, type, name);
	buffer_put_u8(&text, '\0');
	sql_literal(sql, (const char *) text.data);
	buffer_fini(&text);
}

/* Of the source every column; the target may have more than are compared. */
static void
put_column_check(struct buffer *sql, const struct compare_plan *plan, enum compare_from from, uint32_t oid)
{
	buffer_printf(sql,
				  " AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = %u AND NOT a.attisdropped"
				  " AND a.attnum || ' ' || a.atttypid || ' ' || a.attname = ANY (ARRAY[",
				  oid);
	for (unsigned i = 0; i < plan->pair_count; i++) {
		const struct compare_pair *pair = &plan->pairs[i];

		buffer_printf(sql, i ? ", " : "");
		if (from == COMPARE_TARGET)
			put_known_column(sql, pair->target->attnum, pair->target->type, pair->target->name);
		else
			put_known_column(sql, pair->source->attnum, pair->source->type, pair->source->name);
	}
	buffer_printf(sql, "]::text[])) = %u", plan->pair_count);
	if (from == COMPARE_SOURCE)
		buffer_printf(sql,
					  " AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = %u AND NOT a.attisdropped"
					  " AND a.attnum > 0 AND a.attgenerated <> 'v') = %u",
					  oid, plan->table->source.column_count);
}

/* A partition that was attached or detached since is seen by every snapshot, as the rows that it came or went with are. */
static void
put_partition_check(struct buffer *sql, uint32_t oid)
{
	buffer_printf(
		sql,
		" AND (SELECT array_agg(relid::oid ORDER BY relid::oid) FROM pg_partition_tree(%u)) ="
		" (WITH RECURSIVE tree (oid) AS (SELECT %u::oid UNION ALL SELECT i.inhrelid FROM pg_inherits i"
		" JOIN tree ON i.inhparent = tree.oid) SELECT array_agg(oid ORDER BY oid) FROM tree)",
		oid, oid);
}

void
compare_put_unchanged_check(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	const struct table *table = plan->table;
	uint32_t oid = from == COMPARE_TARGET ? table->target.oid : table->source.oid;
	struct buffer name;

	memory_buffer_init(&name);
	if (from == COMPARE_TARGET)
		sql_qualified(&name, table->target_schema, table->target_name);
	else
		sql_qualified(&name, table->source.schema, table->source.name);
	buffer_put_u8(&name, '\0');
	buffer_printf(sql, "SAVEPOINT look; LOCK TABLE %s IN ACCESS SHARE MODE; SELECT to_regclass(",
				  (const char *) name.data);
	sql_literal(sql, (const char *) name.data);
	buffer_printf(sql,
				  ")::oid = %u AND (WITH RECURSIVE tree (oid) AS (SELECT %u::oid UNION ALL"
				  " SELECT i.inhrelid FROM pg_inherits i JOIN tree ON i.inhparent = tree.oid)"
				  " SELECT bool_and(pg_relation_filenode(c.oid) = c.relfilenode OR"
				  " pg_relation_filenode(c.oid) IS NULL) FROM pg_class c JOIN tree ON tree.oid = c.oid)",
				  oid, oid);
	if (from == COMPARE_TARGET ? plan->target_tree : table->source.partitioned)
		put_partition_check(sql, oid);
	put_column_check(sql, plan, from, oid);
	buffer_put_u8(sql, '\0');
	buffer_fini(&name);
}

void
compare_put_settings(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	buffer_printf(sql, "SET extra_float_digits = %d", plan->round_floats && from == COMPARE_TARGET ? 0 : 3);
	buffer_put_u8(sql, '\0');
}

void
compare_put_sums(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	buffer_printf(sql, "SELECT b, count(*), sum(h) FROM (SELECT ");
	put_bucket(sql, plan);
	buffer_printf(sql, " AS b, ('x' || substr(");
	put_md5(sql, plan, "r");
	buffer_printf(sql, ", 17))::bit(64)::bigint AS h FROM (");
	put_texts(sql, plan, from);
	buffer_printf(sql, ") AS texts) AS hashes GROUP BY b");
	buffer_put_u8(sql, '\0');
}

void
compare_put_buckets(struct buffer *sql, const struct compare_plan *plan, enum compare_from from,
					const char *buckets)
{
	put_selection(sql, plan);
	put_texts(sql, plan, from);
	buffer_printf(sql, ") AS texts WHERE ");
	put_bucket(sql, plan);
	buffer_printf(sql, " = ANY('%s'::int[]) ORDER BY 2", buckets);
	buffer_put_u8(sql, '\0');
}

/* The keys that are sent along as a table u with the columns k1, k2 …, of the source's types. */
static void
put_sent_keys(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "(SELECT a.number");
	for (unsigned i = 0; i < plan->key_count; i++) {
		char ref[64];

		snprintf(ref, sizeof ref, "a.k%u", i + 1);
		buffer_printf(sql, ", ");
		put_input(sql, ref, plan->pairs[plan->key[i]].source);
		buffer_printf(sql, " AS k%u", i + 1);
	}
	buffer_printf(sql, " FROM unnest(");
	for (unsigned i = 0; i < plan->key_count; i++)
		buffer_printf(sql, "%s$%u::text[]", i ? ", " : "", i + 1);
	buffer_printf(sql, ") WITH ORDINALITY AS a (");
	for (unsigned i = 0; i < plan->key_count; i++)
		buffer_printf(sql, "k%u, ", i + 1);
	buffer_printf(sql, "number)) AS " SENT);
}

/* Types whose = is not in pg_catalog, if they have one, go by their text. */
static void
put_key_match(struct buffer *sql, const struct compare_plan *plan)
{
	for (unsigned i = 0; i < plan->key_count; i++) {
		const struct compare_pair *pair = &plan->pairs[plan->key[i]];
		bool comparable = pair->source->builtin || pair->source->base_typtype == 'e';
		struct buffer ref;
		char sent[64];

		make_reference(&ref, plan, pair, COMPARE_SOURCE);
		snprintf(sent, sizeof sent, SENT ".k%u", i + 1);
		buffer_printf(sql, i ? " AND " : "");
		if (comparable) {
			buffer_printf(sql, "%s = %s", (const char *) ref.data, sent);
		} else {
			put_source_output(sql, (const char *) ref.data, pair->source);
			buffer_printf(sql, " = ");
			put_source_output(sql, sent, pair->source);
		}
		buffer_fini(&ref);
	}
}

void
compare_put_keys(struct buffer *sql, const struct compare_plan *plan)
{
	put_selection(sql, plan);
	put_texts(sql, plan, COMPARE_SOURCE);
	buffer_printf(sql, " AND EXISTS (SELECT FROM ");
	put_sent_keys(sql, plan);
	buffer_printf(sql, " WHERE ");
	put_key_match(sql, plan);
	buffer_printf(sql, ")) AS texts");
	buffer_put_u8(sql, '\0');
}

void
compare_put_values(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "SELECT " SENT ".number");
	for (unsigned i = 0; i < plan->carried_count; i++) {
		struct buffer ref;

		make_reference(&ref, plan, &plan->pairs[i], COMPARE_SOURCE);
		buffer_printf(sql, ", ");
		put_source_output(sql, (const char *) ref.data, plan->pairs[i].source);
		buffer_fini(&ref);
	}
	put_from(sql, plan, COMPARE_SOURCE);
	buffer_printf(sql, " JOIN ");
	put_sent_keys(sql, plan);
	buffer_printf(sql, " ON ");
	put_key_match(sql, plan);
	buffer_put_u8(sql, '\0');
}

void
compare_put_images(struct buffer *sql, const struct compare_plan *plan)
{
	put_selection(sql, plan);
	put_texts(sql, plan, COMPARE_IMAGES);
	buffer_printf(sql, ") AS texts");
	buffer_put_u8(sql, '\0');
}

/* The text of put_value(). */
static void
put_value_text(struct buffer *sql, const struct compare_plan *plan, const struct compare_pair *pair,
			   enum compare_from from)
{
	struct buffer ref;

	if (!is_builtin(pair->target->base_schema) && !is_rounded(plan, pair, from)) {
		make_reference(&ref, plan, pair, from);
		put_common_text(sql, (const char *) ref.data, pair, from);
		buffer_fini(&ref);
		return;
	}
	buffer_put_u8(sql, '(');
	put_value(sql, plan, pair, from);
	buffer_printf(sql, ")::text");
}

static void
put_shown_values(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	for (unsigned i = 0; i < plan->pair_count; i++) {
		const struct compare_pair *pair = &plan->pairs[i];
		struct buffer ref;

		make_reference(&ref, plan, pair, from);
		buffer_printf(sql, ", ");
		put_value_text(sql, plan, pair, from);
		buffer_printf(sql, " AS x%u, ", i + 1);
		if (from == COMPARE_TARGET)
			put_target_output(sql, (const char *) ref.data, pair->target);
		else
			put_source_output(sql, (const char *) ref.data, pair->source);
		buffer_printf(sql, " AS o%u", i + 1);
		buffer_fini(&ref);
	}
}

void
compare_put_details(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	buffer_printf(sql, "SELECT " NUMBER ", k, ");
	put_md5(sql, plan, "r");
	for (unsigned i = 0; i < plan->pair_count; i++)
		buffer_printf(sql, ", x%u, o%u", i + 1, i + 1);
	buffer_printf(sql, " FROM (SELECT %s AS " NUMBER ", ", from == COMPARE_IMAGES ? NUMBER : "0");
	if (plan->key_count)
		put_row(sql, plan, from, true);
	else
		buffer_printf(sql, "''::text");
	buffer_printf(sql, " AS k, ");
	put_row(sql, plan, from, false);
	buffer_printf(sql, " AS r");
	put_shown_values(sql, plan, from);
	put_from(sql, plan, from);
	put_filter(sql, plan, from);
	buffer_printf(sql, ") AS texts");
	if (from != COMPARE_IMAGES) {
		buffer_printf(sql, " WHERE ");
		if (plan->key_count)
			buffer_put_u8(sql, 'k');
		else
			put_md5(sql, plan, "r");
		buffer_printf(sql, " = ANY($1::text[])");
	}
	buffer_put_u8(sql, '\0');
}
