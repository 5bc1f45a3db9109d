#include "sequences.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/sql.h"
#include "tables/mapping.h"

/* Sequences that a column owns (identity columns included) or uses in its default. */
static const char sequences_sql[] =
	"WITH used (tab, col, seq) AS ("
	"  SELECT d.refobjid, d.refobjsubid, d.objid FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
	"   AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')"
	"  UNION SELECT f.adrelid, f.adnum, d.refobjid FROM pg_attrdef f JOIN pg_depend d"
	"   ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass)"
	" SELECT tn.nspname, t.relname, a.attname, sn.nspname, s.relname,"
	"  coalesce(v.last, q.seqstart), v.last IS NOT NULL,"
	"  format('INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', q.seqincrement, q.seqmin,"
	"   q.seqmax, q.seqstart, q.seqcache, CASE WHEN q.seqcycle THEN ' CYCLE' ELSE '' END),"
	"  has_sequence_privilege(s.oid, 'USAGE, SELECT'),"
	"  EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = s.oid"
	"   AND d.refclassid = 'pg_class'::regclass AND d.refobjid = u.tab AND d.refobjsubid = u.col"
	"   AND d.deptype IN ('a', 'i')),"
	/* both print the name with its schema, since the search_path is pg_catalog */
	"  a.attidentity <> '' OR EXISTS (SELECT 1 FROM pg_attrdef f WHERE f.adrelid = u.tab AND f.adnum = u.col"
	"   AND pg_get_expr(f.adbin, f.adrelid) = format('nextval(%L::regclass)', s.oid::regclass))"
	" FROM used u JOIN pg_class s ON s.oid = u.seq AND s.relkind = 'S' JOIN pg_sequence q ON q.seqrelid = "
	"s.oid"
	" JOIN pg_namespace sn ON sn.oid = s.relnamespace JOIN pg_class t ON t.oid = u.tab"
	" JOIN pg_namespace tn ON tn.oid = t.relnamespace"
	" JOIN pg_attribute a ON a.attrelid = u.tab AND a.attnum = u.col"
	" CROSS JOIN LATERAL (SELECT CASE WHEN has_sequence_privilege(s.oid, 'USAGE, SELECT')"
	"  THEN pg_sequence_last_value(s.oid) END) v (last)"
	" ORDER BY 1, 2, 3, 4, 5";

struct sequence {
	const char *column; /* of the target */
	const char *schema;
	const char *name;
	const char *value;
	bool called; /* the value was already returned by nextval(); otherwise it is the next one */
	bool owned;	 /* by the column */
	bool gives;	 /* the column's default is its next value, and nothing else */
	const char *options;
	const struct table *table;
};

/* The sequence at the destination, as text; `oid` is "" if there is none. */
struct counterpart {
	const char *oid;
	const char *name; /* ready to use in SQL */
};

struct work {
	struct sequences *state;
	struct connection *destination;
	bool create;
	struct arena memory;
};

static bool
execute_buffer(const struct work *work, struct buffer *sql, struct error *err)
{
	buffer_put_u8(sql, '\0');
	return connection_execute(work->destination, (const char *) sql->data, NULL, 0, NULL, err);
}

/*
 * The sequence's schema at the destination: if the source's sequence lies in its table's schema, then the
 * target's schema, otherwise the same name as at the source.
 */
static const char *
target_schema_of(const struct sequence *sequence)
{
	bool same_schema = strcmp(sequence->schema, sequence->table->source.schema) == 0;

	return same_schema ? sequence->table->target_schema : sequence->schema;
}

static bool
find_sequence(struct work *work, const struct sequence *sequence, struct counterpart *found,
			  struct error *err)
{
	static const char sql[] =
		"SELECT s.oid, quote_ident(s.nspname) || '.' || quote_ident(s.relname) FROM ("
		"  SELECT s.oid, sn.nspname, s.relname, 1 AS rank FROM pg_class s JOIN pg_depend d ON d.objid = s.oid"
		"  AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass"
		"  AND d.deptype IN ('a', 'i') JOIN pg_class t ON t.oid = d.refobjid"
		"  JOIN pg_namespace n ON n.oid = t.relnamespace JOIN pg_attribute a ON a.attrelid = t.oid"
		"  AND a.attnum = d.refobjsubid JOIN pg_namespace sn ON sn.oid = s.relnamespace"
		"  WHERE s.relkind = 'S' AND n.nspname = $1 AND t.relname = $2 AND a.attname = $3"
		" UNION ALL SELECT s.oid, n.nspname, s.relname, CASE WHEN n.nspname = $4 THEN 2 ELSE 3 END"
		"  FROM pg_class s JOIN pg_namespace n ON n.oid = s.relnamespace"
		"  WHERE s.relkind = 'S' AND n.nspname IN ($4, $5) AND s.relname = $6) s"
		" ORDER BY s.rank, s.oid LIMIT 1";
	const struct param params[] = {param_text(sequence->table->target_schema),
								   param_text(sequence->table->target_name),
								   param_text(sequence->column),
								   param_text(target_schema_of(sequence)),
								   param_text(sequence->schema),
								   param_text(sequence->name)};
	struct result *res;

