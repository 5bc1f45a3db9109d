/*
 * The net change of a batch for one table: each key's history of inserts,
 * updates, deletes and key changes folded into one result.
 *
 * Keys are compared by their bytes.  That is right although a type may hold
 * different bytes for equal values (numeric 1.0 and 1.00): the bytes of a key
 * in a change are those of the stored row, and all deletes of a batch go
 * before its inserts, so two spellings of one key never meet in the target.
 * (Where an operation is left out they may: merge_spelling.h.)
 *
 * Without a key the whole row is the key, and `count` says how many equal rows
 * were inserted (positive) or deleted (negative).
 */
#ifndef SLUICE_NET_CHANGE_H
#define SLUICE_NET_CHANGE_H

#include "base/arena.h"
#include "base/error.h"
#include "base/keymap.h"
#include "tables/shape.h"

#define ORIGIN_NONE UINT32_MAX

/* What happened to one key; the index is the keymap's. */
struct net_row {
	struct bytes row; /* the last state, encoded as in the stream; data == NULL: the row is deleted */
	uint32_t origin; /* the entry under whose key the target held this row before the batch, or ORIGIN_NONE */
	bool existed;	 /* the target held a row under this key before the batch */
	bool perhaps;	 /* `existed` is not certain, since some operation is not replicated */
	bool partial;	 /* `row` has unchanged TOASTed columns whose values only the target has */
	int64_t
		count; /* MATCH_ROW: see above; MATCH_KEY: the change, counted from the first, that `row` came with */
};

struct net_change {
	const struct shape *shape;
	struct arena *arena; /* the batch's; holds keys and rows */
	struct keymap map;
	struct net_row *rows;
	uint32_t row_capacity;
	bool truncated; /* the target is truncated before all changes here */
	bool restart_identity;
	bool left_out;		  /* the table is held: none of it is applied */
	int64_t changes;	  /* how many changes were added */
	struct value *values; /* scratch, one for each source column, … */
	struct value *newer;  /* … and as many for a row that is being merged with what `values` holds */
	struct buffer scratch;
	size_t counted_bytes; /* net_change_bytes() when the batch last counted it */
};

void net_change_init(struct net_change *net, const struct shape *shape, struct arena *arena);
void net_change_fini(struct net_change *net);

/* An insert, update or delete of the shape's relation.  ERROR_DATA when the
 * change cannot be followed: no identity, a NULL in the key. */
MUST_CHECK bool net_change_add(struct net_change *net, const struct change *change, struct error *err);
void net_change_truncate(struct net_change *net);

static inline uint32_t
net_change_count(const struct net_change *net)
{
	return keymap_count(&net->map);
}

/* A bitmap of the relation's columns whose values only the target has; NULL: none. It lives in the arena. */
const uint8_t *net_change_unchanged(const struct net_change *net, const struct net_row *row);

/* Memory in use outside the arena. */
size_t net_change_bytes(const struct net_change *net);

/*
 * The statements that an entry needs (bits).
 *
 * FILL: the row's missing values are fetched from the target before the old row
 * is deleted; then the row is inserted again.
 */
enum net_action {
	NET_NOTHING,
	NET_INSERT = 1, /* insert the row */
	NET_PATCH = 2,	/* update the target's row in place */
	NET_FILL = 4,
	NET_DELETE = 8, /* delete the target's row under this key; may come with INSERT or FILL */
};

/* Decides the actions for every entry; `actions` has net_change_count() elements. */
void net_change_decide(const struct net_change *net, uint8_t *actions);

#endif
