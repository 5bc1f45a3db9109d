#include "creation_types.h"

#include <stdio.h>

#include "base/memory.h"
#include "base/sql.h"
#include "creation_parts.h"
#include "vetting.h"

/*
 * The body of CREATE TYPE … AS RANGE. It names the operator class and the collation only if they differ
 * from the subtype's defaults, and the multirange only if its name differs from the one that the server
 * would choose (makeMultirangeTypeName() in multirangetypes.c). PostgreSQL 13 has no multiranges and no
 * rngmultitypid, hence to_jsonb().
 */
#define RANGES                                                                                               \
	"SELECT r.rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid AS multirange,"                               \
	" 'AS RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL)"                                             \
	"  || CASE WHEN NOT o.opcdefault THEN ', SUBTYPE_OPCLASS = ' || quote_ident(oname.nspname) || '.'"       \
	"   || quote_ident(o.opcname) ELSE '' END"                                                               \
	"  || CASE WHEN c.oid <> s.typcollation THEN ', COLLATION = ' || quote_ident(cname.nspname) || '.'"      \
	"   || quote_ident(c.collname) ELSE '' END AS body, r.rngsubopc,"                                        \
	" ', MULTIRANGE_TYPE_NAME = ' || (SELECT quote_ident(mname.nspname) || '.' || quote_ident(m.typname)"    \
	"  FROM pg_type m JOIN pg_namespace mname ON mname.oid = m.typnamespace"                                 \
	"  WHERE m.oid = (to_jsonb(r) ->> 'rngmultitypid')::oid AND (mname.oid <> t.typnamespace OR m.typname "  \
	"<>"                                                                                                     \
	"   CASE position('range' IN t.typname) WHEN 0 THEN t.typname || '_multirange'"                          \
	"   ELSE overlay(t.typname PLACING 'multirange' FROM position('range' IN t.typname) FOR 5) END))"        \
	"  AS multirange_name"                                                                                   \
	" FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_type s ON s.oid = r.rngsubtype"           \
	" JOIN pg_opclass o ON o.oid = r.rngsubopc JOIN pg_namespace oname ON oname.oid = o.opcnamespace"        \
	" LEFT JOIN pg_collation c ON c.oid = r.rngcollation"                                                    \
	" LEFT JOIN pg_namespace cname ON cname.oid = c.collnamespace"

/*
 * The user-defined types among $1 and all that they are made of, innermost first. Not included: members of
 * extensions (CREATE EXTENSION makes them), row types of tables, and the body of a multirange (its range
 * makes it).
 */
static const char types_sql[] =
	"WITH RECURSIVE ranges AS (" RANGES "),"
	" need (oid, depth) AS (SELECT unnest($1::oid[]), 0 UNION"
	"  SELECT m.oid, n.depth + 1 FROM need n CROSS JOIN LATERAL ("
	"   SELECT t.typbasetype FROM pg_type t WHERE t.oid = n.oid AND t.typtype = 'd'"
	"   UNION ALL SELECT t.typelem FROM pg_type t WHERE t.oid = n.oid AND t.typlen = -1 AND t.typelem <> 0"
	"   UNION ALL SELECT a.atttypid FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid"
	"    WHERE t.oid = n.oid AND t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped"
	"   UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = n.oid"
	"   UNION ALL SELECT r.rngtypid FROM ranges r WHERE r.multirange = n.oid) m (oid)),"
	" wanted AS (SELECT oid, max(depth) AS depth FROM need GROUP BY oid)"
	" SELECT t.oid, t.typarray, n.nspname, t.typname, t.typtype, CASE t.typtype"
	"  WHEN 'e' THEN 'AS ENUM (' || coalesce((SELECT string_agg(quote_literal(e.enumlabel), ', '"
	"   ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid), '') || ')'"
	"  WHEN 'c' THEN 'AS (' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' '"
	"   || format_type(a.atttypid, a.atttypmod), ', ' ORDER BY a.attnum) FROM pg_attribute a"
	"   WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'"
	"  WHEN 'd' THEN 'AS ' || format_type(t.typbasetype, t.typtypmod)"
	"  WHEN 'r' THEN r.body || coalesce(r.multirange_name, '') || ')' END,"
	" CASE WHEN r.multirange_name IS NOT NULL THEN r.body || ')' END, obj_description(t.oid, 'pg_type'),"
	" t.typtype = 'd' AND t.typnotnull, " FOREIGN_OPCLASS(
		"ARRAY[r.rngsubopc]") " FROM wanted w JOIN pg_type t ON t.oid = w.oid JOIN pg_namespace n ON n.oid = "
							  "t.typnamespace"
							  " LEFT JOIN pg_class c ON c.oid = t.typrelid LEFT JOIN ranges r ON r.rngtypid "
							  "= t.oid"
							  " WHERE t.oid >= 16384 AND t.typtype IN ('e', 'c', 'd', 'r', 'm') AND "
							  "coalesce(c.relkind, 'c') = 'c'"
							  " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = "
							  "'pg_type'::regclass AND d.objid = t.oid"
							  "  AND d.deptype = 'e')"
							  " ORDER BY w.depth DESC, t.oid";

