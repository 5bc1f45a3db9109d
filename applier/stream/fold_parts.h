/*
 * Shared by the files of the fold: fold.c handles messages and transactions, fold_tables.c finds the table and shape of a
 * relation, fold_rows.c puts row changes into the batch, fold_definitions.c handles changed definitions.
 */
#ifndef SLUICE_FOLD_PARTS_H
#define SLUICE_FOLD_PARTS_H

#include "fold.h"
#include "frame.h"
#include "merge/open_transactions.h"
#include "tables/descriptions.h"

struct fold {
	struct fold_setup setup;
	struct table **by_oid; /* of the catalog */
	struct change_decoder decoder;
	struct descriptions descriptions;
	struct frame_parts parts; /* bodies of frames that are compressed or sent in parts */
	struct shape **shapes;	  /* by the relation's number */
	bool *ignored;			  /* likewise: relations that are not part of this task */
	uint32_t shape_capacity;
	unsigned shape_count; /* created so far */

	/* the transaction being folded */
	bool in_transaction;
	bool skipping; /* it was applied before */
	bool touched;  /* some of it is in a batch */
	uint32_t xid;
	uint64_t commit_lsn;
	int64_t commit_time;
	struct bytes message; /* the bytes of the message being folded */
	bool replaying;		  /* the message comes from the backlog */

	/* transactions that are still open at the source */
	struct open_transactions open;
	struct open_transaction *streamed; /* the one whose block is being received */
};

/* Waiting for the pipeline ended early; its owner has been given the failure itself. */
static inline bool
fold_interrupted(struct error *err)
{
	error_set(err, ERROR_STOPPED, "stopped before the transaction was applied");
	return false;
}

/* ---- fold_tables.c */

void fold_index_tables(struct fold *f);
/* The table with the source's OID, or NULL. */
struct table *fold_table(const struct fold *f, uint32_t oid);

/* The place for the shape of a relation in `shapes`, which grows as needed. */
struct shape **fold_shape_place(struct fold *f, uint32_t relation_number);
void fold_free_shape(struct shape **place);
/* The shape of a relation whose table is in the catalog; if the definition has changed, the target is altered first. */
MUST_CHECK bool fold_shape_of(struct fold *f, const struct change_relation *relation,
							  const struct shape **shape, struct error *err);

/* Applies all that was folded; false when a stop was requested. */
MUST_CHECK bool fold_drain(struct fold *f);
/* Waits until the source shows the transaction being folded. */
MUST_CHECK bool fold_await_visibility(struct fold *f, struct table *table, struct error *err);
/* Bring the target in line with a changed definition, or with a changed name alone. */
MUST_CHECK bool fold_follow_definition(struct fold *f, struct table *table,
									   const struct change_relation *relation, struct error *err);
MUST_CHECK bool fold_follow_name(struct fold *f, struct table *table, const char *schema, const char *name,
								 struct error *err);

/* ---- fold_rows.c */

/* Whether the transaction's changes of the table are to be applied: its copy does not have them, and it is not held. */
bool fold_follows(const struct fold *f, const struct table *table);
/* Whether the table is copied in the background, so that its changes go into the backlog. */
bool fold_sets_aside(const struct fold *f, const struct table *table);
/* For a relation that the catalog lacks: true if its changes are to be skipped. */
MUST_CHECK bool fold_skip_unknown_table(struct fold *f, const struct change_relation *relation,
										struct error *err);
MUST_CHECK bool fold_row(struct fold *f, const struct change *change, struct error *err);
MUST_CHECK bool fold_truncate(struct fold *f, const struct change *change, struct error *err);

/* ---- fold_definitions.c */

/* The plugin's message about tables whose definitions may have changed. */
MUST_CHECK bool fold_definitions(struct fold *f, const struct change *change, struct error *err);

#endif
