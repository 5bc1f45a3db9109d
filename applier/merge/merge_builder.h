/*
 * Shared by the files of a merge plan while a plan is built: the statement
 * being written, the steps so far, and the parts that statements have in
 * common.
 *
 *	merge_plan      decides what is done, and in which order
 *	merge_staging   creates and empties the staging tables
 *	merge_single    inserts, deletes and updates row by row, for very few rows
 *	merge_array     deletes and updates with arrays as parameters, for few rows
 *	merge_delete    deletes by key, or a number of equal rows
 *	merge_update    updates in place, or fetches missing values and inserts again
 *	merge_upsert    rows that the target may or may not have
 */
#ifndef SLUICE_MERGE_BUILDER_H
#define SLUICE_MERGE_BUILDER_H

#include "base/sql.h"
#include "merge_plan.h"

/* Staged rows that need the same statement. */
struct merge_group {
	enum net_action action;
	bool moved;			/* the target has the row under another key */
	bool partial;		/* the rows lack values that only the target has */
	bool mixed;			/* the rows lack different columns */
	uint8_t *unchanged; /* bitmap over the relation's columns: missing in some row; NULL: none */
	int64_t rows;
};

struct merge_builder {
	struct merge_plan *plan;
	enum merge_phase phase; /* phase of the next step */
	const struct net_change *net;
	const struct shape *shape;
	const struct dialect *dialect;
	struct staging *staging;
	struct arena *arena;
	uint8_t *actions;
	uint8_t *groups_of; /* the group of each staged entry */
	uint32_t *order;	/* of the entries that are looked up by key; NULL: their own */
	struct merge_group *groups;
	unsigned group_count;
	enum merge_manner manner;
	int64_t deletes;
	int64_t perhaps; /* how many of the deletes are of rows that the target may not have */
	int64_t inserts;
	int64_t patches;
	int64_t fills;
	struct merge_count *patched; /* count for the patches; NULL: any number */
	struct merge_count *taken;	 /* count for the staged rows that are inserted */
	bool marks;					 /* staged rows whose guarded columns differ are marked */
	struct buffer sql;
	bool too_long; /* a statement exceeded its limit */
	bool broken;   /* a row to be inserted lacks a value: a bug */
};

/* Appends to the statement being written. */
static inline void
put(struct merge_builder *b, const char *text)
{
	buffer_put(&b->sql, text, strlen(text));
}

static inline void
put_separator(struct merge_builder *b, const char *separator, bool *first)
{
	if (!*first)
		put(b, separator);
	*first = false;
}

/* Append the target's name (for COPY and INSERT), its rows (for other statements), or a staging table: "keys",
 * "rows" or "counts". */
void merge_builder_target(struct merge_builder *b);
void merge_builder_target_rows(struct merge_builder *b);
void merge_builder_staging(struct merge_builder *b, const char *what);
/* Appends t."id". */
void merge_builder_column(struct merge_builder *b, const char *alias, const struct target_column *column);
/* The same, followed by the = operator of the column's type. */
void merge_builder_equals(struct merge_builder *b, const char *alias, const struct target_column *column);
/* The list of the fed columns, and with `with_unfed` of those without a source; nothing for a table without columns. */
void merge_builder_column_list(struct merge_builder *b, bool with_unfed);
/* OVERRIDING SYSTEM VALUE, where an INSERT writes an identity column. */
void merge_builder_overriding(struct merge_builder *b);
/* Whether the target's primary key, and so an index, is over the match key. */
bool merge_builder_has_index(const struct merge_builder *b);
/* The target column of part `i` of the key. */
const struct target_column *merge_builder_key(const struct shape *shape, unsigned i);
/* t.key = alias.k1 AND …; without an alias t.key = $1::type AND …, in the order of the key. */
void merge_builder_match(struct merge_builder *b, const char *alias);

bool merge_builder_is_domain(const struct target_column *column);
/* The column's type; for a domain its base type: staging has NULLs for missing values, which a domain may refuse,
 * and not every dialect has arrays of domains. */
void merge_builder_type(struct merge_builder *b, const struct target_column *column);
/* The same without a length or precision: a cast to those would shorten a value without an error. */
void merge_builder_plain_type(struct merge_builder *b, const struct target_column *column);

/* The entry whose turn it is as the `position`th of those that are looked up. */
static inline uint32_t
merge_builder_entry(const struct merge_builder *b, uint32_t position)
{
	return b->order ? b->order[position] : position;
}

