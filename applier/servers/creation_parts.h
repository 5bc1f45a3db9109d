/*
 * What the readers of definitions share: creation_spec and creation_types.
 */
#ifndef SLUICE_CREATION_PARTS_H
#define SLUICE_CREATION_PARTS_H

#include "base/arena.h"
#include "io/result.h"

/*
 * One that is neither the server's own nor an extension's: a superuser of the source has made it, and nobody has vetted
 * its functions.  NULL: there is none.
 */
#define FOREIGN_OPCLASS(classes)                                                                             \
	"(SELECT quote_ident(cn.nspname) || '.' || quote_ident(cl.opcname) FROM pg_opclass cl"                   \
	" JOIN pg_namespace cn ON cn.oid = cl.opcnamespace WHERE cl.oid = ANY (" classes "::oid[])"              \
	" AND cn.nspname <> 'pg_catalog' AND NOT EXISTS (SELECT FROM pg_depend d"                                \
	"  WHERE d.classid = 'pg_opclass'::regclass AND d.objid = cl.oid AND d.deptype = 'e') LIMIT 1)"

/* NULL stays NULL. */
const char *creation_keep(struct arena *memory, const struct result *res, unsigned row, unsigned column);
/* Why the operator class that FOREIGN_OPCLASS found is not taken over; NULL: there is none. */
const char *creation_keep_opclass(struct arena *memory, const struct result *res, unsigned row,
								  unsigned column);
/* Why nothing of that schema is made: tables of it are none of a task's, but partitions and types may lie in any. */
const char *creation_in_state_schema(const char *schema);

#endif
