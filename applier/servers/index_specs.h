/*
 * Reads the secondary indexes of the source's tables: for tables that are created (creation_spec.h), and for targets whose
 * indexes follow (upkeep/index_follow.h).
 */
#ifndef SLUICE_INDEX_SPECS_H
#define SLUICE_INDEX_SPECS_H

#include "describe.h"
#include "tables/creation_specs.h"
#include "vetting.h"

/* SQL over pg_index i and the index's pg_class ic. */

/* Which indexes count. */
#define INDEX_FOLLOWED_SQL "i.indisvalid AND NOT i.indisprimary"
/*
 * What tells an index from the table's others, see index_plan.h.  It is read from the catalogs alone: pg_get_indexdef()
 * waits for whoever has locked the table.  Operator classes that are the default of their type are left out, so that it
 * survives a change of the column's type.
 */
#define INDEX_SIGNATURE_SQL                                                                                  \
	"CASE WHEN i.indisunique THEN 'u' ELSE 'n' END || left(encode(sha256(textsend(concat_ws(' ', ic.relam,"  \
	" i.indnkeyatts, i.indkey, i.indcollation, i.indoption, to_jsonb(i) ->> 'indnullsnotdistinct',"          \
	" (SELECT string_agg(o.at || ':' || o.oid, ',' ORDER BY o.at) FROM unnest(i.indclass::oid[]) WITH"       \
	"  ORDINALITY o (oid, at) JOIN pg_opclass cl ON cl.oid = o.oid WHERE NOT cl.opcdefault),"                \
	" 'expressions', i.indexprs, 'condition', i.indpred))), 'hex'), 24)"
/*
 * What pg_get_indexdef() prints of an index of the table c in the schema n after the table's name; NULL if the text does
 * not begin as expected, '' if it is too long.  The function reads the newest catalogs, and may have to wait for whoever alters the table: with
 * another name of the index or table the rest would begin within a name, which its owner has chosen.
 */
#define INDEX_TAIL_SQL                                                                                       \
	"CASE WHEN octet_length(d.definition) > " VETTING_MAX_BYTES " THEN ''"                                   \
	" WHEN left(d.definition, length(h.head)) = h.head THEN substr(d.definition, length(h.head) - 5) END"
#define INDEX_TAIL_FROM_SQL                                                                                  \
	" CROSS JOIN LATERAL (SELECT pg_get_indexdef(i.indexrelid) OFFSET 0) d (definition)"                     \
	" CROSS JOIN LATERAL (SELECT 'CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END"            \
	"  || 'INDEX ' || quote_ident(ic.relname) || ' ON ' || CASE WHEN ic.relkind = 'I' THEN 'ONLY '"          \
	"  ELSE '' END || quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' USING ') h (head)"

/* `refused` of an index whose definition could not be read. */
extern const char index_specs_renamed[];

/* Reads the indexes into the creation specs of the tables, which must be there. */
MUST_CHECK bool index_specs_read(const struct describe *describe, struct connection *source,
								 struct error *err);
/* Whether schema.indexes asks for it. */
bool index_specs_selects(enum schema_indexes wanted, bool unique);
/* Keeps those that schema.indexes asks for. */
void index_specs_choose(struct creation_spec *spec, enum schema_indexes wanted);
/* Adds their expressions and conditions. */
void index_specs_vet(struct vetting *vetting, struct creation_spec *spec);

#endif
