/*
 * How rows with one relation description are mapped to their target: the target column of each source
 * column, what identifies a row, and what limits the ways of merging.
 *
 * A shape belongs to one relation description and one definition of the target; when either changes, a new
 * shape is made.
 */
#ifndef SLUICE_SHAPE_H
#define SLUICE_SHAPE_H

#include "catalog.h"
#include "change.h"

/* How changed rows are matched with rows of the target. */
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
	unsigned number; /* unique within the session; part of the names of staging tables */
	const struct change_relation *relation;
	const struct table *table;
	bool has_siblings;		  /* the table has other shapes, whose changes may be in the same batch */
	bool text;				  /* values are text, not COPY BINARY fields */
	struct shape_column *fed; /* in the source's column order */
	unsigned fed_count;
	bool subset;						/* some columns are not replicated (override's `columns`) */
	const struct target_column **unfed; /* writable target columns that no source column feeds */
	unsigned unfed_count;
	enum shape_match match;
	unsigned key[TABLE_MAX_KEY]; /* positions in `fed` */
	unsigned key_count;
	bool rows_may_be_absent; /* an update or delete may concern a row that the target lacks */
	bool triggers;			 /* the target has triggers or foreign keys, and they fire */
	bool in_place;			 /* an UPDATE is cheaper than DELETE and COPY: the target has heap storage */
	/* positions in `fed`, without the key: columns that no UPDATE may SET, unless triggers fire */
	unsigned *guarded;
	unsigned guarded_count;
};

/*
 * `table` must outlive the shape. ERROR_DATA if the target lacks a column of the relation, or cannot take
 * the form of its values.
 */
MUST_CHECK bool shape_init(struct shape *shape, unsigned number, const struct change_relation *relation,
						   const struct table *table, bool triggers_fire, struct error *err);
void shape_fini(struct shape *shape);

/* Whether fed[position] is part of the key. */
bool shape_is_key(const struct shape *shape, unsigned position);

/* Whether every operation is followed, so that the target holds exactly what the source holds. */
static inline bool
shape_follows_all(const struct shape *shape)
{
	return shape->table->operations == OPERATION_ALL;
}

/* If false, no new row appears in the target. */
static inline bool
shape_follows_inserts(const struct shape *shape)
{
	return shape->table->operations & OPERATION_INSERT;
}

#endif
