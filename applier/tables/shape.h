/*
 * How the rows of one relation description are mapped to their target: the
 * target column of each source column, what identifies a row, and what of the
 * target restricts the ways of merging.
 *
 * A shape belongs to one version of a relation and one definition of its target;
 * a change of either makes a new one.
 */
#ifndef SLUICE_SHAPE_H
#define SLUICE_SHAPE_H

#include "catalog.h"
#include "change.h"

/* How rows are matched with what the target holds. */
enum shape_match {
	MATCH_KEY,	   /* by key columns */
	MATCH_ROW,	   /* by the whole row: REPLICA IDENTITY FULL and no key */
	MATCH_NOTHING, /* not at all: only inserts can be followed */
};

struct shape_column {
	unsigned source; /* position in the relation description */
	const struct target_column *target;
};

struct shape {
	unsigned number; /* unique within the session, for names of staging tables */
	const struct change_relation *relation;
	const struct table *table;
	bool has_siblings;		  /* the table has other shapes, which changes of this one may meet in a batch */
	bool text;				  /* values are text, not COPY BINARY fields */
	struct shape_column *fed; /* in the source's order */
	unsigned fed_count;
	bool subset;						/* there are columns that the target is not to have */
	const struct target_column **unfed; /* writable target columns without a source */
	unsigned unfed_count;
	enum shape_match match;
	unsigned key[TABLE_MAX_KEY]; /* positions in `fed` */
	unsigned key_count;
	bool rows_may_be_absent; /* an update or delete may be of a row that the target does not hold */
	bool triggers;			 /* the target has triggers or foreign keys that fire */
	bool in_place;			 /* its storage takes an UPDATE better than a DELETE and COPY */
	unsigned *
		guarded; /* positions in `fed`, outside the key: never in the SET of an UPDATE, unless triggers fire */
	unsigned guarded_count;
};

/*
 * `table` must outlive the shape.  Fails with ERROR_DATA when the relation has
 * a column that the target lacks, or values in a form that it cannot take.
 */
MUST_CHECK bool shape_init(struct shape *shape, unsigned number, const struct change_relation *relation,
						   const struct table *table, bool triggers_fire, struct error *err);
void shape_fini(struct shape *shape);

/* Whether the column at that place of `fed` is part of the key. */
bool shape_is_key(const struct shape *shape, unsigned position);

/* Whether the target is to hold just what the source holds: every operation is followed. */
static inline bool
shape_follows_all(const struct shape *shape)
{
	return shape->table->operations == OPERATION_ALL;
}

/* If not, no row appears in the target. */
static inline bool
shape_follows_inserts(const struct shape *shape)
{
	return shape->table->operations & OPERATION_INSERT;
}

#endif
