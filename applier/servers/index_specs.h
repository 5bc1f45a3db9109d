/*
 * Reads the secondary indexes of the source's tables: for tables that are created (creation_spec.h), and for targets
 * that follow CREATE INDEX (upkeep/index_follow.h).
 */
#ifndef SLUICE_INDEX_SPECS_H
#define SLUICE_INDEX_SPECS_H

#include "describe.h"
#include "tables/creation_specs.h"
#include "vetting.h"

/* SQL over pg_index i and the index's pg_class ic. */

/* Which indexes count. */
#define INDEX_FOLLOWED_SQL "i.indisvalid AND NOT i.indisprimary"
/* A hash of the definition; see index_list.h. */
#define INDEX_SIGNATURE_SQL                                                                                  \
	"to_hex(hashtext(concat_ws(' ', ic.relname, ic.relam, i.indisunique, i.indnkeyatts, i.indkey, "          \
	"i.indclass,"                                                                                            \
	" i.indcollation, i.indoption, i.indexprs, i.indpred)))"
/* What pg_get_indexdef() prints after the table's name; the table is c, in the schema n. */
#define INDEX_TAIL_SQL                                                                                       \
	"substr(pg_get_indexdef(i.indexrelid),"                                                                  \
	"  length('CREATE ' || CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END || 'INDEX '"                   \
	"   || quote_ident(ic.relname) || ' ON ' || CASE WHEN ic.relkind = 'I' THEN 'ONLY ' ELSE '' END"         \
	"   || quote_ident(n.nspname) || '.' || quote_ident(c.relname)) + 2)"

/* Reads the indexes into the creation specs of the tables, which must be there. */
MUST_CHECK bool index_specs_read(const struct describe *describe, struct connection *source,
								 struct error *err);
/* Keeps those that schema.indexes asks for. */
void index_specs_choose(struct creation_spec *spec, enum schema_indexes wanted);
/* Adds their expressions and conditions. */
void index_specs_vet(struct vetting *vetting, struct creation_spec *spec);

#endif
