/* Helpers and SQL that creation_spec.c, creation_types.c and index_specs.c share. */
#ifndef SLUICE_CREATION_PARTS_H
#define SLUICE_CREATION_PARTS_H

#include "base/arena.h"
#include "io/result.h"
#include "tables/catalog.h"

/*
 * SQL for the name of an operator class that neither comes with the server nor belongs to an extension;
 * NULL if there is none. A superuser of the source made that class, and nobody has checked that its
 * functions are harmless.
 */
#define FOREIGN_OPCLASS(classes)                                                                             \
	"(SELECT quote_ident(cn.nspname) || '.' || quote_ident(cl.opcname) FROM pg_opclass cl"                   \
	" JOIN pg_namespace cn ON cn.oid = cl.opcnamespace WHERE cl.oid = ANY (" classes "::oid[])"              \
	" AND cn.nspname <> 'pg_catalog' AND NOT EXISTS (SELECT FROM pg_depend d"                                \
	"  WHERE d.classid = 'pg_opclass'::regclass AND d.objid = cl.oid AND d.deptype = 'e') LIMIT 1)"

/* Copies the field into `memory`; NULL stays NULL. */
const char *creation_keep(struct arena *memory, const struct result *res, unsigned row, unsigned column);
/* Why the operator class that FOREIGN_OPCLASS found is not copied; NULL if it found none. */
const char *creation_keep_opclass(struct arena *memory, const struct result *res, unsigned row,
								  unsigned column);
/* The position in source.columns of a column; false: there is none. */
bool creation_find_position(const struct source_table *source, long attnum, unsigned *position);
/*
 * Reads attnums, of which 0 is an expression, into the positions of their columns, at most TABLE_MAX_KEY; false if some have
 * no column.
 */
bool creation_read_positions(const struct source_table *source, const char *attnums,
							 unsigned positions[TABLE_MAX_KEY], unsigned *count);
/*
 * Why nothing is made in this schema; NULL for every schema but that of the state. A selected table never
 * lies in it, but a partition or a type of one may.
 */
const char *creation_in_state_schema(const char *schema);

#endif
