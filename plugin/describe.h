/*
 * How the catalogs, as they were at the change, become a description.
 */
#ifndef SLUICE_DESCRIBE_H
#define SLUICE_DESCRIBE_H

#include "postgres.h"

#include "utils/rel.h"

#include "common/change.h"

#include "value.h"

/* A column of the description, as found in the changed relation. */
struct column_source {
	int attribute; /* index into its tuple descriptor */
	bool key;
	struct value_encoder encoder;
};

/*
 * Fills `out`, all of it allocated in `context`, but number and leaves.
 * `changed` is the relation whose replica identity decides what old rows there
 * are: `target` itself or one of its leaves.
 */
void describe_relation(struct change_relation *out, Relation target, Relation changed, bool text,
					   MemoryContext context);

/* Whether a column of the relation keeps it from travelling in binary form. */
bool describe_needs_text(Relation target);

/* Where the tuples of `changed` have the described columns, and how their values are written. */
struct column_source *describe_sources(const struct change_relation *described, Relation target,
									   Relation changed, MemoryContext context);

/* Whether two descriptions are equal, except for their numbers. */
bool describe_equal(const struct change_relation *a, const struct change_relation *b);

#endif