/* Ends the statement being written, which becomes the plan's next step. */
struct merge_step *merge_builder_step(struct merge_builder *b, enum merge_step_kind kind);
/* The same for a COPY, of which the target and columns are written. */
struct merge_step *merge_builder_copy(struct merge_builder *b, enum copy_content content);
/* Creates a count: the steps that are added to it must together affect that many rows. */
struct merge_count *merge_builder_count(struct merge_builder *b, int64_t least, int64_t most);
void merge_builder_add(struct merge_builder *b, struct merge_step *step, struct merge_count *count);
/* Each row that the step affects changes by `rows` how many the count's steps must affect at least. */
void merge_builder_await(struct merge_step *step, struct merge_count *count, int rows);
/* The step inserts some of the staged rows. */
void merge_builder_take(struct merge_builder *b, struct merge_step *step);
/* With MERGE_NAMING: a query for the key of a row of a staging table that the target lacks. */
void merge_builder_name_absent(struct merge_builder *b, const char *what);
/* Whether the number of deleted rows is known in advance. A foreign key that fires may delete others (ON DELETE
 * CASCADE). */
static inline bool
merge_counts_deletes(const struct merge_builder *b)
{
	return !b->shape->rows_may_be_absent && !b->shape->triggers;
}
/* The count for the deletes by key; NULL: any number. */
struct merge_count *merge_builder_count_deletes(struct merge_builder *b);

/* s.g IN (…): the groups with that action */
void merge_builder_groups(struct merge_builder *b, enum net_action action);
/* A staged row's value of a column; in a `mixed` group the target's value where the row has none. */
void merge_builder_value(struct merge_builder *b, const struct merge_group *group, unsigned fed);
/* Whether some rows of the group have no value of the column. */
bool merge_group_lacks(const struct merge_builder *b, const struct merge_group *group, unsigned fed);
/* Whether an UPDATE may set the column; `moved`: the rows get another key, which is possible where triggers fire. */
bool merge_builder_sets(const struct merge_builder *b, bool moved, unsigned fed);

/* Whether the types of the key, or of all fed columns, can be sent as arrays. */
bool merge_array_suits_deletes(const struct merge_builder *b);
bool merge_array_suits_updates(const struct merge_builder *b);
void merge_array_deletes(struct merge_builder *b);
void merge_array_updates(struct merge_builder *b);

/* Create the staging table if needed, and empty it. */
void merge_staging_keys(struct merge_builder *b);
void merge_staging_rows(struct merge_builder *b);
void merge_staging_counts(struct merge_builder *b);
/* ANALYZE, where the planner needs to know what was copied into the staging table. */
void merge_staging_analyze(struct merge_builder *b, const char *what);

/* Whether one statement for each row costs less than one for all of them. */
bool merge_single_suits_deletes(const struct merge_builder *b);
bool merge_single_suits_inserts(const struct merge_builder *b);
bool merge_single_suits_updates(const struct merge_builder *b);
void merge_single_updates(struct merge_builder *b);
void merge_single_deletes(struct merge_builder *b);
void merge_single_inserts(struct merge_builder *b);
void merge_single_inserts_in_turn(struct merge_builder *b);

void merge_delete_keys(struct merge_builder *b);
/* Deletes from a table without a key. */
void merge_delete_counts(struct merge_builder *b);

/* Copies into staging the rows that are updated or lack values. */
void merge_update_stage(struct merge_builder *b);
/* For one group: fetch the values that only the target has, or update the target. */
void merge_update_fill(struct merge_builder *b, unsigned group);
void merge_update_patch(struct merge_builder *b, unsigned group);
/* For a group to be updated: marks the rows whose guarded columns differ from the target's, and fetches the values
 * that they lack, since they will be deleted and inserted. */
void merge_update_mark(struct merge_builder *b, unsigned group);
void merge_update_delete_marked(struct merge_builder *b);
void merge_update_insert_marked(struct merge_builder *b);
/* Inserts the rows whose values were fetched. */
void merge_update_insert(struct merge_builder *b);

/* Whether guarded columns are left out of SET, and staging marks the rows in which they differ. */
static inline bool
merge_guards(const struct merge_builder *b)
{
	return b->shape->guarded_count > 0 && !b->shape->triggers;
}

/* For rows that the target may not have: find out which it has, then insert the others. */
void merge_upsert_fetch(struct merge_builder *b);
void merge_upsert_insert(struct merge_builder *b);

#endif
