/*
 * What the parts of a merge plan share while one is built: the statement in
 * the making, the steps so far, and the words that all statements consist of.
 *
 *	merge_plan      decides what is to be done, and in which order
 *	merge_staging   makes and empties the staging tables
 *	merge_single    inserts, deletes and updates one by one, where there are few
 *	merge_array     deletes and updates by arrays as parameters, where there are some
 *	merge_delete    deletes keys, or so many of equal rows
 *	merge_update    updates in place, or fetches what is missing and inserts again
 *	merge_upsert    rows of which it is not known whether the target holds them
 */
#ifndef SLUICE_MERGE_BUILDER_H
#define SLUICE_MERGE_BUILDER_H

#include "base/sql.h"
#include "merge_plan.h"

/* Staged rows that need the same statement. */
struct merge_group {
	enum net_action action;
	bool moved;			/* the row stands under another key in the target */
	bool partial;		/* the rows lack values that only the target has */
	bool mixed;			/* the rows lack different columns */
	uint8_t *unchanged; /* bitmap over the relation's columns: missing in some row, or NULL */
	int64_t rows;
};

struct merge_builder {
	struct merge_plan *plan;
	enum merge_phase phase; /* of the next step */
	const struct net_change *net;
	const struct shape *shape;
	const struct dialect *dialect;
	struct staging *staging;
	struct arena *arena;
	uint8_t *actions;
	uint8_t *groups_of; /* each staged entry's group */
	struct merge_group *groups;
	unsigned group_count;
	enum merge_manner manner;
	int64_t deletes;
	int64_t perhaps; /* of the deletes: of rows of which it is not known whether the target holds them */
	int64_t inserts;
	int64_t patches;
	int64_t fills;
	struct merge_count *patched; /* of the patches; NULL: any number */
	struct merge_count *taken;	 /* of the staged rows that are inserted */
	bool marks;					 /* staged rows whose guarded columns differ are marked */
	struct buffer sql;
	bool too_long; /* a statement was */
	bool broken;   /* a row to be inserted lacks a value */
};

/* Appends to the statement in the making. */
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

/* The target's name, for COPY and INSERT; its rows', for the rest; and a staging table's: "keys", "rows" or "counts". */
void merge_builder_target(struct merge_builder *b);
void merge_builder_target_rows(struct merge_builder *b);
void merge_builder_staging(struct merge_builder *b, const char *what);
/* t."id" */
void merge_builder_column(struct merge_builder *b, const char *alias, const struct target_column *column);
/* The same with its type's = behind it. */
void merge_builder_equals(struct merge_builder *b, const char *alias, const struct target_column *column);
/* The fed columns, and those without a source; nothing for a table without columns. */
void merge_builder_column_list(struct merge_builder *b, bool with_unfed);
/* What INSERT says before its values where it has to write an identity column. */
void merge_builder_overriding(struct merge_builder *b);
/* Whether the target has its primary key, and with it an index, over the match key. */
bool merge_builder_has_index(const struct merge_builder *b);
/* The target's column of a part of the key. */
const struct target_column *merge_builder_key(const struct shape *shape, unsigned i);
/* t.key = alias.k1 AND …; without an alias t.key = $1::type AND …, in the order of the key */
void merge_builder_match(struct merge_builder *b, const char *alias);

bool merge_builder_is_domain(const struct target_column *column);
/* Of a domain the base type: staging holds NULLs where values are missing,
 * which a domain may refuse, and not every dialect has arrays of domains. */
void merge_builder_type(struct merge_builder *b, const struct target_column *column);
/* The same without a length or precision, to which a cast would cut a value without a word. */
void merge_builder_plain_type(struct merge_builder *b, const struct target_column *column);

