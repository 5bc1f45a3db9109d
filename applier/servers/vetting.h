/*
 * Asks the source what the functions and operators are that its expressions name, and tells which of these
 * expressions the destination may evaluate; tables/expression.h has the rule.
 *
 * Any number of expressions is vetted with one query.
 */
#ifndef SLUICE_VETTING_H
#define SLUICE_VETTING_H

#include "base/arena.h"
#include "io/connection.h"

struct vetted;

struct vetting {
	struct arena *memory; /* of the reasons */
	struct vetted *items;
	unsigned count;
	unsigned room;
};

/*
 * A stored tree, to be read in the same query as the expression's SQL, so that the one belongs to the other.  Both
 * are limited in size, since a default of megabytes makes no sense.
 */
#define VETTING_MAX_BYTES "100000"
#define VETTING_TREE(tree)                                                                                   \
	"CASE WHEN octet_length(" tree "::text) <= " VETTING_MAX_BYTES " THEN " tree "::text ELSE '' END"
#define VETTING_SQL(expression) "left(" expression ", " VETTING_MAX_BYTES ")"

/* The reasons lie in `memory`. */
void vetting_init(struct vetting *vetting, struct arena *memory);
void vetting_fini(struct vetting *vetting);

/*
 * The tree, which is "" where it is too long, lives until the run.  That sets `refused`, where it is NULL, to why the
 * destination does without the expression, if it does; several trees may share one.
 */
void vetting_add(struct vetting *vetting, const char *tree, const char **refused);

MUST_CHECK bool vetting_run(struct vetting *vetting, struct connection *source, struct error *err);

#endif
