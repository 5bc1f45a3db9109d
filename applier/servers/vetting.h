/*
 * Decides which expressions of the source the destination may evaluate: asks the source about the
 * functions and operators that they use. The rule is in tables/expression.h.
 *
 * One query is enough for any number of expressions.
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
 * SQL for an expression's stored tree (pg_node_tree), to be read in the same query as the expression's
 * text so that both belong together. Both are limited in size: a default of megabytes makes no sense.
 */
#define VETTING_MAX_BYTES "100000"
#define VETTING_TREE(tree)                                                                                   \
	"CASE WHEN octet_length(" tree "::text) <= " VETTING_MAX_BYTES " THEN " tree "::text ELSE '' END"
#define VETTING_SQL(expression) "left(" expression ", " VETTING_MAX_BYTES ")"

/* The reasons are allocated in `memory`. */
void vetting_init(struct vetting *vetting, struct arena *memory);
void vetting_fini(struct vetting *vetting);

/*
 * `tree` must live until vetting_run(), and is "" if it was too long. If the destination must not evaluate
 * the expression, vetting_run() sets *refused to the reason, unless it is already set; several trees may
 * share one `refused`.
 */
void vetting_add(struct vetting *vetting, const char *tree, const char **refused);

MUST_CHECK bool vetting_run(struct vetting *vetting, struct connection *source, struct error *err);

#endif