	if (!connection_execute(work->destination, sql, params, 6, &res, err))
		return false;
	*found = (struct counterpart){"", ""};
	if (result_rows(res)) {
		found->oid = arena_strdup(&work->memory, result_text(res, 0, 0));
		found->name = arena_strdup(&work->memory, result_text(res, 0, 1));
	}
	result_free(res);
	return true;
}

static void
put_column(struct buffer *sql, const struct sequence *sequence)
{
	sql_qualified(sql, sequence->table->target_schema, sequence->table->target_name);
}

static bool
make_sequence(const struct work *work, const struct sequence *sequence, struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	buffer_printf(&sql, "CREATE SCHEMA IF NOT EXISTS ");
	sql_identifier(&sql, target_schema_of(sequence));
	buffer_printf(&sql, "; CREATE SEQUENCE ");
	sql_qualified(&sql, target_schema_of(sequence), sequence->name);
	buffer_printf(&sql, " %s", sequence->options);
	if (sequence->owned) {
		buffer_printf(&sql, " OWNED BY ");
		put_column(&sql, sequence);
		buffer_put_u8(&sql, '.');
		sql_identifier(&sql, sequence->column);
	}
	ok = execute_buffer(work, &sql, err);
	buffer_fini(&sql);
	return ok;
}

/* Whether the target's column lacks the default that the source's has. */
static bool
lacks_default(const struct sequence *sequence)
{
	const struct target_column *column = target_find_column(&sequence->table->target, sequence->column);

	return sequence->gives && column && !column->has_default;
}

static bool
set_default(const struct work *work, const struct sequence *sequence, const struct counterpart *found,
			struct error *err)
{
	struct buffer sql;
	bool ok;

	memory_buffer_init(&sql);
	buffer_printf(&sql, "ALTER TABLE ");
	put_column(&sql, sequence);
	buffer_printf(&sql, " ALTER COLUMN ");
	sql_identifier(&sql, sequence->column);
	buffer_printf(&sql, " SET DEFAULT nextval(");
	sql_literal(&sql, found->name);
	buffer_printf(&sql, "::regclass)");
	ok = execute_buffer(work, &sql, err);
	buffer_fini(&sql);
	return ok;
}

static bool
set_value(const struct work *work, const struct sequence *sequence, const char *oid, struct error *err)
{
	const struct param params[] = {param_text(oid), param_text(sequence->value),
								   param_text(sequence->called ? "t" : "f")};

	return connection_execute(work->destination, "SELECT setval($1::oid::regclass, $2::bigint, $3::boolean)",
							  params, 3, NULL, err);
}

/* ---- what was reported before */

void
sequences_init(struct sequences *s)
{
	memory_buffer_init(&s->lines);
	memory_buffer_init(&s->former);
	memory_buffer_init(&s->news);
	s->at = 0;
}

void
sequences_fini(struct sequences *s)
{
	buffer_fini(&s->lines);
	buffer_fini(&s->former);
	buffer_fini(&s->news);
}

static void
begin_transfer(struct sequences *s)
{
	struct buffer former = s->former;

	s->former = s->lines;
	s->lines = former;
	s->at = 0;
	buffer_reset(&s->lines);
	buffer_reset(&s->news);
}

/*
 * The lines come in the same order each time. So the next former line is the one to compare with, unless
 * sequences were added or dropped.
 */
static bool
was_reported(struct sequences *s, const char *line, size_t len, size_t name_len)
{
	const char *former = (const char *) s->former.data;
	size_t left = s->former.len - s->at;
	const char *found;

	if (left >= name_len && memcmp(former + s->at, line, name_len) != 0) {
		found = memmem(former, s->former.len, line, name_len);
		if (!found || (found > former && found[-1] != '\n'))
			return false;
		s->at = (size_t) (found - former);
		left = s->former.len - s->at;
	}
	if (left < name_len)
		return false;
	found = former + s->at;
	s->at += (size_t) ((const char *) memchr(found, '\n', left) + 1 - found);
	return left >= len && memcmp(found, line, len) == 0;
}