/* Collects the column types that the destination lacks. */
static bool
put_missing_types(struct buffer *oids, const struct catalog *catalog)
{
	bool any = false;

	for (unsigned i = 0; i < catalog->count; i++) {
		const struct source_table *source = &catalog->tables[i].source;

		for (unsigned j = 0; creation_spec_wanted(&catalog->tables[i]) && j < source->column_count; j++) {
			struct buffer text;

			if (source->columns[j].exists_at_target)
				continue;
			memory_buffer_init(&text);
			buffer_printf(&text, "%u", source->columns[j].type);
			buffer_put_u8(&text, '\0');
			sql_array_element(oids, (const char *) text.data);
			buffer_fini(&text);
			any = true;
		}
	}
	sql_array_end(oids);
	return any;
}

static void
read_type_rows(struct creation_specs *specs, const struct result *res)
{
	struct arena *memory = &specs->memory;

	specs->types = arena_alloc_zero(memory, (result_rows(res) + 1) * sizeof(*specs->types));
	for (unsigned row = 0; row < result_rows(res); row++) {
		struct type_spec *type = &specs->types[specs->type_count++];

		*type = (struct type_spec){
			.oid = (uint32_t) result_int(res, row, 0),
			.array_oid = (uint32_t) result_int(res, row, 1),
			.schema = creation_keep(memory, res, row, 2),
			.name = creation_keep(memory, res, row, 3),
			.kind = result_text(res, row, 4)[0],
			.body = creation_keep(memory, res, row, 5),
			.plain_body = creation_keep(memory, res, row, 6),
			.comment = creation_keep(memory, res, row, 7),
			.not_null = result_bool(res, row, 8),
			.refused = creation_in_state_schema(result_text(res, row, 2)),
		};
		if (!type->refused)
			type->refused = creation_keep_opclass(memory, res, row, 9);
	}
}

/* A CHECK that is NOT VALID is not made: existing rows may violate it. */
static const char domain_parts_sql[] =
	"SELECT p.oid, p.name, p.sql, p.tree, p.valid FROM (SELECT t.oid, NULL::name AS name,"
	"  " VETTING_SQL("pg_get_expr(t.typdefaultbin, 0)") " AS sql, " VETTING_TREE(
		"t.typdefaultbin") " AS tree,"
						   "  true AS valid FROM pg_type t WHERE t.typtype = 'd' AND t.typdefaultbin IS NOT "
						   "NULL"
						   " UNION ALL SELECT k.contypid, k.conname, " VETTING_SQL(
							   "'CHECK (' || pg_get_expr(k.conbin, 0) || ')'") ","
																			   "  " VETTING_TREE(
																				   "k.conbin") ", "
																							   "k."
																							   "convalidated "
																							   "FROM "
																							   "pg_"
																							   "constraint k "
																							   "WHERE "
																							   "k.contypid "
																							   "<> 0"
																							   "  AND "
																							   "k.contype = "
																							   "'c') p WHERE "
																							   "p.oid = ANY "
																							   "($1::oid[]) "
																							   "ORDER BY "
																							   "p.oid, "
																							   "p.name NULLS "
																							   "FIRST";

static void
read_domain_parts(struct creation_specs *specs, const struct result *res)
{
	struct arena *memory = &specs->memory;
	struct domain_part *parts = arena_alloc_zero(memory, result_rows(res) * sizeof *parts);

	for (unsigned i = 0; i < specs->type_count; i++) {
		struct type_spec *type = &specs->types[i];

		for (unsigned row = 0; row < result_rows(res); row++) {
			if ((uint32_t) result_int(res, row, 0) != type->oid)
				continue;
			if (type->part_count++ == 0)
				type->parts = &parts[row];
			parts[row] = (struct domain_part){
				.name = creation_keep(memory, res, row, 1),
				.sql = creation_keep(memory, res, row, 2),
				.tree = creation_keep(memory, res, row, 3),
				.refused = result_bool(res, row, 4) ? NULL : "it is NOT VALID",
			};
		}
	}
}

static bool
read_domains(struct connection *source, struct creation_specs *specs, struct error *err)
{
	struct buffer oids;
	struct param param;
	struct result *res;
	bool any = false, ok = true;

	sql_init(&oids);
	for (unsigned i = 0; i < specs->type_count; i++) {
		char text[16];

		if (specs->types[i].kind != 'd')
			continue;
		snprintf(text, sizeof text, "%u", specs->types[i].oid);
		sql_array_element(&oids, text);
		any = true;
	}
	sql_array_end(&oids);
	param = param_text(sql_text(&oids));
	if (any)
		ok = connection_execute(source, domain_parts_sql, &param, 1, &res, err);
	if (any && ok) {
		read_domain_parts(specs, res);
		result_free(res);
	}
	buffer_fini(&oids);
	return ok;
}

bool
creation_types_read(struct connection *source, struct catalog *catalog, struct error *err)
{
	struct buffer oids;
	struct result *res;
	bool ok = true;

	memory_buffer_init(&oids);
	if (put_missing_types(&oids, catalog)) {
		struct param param = param_text((const char *) oids.data);

		ok = connection_execute(source, types_sql, &param, 1, &res, err);
		if (ok) {
			read_type_rows(catalog->creation_specs, res);
			result_free(res);
			ok = read_domains(source, catalog->creation_specs, err);
		}
	}
	buffer_fini(&oids);
	return ok;
}
