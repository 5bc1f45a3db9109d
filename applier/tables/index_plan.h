/*
 * Decides how a target's indexes follow those of the source's table; has no session.
 *
 * Compared are the indexes that the source has now, the rows of sluice.indexes, which say what this program made,
 * and the indexes that the target has.  index_plan_next() names one step; when it was taken all is read again.  So it
 * does not matter where an earlier daemon ended:
 *
 *	no row ──► BUILD: a row without an OID, then CREATE INDEX under a random name ──► FINISH: its own name, its OID
 *	the source has it no more, or only a part of it was built ──► DROP ──► FORGET
 *
 * Ours is only what a row knows: while it is being built, by the random name; from then on by its OID, or, since ALTER
 * TABLE and REINDEX make an index again, by its name and definition together.  What else the target has is never touched.
 * One of ours that others have dropped keeps its row, and so is not built again.
 *
 * An index that follows is never unique at the target: the source has checked that already, and rows on their way to
 * the present state of the source need not be unique.
 *
 * The signature of an index (servers/index_specs.h) stays the same when the index or its columns are renamed, or when it is
 * rebuilt.
 */
#ifndef SLUICE_INDEX_PLAN_H
#define SLUICE_INDEX_PLAN_H

#include <stdbool.h>
#include <stdint.h>

/* An index that the source has. */
struct index_wanted {
	const char *signature;
	uint32_t oid;  /* pg_class.oid at the source */
	bool selected; /* by schema.indexes */
};

/* A row of sluice.indexes. */
struct index_row {
	const char *signature;
	uint32_t source_oid;	/* of the index that it was made for */
	const char *name;		/* at the destination */
	uint32_t oid;			/* pg_class.oid at the destination; 0: it is being built */
	const char *definition; /* as in index_found; NULL while it is being built */
};

/* An index that the target has, or one with the random name of a row. */
struct index_found {
	uint32_t oid;
	uint32_t table; /* OID of its table */
	const char *schema;
	const char *name;
	const char *definition; /* "USING btree (a, b) …", after "CONSTRAINT " if it belongs to one */
	bool unique;
	bool valid;
	bool constraint;
};

struct index_plan {
	uint32_t target; /* OID */
	const struct index_wanted *wanted;
	unsigned wanted_count;
	const struct index_row *rows;
	unsigned row_count;
	const struct index_found *found;
	unsigned found_count;
	/* Whether nothing is to be done about an index now, since it failed; NULL: there is none of these. */
	bool (*rests)(void *arg, const char *signature, bool drop);
	void *arg;
};

enum index_action { INDEX_NOTHING, INDEX_BUILD, INDEX_FINISH, INDEX_DROP, INDEX_RENEW, INDEX_FORGET };

struct index_step {
	enum index_action action;
	const struct index_wanted *wanted; /* for BUILD, FINISH and RENEW */
	const struct index_row *row;	   /* NULL for BUILD */
	const struct index_found
		*found; /* for FINISH, DROP and RENEW; NULL for RENEW: the target has it no more */
};

/* Whether source and rows alone show that there is nothing to do: the target need not be asked. */
bool index_plan_in_step(const struct index_plan *plan);
struct index_step index_plan_next(const struct index_plan *plan);
/* Whether the source has dropped some that there are rows about. */
bool index_plan_has_gone(const struct index_plan *plan);
/* Whether the source has the index, or there is a row about it. */
bool index_plan_knows(const struct index_plan *plan, const char *signature);
/* The index of the target that the row is about; NULL: there is none. */
const struct index_found *index_plan_find(const struct index_plan *plan, const struct index_row *row);
const struct index_wanted *index_plan_wants(const struct index_plan *plan, const char *signature);

#endif