/* Adds the line; whether it is new. */
static bool
add_line(struct work *work, const char *name, const char *what, const char *value)
{
	struct sequences *s = work->state;
	size_t start = s->lines.len;
	const char *line;

	buffer_printf(&s->lines, "%s: %s%s\n", name, what, value);
	line = (const char *) s->lines.data + start;
	return !was_reported(s, line, s->lines.len - start, strlen(name) + 2);
}

/* ---- one after another */

static bool
bring_one(struct work *work, const struct sequence *sequence, struct error *err)
{
	const char *name = sql_table_name(&work->memory, sequence->schema, sequence->name);
	const char *what = sequence->called ? "went up to " : "begins with ";
	struct buffer *news = &work->state->news;
	struct counterpart found;
	bool made = false;

	if (!find_sequence(work, sequence, &found, err))
		return false;
	if (!*found.oid && work->create) {
		if (!make_sequence(work, sequence, err) || !find_sequence(work, sequence, &found, err))
			return error_context(err, "making the sequence %s", name);
		made = true;
	}
	if (!*found.oid) {
		if (add_line(work, name, "left out, there is none at the destination", ""))
			buffer_printf(news, "%s: left out, there is none at the destination\n", name);
		return true;
	}
	if (work->create && lacks_default(sequence) && !set_default(work, sequence, &found, err))
		return error_context(err, "making the sequence %s a column's default", name);
	if (!add_line(work, name, what, sequence->value) && !made)
		return true;
	if (!set_value(work, sequence, found.oid, err))
		return error_context(err, "setting the sequence %s", name);
	buffer_printf(news, "%s: %s%s%s\n", name, what, sequence->value, made ? " (made)" : "");
	return true;
}

static bool
fail_unreadable(struct work *work, const struct sequence *sequence, struct error *err)
{
	const char *name = sql_table_name(&work->memory, sequence->schema, sequence->name);

	error_set(err, ERROR_DATA, "the source's role may not read the sequence %s", name);
	return error_hint(err, "GRANT SELECT ON SEQUENCE %s to it.", name);
}

static bool
bring_readable(struct work *work, const struct sequence *sequence, bool readable, struct error *err)
{
	/* Without the right, some server versions report that the sequence was never used. */
	return readable ? bring_one(work, sequence, err) : fail_unreadable(work, sequence, err);
}

/* A sequence that one of the servers refuses keeps none of the others; the first refusal is the error in the end. */
static bool
bring_all(struct work *work, const struct catalog *catalog, const struct result *res, struct error *err)
{
	bool all = true;
	struct error refusal;

	for (unsigned row = 0; row < result_rows(res); row++) {
		struct sequence sequence = {
			.schema = result_text(res, row, 3),
			.name = result_text(res, row, 4),
			.value = result_text(res, row, 5),
			.called = result_bool(res, row, 6),
			.options = result_text(res, row, 7),
			.owned = result_bool(res, row, 9),
			.gives = result_bool(res, row, 10),
			.table = catalog_find(catalog, result_text(res, row, 0), result_text(res, row, 1)),
		};

		if (!sequence.table || !sequence.table->target.exists)
			continue;
		sequence.column = mapping_target_name(sequence.table, result_text(res, row, 2));
		if (bring_readable(work, &sequence, result_bool(res, row, 8), &refusal))
			continue;
		if (all)
			*err = refusal;
		all = false;
		if (refusal.class != ERROR_DATA || connection_is_lost(work->destination))
			break;
		buffer_printf(&work->state->news, "%s: failed: %s\n",
					  sql_table_name(&work->memory, sequence.schema, sequence.name), refusal.message);
	}
	return all;
}

bool
sequences_bring(struct sequences *s, struct connection *source, struct connection *destination,
				const struct catalog *catalog, bool create, struct error *err)
{
	struct work work = {.state = s, .destination = destination, .create = create};
	struct result *res;
	bool ok;

	if (!connection_execute(source, sequences_sql, NULL, 0, &res, err))
		return error_context(err, "reading the sequences of the source");
	begin_transfer(s);
	arena_init(&work.memory, 4096);
	ok = bring_all(&work, catalog, res, err);
	arena_fini(&work.memory);
	result_free(res);
	if (!ok)
		buffer_reset(&s->lines); /* which ones were set is not certain, so the next transfer sets all */
	return ok;
}
