/*
 * Reads the three lists that tables/index_plan.h compares: the indexes of the source, the rows of sluice.indexes, and the
 * indexes of a target.
 */
#ifndef SLUICE_INDEX_LISTS_H
#define SLUICE_INDEX_LISTS_H

#include "base/arena.h"
#include "base/config.h"
#include "io/connection.h"
#include "tables/catalog.h"
#include "tables/index_plan.h"

/* The plan's texts are views into the results. */
struct index_lists {
	struct result *source;
	struct result *rows;
	struct result *found;
	struct arena memory; /* of the plans' arrays */
};

void index_lists_init(struct index_lists *lists);
void index_lists_fini(struct index_lists *lists);

/* Whether the indexes of the table's target may follow, if this program has created it. */
bool index_lists_may_follow(const struct config *config, const struct table *table);

/* Reads the source's indexes of the tables, from catalogs that nobody locks. */
MUST_CHECK bool index_lists_read_source(struct index_lists *lists, struct connection *source,
										struct table *const *tables, unsigned count, struct error *err);
/* `table` NULL: of all. */
MUST_CHECK bool index_lists_read_rows(struct index_lists *lists, struct connection *control, const char *task,
									  const struct table *table, struct error *err);
/* Whether the rows say that the target was created, and whether they name an index. */
bool index_lists_has_target(const struct index_lists *lists, const struct table *table);
bool index_lists_has_rows(const struct index_lists *lists, const struct table *table);

/* What source and rows say of a table. */
void index_lists_plan(struct index_lists *lists, const struct config *config, const struct table *table,
					  struct index_plan *plan);
/*
 * Adds the target's indexes to the plan, and those with the random names of its rows.  *locked: somebody has locked the target, and
 * nothing is added; NULL: it is waited for.
 */
MUST_CHECK bool index_lists_read_found(struct index_lists *lists, struct connection *control,
									   const struct table *table, struct index_plan *plan, bool *locked,
									   struct error *err);

/* The end of what the source has written, flushed or not. */
MUST_CHECK bool index_lists_read_lsn(struct connection *source, uint64_t *lsn, struct error *err);
/*
 * Reads the definitions of the table's indexes at the source into its creation spec, which has to be there, and then *lsn, the
 * source's position: whatever has led to them was written before it.
 */
MUST_CHECK bool index_lists_read_specs(struct connection *source, struct table *table, uint64_t *lsn,
									   struct error *err);
/*
 * Why an index must not be built at the target now; NULL: it may.  Others may have exchanged the table under its name; and a partition's
 * index of theirs would become a part of ours, and go with it.
 */
MUST_CHECK bool index_lists_find_obstacle(struct connection *control, const struct table *table,
										  const char **obstacle, struct error *err);

/* Whether an error says only that the server would not do this now. */
bool index_lists_is_refusal(const struct connection *conn, const struct error *err);

#endif