/* The statement in the making becomes the plan's next step. */
struct merge_step *merge_builder_step(struct merge_builder *b, enum merge_step_kind kind);
/* The same for the head of a COPY, up to its columns. */
struct merge_step *merge_builder_copy(struct merge_builder *b, enum copy_content content);
/* The step, and those that are added to the count later, must meet so many rows. */
struct merge_count *merge_builder_count(struct merge_builder *b, int64_t least, int64_t most);
void merge_builder_add(struct merge_builder *b, struct merge_step *step, struct merge_count *count);
/* Each row that the step meets is one more, or one less, for the count's steps to meet. */
void merge_builder_await(struct merge_step *step, struct merge_count *count, int rows);
/* The step inserts some of the staged rows. */
void merge_builder_take(struct merge_builder *b, struct merge_step *step);
/* Where the batch was refused: asks for the key of a row of a staging table that the target lacks. */
void merge_builder_name_absent(struct merge_builder *b, const char *what);
/* Whether the number of deletes is known.  A foreign key that fires takes rows along (ON DELETE CASCADE). */
static inline bool
merge_counts_deletes(const struct merge_builder *b)
{
	return !b->shape->rows_may_be_absent && !b->shape->triggers;
}
/* How many the deletes by key must meet; NULL: any number. */
struct merge_count *merge_builder_count_deletes(struct merge_builder *b);

/* s.g IN (…): the groups with that action */
void merge_builder_groups(struct merge_builder *b, enum net_action action);
/* Of a staged row's columns: its own value; with `mixed` the target's where it brought none. */
void merge_builder_value(struct merge_builder *b, const struct merge_group *group, unsigned fed);
/* Whether some rows of the group brought no value of the column. */
bool merge_group_lacks(const struct merge_builder *b, const struct merge_group *group, unsigned fed);
/* Whether the column may be in the SET of an UPDATE of rows that stay under their key, or moved where triggers fire. */
bool merge_builder_sets(const struct merge_builder *b, bool moved, unsigned fed);

/* Arrays as parameters: whether the types of the key, or of all fed columns, can be unnested. */
bool merge_array_suits_deletes(const struct merge_builder *b);
bool merge_array_suits_updates(const struct merge_builder *b);
void merge_array_deletes(struct merge_builder *b);
void merge_array_updates(struct merge_builder *b);

/* Sees to it that the staging table is there and empty. */
void merge_staging_keys(struct merge_builder *b);
void merge_staging_rows(struct merge_builder *b);
void merge_staging_counts(struct merge_builder *b);
/* Where the planner needs to know what was copied into it. */
void merge_staging_analyze(struct merge_builder *b, const char *what);

/* A statement with parameters for each key to delete, and for each row to insert;
 * whether that costs less than one statement for all of them. */
bool merge_single_suits_deletes(const struct merge_builder *b);
bool merge_single_suits_inserts(const struct merge_builder *b);
bool merge_single_suits_updates(const struct merge_builder *b);
void merge_single_updates(struct merge_builder *b);
void merge_single_deletes(struct merge_builder *b);
void merge_single_inserts(struct merge_builder *b);
void merge_single_inserts_in_turn(struct merge_builder *b);

void merge_delete_keys(struct merge_builder *b);
/* Without a key. */
void merge_delete_counts(struct merge_builder *b);

/* Copies the rows that lack values into staging. */
void merge_update_stage(struct merge_builder *b);
/* Of a group: fetches what only the target knows, or updates the target. */
void merge_update_fill(struct merge_builder *b, unsigned group);
void merge_update_patch(struct merge_builder *b, unsigned group);
/* Of a group to be updated: marks the rows whose guarded columns differ from the target's, and fetches what they
 * lack, since they are to be deleted and inserted. */
void merge_update_mark(struct merge_builder *b, unsigned group);
void merge_update_delete_marked(struct merge_builder *b);
void merge_update_insert_marked(struct merge_builder *b);
/* The rows that were filled. */
void merge_update_insert(struct merge_builder *b);

/* Guarded columns keep out of SET, and staging says of each row whether they differ. */
static inline bool
merge_guards(const struct merge_builder *b)
{
	return b->shape->guarded_count > 0 && !b->shape->triggers;
}

/* Of rows that the target may not hold: finds out which it does, then inserts the others. */
void merge_upsert_fetch(struct merge_builder *b);
void merge_upsert_insert(struct merge_builder *b);

#endif
