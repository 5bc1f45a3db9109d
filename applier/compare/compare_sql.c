#include "compare_sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "tables/mapping.h"

/* A table filter may refer to its table by name, so these names must not be those of a table or column: hence the
 * space. */
#define SENT "\"sluice sent\""
#define NUMBER "\"sluice number\""

/* ---- rows */

static void
put_row(struct buffer *sql, const struct compare_plan *plan, enum compare_from from, bool key)
{
	unsigned count = key ? plan->key_count : plan->pair_count;

	buffer_printf(sql, "ROW(");
	for (unsigned i = 0; i < count; i++) {
		buffer_printf(sql, i ? ", " : "");
		compare_value_put(sql, plan, &plan->pairs[key ? plan->key[i] : i], from);
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

/* The images as a table expression with a number and the source's columns. */
static void
put_images(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "(SELECT " SENT "." NUMBER);
	for (unsigned i = 0; i < plan->carried_count; i++) {
		char ref[64];

		snprintf(ref, sizeof ref, SENT ".c%u", i + 1);
		buffer_printf(sql, ", ");
		compare_value_put_input(sql, ref, plan->pairs[i].source);
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
	sql_identifier(sql, compare_value_alias(plan, from));
}

/* The newline ends a comment that a condition may end with. */
static void
put_filter(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	if (from != COMPARE_TARGET && mapping_where(plan->table))
		buffer_printf(sql, " WHERE (%s\n)", mapping_where(plan->table));
	else
		buffer_printf(sql, " WHERE true");
}

/* Selects each row as k, its key, and r, the text of all its columns. */
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

/* The beginning of a query for rows of put_texts(), which follows as a subquery in FROM. */
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

/* Checks that the compared columns are unchanged, and that the source has no others; the target may have more. */
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

/* pg_partition_tree() shows the partitions of now, pg_inherits those of the snapshot: a partition that was attached or
 * detached in between brings or takes rows even for older snapshots. */
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
	buffer_printf(sql, "SAVEPOINT before_lock; LOCK TABLE %s IN ACCESS SHARE MODE; SELECT to_regclass(",
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

/* The keys in the parameters as a table SENT with the columns number, k1, k2 …, of the source's types. */
static void
put_sent_keys(struct buffer *sql, const struct compare_plan *plan)
{
	buffer_printf(sql, "(SELECT a.number");
	for (unsigned i = 0; i < plan->key_count; i++) {
		char ref[64];

		snprintf(ref, sizeof ref, "a.k%u", i + 1);
		buffer_printf(sql, ", ");
		compare_value_put_input(sql, ref, plan->pairs[plan->key[i]].source);
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

/* Values of types whose = operator is not in pg_catalog, if they have one, are compared as text. */
static void
put_key_match(struct buffer *sql, const struct compare_plan *plan)
{
	for (unsigned i = 0; i < plan->key_count; i++) {
		const struct compare_pair *pair = &plan->pairs[plan->key[i]];
		bool comparable = pair->source->builtin || pair->source->base_typtype == 'e';
		struct buffer ref;
		char sent[64];

		compare_value_make_reference(&ref, plan, pair, COMPARE_SOURCE);
		snprintf(sent, sizeof sent, SENT ".k%u", i + 1);
		buffer_printf(sql, i ? " AND " : "");
		if (comparable) {
			buffer_printf(sql, "%s = %s", (const char *) ref.data, sent);
		} else {
			compare_value_put_source_output(sql, (const char *) ref.data, pair->source);
			buffer_printf(sql, " = ");
			compare_value_put_source_output(sql, sent, pair->source);
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

		compare_value_make_reference(&ref, plan, &plan->pairs[i], COMPARE_SOURCE);
		buffer_printf(sql, ", ");
		compare_value_put_source_output(sql, (const char *) ref.data, plan->pairs[i].source);
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

static void
put_shown_values(struct buffer *sql, const struct compare_plan *plan, enum compare_from from)
{
	for (unsigned i = 0; i < plan->pair_count; i++) {
		const struct compare_pair *pair = &plan->pairs[i];
		struct buffer ref;

		compare_value_make_reference(&ref, plan, pair, from);
		buffer_printf(sql, ", ");
		compare_value_put_text(sql, plan, pair, from);
		buffer_printf(sql, " AS x%u, ", i + 1);
		if (from == COMPARE_TARGET)
			compare_value_put_target_shown(sql, (const char *) ref.data, pair->target);
		else
			compare_value_put_source_output(sql, (const char *) ref.data, pair->source);
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
